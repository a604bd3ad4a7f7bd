package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// scaling writes the kernels that make numbers of quants, signed bytes:
//
//	for g < groups, i < 16·sixteens: dst[16·sixteens·g+i] = scales[g]·q[16·sixteens·g+i] + offsets[g]
//
// There is one without offsets.
func (m *machine) scaling(name string, offsets bool) {
	signature, doc := "func(dst *float32, q *byte, scales *float32, groups, sixteens int)", "scales groups of 16·sixteens quants."
	if offsets {
		signature = "func(dst *float32, q *byte, scales, offsets *float32, groups, sixteens int)"
	}
	m.function(name, signature, doc)
	dst, q, scales, groups, sixteens := pointer("dst"), pointer("q"), pointer("scales"), pointer("groups"), pointer("sixteens")
	var from Op
	if offsets {
		from = pointer("offsets")
	}
	left := GP64()
	loop(groups, func() {
		scale := m.broadcast(at(scales, 0))
		ADDQ(I32(4), scales)
		offset := scale
		if offsets {
			offset = m.broadcast(at(from.(GPVirtual), 0))
			ADDQ(I32(4), from)
		}
		MOVQ(sixteens, left)
		loop(left, func() {
			for i := range 16 / m.lanes {
				v := m.register()
				VPMOVSXBD(at(q, i*m.lanes), v)
				VCVTDQ2PS(v, v)
				VMULPS(scale, v, v)
				if offsets {
					VADDPS(offset, v, v)
				}
				VMOVUPS(v, at(dst, i*m.width()))
			}
			ADDQ(I32(16), q)
			ADDQ(I32(64), dst)
		})
	})
	end()
}
