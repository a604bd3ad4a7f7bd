package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// plain writes encoders that search nothing, and decoders: one block after the
// other, elements in lanes.
func (m *machine) plain() {
	m.bytesQ8_0()
	m.nibbles("Q4_0", 8)
	m.nibbles("Q5_0", 16)
	m.scaling("scaleGroups", false)
	m.scaling("scaleAddGroups", true)
}

// A block32 is a block of 32 numbers in registers.
type block32 struct {
	*machine
	x    []VecVirtual
	most VecVirtual // XMM: the largest magnitude in the first lane
}

func (m *machine) loadBlock32(x Register, absolute VecVirtual) block32 {
	b := block32{machine: m}
	var sizes []VecVirtual
	for i := range 32 / m.lanes {
		v, size := m.load(at(x, i*m.width())), m.register()
		m.and(v, absolute, size)
		b.x, sizes = append(b.x, v), append(sizes, size)
	}
	for n := len(sizes); n > 1; n /= 2 {
		for i := range n / 2 {
			VMAXPS(sizes[i+n/2], sizes[i], sizes[i])
		}
	}
	v := sizes[0]
	high := m.lastTwo(v)
	b.most = XMM()
	VMAXPS(high, v.AsX(), b.most)
	return b
}

// peak returns the first value of the largest magnitude, +0 for zeros.
func (b block32) peak(x Register, absolute VecVirtual) VecVirtual {
	most := b.register()
	VBROADCASTSS(b.most, most)
	var first GPVirtual
	for i, v := range b.x {
		size := b.register()
		b.and(v, absolute, size)
		bits := GP32()
		if b.wide() {
			KMOVW(b.compare(size, equal, most), bits)
		} else {
			VCMPPS(Imm(equal), most, size, size)
			VMOVMSKPS(size, bits)
		}
		if i > 0 {
			SHLL(Imm(uint64(i*b.lanes)), bits)
			ORL(first, bits)
		}
		first = bits
	}
	place := GP64()
	TZCNTL(first, place.As32())
	peak, zero := XMM(), XMM()
	VMOVSS(Mem{Base: x, Index: place, Scale: 4}, peak)
	VXORPS(zero, zero, zero)
	VADDSS(zero, peak, peak)
	return peak
}

// inverse returns 1/d in each lane, 0 where that is infinite. lost, if it is
// asked for, is what remains of quants: no bit if 1/d is infinite for another
// d than 0, and all bits otherwise.
func (m *machine) inverse(d VecVirtual, lost bool) (inverse, keep VecVirtual) {
	r, size, finite := XMM(), XMM(), XMM()
	VMOVSS(floatConstant(1), r)
	VDIVSS(d, r, r)
	VBROADCASTSS(constant(magnitude), size)
	VANDPS(r, size, size)
	VBROADCASTSS(constant(0x7f800000), finite)
	VCMPPS(Imm(notEqual), finite, size, finite)
	VANDPS(finite, r, r)
	inverse = m.register()
	VBROADCASTSS(r, inverse)
	if lost {
		none, keepX := XMM(), XMM()
		VXORPS(none, none, none)
		VCMPPS(Imm(equal), none, d, keepX)
		VORPS(finite, keepX, keepX)
		keep = m.register()
		VBROADCASTSS(keepX, keep)
	}
	return inverse, keep
}

func storeHalf(d VecVirtual, to Mem) {
	half := XMM()
	VCVTPS2PH(Imm(0), d, half)
	VPEXTRW(Imm(0), half, to)
}

// bytesQ8_0 writes the encoder of whole blocks of Q8_0.
func (m *machine) bytesQ8_0() {
	m.function("blocksQ8_0", "func(dst *byte, x *float32, blocks int)", "encodes blocks of Q8_0.")
	dst, x, blocks := pointer("dst"), pointer("x"), pointer("blocks")
	absolute, sign, beforeHalf := m.bits(magnitude), m.bits(signBit), m.bits(0x3effffff)
	var order VecVirtual
	if !m.wide() {
		order = YMM()
		VMOVDQU(quartersOrder(), order)
	}
	loop(blocks, func() {
		b := m.loadBlock32(x, absolute)
		d := XMM()
		VDIVSS(floatConstant(127), b.most, d)
		storeHalf(d, at(dst, 0))
		inverse, _ := m.inverse(d, false)
		for i, v := range b.x {
			half := m.register()
			VMULPS(inverse, v, v)
			m.and(v, sign, half)
			m.or(half, beforeHalf, half)
			VADDPS(half, v, v)
			VCVTTPS2DQ(v, v)
			if m.wide() {
				VPMOVDB(v, at(dst, 2+16*i))
			}
		}
		if !m.wide() {
			VMOVDQU(m.joinBytes(b.x[0], b.x[1], b.x[2], b.x[3], order), at(dst, 2))
		}
		ADDQ(I32(128), x)
		ADDQ(I32(34), dst)
	})
	end()
}

// nibbles writes the encoder of whole blocks of Q4_0 (n = 8) or Q5_0 (n = 16).
func (m *machine) nibbles(name string, n int) {
	m.function("blocks"+name, "func(dst *byte, x *float32, blocks int)", "encodes blocks of "+name+".")
	dst, x, blocks := pointer("dst"), pointer("x"), pointer("blocks")
	quants, size := 2, 18
	if n == 16 {
		quants, size = 6, 22
	}
	absolute := m.bits(magnitude)
	last, offset, nibble := m.bits(uint32(2*n-1)), m.k(float32(n)+0.5), m.bits(15)
	loop(blocks, func() {
		b := m.loadBlock32(x, absolute)
		d := b.peak(x, absolute)
		VDIVSS(floatConstant(float32(-n)), d, d)
		storeHalf(d, at(dst, 0))
		inverse, keep := m.inverse(d, true)
		var high GPVirtual
		for i, v := range b.x {
			VMULPS(inverse, v, v)
			VADDPS(offset, v, v)
			VCVTTPS2DQ(v, v)
			VPMINSD(last, v, v)
			m.integerAnd(keep, v, v)
			if n == 16 {
				fifth, bits := m.register(), GP32()
				VPSLLD(Imm(27), v, fifth)
				if m.wide() {
					KMOVW(m.signs(fifth).(Op), bits)
				} else {
					VMOVMSKPS(fifth, bits)
				}
				if i > 0 {
					SHLL(Imm(uint64(i*m.lanes)), bits)
					ORL(high, bits)
				}
				high = bits
				m.integerAnd(nibble, v, v)
			}
		}
		if n == 16 {
			MOVL(high, at(dst, 2))
		}
		upper := len(b.x) / 2
		for i := range upper {
			VPSLLD(Imm(4), b.x[upper+i], b.x[upper+i])
			m.integerOr(b.x[upper+i], b.x[i], b.x[i])
		}
		if m.wide() {
			VPMOVDB(b.x[0], at(dst, quants))
		} else {
			m.storeBytes(b.x[0], b.x[1], at(dst, quants))
		}
		ADDQ(I32(128), x)
		ADDQ(I32(size), dst)
	})
	end()
}
