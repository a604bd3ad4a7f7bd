package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The kernels of the formats with codebooks of points. Candidates of the scale are
// in lanes, in rows of 32 numbers of which the first so many are in use.

// gridRow is the bytes of a row of candidates.
const gridRow = 4 * 32

// gridShapes are the bits of a level and the lanes in use.
var gridShapes = [][2]int{{2, 8}, {2, 16}, {2, 24}, {3, 8}, {3, 24}, {3, 32}}

// grids writes them.
func (m *machine) grids() {
	m.roots()
	for _, s := range gridShapes {
		levels, lanes := s[0], s[1]
		if !m.wide() && lanes == 32 {
			lanes = 16 // at a time: there are too few registers
		}
		m.roundGrid(levels, lanes)
		m.fitGrid(levels, lanes)
	}
	for _, levels := range []int{2, 3} {
		m.near(levels)
	}
	m.settleNear()
}

// roots writes the kernel of square roots:
//
//	for i < 16·groups: r[i] = √w[i]
func (m *machine) roots() {
	m.function("roots", "func(r, w *float32, groups int)", "takes the roots of groups of 16 numbers.")
	r, w, groups := pointer("r"), pointer("w"), pointer("groups")
	loop(groups, func() {
		for i := range 16 / m.lanes {
			v := m.register()
			VSQRTPS(at(w, i*m.width()), v)
			VMOVUPS(v, at(r, i*m.width()))
		}
		ADDQ(I32(64), w)
		ADDQ(I32(64), r)
	})
	end()
}

// gridVectors returns registers for lanes, the last of which may be half as wide,
// and their places in a row.
func (m *machine) gridVectors(lanes int) (all []VecVirtual, places []int) {
	for at := 0; at < lanes; {
		v, n := m.register(), m.lanes
		if n > lanes-at {
			v, n = YMM(), 8
		}
		all, places = append(all, v), append(places, 4*at)
		at += n
	}
	return all, places
}

// like returns v as wide as w.
func like(v, w VecVirtual) VecVirtual {
	if w.Size() == 32 {
		return v.AsY().(VecVirtual)
	}
	return v
}

// each runs f for vectors of lanes.
func each(all []VecVirtual, f func(i int, v VecVirtual)) {
	for i, v := range all {
		f(i, v)
	}
}

// roundGrid writes the kernel of the codes of groups, coordinate c of one from bit levels·c on:
//
//	for j < groups, i < lanes: codes[32·j+i] = Σ over c: clamp(nearest((x[size·j+c]·inverses[i] - 1)/2)) << levels·c
func (m *machine) roundGrid(levels, lanes int) {
	size, top := gridShape(levels)
	m.function(fmt.Sprintf("roundGrid%dx%d", levels, lanes), "func(codes *uint32, x, inverses *float32, groups int)",
		"rounds groups of magnitudes to levels for candidates.")
	codes, x, inverses, groups := pointer("codes"), pointer("x"), pointer("inverses"), pointer("groups")
	inverse, places := m.gridVectors(lanes)
	each(inverse, func(i int, v VecVirtual) { VMOVUPS(at(inverses, places[i]), v) })
	// One at a magnitude whose last bit is worth one: the bits of a number there are
	// its integer and these.
	const magic = 0x4b400000
	one, half, low, high := m.k(1), m.k(0.5), m.bits(magic), m.bits(magic+top)
	bias := uint32(0)
	for c := range size {
		bias += magic << (levels * c)
	}
	biases := m.bits(bias)
	loop(groups, func() {
		code, _ := m.gridVectors(lanes)
		for c := size - 1; c >= 0; c-- {
			v := m.broadcast(at(x, 4*c))
			for i, inv := range inverse {
				t := like(m.register(), inv)
				VMULPS(like(v, inv), inv, t)
				VSUBPS(like(one, inv), t, t)
				VFMADD213PS(like(low, inv), like(half, inv), t)
				VPMAXSD(like(low, inv), t, t)
				VPMINSD(like(high, inv), t, t)
				if c == size-1 {
					code[i] = t
					continue
				}
				VPSLLD(Imm(uint64(levels)), code[i], code[i])
				VPADDD(t, code[i], code[i])
			}
		}
		each(code, func(i int, v VecVirtual) {
			VPSUBD(like(biases, v), v, v)
			if v.Size() == 64 {
				VMOVDQU32(v, at(codes, places[i]))
			} else {
				VMOVDQU(v, at(codes, places[i]))
			}
		})
		ADDQ(I32(4*size), x)
		ADDQ(I32(gridRow), codes)
	})
	end()
}

// gridShape returns the coordinates of a point and the largest level.
func gridShape(levels int) (size int, top uint32) {
	if levels == 2 {
		return 8, 2
	}
	return 4, 7
}

// fitGrid writes the kernel of the sums that fit scales to points: with the odd
// number q = 2·l + 1 of each level
//
//	for e < size·groups, i < lanes: sums[i] += wx[e]·q; sums[32+i] += w[e]·q·q
func (m *machine) fitGrid(levels, lanes int) {
	size, _ := gridShape(levels)
	m.function(fmt.Sprintf("fitGrid%dx%d", levels, lanes), "func(sums *float32, codes *uint32, w, wx *float32, groups int)",
		"adds the products of candidates, element by element.")
	sums, codes, w, wx, groups := pointer("sums"), pointer("codes"), pointer("w"), pointer("wx"), pointer("groups")
	odd := m.register()
	m.broadcastEight(oddNumbers(levels), odd)
	qx, places := m.gridVectors(lanes)
	q2, _ := m.gridVectors(lanes)
	for i := range qx {
		zero := m.zero()
		VMOVAPS(like(zero, qx[i]), qx[i])
		VMOVAPS(like(zero, q2[i]), q2[i])
	}
	loop(groups, func() {
		code, _ := m.gridVectors(lanes)
		each(code, func(i int, v VecVirtual) { VMOVUPS(at(codes, places[i]), v) })
		for c := range size {
			left, right := m.broadcast(at(wx, 4*c)), m.broadcast(at(w, 4*c))
			for i, v := range code {
				q, t := like(m.register(), v), like(m.register(), v)
				VPERMPS(like(odd, v), v, q)
				if c < size-1 {
					VPSRLD(Imm(uint64(levels)), v, v)
				}
				VMULPS(like(left, v), q, t)
				VADDPS(t, qx[i], qx[i])
				VMULPS(like(right, v), q, t)
				VMULPS(q, t, t)
				VADDPS(t, q2[i], q2[i])
			}
		}
		ADDQ(I32(4*size), w)
		ADDQ(I32(4*size), wx)
		ADDQ(I32(gridRow), codes)
	})
	for i := range qx {
		VMOVUPS(qx[i], at(sums, places[i]))
		VMOVUPS(q2[i], at(sums, gridRow+places[i]))
	}
	end()
}

// oddNumbers returns the numbers that the low bits of a code stand for, from as
// many bits as are left out of eight lanes.
func oddNumbers(levels int) (patterns []uint32) {
	for i := range 8 {
		patterns = append(patterns, bitsOf(float32(2*(i&(1<<levels-1))+1)))
	}
	return patterns
}

// broadcastEight loads eight numbers, twice where there is room.
func (m *machine) broadcastEight(patterns []uint32, v VecVirtual) {
	if m.wide() {
		VBROADCASTF64X4(vectorConstant(patterns...), v)
	} else {
		VMOVUPS(vectorConstant(patterns...), v)
	}
}
