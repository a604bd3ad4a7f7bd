package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Packing turns rows into columns. In pseudo-code, for rows of a panel and n
// inputs, a multiple of the rows:
//
//	for k < n, r < rows: dst[k*16+r] = src[r][k]
//
// Squares of rows x rows are transposed in registers: pairs of rows are
// interleaved, then pairs of pairs, which leaves four rows of a column side by
// side in a lane of 128 bits; then lanes change places.
const transposeSignature = "func(squares int, src *float32, stride int, dst *float32)"

// unpack interleaves rows until lane l of result 4·g+j holds column 4·l+j of
// rows 4·g to 4·g+3.
func unpack(rows []VecVirtual, register func() VecVirtual) []VecVirtual {
	pair := func(low, high func(...Op), a, b VecVirtual) (l, h VecVirtual) {
		l, h = register(), register()
		low(b, a, l)
		high(b, a, h)
		return l, h
	}
	ps := func(a, b VecVirtual) (l, h VecVirtual) {
		return pair(func(o ...Op) { VUNPCKLPS(o...) }, func(o ...Op) { VUNPCKHPS(o...) }, a, b)
	}
	pd := func(a, b VecVirtual) (l, h VecVirtual) {
		return pair(func(o ...Op) { VUNPCKLPD(o...) }, func(o ...Op) { VUNPCKHPD(o...) }, a, b)
	}
	var out []VecVirtual
	for g := 0; g < len(rows); g += 4 {
		low01, high01 := ps(rows[g], rows[g+1])
		low23, high23 := ps(rows[g+2], rows[g+3])
		c0, c1 := pd(low01, low23)
		c2, c3 := pd(high01, high23)
		out = append(out, c0, c1, c2, c3)
	}
	return out
}

// beginTranspose opens a function and returns what its loop needs.
func beginTranspose(name, doc string, rows int) (squares Register, src rowPointers, dst Register) {
	TEXT(name, NOSPLIT, transposeSignature)
	Pragma("noescape")
	Doc(name + doc)
	squares = Load(Param("squares"), GP64())
	src = newRowPointers(rows, Load(Param("src"), GP64()), Load(Param("stride"), GP64()))
	return squares, src, Load(Param("dst"), GP64())
}

// loadRows loads a vector of each row.
func loadRows(src rowPointers, rows int, register func() VecVirtual) []VecVirtual {
	var r []VecVirtual
	for i := range rows {
		v := register()
		VMOVUPS(src.at(i, 0), v)
		r = append(r, v)
	}
	return r
}

// endTranspose moves on by a square of rows x rows and ends the function after
// the last one.
func endTranspose(squares Register, src rowPointers, dst Register, rows int) {
	src.advance(rows * 4)
	ADDQ(I32(rows*64), dst)
	DECQ(squares)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func transposeAVX512() {
	const rows = 16
	squares, src, dst := beginTranspose("transposeAVX512", " transposes 16 rows of 16·squares inputs with AVX-512. The stride is in bytes.", rows)
	Label("loop")
	u := unpack(loadRows(src, rows, ZMM), ZMM)
	lanes := func(a, b VecVirtual, which uint64) VecVirtual {
		v := ZMM()
		VSHUFF32X4(Imm(which), b, a, v)
		return v
	}
	for j := range 4 {
		// Lanes 0 and 1, or 2 and 3, of two groups of rows.
		low01, high01 := lanes(u[j], u[4+j], 0x44), lanes(u[j], u[4+j], 0xee)
		low23, high23 := lanes(u[8+j], u[12+j], 0x44), lanes(u[8+j], u[12+j], 0xee)
		for l, v := range []VecVirtual{
			lanes(low01, low23, 0x88), lanes(low01, low23, 0xdd),
			lanes(high01, high23, 0x88), lanes(high01, high23, 0xdd),
		} {
			VMOVUPS(v, Mem{Base: dst, Disp: (4*l + j) * 64})
		}
	}
	endTranspose(squares, src, dst, rows)
}

// transposeAVX2 fills half of a panel.
func transposeAVX2() {
	const rows = 8
	squares, src, dst := beginTranspose("transposeAVX2", " transposes 8 rows of 8·squares inputs with AVX. The stride is in bytes.", rows)
	Label("loop")
	u := unpack(loadRows(src, rows, YMM), YMM)
	for j := range 4 {
		for l, which := range []uint64{0x20, 0x31} {
			v := YMM()
			VPERM2F128(Imm(which), u[4+j], u[j], v)
			VMOVUPS(v, Mem{Base: dst, Disp: (4*l + j) * 64})
		}
	}
	endTranspose(squares, src, dst, rows)
}
