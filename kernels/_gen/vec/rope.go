package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func (m *machine) rotations() {
	m.function("ropeHalves", "func(x, y, cos, sin []float32)", "rotates each (x, y).")
	m.each(m.length("x"), []Register{m.pointer("x"), m.pointer("y"), m.pointer("cos"), m.pointer("sin")}, floats(4), m.deep,
		func(b *block) {
			for i := range b.count {
				x, y, cos, sin := b.load(0, i), b.load(1, i), b.load(2, i), b.load(3, i)
				u, v := m.register(), m.register()
				VMULPS(y, sin, u)
				VFMSUB231PS(x, cos, u)
				VMULPS(x, sin, v)
				VFMADD231PS(y, cos, v)
				b.store(0, i, u)
				b.store(1, i, v)
			}
		})
	end()

	m.function("ropePairs", "func(x, cos, sin []float32)", "rotates each two neighbours of x.")
	m.each(m.length("x"), []Register{m.pointer("x"), m.pointer("cos"), m.pointer("sin")}, []int{4, 2, 2}, m.deep,
		func(b *block) {
			var mask Register // of pairs
			if b.masked {
				pairs := copyOf(b.left)
				SHRQ(Imm(1), pairs)
				if m.wide() {
					half := &block{machine: m, left: pairs}
					half.setMask()
					mask = half.mask
				} else {
					v := XMM()
					VMOVDQU(maskAt(pairs), v)
					mask = v
				}
			}
			// twice returns each number of half a vector twice.
			twice := func(p, i int) VecVirtual {
				v := m.register()
				from := Mem{Base: b.pointers[p], Disp: i * m.width() / 2}
				switch {
				case !b.masked:
					VPMOVZXDQ(from, v)
				case m.wide():
					VPMOVZXDQ_Z(from, mask, v)
				default:
					half := XMM()
					VMASKMOVPS(from, mask, half)
					VPMOVZXDQ(half, v)
				}
				VMOVSLDUP(v, v)
				return v
			}
			for i := range b.count {
				x := b.load(0, i)
				swapped := m.register()
				VPERMILPS(Imm(0b10_11_00_01), x, swapped)
				VMULPS(twice(2, i), swapped, swapped)
				VFMADDSUB213PS(swapped, twice(1, i), x)
				b.store(0, i, x)
			}
		})
	end()
}
