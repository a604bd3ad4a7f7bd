package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// exp2 is the minimax polynomial of degree 5 for 2^f, |f| ≤ 1/2, with a relative
// error of 2^-23.4, and 1 for f = 0. Coefficients rise.
var exp2 = []float64{1, 0.6931470036506653, 0.24022246897220612, 0.0555071085691452, 0.009671291336417198, 0.0013269521296024323}

// magic is a number whose last bit is worth 1: adding it rounds to an integer,
// which is then in the low bits of the sum.
const magic = 0x1.8p23

// exp computes exp of d·(c + low)·ln 2 as
//
//	n = round(d·c)
//	f = d·c - n + d·low          the product is exact, as it is fused
//	polynomial(f) · 2^n
//
// for n from -bias, where 2^n becomes 0, to 255-bias, where it becomes infinite.
// 2^n comes times 2^(bias-127). It needs d no longer than the result.
func (m *machine) exp(d []VecVirtual, c, low VecVirtual, bias float64) []VecVirtual {
	z, f := make([]VecVirtual, len(d)), make([]VecVirtual, len(d))
	shift := m.k(magic + bias)
	for i := range d {
		z[i], f[i] = m.register(), m.register()
		VMOVAPS(shift, z[i])
		VFMADD231PS(c, d[i], z[i])
	}
	for i := range d {
		VSUBPS(shift, z[i], f[i])
	}
	for i := range d {
		VFMSUB231PS(c, d[i], f[i])
	}
	for i := range d {
		VFMADD231PS(low, d[i], f[i])
	}
	p := m.polynomial(f, exp2)
	for i := range p {
		VPSLLD(Imm(23), z[i], z[i])
		VMULPS(z[i], p[i], p[i])
	}
	return p
}

// polynomial evaluates coefficients at each t by Horner's rule.
func (m *machine) polynomial(t []VecVirtual, coefficients []float64) []VecVirtual {
	p := make([]VecVirtual, len(t))
	last := len(coefficients) - 1
	for i := range p {
		p[i] = m.k(coefficients[last])
	}
	for j := last - 1; j >= 0; j-- {
		c := m.k(coefficients[j])
		for i := range p {
			VFMADD213PS(c, t[i], p[i])
		}
	}
	return p
}

// clamp stores in each register x between low and high; NaN stays.
func (m *machine) clamp(x []VecVirtual, low, high float64) {
	l, h := m.k(low), m.k(high)
	for _, v := range x {
		VMAXPS(v, l, v)
		VMINPS(v, h, v)
	}
}

// split returns f as a float32 and what that lacks.
func split(f float64) (high, low float64) {
	high = float64(float32(f))
	return high, f - high
}

func (m *machine) exponentials() {
	m.function("max", "func(x []float32) float32", "returns the largest of x that is a number, -Inf for none.")
	n := m.length("x")
	acc := make([]VecVirtual, m.unroll)
	for i := range acc {
		acc[i] = m.k(math.Inf(-1))
	}
	m.each(n, []Register{m.pointer("x")}, floats(1), m.unroll, func(b *block) {
		for i := range b.count {
			// The first operand is what is kept where one is NaN.
			x := b.load(0, i)
			switch {
			case !b.masked:
				VMAXPS(acc[i], x, acc[i])
			case b.wide():
				VMAXPS(acc[i], x, b.mask, acc[i])
			default:
				VMAXPS(acc[i], x, x)
				VBLENDVPS(b.mask, x, acc[i], acc[i])
			}
		}
	})
	result(m.reduce(acc, VMAXPS))

	m.function("expSum", "func(x []float32, c, low, floor, top float32) float32",
		"stores 2^((c+low)·max(x-top, floor)) in x and returns the sum.")
	n = m.length("x")
	c, low := m.parameter("c"), m.parameter("low")
	floor, top := m.parameter("floor"), m.parameter("top")
	acc = m.zeros(m.deep)
	m.keep(append(exp2[:5:5], magic+127)...)
	m.each(n, []Register{m.pointer("x")}, floats(1), m.deep, func(b *block) {
		d := make([]VecVirtual, b.count)
		for i := range d {
			d[i] = b.load(0, i)
			VSUBPS(top, d[i], d[i])
			VMAXPS(d[i], floor, d[i])
		}
		for i, e := range m.exp(d, c, low, 127) {
			b.store(0, i, e)
			b.clear(e)
			VADDPS(e, acc[i], acc[i])
		}
	})
	result(m.reduce(acc, VADDPS))

	m.function("exp", "func(x []float32)", "stores the exponential of x in x.")
	n = m.length("x")
	high, rest := split(math.Log2E)
	c, low = m.k(high), m.k(rest)
	m.each(n, []Register{m.pointer("x")}, floats(1), m.deep, func(b *block) {
		d := make([]VecVirtual, b.count)
		for i := range d {
			d[i] = b.load(0, i)
		}
		// 2^(n-1) and then twice that, so that n = 128 does not overflow.
		m.clamp(d, -126*math.Ln2, 129*math.Ln2)
		for i, e := range m.exp(d, c, low, 126) {
			VADDPS(e, e, e)
			b.store(0, i, e)
		}
	})
	end()
}
