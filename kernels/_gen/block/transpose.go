package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// rowAt returns the place of row r behind a pointer. triple is three times the
// stride, and the pointers are four rows apart.
type rows struct {
	base           []Register // of rows 0, 4, 8, ...
	stride, triple Register
}

func newRows(n int, src, stride Register) rows {
	r := rows{stride: stride, triple: GP64()}
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, r.triple)
	for i := 0; i < n; i += 4 {
		p := GP64()
		if i == 0 {
			MOVQ(src, p)
		} else {
			LEAQ(Mem{Base: r.base[len(r.base)-1], Index: stride, Scale: 4}, p)
		}
		r.base = append(r.base, p)
	}
	return r
}

func (r rows) at(i int) Mem {
	m := Mem{Base: r.base[i/4]}
	switch i % 4 {
	case 1:
		m.Index, m.Scale = r.stride, 1
	case 2:
		m.Index, m.Scale = r.stride, 2
	case 3:
		m.Index, m.Scale = r.triple, 1
	}
	return m
}

func (r rows) advance(bytes int) {
	for _, p := range r.base {
		ADDQ(I32(bytes), p)
	}
}

// square returns the columns of a square of as many rows as there are lanes.
func (m *machine) square(r rows) []VecVirtual {
	pair := func(unpack func(ops ...Op), a, b VecVirtual) VecVirtual {
		v := m.register()
		unpack(b, a, v)
		return v
	}
	ps := func(ops ...Op) { VUNPCKLPS(ops...) }
	hps := func(ops ...Op) { VUNPCKHPS(ops...) }
	pd := func(ops ...Op) { VUNPCKLPD(ops...) }
	hpd := func(ops ...Op) { VUNPCKHPD(ops...) }

	// Lane l, of 128 bits, of quad[4·g+j] holds column 4·l+j of rows 4·g to 4·g+3.
	var quad []VecVirtual
	for g := 0; g < m.lanes; g += 4 {
		a, b, c, d := m.load(r.at(g)), m.load(r.at(g+1)), m.load(r.at(g+2)), m.load(r.at(g+3))
		lowAB, highAB, lowCD, highCD := pair(ps, a, b), pair(hps, a, b), pair(ps, c, d), pair(hps, c, d)
		quad = append(quad, pair(pd, lowAB, lowCD), pair(hpd, lowAB, lowCD), pair(pd, highAB, highCD), pair(hpd, highAB, highCD))
	}
	columns := make([]VecVirtual, m.lanes)
	for j := range 4 {
		if !m.wide() {
			for l, which := range []uint64{0x20, 0x31} {
				v := YMM()
				VPERM2F128(Imm(which), quad[4+j], quad[j], v)
				columns[4*l+j] = v
			}
			continue
		}
		lanes := func(a, b VecVirtual, which uint64) VecVirtual {
			v := ZMM()
			VSHUFF32X4(Imm(which), b, a, v)
			return v
		}
		low01, high01 := lanes(quad[j], quad[4+j], 0x44), lanes(quad[j], quad[4+j], 0xee)
		low23, high23 := lanes(quad[8+j], quad[12+j], 0x44), lanes(quad[8+j], quad[12+j], 0xee)
		columns[j], columns[4+j] = lanes(low01, low23, 0x88), lanes(low01, low23, 0xdd)
		columns[8+j], columns[12+j] = lanes(high01, high23, 0x88), lanes(high01, high23, 0xdd)
	}
	return columns
}

// transpose writes the kernel that puts rows into lanes:
//
//	for k < squares·lanes, r < lanes: dst[k·lanes+r] = src[r·stride+k]
func (m *machine) transpose() {
	m.function("transpose", "func(dst, src *float32, stride, squares int)",
		"puts rows of squares·lanes numbers, stride bytes apart, into lanes.")
	dst, n := pointer("dst"), pointer("squares")
	r := newRows(m.lanes, pointer("src"), pointer("stride"))
	loop(n, func() {
		for k, v := range m.square(r) {
			VMOVUPS(v, at(dst, k*m.width()))
		}
		r.advance(m.width())
		ADDQ(I32(m.lanes*m.width()), dst)
	})
	end()
}
