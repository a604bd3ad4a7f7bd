package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func peaksAVX2(numbers Mem) {
	TEXT("peaksAVX2", NOSPLIT, peaksSignature)
	Pragma("noescape")
	Doc("peaksAVX2 finds the largest magnitude of each of 4·fours blocks of 32.")
	fours, x, peak := Load(Param("fours"), GP64()), Load(Param("x"), GP64()), Load(Param("peak"), GP64())
	magnitude := YMM()
	VPBROADCASTD(numbers.Offset(4*quantizeMagnitude), magnitude)
	eachFour(fours, x, func() {
		var m [4]VecVirtual
		unordered := YMM()
		VXORPS(unordered, unordered, unordered)
		for b := range m {
			var d [4]VecVirtual
			for i := range d {
				d[i] = YMM()
				VMOVUPS(Mem{Base: x, Disp: 128*b + 32*i}, d[i])
			}
			for i := 0; i < 4; i += 2 {
				u := YMM()
				VCMPPS(Imm(3), d[i], d[i+1], u) // a maximum loses a NaN
				VORPS(u, unordered, unordered)
			}
			for i := range d {
				VPAND(magnitude, d[i], d[i])
			}
			VMAXPS(d[1], d[0], d[0])
			VMAXPS(d[3], d[2], d[2])
			VMAXPS(d[2], d[0], d[0])
			m[b] = d[0]
		}
		v := quarters(m, YMM, max32)
		s := XMM()
		VEXTRACTF128(Imm(1), v, s)
		VMAXPS(s, v.AsX(), s)
		bits := GP32()
		VMOVMSKPS(unordered, bits)
		TESTL(bits, bits)
		JZ(LabelRef("numbers"))
		VBROADCASTSS(numbers.Offset(4*quantizeNaN), s)
		Label("numbers")
		VMOVUPS(s, Mem{Base: peak})
		ADDQ(Imm(16), peak)
	})
}

// The same as quantizeAVX512, to the bit, in vectors of eight.
//
// Bytes come out of two packs in the order of their lanes,
//
//	d0[0:4] d1[0:4] d2[0:4] d3[0:4]   d0[4:8] d1[4:8] d2[4:8] d3[4:8]
//
// and so do the sums of two groups of four blocks. One permutation, of
// quantizeLanes, puts both right.
func quantizeAVX2(numbers Mem) {
	q := beginQuantize("quantizeAVX2", numbers)
	lanes := table("quantizeLanes", 0, 4, 1, 5, 2, 6, 3, 7)
	order, none, turn := YMM(), YMM(), YMM()
	VMOVDQU(lanes, order)
	VPXOR(none, none, none)
	VPBROADCASTD(numbers.Offset(4*quantizeTurn), turn)
	eachFour(q.fours, q.x, func() {
		scales := q.scales(q.number(quantizeTiny, XMM()), q.number(quantizeTop, XMM()), q.number(quantizeInverseTop, XMM()))
		var sums [4]VecVirtual
		for b := range sums {
			inverse := YMM()
			VBROADCASTSS(q.inverses.Offset(4*b), inverse)
			var d [4]VecVirtual
			for i := range d {
				d[i] = YMM()
				VMULPS(Mem{Base: q.x, Disp: 128*b + 32*i}, inverse, d[i])
				VCVTPS2DQ(d[i], d[i])
			}
			VPACKSSDW(d[1], d[0], d[0])
			VPACKSSDW(d[3], d[2], d[2])
			VPACKSSWB(d[2], d[0], d[0])
			VPERMD(d[0], order, d[0])
			VPXOR(turn, d[0], d[0])
			VMOVDQU(d[0], Mem{Base: q.a, Disp: 32 * b})
			sums[b] = d[0]
			VPSADBW(none, d[0], d[0]) // eight bytes each
		}
		TESTQ(q.sum, q.sum)
		JZ(LabelRef("next"))
		VPHADDD(sums[1], sums[0], sums[0])
		VPHADDD(sums[3], sums[2], sums[2])
		groups := sums[0] // of 16: the first ones of four blocks, the second ones
		VPHADDD(sums[2], sums[0], groups)
		CMPQ(q.group, Imm(16))
		JNE(LabelRef("groups32"))
		{
			s, factor := YMM(), YMM()
			VPSUBD(q.number(quantizeZero16, YMM()), groups, groups)
			VCVTDQ2PS(groups, s)
			VINSERTF128(Imm(1), scales, scales.AsY(), factor)
			VMULPS(factor, s, s)
			VPERMPS(s, order, s)
			VMOVUPS(s, Mem{Base: q.sum})
			ADDQ(Imm(32), q.sum)
			JMP(LabelRef("next"))
		}
		Label("groups32")
		{
			s := XMM()
			VEXTRACTI128(Imm(1), groups, s)
			VPADDD(groups.AsX(), s, s)
			VPSUBD(q.number(quantizeZero32, XMM()), s, s)
			VCVTDQ2PS(s, s)
			VMULPS(scales, s, s)
			VMOVUPS(s, Mem{Base: q.sum})
			ADDQ(Imm(16), q.sum)
		}
		Label("next")
		q.next()
	})
}
