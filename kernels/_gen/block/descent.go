package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The places of descentLanes, in bytes.
const (
	descentScales  = 0
	descentValues  = 4 * 64
	descentRecords = descentValues + 4*16*64
)

// A record of the descent is these vectors, of each group of lanes.
const (
	descentX  = 0
	descentW  = 1 // x²
	descentWX = 2 // x³
	descentQ  = 3 // quants
)

// descent writes the search of Q3_K without importance: the quants that the
// extreme value gives are changed one at a time as long as that lowers the error,
// in five passes at most. A pass without a change in a lane leaves nothing to
// change to the next ones, so that lanes may go on until none changes.
//
// One step waits for the one before it. Several groups of lanes are therefore
// handled side by side. In pseudo-code, for each lane and each i:
//
//	restX, rest2 = lx - w·x·q[i], l2 - w·q[i]·q[i]
//	other = clamp(nearest(x·rest2 / restX), -4, 3)
//	newX, new2 = restX + w·x·other, rest2 + w·other·other
//	if restX > 0 && other != q[i] && new2 > 0 && newX·newX·l2 > lx·lx·new2:
//		q[i], lx, l2 = other, newX, new2
func (m *machine) descent() {
	groups := 2
	if m.wide() {
		groups = 4
	}
	const count, n = 16, 4
	m.function("descend", "func(s *float32)", "searches the scales of 16 numbers in each lane of several groups.")
	width := m.width()
	s := pointer("s")
	field := func(p Register, group, i int) Mem { return at(p, (4*group+i)*width) }
	recordBytes := 4 * groups * width
	start := func(first int) (p, left Register) {
		p, left = GP64(), GP64()
		LEAQ(at(s, first), p)
		MOVQ(I32(count), left)
		return p, left
	}
	const zero = 0x00400000
	low, high := uint32(zero-n), uint32(zero+n-1)

	var lx, l2, most []VecVirtual
	for g := range groups {
		size, turn := m.peaks(s, descentValues+count*g*width, I32(count))
		inverse := m.register()
		VDIVPS(size, m.k(n), inverse)
		m.or(turn, inverse, inverse)
		most = append(most, size)
		sumX, sum2 := m.zero(), m.zero()
		x, left := start(descentValues + count*g*width)
		to := GP64()
		LEAQ(at(s, descentRecords), to)
		loop(left, func() {
			v, q, w, wx := m.load(at(x, 0)), m.register(), m.register(), m.register()
			VMULPS(v, inverse, q)
			VADDPS(m.k(magic), q, q)
			VSUBPS(m.k(magic), q, q)
			VMINPS(m.k(n-1), q, q)
			VMULPS(v, v, w)
			VMULPS(v, w, wx)
			for i, r := range []VecVirtual{v, w, wx, q} {
				VMOVUPS(r, field(to, g, i))
			}
			VMULPS(q, wx, wx)
			VADDPS(wx, sumX, sumX)
			VMULPS(q, w, w)
			VMULPS(q, w, w)
			VADDPS(w, sum2, sum2)
			ADDQ(I32(width), x)
			ADDQ(I32(recordBytes), to)
		})
		lx, l2 = append(lx, sumX), append(l2, sum2)
	}

	if m.wide() {
		m.keep(bitsOf(magic), low, high, 0x007fffff, 0x4b000000, 0)
	}
	passes := GP64()
	MOVQ(I32(5), passes)
	done := label("done")
	loop(passes, func() {
		changes := GP32()
		XORL(changes, changes)
		p, left := start(descentRecords)
		loop(left, func() {
			for g := range groups {
				x, w, wx := field(p, g, descentX), field(p, g, descentW), field(p, g, descentWX)
				q := m.load(field(p, g, descentQ))
				restX, rest2, other := m.register(), m.register(), m.register()
				VMULPS(wx, q, restX)
				VSUBPS(restX, lx[g], restX)
				VMULPS(w, q, rest2)
				VMULPS(q, rest2, rest2)
				VSUBPS(rest2, l2[g], rest2)

				VMULPS(x, rest2, other)
				VDIVPS(restX, other, other)
				VADDPS(m.k(magic), other, other)
				m.integerAnd(m.bits(0x007fffff), other, other)
				VPMAXSD(m.bits(low), other, other)
				VPMINSD(m.bits(high), other, other)
				m.integerOr(m.bits(0x4b000000), other, other) // 2^23 more
				VSUBPS(m.k(magic), other, other)
				better := m.compareToo(m.compare(m.zero(), less, restX), other, notEqual, q)

				t := m.register()
				VMULPS(wx, other, t)
				VADDPS(t, restX, restX)
				VMULPS(w, other, t)
				VMULPS(other, t, t)
				VADDPS(t, rest2, rest2)
				better = m.compareToo(better, m.zero(), less, rest2)
				before, after := m.register(), m.register()
				VMULPS(restX, restX, after)
				VMULPS(l2[g], after, after)
				VMULPS(lx[g], lx[g], before)
				VMULPS(rest2, before, before)
				better = m.compareToo(better, before, less, after)

				m.choose(better, other, q, q)
				m.choose(better, restX, lx[g], lx[g])
				m.choose(better, rest2, l2[g], l2[g])
				VMOVUPS(q, field(p, g, descentQ))
				some := GP32()
				if m.wide() {
					KMOVW(better.(Op), some)
				} else {
					VMOVMSKPS(better.(Op), some)
				}
				ORL(some, changes)
			}
			ADDQ(I32(recordBytes), p)
		})
		TESTL(changes, changes)
		JZ(LabelRef(done))
	})
	Label(done)
	m.kept = nil

	for g := range groups {
		scale := m.register()
		VDIVPS(l2[g], lx[g], scale)
		m.choose(m.compare(m.zero(), less, l2[g]), scale, m.zero(), scale)
		zeros := m.compare(most[g], less, m.k(tiny))
		m.choose(zeros, m.zero(), scale, scale)
		VMOVUPS(scale, at(s, descentScales+g*width))
	}
	end()
}
