package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func (m *machine) arithmetic() {
	two := func(name, doc string, op func(ops ...Op)) {
		m.function(name, "func(x, y []float32)", doc)
		n := m.length("x")
		m.each(n, []Register{m.pointer("x"), m.pointer("y")}, floats(2), m.unroll, func(b *block) {
			for i := range b.count {
				x := b.load(0, i)
				op(b.load(1, i), x, x)
				b.store(0, i, x)
			}
		})
		end()
	}
	two("add", "adds y to x.", VADDPS)
	two("mul", "multiplies x by y.", VMULPS)

	m.function("addScaled", "func(x, y []float32, s float32)", "adds s·y to x.")
	n, s := m.length("x"), m.parameter("s")
	m.each(n, []Register{m.pointer("x"), m.pointer("y")}, floats(2), m.unroll, func(b *block) {
		for i := range b.count {
			x := b.load(0, i)
			VFMADD231PS(b.load(1, i), s, x)
			b.store(0, i, x)
		}
	})
	end()

	m.function("scale", "func(x []float32, s float32)", "multiplies x by s.")
	n, s = m.length("x"), m.parameter("s")
	m.each(n, []Register{m.pointer("x")}, floats(1), m.unroll, func(b *block) {
		for i := range b.count {
			x := b.load(0, i)
			VMULPS(s, x, x)
			b.store(0, i, x)
		}
	})
	end()

	m.function("dot", "func(x, y []float32) float32", "returns Σ x·y.")
	n = m.length("x")
	acc := m.zeros(m.unroll)
	m.each(n, []Register{m.pointer("x"), m.pointer("y")}, floats(2), m.unroll, func(b *block) {
		for i := range b.count {
			VFMADD231PS(b.load(0, i), b.load(1, i), acc[i])
		}
	})
	result(m.reduce(acc, VADDPS))
}
