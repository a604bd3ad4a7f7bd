package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// quantize writes the kernels that make quants of numbers in their places:
//
//	for g < groups, i < 16: q[16·g+i] = n + clamp(nearest(x[16·g+i] / by[g]), -n, n-1)
//
// and the same of products. nearest is a sum with the magic number, of which the
// lower 23 bits are read, whatever they hold.
func (m *machine) quantize(name, doc string, scale func(ops ...Op)) {
	m.function(name, "func(q *byte, x, by *float32, groups, n int)", doc)
	q, x, by, groups := pointer("q"), pointer("x"), pointer("by"), pointer("groups")
	const zero = 0x00400000 // what the bits hold for 0
	low, high := m.register(), m.register()
	{
		n := Load(Param("n"), GP64()).(GPVirtual)
		l, h := GP32(), GP32()
		MOVL(U32(zero), l)
		SUBL(n.As32(), l)
		LEAL(Mem{Base: n, Disp: zero - 1}, h)
		for _, c := range []struct {
			from GPVirtual
			to   VecVirtual
		}{{l, low}, {h, high}} {
			v := XMM()
			VMOVD(c.from, v)
			VPBROADCASTD(v, c.to)
		}
	}
	round, mantissa := m.k(magic), m.bits(0x007fffff)
	quants := func(i int, by VecVirtual) VecVirtual {
		v := m.load(at(x, i*m.width()))
		scale(by, v, v)
		VADDPS(round, v, v)
		m.integerAnd(mantissa, v, v)
		VPMAXSD(low, v, v)
		VPMINSD(high, v, v)
		VPSUBD(low, v, v)
		return v
	}
	if m.wide() {
		loop(groups, func() {
			VPMOVDB(quants(0, m.broadcast(at(by, 0))), at(q, 0))
			ADDQ(I32(64), x)
			ADDQ(I32(4), by)
			ADDQ(I32(16), q)
		})
	} else {
		order := YMM()
		VMOVDQU(quartersOrder(), order)
		SHRQ(Imm(1), groups)
		loop(groups, func() {
			a, b := m.broadcast(at(by, 0)), m.broadcast(at(by, 4))
			VMOVDQU(m.joinBytes(quants(0, a), quants(1, a), quants(2, b), quants(3, b), order), at(q, 0))
			ADDQ(I32(128), x)
			ADDQ(I32(8), by)
			ADDQ(I32(32), q)
		})
	}
	end()
}

// joinBytes makes bytes of four vectors of numbers below 128, for AVX2.
func (m *machine) joinBytes(a, b, c, d, order VecVirtual) VecVirtual {
	VPACKSSDW(b, a, a)
	VPACKSSDW(d, c, c)
	VPACKSSWB(c, a, a)
	VPERMD(a, order, a)
	return a
}

// quartersOrder is the place of the indices that put the quarters of two lanes
// of 128 bits in order after two packings.
func quartersOrder() Mem { return vectorConstant(0, 4, 1, 5, 2, 6, 3, 7) }

// packSixBits writes the kernel that packs quants of Q6_K, as packNibbles and
// packPairs do.
func (m *machine) packSixBits() {
	m.function("packSixBits", "func(low, high, q *byte)", "packs the quants of Q6_K.")
	low, high, q := pointer("low"), pointer("high"), pointer("q")
	nibble, pair := m.bits(0x0f0f0f0f), m.bits(0x03030303)
	for half := range 2 {
		var v [4]VecVirtual
		for i := range v {
			v[i] = YMM()
			VMOVDQU(at(q, 128*half+32*i), v[i])
		}
		for i := range 2 {
			a, b := YMM(), YMM()
			VPAND(nibble, v[i], a)
			VPAND(nibble, v[i+2], b)
			VPSLLW(Imm(4), b, b)
			VPOR(a, b, b)
			VMOVDQU(b, at(low, 64*half+32*i))
		}
		for i := range v {
			VPSRLW(Imm(4), v[i], v[i])
			VPAND(pair, v[i], v[i])
			if i > 0 {
				VPSLLW(Imm(uint64(2*i)), v[i], v[i])
				VPOR(v[i], v[0], v[0])
			}
		}
		VMOVDQU(v[0], at(high, 32*half))
	}
	end()
}

// packThreeBits writes the kernel that packs quants of Q3_K, as packBit and
// packPairs do.
func (m *machine) packThreeBits() {
	m.function("packThreeBits", "func(mask, pairs, q *byte)", "packs the quants of Q3_K.")
	mask, pairs, q := pointer("mask"), pointer("pairs"), pointer("q")
	third, pair := m.bits(0x04040404), m.bits(0x03030303)
	bits := YMM()
	for j := range 8 {
		v, bit := YMM(), YMM()
		VMOVDQU(at(q, 32*j), v)
		VPAND(third, v, bit)
		switch {
		case j < 2:
			VPSRLW(Imm(uint64(2-j)), bit, bit)
		case j > 2:
			VPSLLW(Imm(uint64(j-2)), bit, bit)
		}
		if j == 0 {
			bits = bit
		} else {
			VPOR(bit, bits, bits)
		}
	}
	VMOVDQU(bits, at(mask, 0))
	for half := range 2 {
		all := YMM()
		for j := range 4 {
			v := YMM()
			VMOVDQU(at(q, 128*half+32*j), v)
			VPAND(pair, v, v)
			if j == 0 {
				all = v
				continue
			}
			VPSLLW(Imm(uint64(2*j)), v, v)
			VPOR(v, all, all)
		}
		VMOVDQU(all, at(pairs, 32*half))
	}
	end()
}
