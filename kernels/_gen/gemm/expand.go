package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Panels of four bits become panels of bytes. In pseudo-code, for blocks of 32
// inputs of a panel:
//
//	for i < 256·blocks:
//	    to = dst + i/64*128 + i%64
//	    to[0], to[64] = levels[src[i] & 15], levels[src[i] >> 4]
//
// A shuffle looks up as many bytes as a vector has.
const expandSignature = "func(blocks int, dst *uint8, src *uint8, levels *int8)"

// expandKernel is one width of vectors.
type expandKernel struct {
	name, set string
	width     int
	register  func() VecVirtual
	repeat    func(from Mem, to VecVirtual) // to each 128 bits
	move      func(from, to Op)
	and       func(x, y, to Op)

	levels VecVirtual // the table
	low    Op         // 15 in each byte
}

func (t *expandKernel) generate() {
	TEXT(t.name, NOSPLIT, expandSignature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s makes bytes of blocks of 32 inputs of 16 outputs in four bits with %s.", t.name, t.set))
	blocks, dst, src := Load(Param("blocks"), GP64()), Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	t.begin()
	Label("loop")
	for at := 0; at < quantsBlock/2; at += t.width {
		first, second := t.register(), t.register()
		t.move(Mem{Base: src, Disp: at}, first)
		t.lookUp(first, second)
		to := at/64*128 + at%64
		t.move(first, Mem{Base: dst, Disp: to})
		t.move(second, Mem{Base: dst, Disp: to + 64})
	}
	ADDQ(I32(quantsBlock/2), src)
	ADDQ(I32(quantsBlock), dst)
	DECQ(blocks)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// begin loads the levels and the mask of four bits.
func (t *expandKernel) begin() {
	t.levels = t.register()
	t.repeat(Mem{Base: Load(Param("levels"), GP64())}, t.levels)
	t.low = t.fifteens()
}

// fifteens returns a vector of 15 in each byte.
func (t *expandKernel) fifteens() VecVirtual {
	fifteen, v := GP32(), t.register()
	MOVL(U32(0x0f0f0f0f), fifteen)
	VMOVD(fifteen, v.AsX())
	VPBROADCASTD(v.AsX(), v)
	return v
}

// lookUp makes bytes of the low four bits of first, in place, and of its high
// ones in second.
func (t *expandKernel) lookUp(first, second VecVirtual) {
	VPSRLW(Imm(4), first, second)
	t.and(t.low, first, first)
	t.and(t.low, second, second)
	VPSHUFB(first, t.levels, first)
	VPSHUFB(second, t.levels, second)
}

func newExpandAVX512() *expandKernel {
	return &expandKernel{
		name: "expandAVX512", set: "AVX-512", width: 64, register: ZMM,
		repeat: func(from Mem, to VecVirtual) { VBROADCASTI32X4(from, to) },
		move:   func(from, to Op) { VMOVDQU8(from, to) },
		and:    func(x, y, to Op) { VPANDD(x, y, to) },
	}
}

func newExpandAVX2() *expandKernel {
	return &expandKernel{
		name: "expandAVX2", set: "AVX2", width: 32, register: YMM,
		repeat: func(from Mem, to VecVirtual) { VBROADCASTI128(from, to) },
		move:   func(from, to Op) { VMOVDQU(from, to) },
		and:    func(x, y, to Op) { VPAND(x, y, to) },
	}
}

// A tile of two panels of four bits expands them on its way, for those below:
// what it reads comes from memory at best half as fast as it can be multiplied,
// so that this takes no time when there are few rows, and little otherwise.
const expandingSignature = "func(blocks int, a *uint8, aStride int, aScale *float32, aScaleStride int, quants *uint8, quantsNext int, scales *float32, scalesNext int, expanded *uint8, expandedNext int, levels *int8, cols int, bias, dst *float32, dstStride, add int)"

// expandingAVX512 is int8AVX512 for such a tile.
func expandingAVX512(rows, group int) {
	const panels = 2
	name := fmt.Sprintf("int8VNNIExpanding%dx%dg%d", rows, panels*16, group)
	TEXT(name, NOSPLIT, expandingSignature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes a tile of %d rows and up to %d columns of weights of four bits in groups of %d with AVX-512 VNNI, and stores these weights in bytes.",
		name, rows, panels*16, group))
	e := newExpandAVX512()
	e.begin()
	blocks := Load(Param("blocks"), GP64())
	t, quants := newInt8AVX512(rows, panels, group, quantsBlock/2)
	expanded, expandedNext := Load(Param("expanded"), GP64()), Load(Param("expandedNext"), GP64())
	second := t.registers() // the weights of the next four inputs
	t.four = func(group, four int, first bool) {
		if first {
			t.begin(group)
		}
		q := second
		if four%2 == 0 {
			q = t.registers()
			for i := range q {
				VMOVDQU8(Mem{Base: quants[i], Disp: four / 2 * 64}, q[i])
				e.lookUp(q[i], second[i])
			}
		}
		for i := range q {
			to := Mem{Base: expanded, Disp: four * 64}
			if i > 0 {
				to.Index, to.Scale = expandedNext, 1
			}
			VMOVDQU8(q[i], to)
		}
		t.dotRows(four, q, vpdpbusd512)
	}
	weights := t.next
	t.next = func() {
		weights()
		ADDQ(I32(quantsBlock), expanded)
	}
	t.product(blocks)
	t.finishAVX512()
}

// expandingAVX2 is int8AVX2 for such a tile, of one panel. It has no registers to
// spare: weights are read where they were stored, and the table is loaded each time.
func expandingAVX2(way int8Dot, rows, group int, masks Mem) {
	name := fmt.Sprintf("int8%sExpanding%dx16g%d", way.name(), rows, group)
	TEXT(name, NOSPLIT, expandingSignature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes a tile of %d rows and up to 16 columns of weights of four bits in groups of %d with %s, and stores these weights in bytes. It makes no use of quantsNext, scalesNext and expandedNext.",
		name, rows, group, way.doc()))
	blocks, packed, expanded := Load(Param("blocks"), GP64()), Load(Param("quants"), GP64()), Load(Param("expanded"), GP64())
	levels := Load(Param("levels"), GP64())
	low := AllocLocal(32)
	e := newExpandAVX2()
	VMOVDQU(e.fifteens(), low)
	e.low = low
	t := newInt8AVX2(rows, group, expanded)
	t.dot(way)
	step := t.four
	t.four = func(group, four int, first bool) {
		for i := 0; i < 2 && four%2 == 0; i++ {
			first, second := YMM(), YMM()
			VMOVDQU(Mem{Base: packed, Disp: four/2*64 + i*32}, first)
			e.levels = YMM()
			e.repeat(Mem{Base: levels}, e.levels)
			e.lookUp(first, second)
			VMOVDQU(first, t.quants(four, i))
			VMOVDQU(second, t.quants(four+1, i))
		}
		step(group, four, first)
	}
	weights := t.next
	t.next = func() {
		weights()
		ADDQ(I32(quantsBlock/2), packed)
	}
	t.product(blocks)
	t.finishAVX2(masks)
}
