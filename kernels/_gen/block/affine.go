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
	products        bool // d is an inverse scale
	truncate        bool // (x + m)·d + 1/2 is truncated
}

const zeroQuant = 0x00400000 // the bits of magic

// at returns the quants of a vector of elements from i on.
func (a *affineQuants) at(i int) VecVirtual {
	q := a.broadcast(at(a.mins, i/a.sub*4))
	VADDPS(at(a.x, 4*i), q, q)
	d := a.broadcast(at(a.scales, i/a.sub*4))
	if a.products {
		VMULPS(d, q, q)
	} else {
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
