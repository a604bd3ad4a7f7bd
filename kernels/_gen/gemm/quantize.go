package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The quantization of activations, four blocks of 32 at a time. In pseudo-code,
// for each block:
//
//	low = fixed ? floor : min x; range = max(max x - low, tiny)
//	scale = range * (1/255); inverse = 255 / range
//	a[i] = round((x[i] - low) * inverse)
//	if !fixed: zero = low
//	if sums:   sum of each group of them = scale * Σ a + group * low
//
// The minima of four blocks, one a vector, are found together:
//
//	m0 m1 m2 m3     a vector each, lanes of four
//	unpack, min     m0 m1 m0 m1 in each lane, then m0 m1 m2 m3
//	shuffle, min    the same in all lanes
func quantizeAVX512(numbers Mem) {
	q := beginQuantize("quantizeAVX512")
	order := table("quantizeOrder", 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)
	sums16 := table("quantizeSums16", 0, 2, 4, 6, 1, 3, 5, 7)
	sums32 := table("quantizeSums32", 0, 4, 1, 5, 0, 4, 1, 5)
	twice := table("quantizeTwice", 0, 0, 1, 1, 2, 2, 3, 3)
	number := func(i int, to VecVirtual) VecVirtual {
		VBROADCASTSS(numbers.Offset(4*i), to)
		return to
	}
	tiny, top, inverseTop := number(quantizeTiny, XMM()), number(quantizeTop, XMM()), number(quantizeInverseTop, XMM())
	sixteen, thirtyTwo := number(quantizeSixteen, YMM()), number(quantizeThirtyTwo, XMM())
	bytes := ZMM()
	VMOVDQU32(order, bytes)
	floor := XMM()
	VBROADCASTSS(q.floor, floor)

	Label("loop")
	var data [8]VecVirtual
	for i := range data {
		data[i] = ZMM()
		VMOVUPS(Mem{Base: q.x, Disp: 64 * i}, data[i])
	}
	reduce := func(op func(...Op)) VecVirtual {
		var m [4]VecVirtual
		for i := range m {
			m[i] = ZMM()
			op(data[2*i+1], data[2*i], m[i])
		}
		v := quarters(m, ZMM, op)
		for _, swap := range []uint64{0x4e, 0xb1} {
			s := ZMM()
			VSHUFF32X4(Imm(swap), v, v, s)
			op(s, v, v)
		}
		return v
	}
	high := reduce(func(o ...Op) { VMAXPS(o...) }).AsX()
	low := XMM()
	TESTQ(q.fixed, q.fixed)
	JNZ(LabelRef("fixed"))
	VMOVAPS(reduce(func(o ...Op) { VMINPS(o...) }).AsX(), low)
	VMOVUPS(low, Mem{Base: q.zero})
	ADDQ(Imm(16), q.zero)
	JMP(LabelRef("scale"))
	Label("fixed")
	VMOVAPS(floor, low)
	Label("scale")
	VMOVUPS(low, q.lows)
	VSUBPS(low, high, high)
	// Minima and maxima lose a NaN.
	unordered := K()
	for i := range 4 {
		k := K()
		VCMPPS(Imm(3), data[2*i], data[2*i+1], k)
		if i == 0 {
			unordered = k
		} else {
			KORW(k, unordered, unordered)
		}
	}
	KORTESTW(unordered, unordered)
	JZ(LabelRef("numbers"))
	VBROADCASTSS(numbers.Offset(4*quantizeNaN), high)
	Label("numbers")
	VMAXPS(high, tiny, high) // high where it is NaN
	scales, inverse := XMM(), XMM()
	VMULPS(inverseTop, high, scales)
	VMOVUPS(scales, Mem{Base: q.scale})
	VDIVPS(high, top, inverse)
	VMOVUPS(inverse, q.inverses)
	for i, v := range data {
		VSUBPS_BCST(q.lows.Offset(i/2*4), v, v)
		VMULPS_BCST(q.inverses.Offset(i/2*4), v, v)
		VCVTPS2DQ(v, v)
	}
	var packed [2]VecVirtual
	for i := range packed {
		d := data[4*i : 4*i+4]
		VPACKUSDW(d[1], d[0], d[0])
		VPACKUSDW(d[3], d[2], d[2])
		VPACKUSWB(d[2], d[0], d[0])
		packed[i] = ZMM()
		VPERMD(d[0], bytes, packed[i])
		VMOVDQU32(packed[i], Mem{Base: q.a, Disp: 64 * i})
	}
	TESTQ(q.sum, q.sum)
	JZ(LabelRef("next"))
	none, even, odd := ZMM(), ZMM(), ZMM()
	VPXORD(none, none, none)
	for _, p := range packed {
		VPSADBW(none, p, p) // eight bytes each
	}
	VPUNPCKLQDQ(packed[1], packed[0], even)
	VPUNPCKHQDQ(packed[1], packed[0], odd)
	VPADDQ(odd, even, even) // sixteen bytes each: of blocks 0 2, 0 2, 1 3, 1 3
	CMPQ(q.group, Imm(16))
	JNE(LabelRef("groups32"))
	{
		s, index, factor, lower := YMM(), YMM(), YMM(), YMM()
		VCVTQQ2PS(even, s)
		VMOVDQU(sums16, index)
		VPERMPS(s, index, s)
		VMOVDQU(twice, index)
		VPERMPS(scales.AsY(), index, factor)
		VPERMPS(low.AsY(), index, lower)
		VMULPS(factor, s, s)
		VMULPS(sixteen, lower, lower)
		VADDPS(lower, s, s)
		VMOVUPS(s, Mem{Base: q.sum})
		ADDQ(Imm(32), q.sum)
		JMP(LabelRef("next"))
	}
	Label("groups32")
	{
		s, index, lower := YMM(), YMM(), XMM()
		VSHUFF64X2(Imm(0xb1), even, even, odd)
		VPADDQ(odd, even, even)
		VCVTQQ2PS(even, s)
		VMOVDQU(sums32, index)
		VPERMPS(s, index, s)
		VMULPS(scales, s.AsX(), s.AsX())
		VMULPS(thirtyTwo, low, lower)
		VADDPS(lower, s.AsX(), s.AsX())
		VMOVUPS(s.AsX(), Mem{Base: q.sum})
		ADDQ(Imm(16), q.sum)
	}
	Label("next")
	q.next()
}

// The numbers of quantizeNumbers.
const (
	quantizeTiny = iota
	quantizeTop
	quantizeInverseTop
	quantizeSixteen
	quantizeThirtyTwo
	quantizeNaN
)

func quantizeNumbers() Mem {
	float := math.Float32bits
	return table("quantizeNumbers", float(1e-30), float(255), float(1.0/255), float(16), float(32), float(float32(math.NaN())))
}

// table is read-only memory of 32-bit values.
func table(name string, values ...uint32) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i, v := range values {
		DATA(4*i, U32(v))
	}
	return m
}

// A quantizer is a function that quantizes four blocks at a time, and its
// parameters.
type quantizer struct {
	fours, x, a, scale, zero, sum, group, fixed Register
	floor                                       Mem
	inverses, lows                              Mem // of four blocks, on the stack
}

func beginQuantize(name string) *quantizer {
	TEXT(name, NOSPLIT, "func(fours int, x *float32, a *uint8, scale, zero, sum *float32, group int, fixed int, floor float32)")
	Pragma("noescape")
	Doc(name + " quantizes 4·fours blocks of 32 activations. sum may be nil, group is 16 or 32; with fixed not 0, floor replaces the minima and zero is not written.")
	q := &quantizer{floor: NewParamAddr("floor", 64), inverses: AllocLocal(16), lows: AllocLocal(16)}
	q.fours = Load(Param("fours"), GP64())
	q.x, q.a = Load(Param("x"), GP64()), Load(Param("a"), GP64())
	q.scale, q.zero, q.sum = Load(Param("scale"), GP64()), Load(Param("zero"), GP64()), Load(Param("sum"), GP64())
	q.fixed, q.group = Load(Param("fixed"), GP64()), Load(Param("group"), GP64())
	return q
}

// next moves on by four blocks and ends the function after the last ones. zero
// and sum have been moved where they were written.
func (q *quantizer) next() {
	ADDQ(I32(512), q.x)
	ADDQ(I32(128), q.a)
	ADDQ(Imm(16), q.scale)
	DECQ(q.fours)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// quarters reduces four vectors to one whose lanes have, in this order, an
// element of each: the result of op on the four elements of its lane.
func quarters(m [4]VecVirtual, register func() VecVirtual, op func(...Op)) VecVirtual {
	pair := func(low, high func(...Op), a, b VecVirtual) VecVirtual {
		l, h := register(), register()
		low(b, a, l)
		high(b, a, h)
		op(h, l, l)
		return l
	}
	ps := func(a, b VecVirtual) VecVirtual {
		return pair(func(o ...Op) { VUNPCKLPS(o...) }, func(o ...Op) { VUNPCKHPS(o...) }, a, b)
	}
	return pair(func(o ...Op) { VUNPCKLPD(o...) }, func(o ...Op) { VUNPCKHPD(o...) }, ps(m[0], m[1]), ps(m[2], m[3]))
}
