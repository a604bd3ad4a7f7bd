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
//	peaks:    peak = max |x|, NaN if an element is
//
//	quantize: peak = max(peak, tiny)
//	          scale = peak * (1/127); inverse = 127 / peak
//	          a[i] = 128 + round(x[i] * inverse)
//	          if sums: of each group of them = scale * (Σ a - 128·group)
const (
	peaksSignature    = "func(fours int, x, peak *float32)"
	quantizeSignature = "func(fours int, x, peak *float32, a *uint8, scale, sum *float32, group int)"
)

// The numbers of quantizeNumbers.
const (
	quantizeTiny = iota
	quantizeTop
	quantizeInverseTop
	quantizeNaN
	quantizeMagnitude // the bits of a float but its sign
	quantizeTurn      // the highest bit of four bytes
	quantizeZero16    // 128·16
	quantizeZero32    // 128·32
)

func quantizeNumbers() Mem {
	float := math.Float32bits
	return table("quantizeNumbers", float(1e-30), float(127), float(1.0/127), float(float32(math.NaN())),
		math.MaxInt32, 0x80808080, 128*16, 128*32)
}

// table is read-only memory of 32-bit values.
func table(name string, values ...uint32) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i, v := range values {
		DATA(4*i, U32(v))
	}
	return m
}

// quarters reduces four vectors to one whose lanes have, in this order, an
// element of each: the result of op on the four elements of its lane.
//
//	m0 m1 m2 m3     a vector each, lanes of four
//	unpack, op      m0 m1 m0 m1 in each lane, then m0 m1 m2 m3
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

// eachFour is the loop over four blocks at a time. body reads the blocks at x
// and moves on the rest.
func eachFour(fours, x Register, body func()) {
	Label("loop")
	body()
	ADDQ(I32(512), x)
	DECQ(fours)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func max32(o ...Op) { VMAXPS(o...) }

func peaksAVX512(numbers Mem) {
	TEXT("peaksAVX512", NOSPLIT, peaksSignature)
	Pragma("noescape")
	Doc("peaksAVX512 finds the largest magnitude of each of 4·fours blocks of 32.")
	fours, x, peak := Load(Param("fours"), GP64()), Load(Param("x"), GP64()), Load(Param("peak"), GP64())
	magnitude := ZMM()
	VPBROADCASTD(numbers.Offset(4*quantizeMagnitude), magnitude)
	eachFour(fours, x, func() {
		var m [4]VecVirtual
		unordered := K()
		for b := range m {
			low, high := ZMM(), ZMM()
			VMOVUPS(Mem{Base: x, Disp: 128 * b}, low)
			VMOVUPS(Mem{Base: x, Disp: 128*b + 64}, high)
			k := K()
			VCMPPS(Imm(3), low, high, k) // a maximum loses a NaN
			if b == 0 {
				unordered = k
			} else {
				KORW(k, unordered, unordered)
			}
			VPANDD(magnitude, low, low)
			VPANDD(magnitude, high, high)
			m[b] = low
			VMAXPS(high, low, low)
		}
		v := quarters(m, ZMM, max32)
		for _, swap := range []uint64{0x4e, 0xb1} {
			s := ZMM()
			VSHUFF32X4(Imm(swap), v, v, s)
			VMAXPS(s, v, v)
		}
		KORTESTW(unordered, unordered)
		JZ(LabelRef("numbers"))
		VBROADCASTSS(numbers.Offset(4*quantizeNaN), v.AsX())
		Label("numbers")
		VMOVUPS(v.AsX(), Mem{Base: peak})
		ADDQ(Imm(16), peak)
	})
}

// A quantizer is a function that quantizes four blocks at a time.
type quantizer struct {
	fours, x, peak, a, scale, sum, group Register
	inverses                             Mem // of four blocks, on the stack
	numbers                              Mem
}

func beginQuantize(name string, numbers Mem) *quantizer {
	TEXT(name, NOSPLIT, quantizeSignature)
	Pragma("noescape")
	Doc(name + " quantizes 4·fours blocks of 32 activations with the given peaks. sum may be nil; group is 16 or 32.")
	q := &quantizer{inverses: AllocLocal(16), numbers: numbers}
	q.fours, q.x, q.peak = Load(Param("fours"), GP64()), Load(Param("x"), GP64()), Load(Param("peak"), GP64())
	q.a, q.scale = Load(Param("a"), GP64()), Load(Param("scale"), GP64())
	q.sum, q.group = Load(Param("sum"), GP64()), Load(Param("group"), GP64())
	return q
}

// number broadcasts one of quantizeNumbers.
func (q *quantizer) number(i int, to VecVirtual) VecVirtual {
	VBROADCASTSS(q.numbers.Offset(4*i), to)
	return to
}

// scales stores the scales of four blocks, which it returns, and their inverses.
func (q *quantizer) scales(tiny, top, inverseTop VecVirtual) VecVirtual {
	peak, scales := XMM(), XMM()
	VMOVUPS(Mem{Base: q.peak}, peak)
	VMAXPS(peak, tiny, peak) // peak where it is NaN
	VMULPS(inverseTop, peak, scales)
	VMOVUPS(scales, Mem{Base: q.scale})
	VDIVPS(peak, top, peak)
	VMOVUPS(peak, q.inverses)
	return scales
}

// next moves on by four blocks; sum has been moved where it was written.
func (q *quantizer) next() {
	ADDQ(Imm(16), q.peak)
	ADDQ(I32(128), q.a)
	ADDQ(Imm(16), q.scale)
}

func quantizeAVX512(numbers Mem) {
	q := beginQuantize("quantizeAVX512", numbers)
	order := table("quantizeOrder", 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)
	sums16 := table("quantizeSums16", 0, 2, 4, 6, 1, 3, 5, 7)
	sums32 := table("quantizeSums32", 0, 4, 1, 5, 0, 4, 1, 5)
	twice := table("quantizeTwice", 0, 0, 1, 1, 2, 2, 3, 3)
	tiny, top, inverseTop := q.number(quantizeTiny, XMM()), q.number(quantizeTop, XMM()), q.number(quantizeInverseTop, XMM())
	bytes, turn := ZMM(), ZMM()
	VMOVDQU32(order, bytes)
	VPBROADCASTD(numbers.Offset(4*quantizeTurn), turn)
	eachFour(q.fours, q.x, func() {
		scales := q.scales(tiny, top, inverseTop)
		var packed [2]VecVirtual
		for i := range packed {
			var d [4]VecVirtual
			for j := range d {
				d[j] = ZMM()
				inverse := ZMM()
				VBROADCASTSS(q.inverses.Offset((2*i+j/2)*4), inverse)
				VMULPS(Mem{Base: q.x, Disp: 256*i + 64*j}, inverse, d[j])
				VCVTPS2DQ(d[j], d[j])
			}
			VPACKSSDW(d[1], d[0], d[0])
			VPACKSSDW(d[3], d[2], d[2])
			VPACKSSWB(d[2], d[0], d[0])
			packed[i] = ZMM()
			VPERMD(d[0], bytes, packed[i])
			VPXORD(turn, packed[i], packed[i])
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
			s, index, factor := YMM(), YMM(), YMM()
			VPMOVQD(even, s)
			VPSUBD(q.number(quantizeZero16, YMM()), s, s)
			VCVTDQ2PS(s, s)
			VMOVDQU(sums16, index)
			VPERMPS(s, index, s)
			VMOVDQU(twice, index)
			VPERMPS(scales.AsY(), index, factor)
			VMULPS(factor, s, s)
			VMOVUPS(s, Mem{Base: q.sum})
			ADDQ(Imm(32), q.sum)
			JMP(LabelRef("next"))
		}
		Label("groups32")
		{
			s, index := YMM(), YMM()
			VSHUFF64X2(Imm(0xb1), even, even, odd)
			VPADDQ(odd, even, even)
			VPMOVQD(even, s)
			VPSUBD(q.number(quantizeZero32, YMM()), s, s)
			VCVTDQ2PS(s, s)
			VMOVDQU(sums32, index)
			VPERMPS(s, index, s)
			VMULPS(scales, s.AsX(), s.AsX())
			VMOVUPS(s.AsX(), Mem{Base: q.sum})
			ADDQ(Imm(16), q.sum)
		}
		Label("next")
		q.next()
	})
}
