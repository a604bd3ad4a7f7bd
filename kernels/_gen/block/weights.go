package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// sums writes kernels that add in order, from the front, a row in each lane:
//
//	squares: for k < lanes·squares: sums[r] += x[r·stride+k]²
//	total: for k < count: sums[r] += x[k·lanes+r]
func (m *machine) sums() {
	m.function("squares", "func(sums, x *float32, stride, squares int)",
		"adds the squares of rows of squares·lanes numbers, stride bytes apart.")
	sums, n := pointer("sums"), pointer("squares")
	r := newRows(m.lanes, pointer("x"), pointer("stride"))
	sum := m.zero()
	loop(n, func() {
		for _, v := range m.square(r) {
			VMULPS(v, v, v)
			VADDPS(v, sum, sum)
		}
		r.advance(m.width())
	})
	VMOVUPS(sum, at(sums, 0))
	end()

	m.function("total", "func(sums, x *float32, count int)", "adds vectors that follow each other.")
	sums, x, n := pointer("sums"), pointer("x"), pointer("count")
	sum = m.zero()
	loop(n, func() {
		VADDPS(at(x, 0), sum, sum)
		ADDQ(I32(m.width()), x)
	})
	VMOVUPS(sum, at(sums, 0))
	end()
}

// weigh writes the kernel of the weights of errors:
//
//	for i < 16·groups: w[i] = importance[i]·√(variance + x[i]²)
func (m *machine) weigh() {
	m.function("weigh", "func(w, x, importance *float32, groups int, variance float32)", "weighs groups of 16 numbers.")
	w, x, importance, groups := pointer("w"), pointer("x"), pointer("importance"), pointer("groups")
	variance := m.register()
	from, err := Param("variance").Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(from.Addr, variance)
	loop(groups, func() {
		for i := range 16 / m.lanes {
			v := m.load(at(x, i*m.width()))
			VMULPS(v, v, v)
			VADDPS(v, variance, v)
			VSQRTPS(v, v)
			VMULPS(at(importance, i*m.width()), v, v)
			VMOVUPS(v, at(w, i*m.width()))
		}
		for _, p := range []Op{w, x, importance} {
			ADDQ(I32(64), p)
		}
	})
	end()
}
