package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// An odd function that saturates, as x·P(2x²/end² - 1) for |x| ≤ end, and as its
// value at end beyond.
type odd struct {
	end          float64
	coefficients []float64
}

// normal is Φ(x) - 1/2 with an error of 2^-24.5. At the end it rounds such that
// 1/2 + it is 1.
var normal = odd{end: 5.4, coefficients: []float64{
	0x1.0c240ap-3, -0x1.0b9578p-4, 0x1.8d4f38p-5, -0x1.412b74p-5, 0x1.07127ap-5,
	-0x1.a6176cp-6, 0x1.4256700p-6, -0x1.c7552cp-7, 0x1.38b62cp-7, -0x1.c0eda6p-8,
	0x1.f97b3ap-9, -0x1.160382p-10, 0x1.6fb75cp-11, -0x1.193b76p-10, 0x1.d95102p-12,
}}

// errorFunction is erf with a relative error of 2^-24.4.
var errorFunction = odd{end: 3.9, coefficients: []float64{
	0x1.734936p-2, -0x1.72b5eap-3, 0x1.13d962p-3, -0x1.c0a788p-4, 0x1.73516ap-4, -0x1.2e2a62p-4,
	0x1.db3ff0p-5, -0x1.5ff844p-5, 0x1.d7d004p-6, -0x1.37a472p-6, 0x1.ce8ffep-7, -0x1.02df50p-7,
	0x1.865d74p-10, -0x1.ce7b6cp-11, 0x1.0c8190p-9, -0x1.d77f8ep-11,
}}

// evaluate returns x within the bounds of o and P of it.
func (o *odd) evaluate(m *machine, x []VecVirtual) (p []VecVirtual) {
	m.clamp(x, -o.end, o.end)
	t := make([]VecVirtual, len(x))
	end := float64(float32(o.end))
	scale, one := m.k(2/(end*end)), m.k(-1)
	for i := range x {
		t[i] = m.register()
		VMULPS(x[i], x[i], t[i])
		VFMADD213PS(one, scale, t[i])
	}
	return m.polynomial(t, o.coefficients)
}

// An activation computes the vectors of a block behind pointer p.
type activation func(b *block, p int) []VecVirtual

func (b *block) all(p int) []VecVirtual {
	x := make([]VecVirtual, b.count)
	for i := range x {
		x[i] = b.load(p, i)
	}
	return x
}

func erf(b *block, p int) []VecVirtual {
	x := b.all(p)
	y := errorFunction.evaluate(b.machine, x)
	for i := range y {
		VMULPS(x[i], y[i], y[i])
	}
	return y
}

// gelu is x·(1 - (1/2 - (Φ(x) - 1/2))): both differences round to 1 or 0 at the ends.
func gelu(b *block, p int) []VecVirtual {
	x := b.all(p)
	y := normal.evaluate(b.machine, x)
	half := b.k(0.5)
	for i := range y {
		VFNMADD213PS(half, x[i], y[i])
	}
	one := b.k(1)
	for i := range y {
		VSUBPS(y[i], one, y[i])
		VMULPS(b.load(p, i), y[i], y[i])
	}
	return y
}

// logistic returns x / (1 + exp(-scale·d)), x again from memory. Where exp
// overflows, the quotient is 0.
func (b *block) logistic(p int, d []VecVirtual, scale float64) []VecVirtual {
	perBit := -scale * math.Log2E
	b.clamp(d, 128.2/perBit, -126.9/perBit)
	high, low := split(perBit)
	e := b.exp(d, b.k(high), b.k(low), 127)
	one := b.k(1)
	for i := range e {
		VADDPS(one, e[i], e[i])
	}
	for i := range e {
		VDIVPS(e[i], b.load(p, i), e[i])
	}
	return e
}

func silu(b *block, p int) []VecVirtual { return b.logistic(p, b.all(p), 1) }

// geluTanh makes use of (1 + tanh(z)) / 2 = 1 / (1 + exp(-2z)).
func geluTanh(b *block, p int) []VecVirtual {
	d := b.all(p)
	square := make([]VecVirtual, b.count)
	cubic, one := b.k(0.044715), b.k(1)
	for i, x := range d {
		square[i] = b.register()
		VMULPS(x, x, square[i])
		VFMADD213PS(one, cubic, square[i])
		VMULPS(square[i], x, x)
	}
	return b.logistic(p, d, 2*math.Sqrt(2/math.Pi))
}

func (m *machine) activations() {
	rows := func(name, doc string, unroll int, f activation) {
		m.function(name, "func(x *float32, rows, cols, stride int)", doc+" in place, in rows stride bytes apart; rows > 0.")
		row := Load(Param("x"), GP64())
		left, cols, stride := Load(Param("rows"), GP64()), Load(Param("cols"), GP64()), Load(Param("stride"), GP64())
		Label("row")
		m.each(copyOf(cols), []Register{copyOf(row)}, floats(1), unroll, func(b *block) {
			for i, y := range f(b, 0) {
				b.store(0, i, y)
			}
		})
		ADDQ(stride, row)
		DECQ(left)
		JNZ(LabelRef("row"))
		end()
	}
	rows("erf", "computes erf", m.unroll, erf)
	rows("gelu", "computes GELU", m.unroll, gelu)
	rows("geluTanh", "computes GELUTanh", m.deep, geluTanh)
	rows("silu", "computes SiLU", m.deep, silu)

	gated := func(name, doc string, f activation) {
		m.function(name, "func(dst, gate []float32)", doc)
		m.each(m.length("dst"), []Register{m.pointer("dst"), m.pointer("gate")}, floats(2), m.deep, func(b *block) {
			for i, y := range f(b, 1) {
				VMULPS(b.load(0, i), y, y)
				b.store(0, i, y)
			}
		})
		end()
	}
	gated("mulGELU", "multiplies dst by GELU of gate.", gelu)
	gated("mulGELUTanh", "multiplies dst by GELUTanh of gate.", geluTanh)
	gated("mulSiLU", "multiplies dst by SiLU of gate.", silu)
}
