package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func (m *machine) pooling() {
	m.function("mean", "func(dst, x []float32, rows int)", "stores the mean of the rows of x in dst; rows > 0.")
	n, rows := m.length("dst"), Load(Param("rows"), GP64())
	stride := copyOf(n)
	SHLQ(Imm(2), stride)
	divisor := m.broadcast(count(rows))
	m.each(n, []Register{m.pointer("dst"), m.pointer("x")}, floats(2), m.unroll, func(b *block) {
		sums := m.zeros(b.count)
		row, left := copyOf(b.pointers[1]), copyOf(rows)
		next := label("row")
		Label(next)
		for i, s := range sums {
			VADDPS(b.loadFrom(b.at(row, i)), s, s)
		}
		ADDQ(stride, row)
		DECQ(left)
		JNZ(LabelRef(next))
		for i, s := range sums {
			VDIVPS(divisor, s, s)
			b.store(0, i, s)
		}
	})
	end()

	m.function("finite", "func(x []float32) int", "returns how many whole blocks of 64 elements at the front of x are finite, in elements.")
	first, at := m.pointer("x"), GP64()
	MOVQ(first, at)
	m.whole(m.length("x"), []Register{at}, floats(1), 64/m.lanes, func(b *block) {
		if m.wide() {
			found := K()
			for i := range b.count {
				k := K()
				const notFinite = 0x01 | 0x80 | 0x08 | 0x10 // NaN, infinities
				VFPCLASSPSZ(Imm(notFinite), b.at(at, i), k)
				if i == 0 {
					found = k
					continue
				}
				next := K()
				KORW(found, k, next)
				found = next
			}
			KORTESTW(found, found)
			JNZ(LabelRef("found"))
			return
		}
		// An exponent of ones compares equal to itself; any will do.
		exponent := m.bits(math.Float32bits(float32(math.Inf(1))))
		found := m.zero()
		for i := range b.count {
			v := m.register()
			VANDPS(b.at(at, i), exponent, v)
			VPCMPEQD(exponent, v, v)
			VORPS(v, found, found)
		}
		VPTEST(found, found)
		JNZ(LabelRef("found"))
	})
	Label("found")
	SUBQ(first, at)
	SHRQ(Imm(2), at)
	Store(at, ReturnIndex(0))
	end()
}
