package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The two numbers of a row that are largest in magnitude. In pseudo-code:
//
//	for two slots:
//	    b = the first block whose peak is largest
//	    index[slot] = the first element of b that is largest in magnitude
//	    value[slot] = x[index[slot]]; x[index[slot]] = 0
//	    peak[b] = the largest magnitude that is left in b
//
// Magnitudes are compared as integers, so that a NaN is above all numbers.
const extractSignature = "func(x, peak *float32, blocks int, index *int32, value *float32)"

// spread reduces v to its largest element, in every lane.
func spread(v VecVirtual) {
	s := ZMM()
	for _, swap := range []uint64{0x4e, 0xb1} {
		VSHUFI32X4(Imm(swap), v, v, s)
		VPMAXUD(s, v, v)
	}
	for _, swap := range []uint64{0x4e, 0xb1} {
		VPSHUFD(Imm(swap), v, s)
		VPMAXUD(s, v, v)
	}
}

func extractAVX512(numbers Mem) {
	TEXT("extractAVX512", NOSPLIT, extractSignature)
	Pragma("noescape")
	Doc("extractAVX512 stores the two elements of blocks of 32 that are largest in magnitude, replaces them by 0 and corrects the peaks of their blocks.")
	x, peak, blocks := Load(Param("x"), GP64()), Load(Param("peak"), GP64()), Load(Param("blocks"), GP64())
	index, value := Load(Param("index"), GP64()), Load(Param("value"), GP64())
	magnitude := ZMM()
	VPBROADCASTD(numbers.Offset(4*quantizeMagnitude), magnitude)

	// The lanes of the last vector of peaks; 16 where it is full.
	last, tail := K(), GP32()
	rest := GP64()
	LEAQ(Mem{Base: blocks, Disp: -1}, rest)
	MOVQ(rest, RCX)
	ANDQ(Imm(15), RCX)
	MOVL(U32(2), tail)
	SHLL(CL, tail)
	DECL(tail)
	KMOVW(tail, last)
	ANDQ(I32(-16), rest) // where it begins
	SHLQ(Imm(2), rest)

	slots := GP64()
	MOVQ(U32(2), slots)
	Label("slot")

	most, v, at := ZMM(), ZMM(), GP64()
	VMOVDQU32_Z(Mem{Base: peak, Index: rest, Scale: 1}, last, most)
	VPANDD(magnitude, most, most)
	XORQ(at, at)
	JMP(LabelRef("mostTest"))
	Label("most")
	VPANDD(Mem{Base: peak, Index: at, Scale: 1}, magnitude, v)
	VPMAXUD(v, most, most)
	ADDQ(Imm(64), at)
	Label("mostTest")
	CMPQ(at, rest)
	JLT(LabelRef("most"))
	spread(most)

	equal, found := K(), GP32()
	XORQ(at, at)
	JMP(LabelRef("whereTest"))
	Label("where")
	VPANDD(Mem{Base: peak, Index: at, Scale: 1}, magnitude, v)
	VPCMPEQD(v, most, equal)
	KMOVW(equal, found)
	TESTL(found, found)
	JNZ(LabelRef("block"))
	ADDQ(Imm(64), at)
	Label("whereTest")
	CMPQ(at, rest)
	JLT(LabelRef("where"))
	VMOVDQU32_Z(Mem{Base: peak, Index: at, Scale: 1}, last, v)
	VPANDD(magnitude, v, v)
	VPCMPEQD(v, most, last, equal)
	KMOVW(equal, found)
	Label("block")
	TZCNTL(found, found)
	SHRQ(Imm(2), at)
	ADDQ(found.As64(), at) // the block

	from := GP64()
	MOVQ(at, from)
	SHLQ(Imm(7), from)
	ADDQ(x, from)
	low, high := ZMM(), ZMM()
	VPANDD(Mem{Base: from}, magnitude, low)
	VPANDD(Mem{Base: from, Disp: 64}, magnitude, high)
	top := ZMM()
	VPMAXUD(high, low, top)
	spread(top)
	lowEqual, highEqual, second := K(), K(), GP32()
	VPCMPEQD(low, top, lowEqual)
	VPCMPEQD(high, top, highEqual)
	KMOVW(lowEqual, found)
	KMOVW(highEqual, second)
	SHLL(Imm(16), second)
	ORL(second, found)
	TZCNTL(found, found) // the element of the block

	element, bits := GP64(), GP32()
	MOVQ(at, element)
	SHLQ(Imm(5), element)
	ADDQ(found.As64(), element)
	MOVL(element.As32(), Mem{Base: index})
	MOVL(Mem{Base: x, Index: element, Scale: 4}, bits)
	MOVL(bits, Mem{Base: value})
	XORL(bits, bits)
	MOVL(bits, Mem{Base: x, Index: element, Scale: 4})

	// The peak without it: its lane counts as 0.
	MOVL(found, ECX)
	MOVL(U32(1), bits)
	SHLL(CL, bits)
	NOTL(bits)
	others := K()
	KMOVW(bits, others)
	VMOVDQA32_Z(low, others, low)
	SHRL(Imm(16), bits)
	KMOVW(bits, others)
	VMOVDQA32_Z(high, others, high)
	VPMAXUD(high, low, top)
	spread(top)
	VMOVD(top.AsX(), Mem{Base: peak, Index: at, Scale: 4})

	ADDQ(Imm(4), index)
	ADDQ(Imm(4), value)
	DECQ(slots)
	JNZ(LabelRef("slot"))
	VZEROUPPER()
	RET()
}
