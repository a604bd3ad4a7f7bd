package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// squares keeps the sums of some columns in registers while it goes down the rows:
//
//	for each whole vector of columns j
//	    s = sums[j]                  // as float64, two registers for one of floats
//	    for each row i
//	        d = float64(x[i][j])
//	        s = d·d + s              // the product is exact: fused or not, s is the same
//	    sums[j] = s
//
// Columns beyond the whole vectors are left to the caller.
func (m *machine) squares() {
	m.function("addSquares", "func(sums []float64, x []float32, rows, stride int)",
		"adds the squares of the columns of x, whose rows are stride bytes apart, to sums, for whole vectors of columns.")
	n := m.length("sums")
	rows, stride := Load(Param("rows"), GP64()), Load(Param("stride"), GP64())
	pointers := []Register{m.pointer("sums"), m.pointer("x")}
	sizes := []int{8, 4}
	half := m.lanes / 2
	from := func(p Register, i int) Mem { return Mem{Base: p, Disp: i * 4 * half} } // half a vector of floats
	to := func(p Register, i int) Mem { return Mem{Base: p, Disp: i * 8 * half} }   // as float64
	for _, unroll := range []int{m.unroll, 1} {
		m.whole(n, pointers, sizes, unroll, func(b *block) {
			var sums []VecVirtual
			for i := range 2 * b.count {
				s := m.register()
				VMOVUPD(to(b.pointers[0], i), s)
				sums = append(sums, s)
			}
			row, left := copyOf(b.pointers[1]), copyOf(rows)
			next := label("row")
			Label(next)
			for i, s := range sums {
				d := m.register()
				VCVTPS2PD(from(row, i), d)
				VFMADD231PD(d, d, s)
			}
			ADDQ(stride, row)
			DECQ(left)
			JNZ(LabelRef(next))
			for i, s := range sums {
				VMOVUPD(s, to(b.pointers[0], i))
			}
		})
	}
	end()
}
