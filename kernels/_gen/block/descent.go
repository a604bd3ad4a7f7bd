package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The places of descentLanes, in bytes.
const (
	descentScales  = 0
	descentValues  = 64
	descentRecords = descentValues + 16*64
)

// A record of the descent is these vectors.
const (
	descentX    = 0 // the term of Σ w·x·q
	descent2    = 1 // the term of Σ w·q²
	descentQ    = 2 // the quant + 2^22, an integer
	descentRows = 3
)

// descent writes the search of Q3_K without importance: the quants that the
// extreme value gives are changed one at a time as long as that lowers the error,
// in five passes at most. A pass without a change in a lane leaves nothing to
// change to the next ones, so that lanes may go on until none changes. In
// pseudo-code, for each lane and each i:
//
//	restX, rest2 = lx - w·x·q[i], l2 - w·q[i]·q[i]
//	other = clamp(nearest(x·rest2 / restX), -4, 3)
//	newX, new2 = restX + w·x·other, rest2 + w·other·other
//	if restX > 0 && other != q[i] && new2 > 0 && newX·newX·l2 > lx·lx·new2:
//		q[i], lx, l2 = other, newX, new2
//
// Few quants change. The steps of a pass do not wait for each other, as long as
// the branch around a change is guessed right.
func (m *machine) descent() {
	const count, n = 16, 4
	m.function("descend", "func(s *float32)", "searches the scales of 16 numbers in each lane.")
	width := m.width()
	s := pointer("s")
	start := func() (x, record, left Register) {
		x, record, left = GP64(), GP64(), GP64()
		LEAQ(at(s, descentValues), x)
		LEAQ(at(s, descentRecords), record)
		MOVQ(I32(count), left)
		return x, record, left
	}
	advance := func(x, record Register) {
		ADDQ(I32(width), x)
		ADDQ(I32(descentRows*width), record)
	}
	row := func(record Register, i int) Mem { return at(record, i*width) }
	const zero = 0x00400000
	low, high := uint32(zero-n), uint32(zero+n-1)

	most, turn := m.peaks(s, descentValues, I32(count))
	inverse := m.register()
	VDIVPS(most, m.k(n), inverse)
	m.or(turn, inverse, inverse)
	lx, l2 := m.zero(), m.zero()
	if m.wide() {
		m.keep(bitsOf(magic), low, high, 0x007fffff, 0)
	}
	// integer returns the bits that hold the quant nearest to v, limited.
	integer := func(v VecVirtual) {
		VADDPS(m.k(magic), v, v)
		m.integerAnd(m.bits(0x007fffff), v, v)
		VPMAXSD(m.bits(low), v, v)
		VPMINSD(m.bits(high), v, v)
	}
	// float undoes it: with the exponent of 2^23, the bits are a number.
	float := func(q VecVirtual) VecVirtual {
		f := m.register()
		m.integerOr(m.bits(0x4b000000), q, f)
		VSUBPS(m.k(magic), f, f)
		return f
	}
	// terms returns w·x·q and w·q² with w = x².
	terms := func(x, q VecVirtual) (termX, term2 VecVirtual) {
		termX, term2 = m.register(), m.register()
		VMULPS(x, x, term2)
		VMULPS(x, term2, termX)
		VMULPS(q, termX, termX)
		VMULPS(q, term2, term2)
		VMULPS(q, term2, term2)
		return termX, term2
	}

	{
		x, record, left := start()
		loop(left, func() {
			v, q := m.load(at(x, 0)), m.register()
			VMULPS(v, inverse, q)
			integer(q)
			VMOVUPS(q, row(record, descentQ))
			termX, term2 := terms(v, float(q))
			VMOVUPS(termX, row(record, descentX))
			VMOVUPS(term2, row(record, descent2))
			VADDPS(termX, lx, lx)
			VADDPS(term2, l2, l2)
			advance(x, record)
		})
	}

	passes := GP64()
	MOVQ(I32(5), passes)
	done := label("done")
	loop(passes, func() {
		changes := GP32()
		XORL(changes, changes)
		x, record, left := start()
		loop(left, func() {
			v, restX, rest2, other := m.load(at(x, 0)), m.register(), m.register(), m.register()
			VSUBPS(row(record, descentX), lx, restX)
			VSUBPS(row(record, descent2), l2, rest2)
			VMULPS(v, rest2, other)
			VDIVPS(restX, other, other)
			integer(other)
			next := label("next")
			better := m.compare(m.zero(), less, restX)
			better = m.differs(better, other, row(record, descentQ))
			m.skipIfNone(better, next)

			q := float(other)
			termX, term2 := terms(v, q)
			VADDPS(termX, restX, restX)
			VADDPS(term2, rest2, rest2)
			better = m.compareToo(better, m.zero(), less, rest2)
			before, after := m.register(), m.register()
			VMULPS(restX, restX, after)
			VMULPS(l2, after, after)
			VMULPS(lx, lx, before)
			VMULPS(rest2, before, before)
			better = m.compareToo(better, before, less, after)
			m.choose(better, restX, lx, lx)
			m.choose(better, rest2, l2, l2)
			for i, change := range []VecVirtual{descentX: termX, descent2: term2, descentQ: other} {
				old := m.load(row(record, i))
				m.choose(better, change, old, old)
				VMOVUPS(old, row(record, i))
			}
			m.note(better, changes)
			Label(next)
			advance(x, record)
		})
		TESTL(changes, changes)
		JZ(LabelRef(done))
	})
	Label(done)
	m.kept = nil

	scale := m.register()
	VDIVPS(l2, lx, scale)
	positive := m.compare(m.zero(), less, l2)
	some := m.compareToo(positive, m.k(tiny), lessEqual, most)
	none := m.zero()
	m.choose(some, scale, none, none)
	VMOVUPS(none, at(s, descentScales))
	end()
}
