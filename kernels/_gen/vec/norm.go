package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Norms sum with floats in the lanes of as many vectors as are in flight. Where
// the sum of squares is not finite they return false and leave x as it was.
func (m *machine) norms() {
	m.layerNorm()
	m.rmsNorm()
}

// count returns n as a float.
func count(n Register) VecVirtual {
	f := XMM()
	VXORPS(f, f, f)
	VCVTSI2SSQ(n, f, f)
	return f
}

// refuse returns false where x is not finite.
func refuse(x VecVirtual) {
	zero := XMM()
	VSUBSS(x, x, zero)
	VUCOMISS(zero, zero)
	JNP(LabelRef("finite"))
	no := GP8()
	XORB(no, no)
	Store(no, ReturnIndex(0))
	end()
	Label("finite")
}

func accept() {
	yes := GP8()
	MOVB(U8(1), yes)
	Store(yes, ReturnIndex(0))
	end()
}

// inverseRoot replaces v by 1/√(max(v, 0) + eps).
func (m *machine) inverseRoot(v VecVirtual) {
	zero, eps := XMM(), XMM()
	VXORPS(zero, zero, zero)
	VMAXSS(zero, v, v)
	Load(Param("eps"), eps)
	VADDSS(eps, v, v)
	VSQRTSS(v, v, v)
	one := XMM()
	VMOVSS(constant(0x3f800000), one)
	VDIVSS(v, one, v)
}

// layerNorm takes the mean from a first sum, and what that was off by from the
// sum of the differences, so that a large mean costs no accuracy:
//
//	m = Σ x / n
//	d = x - m;  off = Σ d / n;  variance = Σ d² / n - off²
//	y = (d - off) / √(variance + eps) · weight + bias
func (m *machine) layerNorm() {
	m.function("layerNorm", "func(x, weight, bias []float32, eps float32) bool",
		"normalises x; bias may be empty. It returns false and does nothing where the squares overflow.")
	x, n := m.pointer("x"), m.length("x")
	over := func(pointers []Register, unroll int, body func(b *block)) {
		m.each(copyOf(n), pointers, floats(len(pointers)), unroll, body)
	}
	acc := m.zeros(m.unroll)
	over([]Register{copyOf(x)}, m.unroll, func(b *block) {
		for i := range b.count {
			VADDPS(b.load(0, i), acc[i], acc[i])
		}
	})
	sum := m.reduce(acc, VADDPS)
	VDIVSS(count(n), sum, sum)
	mean := m.broadcast(sum)
	sums, squares := m.zeros(m.unroll), m.zeros(m.unroll)
	over([]Register{copyOf(x)}, m.unroll, func(b *block) {
		for i := range b.count {
			d := b.load(0, i)
			VSUBPS(mean, d, d)
			b.clear(d)
			VADDPS(d, sums[i], sums[i])
			VFMADD231PS(d, d, squares[i])
		}
	})
	off, variance := m.reduce(sums, VADDPS), m.reduce(squares, VADDPS)
	refuse(variance)
	c := count(n)
	VDIVSS(c, off, off)
	VDIVSS(c, variance, variance)
	VFNMADD231SS(off, off, variance)
	m.inverseRoot(variance)
	scale := m.broadcast(variance)
	VMULSS(off, variance, off)
	shift := m.broadcast(off)
	weight, bias := m.pointer("weight"), m.pointer("bias")
	normalise := func(b *block, i int) VecVirtual {
		d := b.load(0, i)
		VSUBPS(mean, d, d)
		VFMSUB213PS(shift, scale, d)
		return d
	}
	biases := m.length("bias")
	TESTQ(biases, biases)
	JZ(LabelRef("unbiased"))
	over([]Register{x, weight, bias}, m.unroll, func(b *block) {
		for i := range b.count {
			y := normalise(b, i)
			VFMADD213PS(b.load(2, i), b.load(1, i), y)
			b.store(0, i, y)
		}
	})
	accept()
	Label("unbiased")
	over([]Register{x, weight}, m.unroll, func(b *block) {
		for i := range b.count {
			y := normalise(b, i)
			VMULPS(b.load(1, i), y, y)
			b.store(0, i, y)
		}
	})
	accept()
}

func (m *machine) rmsNorm() {
	m.function("rmsNorm", "func(x, weight []float32, eps float32) bool",
		"normalises x; weight may be empty. It returns false and does nothing where the squares overflow.")
	x, n := m.pointer("x"), m.length("x")
	squares := m.zeros(m.unroll)
	m.each(copyOf(n), []Register{copyOf(x)}, floats(1), m.unroll, func(b *block) {
		for i := range b.count {
			v := b.load(0, i)
			VFMADD231PS(v, v, squares[i])
		}
	})
	mean := m.reduce(squares, VADDPS)
	refuse(mean)
	VDIVSS(count(n), mean, mean)
	m.inverseRoot(mean)
	scale := m.broadcast(mean)
	weights := m.length("weight")
	TESTQ(weights, weights)
	JZ(LabelRef("unweighted"))
	m.each(copyOf(n), []Register{copyOf(x), m.pointer("weight")}, floats(2), m.unroll, func(b *block) {
		for i := range b.count {
			v := b.load(0, i)
			VMULPS(scale, v, v)
			VMULPS(b.load(1, i), v, v)
			b.store(0, i, v)
		}
	})
	accept()
	Label("unweighted")
	m.each(n, []Register{x}, floats(1), m.unroll, func(b *block) {
		for i := range b.count {
			v := b.load(0, i)
			VMULPS(scale, v, v)
			b.store(0, i, v)
		}
	})
	accept()
}
