package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The f32 micro-kernels. In pseudo-code, for a tile of rows x (16·panels)
// columns, of which cols are in use:
//
//	acc[rows][columns] = 0                    in registers
//	for k:
//	    b[columns] = panels[k][columns]
//	    for r < rows: acc[r] += x[r][k] * b   one fused multiply-add a vector
//	if bias: acc[r] += bias[columns < cols]
//	if add:  acc[r] += dst[r][columns < cols]
//	dst[r][columns < cols] = acc[r]
//
// Registers: rows·vectors accumulators, a vector of b for each vector of
// columns, and one broadcast of x.
const signature = "func(k int, x *float32, xStride int, panel *float32, next int, cols int, bias, dst *float32, dstStride, add int)"

// A kernel is one function for tiles of a fixed shape.
type kernel struct {
	rows, vectors int // vectors of columns
	width         int // bytes of a vector
	register      func() VecVirtual
	zero          func(v VecVirtual)
	b             func(step, vector int) Mem // a vector of the panels
	advance       func(steps int)            // moves the panels on
	x             rowPointers
	acc           [][]VecVirtual
	again         func() // nil or begins the next tile, if there is one
}

// product is the loop over k, four at a time and then one by one.
func (t *kernel) product(k Register) {
	t.acc = make([][]VecVirtual, t.rows)
	for r := range t.acc {
		for range t.vectors {
			v := t.register()
			t.zero(v)
			t.acc[r] = append(t.acc[r], v)
		}
	}
	b := make([]VecVirtual, t.vectors)
	for i := range b {
		b[i] = t.register()
	}
	step := func(u int) {
		for i := range b {
			VMOVUPS(t.b(u, i), b[i])
		}
		for r := range t.rows {
			s := t.register()
			VBROADCASTSS(t.x.at(r, u*4), s)
			for i := range b {
				VFMADD231PS(b[i], s, t.acc[r][i])
			}
		}
	}
	advance := func(steps int) {
		t.x.advance(steps * 4)
		t.advance(steps)
	}
	const unroll = 4
	SUBQ(Imm(unroll), k)
	JLT(LabelRef("rest"))
	Label("loop")
	for u := range unroll {
		step(u)
	}
	advance(unroll)
	SUBQ(Imm(unroll), k)
	JGE(LabelRef("loop"))
	Label("rest")
	ADDQ(Imm(unroll), k)
	JZ(LabelRef("sum"))
	Label("one")
	step(0)
	advance(1)
	DECQ(k)
	JNZ(LabelRef("one"))
	Label("sum")
}

// epilogue adds the bias and what dst holds, and stores the tile. load reads a
// vector through the mask of its columns, store writes one.
func (t *kernel) epilogue(load func(from Mem, i int, to VecVirtual), store func(from VecVirtual, i int, to Mem)) {
	v := t.register()
	bias := Load(Param("bias"), GP64())
	TESTQ(bias, bias)
	JZ(LabelRef("add"))
	for i := range t.vectors {
		load(Mem{Base: bias, Disp: i * t.width}, i, v)
		for r := range t.rows {
			VADDPS(v, t.acc[r][i], t.acc[r][i])
		}
	}
	Label("add")
	dst := newRowPointers(t.rows, Load(Param("dst"), GP64()), Load(Param("dstStride"), GP64()))
	add := Load(Param("add"), GP64())
	TESTQ(add, add)
	JZ(LabelRef("store"))
	for r := range t.rows {
		for i := range t.vectors {
			load(dst.at(r, i*t.width), i, v)
			VADDPS(v, t.acc[r][i], t.acc[r][i])
		}
	}
	Label("store")
	for r := range t.rows {
		for i := range t.vectors {
			store(t.acc[r][i], i, dst.at(r, i*t.width))
		}
	}
	if t.again != nil {
		t.again()
	}
	VZEROUPPER()
	RET()
}

// rowPointers walks rows of equal stride with few registers: each of them is
// followed by two rows at one and two strides.
type rowPointers struct {
	base   []Register
	stride Register
}

func newRowPointers(rows int, first, stride Register) rowPointers {
	p := rowPointers{base: []Register{first}, stride: stride}
	for r := 3; r < rows; r += 3 {
		next := GP64()
		LEAQ(Mem{Base: p.base[len(p.base)-1], Index: stride, Scale: 2}, next)
		ADDQ(stride, next)
		p.base = append(p.base, next)
	}
	return p
}

func (p rowPointers) at(row, disp int) Mem {
	m := Mem{Base: p.base[row/3], Disp: disp}
	if scale := row % 3; scale > 0 {
		m.Index, m.Scale = p.stride, uint8(scale)
	}
	return m
}

func (p rowPointers) advance(bytes int) {
	for _, b := range p.base {
		ADDQ(I32(bytes), b)
	}
}

// begin opens a function and loads what all of them need.
func begin(name, doc string, rows int) (k Register, x rowPointers, panel Register) {
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(name + doc)
	k = Load(Param("k"), GP64())
	x = newRowPointers(rows, Load(Param("x"), GP64()), Load(Param("xStride"), GP64()))
	return k, x, Load(Param("panel"), GP64())
}

// avx512 has a vector of sixteen columns for each of one or two panels.
func avx512(rows, panels int) {
	k, x, first := begin(fmt.Sprintf("tileAVX512x%dx%d", rows, panels*16),
		fmt.Sprintf(" computes a tile of %d rows and up to %d columns with AVX-512.", rows, panels*16), rows)
	panel := []Register{first}
	if panels == 2 {
		second := Load(Param("next"), GP64())
		ADDQ(first, second)
		panel = append(panel, second)
	}
	t := kernel{
		rows: rows, vectors: panels, width: 64, x: x,
		register: ZMM,
		zero:     func(v VecVirtual) { VPXORD(v, v, v) },
		b:        func(step, i int) Mem { return Mem{Base: panel[i], Disp: step * 64} },
		advance: func(steps int) {
			for _, p := range panel {
				ADDQ(I32(steps*64), p)
			}
		},
	}
	t.product(k)
	t.finishAVX512()
}

// avx2 has two vectors of eight columns for one panel.
func avx2(rows int, table Mem) {
	k, x, panel := begin(fmt.Sprintf("tileAVX2x%dx16", rows),
		fmt.Sprintf(" computes a tile of %d rows and up to 16 columns with AVX2 and FMA. It makes no use of next.", rows), rows)
	t := kernel{
		rows: rows, vectors: 2, width: 32, x: x,
		register: YMM,
		zero:     func(v VecVirtual) { VXORPS(v, v, v) },
		b:        func(step, i int) Mem { return Mem{Base: panel, Disp: step*64 + i*32} },
		advance:  func(steps int) { ADDQ(I32(steps*64), panel) },
	}
	t.product(k)
	t.finishAVX2(table)
}

// finishAVX2 is the epilogue with the masks of the columns in use.
func (t *kernel) finishAVX2(table Mem) {
	masks := columnMasksAVX2(table)
	t.epilogue(
		func(from Mem, i int, to VecVirtual) { VMASKMOVPS(from, masks[i], to) },
		func(from VecVirtual, i int, to Mem) { VMASKMOVPS(from, masks[i], to) },
	)
}

// columnMasksAVX2 returns the masks of the first cols of 16 columns, which are
// slices of a table of ones and zeros.
func columnMasksAVX2(table Mem) []VecVirtual {
	cols, at := Load(Param("cols"), GP64()), GP64()
	LEAQ(table, at)
	SHLQ(Imm(2), cols)
	SUBQ(cols, at)
	masks := []VecVirtual{YMM(), YMM()}
	for i, m := range masks {
		VMOVDQU(Mem{Base: at, Disp: 64 + i*32}, m)
	}
	return masks
}

// finishAVX512 is the epilogue with the masks of the columns in use.
func (t *kernel) finishAVX512() {
	masks := columnMasksAVX512(t.vectors)
	t.epilogue(
		func(from Mem, i int, to VecVirtual) { VMOVUPS_Z(from, masks[i], to) },
		func(from VecVirtual, i int, to Mem) { VMOVUPS(from, masks[i], to) },
	)
}

// columnMasksAVX512 returns the masks of the first cols of 16·panels columns.
func columnMasksAVX512(panels int) []Register {
	cols, mask := Load(Param("cols"), GP64()), GP64()
	MOVQ(I64(-1), mask)
	BZHIQ(cols, mask, mask)
	masks := []Register{K(), K()}[:panels]
	for _, m := range masks {
		KMOVW(mask.As32(), m)
		SHRQ(Imm(16), mask)
	}
	return masks
}
