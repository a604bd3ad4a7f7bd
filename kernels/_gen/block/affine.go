package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// affineQuants makes the last quants of formats with scales and minimums and packs them,
// elements in lanes. In pseudo-code, for the scales d and minimums m of sub-blocks:
//
//	q[i] = clamp(nearest((x[i] + m)/d), 0, top)
//
// The integers are those that the addition of magic leaves in the mantissa; the
// low byte is the quant.
type affineQuants struct {
	*machine
	x, scales, mins Register
	sub             int // elements of a sub-block
	top             uint32
	inverses        bool // (x - m)·d, of inverse scales
	truncate        bool // (x - m)·d + 1/2 is truncated
}

const zeroQuant = 0x00400000 // the bits of magic

// at returns the quants of a vector of elements from i on.
func (a *affineQuants) at(i int) VecVirtual {
	q := a.broadcast(at(a.mins, i/a.sub*4))
	d := a.broadcast(at(a.scales, i/a.sub*4))
	if a.inverses {
		x := a.load(at(a.x, 4*i))
		VSUBPS(q, x, q)
		VMULPS(d, q, q)
	} else {
		VADDPS(at(a.x, 4*i), q, q)
		VDIVPS(d, q, q)
	}
	if a.truncate {
		VADDPS(a.k(0.5), q, q)
		VCVTTPS2DQ(q, q)
		VPMINSD(a.bits(a.top), q, q)
		return q
	}
	VADDPS(a.k(magic), q, q)
	a.integerAnd(a.bits(0x007fffff), q, q)
	VPMAXSD(a.bits(zeroQuant), q, q)
	VPMINSD(a.bits(zeroQuant+a.top), q, q)
	if !a.wide() {
		VPSUBD(a.bits(zeroQuant), q, q)
	}
	return q
}

// packBytes stores the low bytes of 32-bit integers, 32 of them. Without AVX-512
// they must be below 256.
func (m *machine) packBytes(v []VecVirtual, to Mem) {
	if m.wide() {
		for i := range v {
			low := XMM()
			VPMOVDB(v[i], low)
			VMOVDQU(low, Mem{Base: to.Base, Disp: to.Disp + 16*i})
		}
		return
	}
	VPACKUSDW(v[1], v[0], v[0])
	VPACKUSDW(v[3], v[2], v[2])
	VPACKUSWB(v[2], v[0], v[0])
	order := YMM()
	VMOVDQU(vectorConstant(0, 4, 1, 5, 2, 6, 3, 7), order)
	VPERMD(v[0], order, v[0])
	VMOVDQU(v[0], to)
}

// shiftIn ors q shifted left into acc.
func (m *machine) shiftIn(acc, q VecVirtual, bits uint64) {
	VPSLLD(Imm(bits), q, q)
	m.integerOr(q, acc, acc)
}

func (m *machine) beginAffine(name, doc string, a affineQuants) *affineQuants {
	m.function(name, "func(qs *byte, x, scales, mins *float32)", doc)
	a.machine, a.x, a.scales, a.mins = m, pointer("x"), pointer("scales"), pointer("mins")
	m.keep(bitsOf(magic), 0x007fffff, zeroQuant, zeroQuant+a.top)
	return &a
}

// nibbles writes the last quants of Q4_K and Q5_K.
func (m *machine) affineNibbles(name string, fifth bool) {
	doc, top := "stores the quants of a super-block in nibbles.", uint32(15)
	if fifth {
		doc, top = "stores the quants of a super-block, the fifth bits and then nibbles.", 31
	}
	a := m.beginAffine(name, doc, affineQuants{sub: 32, top: top})
	qs := pointer("qs")
	vectors := 32 / m.lanes
	nibbles := 0
	var fifths []VecVirtual
	if fifth {
		nibbles = 32
		for range vectors {
			fifths = append(fifths, m.zero())
		}
	}
	for j := range 4 {
		var bytes []VecVirtual
		for v := range vectors {
			low, high := a.at(64*j+v*m.lanes), a.at(64*j+32+v*m.lanes)
			if fifth {
				for k, q := range []VecVirtual{low, high} {
					bit := m.register()
					VPSRLD(Imm(4), q, bit)
					m.integerAnd(m.bits(1), bit, bit)
					m.shiftIn(fifths[v], bit, uint64(2*j+k))
				}
				m.integerAnd(m.bits(15), low, low)
				m.integerAnd(m.bits(15), high, high)
			}
			m.shiftIn(low, high, 4)
			bytes = append(bytes, low)
		}
		m.packBytes(bytes, at(qs, nibbles+32*j))
	}
	if fifth {
		m.packBytes(fifths, at(qs, 0))
	}
	end()
}

// affinePairs writes the last quants of Q2_K.
func (m *machine) affinePairs() {
	a := m.beginAffine("pairs", "stores the quants of a super-block, two bits each.", affineQuants{sub: 16, top: 3})
	qs := pointer("qs")
	for half := range 2 {
		var bytes []VecVirtual
		for v := 0; v < 32; v += m.lanes {
			acc := a.at(128*half + v)
			for j := 1; j < 4; j++ {
				m.shiftIn(acc, a.at(128*half+32*j+v), uint64(2*j))
			}
			bytes = append(bytes, acc)
		}
		m.packBytes(bytes, at(qs, 32*half))
	}
	end()
}

// spans writes the kernel that spreads quants evenly over the range of count
// numbers in each lane, as formats do without importance:
//
//	scale, min = (most x - least x)/top, least x
//	low, inverse = min, 1/scale
//
// Where scale is 0, or one of the two is infinite, the inverse scale is 0.
func (m *machine) spans() {
	m.function("spans", "func(s *float32, count int, top float32)", "divides the range of count numbers in each lane.")
	s, count, top := pointer("s"), Load(Param("count"), GP64()), m.register()
	from, err := Param("top").Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(from.Addr, top)
	least, high := m.load(at(s, valueX)), m.load(at(s, valueX))
	p := GP64()
	MOVQ(s, p)
	loop(count, func() {
		v := m.load(at(p, valueX))
		VMINPS(least, v, least) // of zeros the first remains
		VMAXPS(high, v, high)
		ADDQ(I32(m.width()), p)
	})
	scale, inverse := m.register(), m.register()
	VSUBPS(least, high, scale)
	VDIVPS(top, scale, scale)
	m.and(m.bits(magnitude), scale, scale) // 0, not -0
	VDIVPS(scale, m.k(1), inverse)
	infinity := m.bits(0x7f800000)
	good := m.compareToo(m.compare(inverse, less, infinity), scale, less, infinity)
	m.choose(good, inverse, m.zero(), inverse)
	VMOVUPS(scale, at(s, rowScale))
	VMOVUPS(inverse, at(s, rowInverse))
	VMOVUPS(least, at(s, rowMin))
	VMOVUPS(least, at(s, rowLow))
	end()
}

// affineBlocks writes the kernel that quantizes and packs blocks of Q4_1 or, with
// a fifth bit, Q5_1.
func (m *machine) affineBlocks(name string, fifth, truncate bool) {
	doc, top := "stores n blocks of Q4_1, by inverse scales and what they are relative to.", uint32(15)
	if fifth {
		doc, top = "stores n blocks of Q5_1, by inverse scales and what they are relative to.", 31
	}
	if truncate {
		doc = doc[:len(doc)-1] + ", rounding halves up."
	}
	m.function(name, "func(dst *byte, x, inverses, lows, scales, mins *float32, n int)", doc)
	a := affineQuants{machine: m, sub: 32, top: top, inverses: true, truncate: truncate}
	dst, n := pointer("dst"), Load(Param("n"), GP64())
	a.x, a.scales, a.mins = pointer("x"), pointer("inverses"), pointer("lows")
	scales, mins := pointer("scales"), pointer("mins")
	vectors := 16 / m.lanes
	loop(n, func() {
		for i, from := range []Register{scales, mins} {
			half, bits := XMM(), GP32()
			VMOVSS(at(from, 0), half)
			VCVTPS2PH(Imm(0), half, half)
			VMOVD(half, bits)
			MOVW(bits.As16(), at(dst, 2*i))
		}
		nibbles := 4
		if fifth {
			nibbles = 8
		}
		var low, high []VecVirtual
		for v := range vectors {
			low = append(low, a.at(v*m.lanes))
		}
		for v := range vectors {
			high = append(high, a.at(16+v*m.lanes))
		}
		if fifth {
			for i, q := range append(append([]VecVirtual{}, low...), high...) {
				m.storeFifths(q, at(dst, 4+i*m.lanes/8))
			}
		}
		for v := range vectors {
			if fifth {
				m.integerAnd(m.bits(15), low[v], low[v])
				m.integerAnd(m.bits(15), high[v], high[v])
			}
			m.shiftIn(low[v], high[v], 4)
		}
		if m.wide() {
			bytes := XMM()
			VPMOVDB(low[0], bytes)
			VMOVDQU(bytes, at(dst, nibbles))
		} else {
			VPACKUSDW(low[1], low[0], low[0])
			half := XMM()
			VEXTRACTI128(Imm(1), low[0], half)
			VPACKUSWB(half, low[0].AsX(), low[0].AsX())
			VPSHUFD(Imm(0b11_01_10_00), low[0].AsX(), low[0].AsX())
			VMOVDQU(low[0].AsX(), at(dst, nibbles))
		}
		ADDQ(I32(nibbles+16), dst)
		ADDQ(I32(32*4), a.x)
		for _, p := range []Register{a.scales, a.mins, scales, mins} {
			ADDQ(Imm(4), p)
		}
	})
	end()
}

// storeFifths stores bit 4 of each element, one bit each.
func (m *machine) storeFifths(q VecVirtual, to Mem) {
	t, bits := m.register(), GP32()
	VPSLLD(Imm(27), q, t)
	if m.wide() {
		k := K()
		VPMOVD2M(t, k)
		KMOVW(k, bits)
		MOVW(bits.As16(), to)
		return
	}
	VMOVMSKPS(t, bits)
	MOVB(bits.As8(), to)
}
