package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The same as quantizeAVX512, to the bit, in vectors of eight. A block does not
// stay in registers from its extremes to its bytes: it is read twice.
//
// Bytes come out of two packs in the order of their lanes,
//
//	d0[0:4] d1[0:4] d2[0:4] d3[0:4]   d0[4:8] d1[4:8] d2[4:8] d3[4:8]
//
// and so do the sums of two groups of four blocks. One permutation, of
// quantizeLanes, puts both right.
func quantizeAVX2(numbers Mem) {
	q := beginQuantize("quantizeAVX2")
	lanes := table("quantizeLanes", 0, 4, 1, 5, 2, 6, 3, 7)
	order, none := YMM(), YMM()
	VMOVDQU(lanes, order)
	VPXOR(none, none, none)
	vector := func(block, i int) Mem { return Mem{Base: q.x, Disp: 128*block + 32*i} }
	number := func(i int, to VecVirtual) VecVirtual {
		VBROADCASTSS(numbers.Offset(4*i), to)
		return to
	}

	Label("loop")
	var highs, lows [4]VecVirtual
	unordered := YMM()
	VXORPS(unordered, unordered, unordered)
	for b := range 4 {
		var d [4]VecVirtual
		for i := range d {
			d[i] = YMM()
			VMOVUPS(vector(b, i), d[i])
		}
		for i := 0; i < 4; i += 2 {
			u := YMM()
			VCMPPS(Imm(3), d[i], d[i+1], u)
			VORPS(u, unordered, unordered)
		}
		highs[b], lows[b] = YMM(), YMM()
		VMAXPS(d[1], d[0], highs[b])
		VMINPS(d[1], d[0], lows[b])
		for _, v := range d[2:] {
			VMAXPS(v, highs[b], highs[b])
			VMINPS(v, lows[b], lows[b])
		}
	}
	reduce := func(m [4]VecVirtual, op func(...Op)) VecVirtual {
		v := quarters(m, YMM, op)
		s := XMM()
		VEXTRACTF128(Imm(1), v, s)
		op(s, v.AsX(), s)
		return s
	}
	high, low := reduce(highs, func(o ...Op) { VMAXPS(o...) }), reduce(lows, func(o ...Op) { VMINPS(o...) })
	TESTQ(q.fixed, q.fixed)
	JNZ(LabelRef("fixed"))
	VMOVUPS(low, Mem{Base: q.zero})
	ADDQ(Imm(16), q.zero)
	JMP(LabelRef("scale"))
	Label("fixed")
	VBROADCASTSS(q.floor, low)
	Label("scale")
	VMOVUPS(low, q.lows)
	VSUBPS(low, high, high)
	// Minima and maxima lose a NaN.
	bits := GP32()
	VMOVMSKPS(unordered, bits)
	TESTL(bits, bits)
	JZ(LabelRef("numbers"))
	VBROADCASTSS(numbers.Offset(4*quantizeNaN), high)
	Label("numbers")
	VMAXPS(high, number(quantizeTiny, XMM()), high) // high where it is NaN
	scales, inverse := XMM(), XMM()
	VMULPS(number(quantizeInverseTop, XMM()), high, scales)
	VMOVUPS(scales, Mem{Base: q.scale})
	VDIVPS(high, number(quantizeTop, XMM()), inverse)
	VMOVUPS(inverse, q.inverses)
	var sums [4]VecVirtual
	for b := range sums {
		l, inverse := YMM(), YMM()
		VBROADCASTSS(q.lows.Offset(4*b), l)
		VBROADCASTSS(q.inverses.Offset(4*b), inverse)
		var d [4]VecVirtual
		for i := range d {
			d[i] = YMM()
			VMOVUPS(vector(b, i), d[i])
			VSUBPS(l, d[i], d[i])
			VMULPS(inverse, d[i], d[i])
			VCVTPS2DQ(d[i], d[i])
		}
		VPACKUSDW(d[1], d[0], d[0])
		VPACKUSDW(d[3], d[2], d[2])
		VPACKUSWB(d[2], d[0], d[0])
		VPERMD(d[0], order, d[0])
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
		s, factor, lower := YMM(), YMM(), YMM()
		VCVTDQ2PS(groups, s)
		VINSERTF128(Imm(1), scales, scales.AsY(), factor)
		VINSERTF128(Imm(1), low, low.AsY(), lower)
		VMULPS(factor, s, s)
		VMULPS(number(quantizeSixteen, YMM()), lower, lower)
		VADDPS(lower, s, s)
		VPERMPS(s, order, s)
		VMOVUPS(s, Mem{Base: q.sum})
		ADDQ(Imm(32), q.sum)
		JMP(LabelRef("next"))
	}
	Label("groups32")
	{
		s, lower := XMM(), XMM()
		VEXTRACTI128(Imm(1), groups, s)
		VPADDD(groups.AsX(), s, s)
		VCVTDQ2PS(s, s)
		VMULPS(scales, s, s)
		VMULPS(number(quantizeThirtyTwo, XMM()), low, lower)
		VADDPS(lower, s, s)
		VMOVUPS(s, Mem{Base: q.sum})
		ADDQ(Imm(16), q.sum)
	}
	Label("next")
	q.next()
}
