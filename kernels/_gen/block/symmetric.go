package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// symmetric writes the search for symmetric scales and what surrounds it.
func (m *machine) symmetric() {
	m.transpose()
	m.symmetricSearch("searchSquares", "weighs errors by x².", false)
	m.symmetricSearch("searchWeighted", "weighs errors by w.", true)
	m.quantize("quantizeQuotients", "makes quants of quotients.", func(ops ...Op) { VDIVPS(ops...) })
	m.quantize("quantizeProducts", "makes quants of products.", func(ops ...Op) { VMULPS(ops...) })
	m.descent()
	m.sums()
	m.weigh()
	if !m.wide() {
		m.packSixBits()
		m.levels()
		m.packThreeBits()
	}
}

const (
	magic     = 0x1.8p23 // added and taken away again, it rounds to an integer
	signBit   = 1 << 31
	magnitude = signBit - 1
	tiny      = 1e-15
)

// The places of symmetricLanes, in bytes.
const (
	laneLimits     = 0   // n, n-1
	laneSteps      = 64  // the candidates, of which the first is that of the middle
	laneBest       = 192 // memory of the search
	laneMost       = 256
	laneTurn       = 320
	laneScales     = 384
	laneInverses   = 448
	laneValues     = 512
	laneWeights    = laneValues + 32*64
	laneRecords    = laneWeights + 32*64
	laneCandidates = laneRecords + 32*recordRows*64 // inverse scales
)

// A record is what the candidates need to know of a value: vectors of these.
const (
	recordSize   = 0
	recordLimits = 1 // down, up
	recordX      = 3 // three terms of Σ w·x·q
	record2      = 6 // three terms of Σ w·q²
	recordRows   = 9
)

// The search puts a sub-block in each lane. Between the first and the last
// inverse scale on either side of the middle one, a quant moves by one step at
// most. Each value therefore has only three terms of each sum, those of the
// quant of the middle candidate and of its neighbours, and a limit between two of
// them. A term of a candidate is chosen by one product and one comparison. In
// pseudo-code, for each lane:
//
//	peak = the first x of largest magnitude
//	for i < count:
//		size = |x[i]|
//		l = round(size·(n/|peak|))
//		down, up = l - 0.5, l + 0.5; each the next number, if a half is rounded to the lower one
//		for j in -1, 0, 1:
//			q = l+j, no more than n or n-1, with the sign of x[i]/-peak
//			termX[j], term2[j] = w·x·q, w·q·q
//	scale = Σ termX[0] / Σ term2[0]
//	for side in -1, 0: for nine candidates:
//		inverse = candidate/|peak|
//		lx = Σ size·inverse >= (side < 0 ? down : up) ? termX[side+1] : termX[side]
//		l2 = the same of term2
//		if l2 > 0 && lx·lx > best·l2: scale, best = lx/l2, lx/l2·lx
//
// It stores scales and inverse scales, both 0 where the sub-block counts as zeros.
func (m *machine) symmetricSearch(name, doc string, weighted bool) {
	m.function(name, "func(s *float32, count int)", doc)
	width := m.width()
	s, count := pointer("s"), pointer("count")
	start := func(first int) (p, n Register) {
		p, n = GP64(), GP64()
		LEAQ(at(s, first), p)
		MOVQ(count, n)
		return p, n
	}
	row := func(p Register, i int) Mem { return at(p, i*width) }

	most, turn := m.peaks(s, laneValues, count)
	VMOVUPS(most, at(s, laneMost))
	VMOVUPS(turn, at(s, laneTurn))
	// All inverse scales of a side take part at once where there are registers
	// enough, which leaves less to load.
	together := 3
	if m.wide() {
		together = 9
	}
	middle := m.register()
	VDIVPS(most, m.broadcast(at(s, laneSteps)), middle)
	if m.wide() {
		for c := range 18 {
			v := m.broadcast(at(s, laneSteps+4+4*c))
			VDIVPS(most, v, v)
			VMOVUPS(v, at(s, laneCandidates+c*width))
		}
	}
	m.symmetricRecords(s, count, turn, middle, weighted)

	{
		sum2, sumX := m.load(at(s, laneBest)), m.load(at(s, laneScales))
		scale, best := m.register(), m.register()
		VDIVPS(sum2, sumX, scale)
		m.choose(m.compare(sum2, notEqual, m.zero()), scale, m.zero(), scale)
		VMULPS(sumX, scale, best)
		VMOVUPS(best, at(s, laneBest))
		VMOVUPS(scale, at(s, laneScales))
		VMOVUPS(middle, at(s, laneInverses))
	}

	// shift leads to the terms of a side.
	step, shift, batches := GP64(), GP64(), GP64()
	if m.wide() {
		LEAQ(at(s, laneCandidates), step)
	} else {
		LEAQ(at(s, laneSteps+4), step)
	}
	XORQ(shift, shift)
	MOVQ(I32(18/together), batches)
	loop(batches, func() {
		CMPQ(batches, I32(9/together))
		sameSide := label("side")
		JNE(LabelRef(sameSide))
		ADDQ(I32(width), shift)
		Label(sameSide)

		inverse := make([]Op, together)
		lx, l2 := m.zeros(together), m.zeros(together)
		if m.wide() {
			for c := range inverse {
				inverse[c] = row(step, c)
			}
		} else {
			most := m.load(at(s, laneMost))
			for c := range inverse {
				v := m.broadcast(at(step, 4*c))
				VDIVPS(most, v, v)
				inverse[c] = v
			}
		}
		p, n := start(laneRecords)
		sided := GP64()
		LEAQ(Mem{Base: p, Index: shift, Scale: 1}, sided)
		termX, term2 := m.register(), m.register()
		if !m.wide() {
			term2 = termX // one less, of few
		}
		loop(n, func() {
			lowX, highX := m.load(row(sided, recordX)), m.load(row(sided, recordX+1))
			low2, high2 := m.load(row(sided, record2)), m.load(row(sided, record2+1))
			var size, limit Op = row(p, recordSize), row(sided, recordLimits)
			if m.wide() {
				size, limit = m.load(size.(Mem)), m.load(limit.(Mem))
			}
			for c := range together {
				moved := m.register()
				if m.wide() {
					VMULPS(inverse[c], size, moved)
				} else {
					VMULPS(size, inverse[c], moved)
				}
				high := m.compare(moved, greaterEqual, limit)
				m.choose(high, highX, lowX, termX)
				VADDPS(termX, lx[c], lx[c])
				m.choose(high, high2, low2, term2)
				VADDPS(term2, l2[c], l2[c])
			}
			ADDQ(I32(recordRows*width), p)
			ADDQ(I32(recordRows*width), sided)
		})

		best, scale, found := m.load(at(s, laneBest)), m.load(at(s, laneScales)), m.load(at(s, laneInverses))
		for c := range together {
			square, other, quotient := m.register(), m.register(), m.register()
			VMULPS(lx[c], lx[c], square)
			VMULPS(l2[c], best, other)
			better := m.compareToo(m.compare(other, less, square), m.zero(), less, l2[c])
			VDIVPS(l2[c], lx[c], quotient)
			m.choose(better, quotient, scale, scale)
			if m.wide() {
				m.choose(better, m.load(inverse[c].(Mem)), found, found)
			} else {
				m.choose(better, inverse[c], found, found)
			}
			VMULPS(lx[c], quotient, quotient)
			m.choose(better, quotient, best, best)
		}
		VMOVUPS(best, at(s, laneBest))
		VMOVUPS(scale, at(s, laneScales))
		VMOVUPS(found, at(s, laneInverses))
		if m.wide() {
			ADDQ(I32(together*width), step)
		} else {
			ADDQ(I32(together*4), step)
		}
	})

	zeros := m.compare(m.load(at(s, laneMost)), less, m.k(tiny))
	found := m.load(at(s, laneInverses))
	m.or(at(s, laneTurn), found, found)
	scale := m.load(at(s, laneScales))
	m.choose(zeros, m.zero(), found, found)
	m.choose(zeros, m.zero(), scale, scale)
	VMOVUPS(found, at(s, laneInverses))
	VMOVUPS(scale, at(s, laneScales))
	end()
}

// peaks returns the largest magnitude of each lane and the sign of the inverse
// scale, which is not that of the first value of this magnitude. The values begin
// some bytes behind s.
func (m *machine) peaks(s Register, first int, count Op) (most, turn VecVirtual) {
	width := m.width()
	most, turn = m.zero(), m.zero()
	absolute := m.bits(magnitude)
	p, n := GP64(), GP64()
	LEAQ(at(s, first), p)
	MOVQ(count, n)
	loop(n, func() {
		v := m.register()
		m.and(at(p, 0), absolute, v)
		VMAXPS(v, most, most)
		ADDQ(I32(width), p)
	})
	MOVQ(count, n)
	loop(n, func() { // backwards, so that the first remains
		SUBQ(I32(width), p)
		x, v := m.load(at(p, 0)), m.register()
		m.and(x, absolute, v)
		m.choose(m.compare(v, equal, most), x, turn, turn)
	})
	sign := m.bits(signBit)
	m.and(turn, sign, turn)
	m.xor(turn, sign, turn)
	return most, turn
}

// symmetricRecords stores the records, and the sums of the middle candidate in
// place of scales, Σ w·x·q, and best, Σ w·q².
func (m *machine) symmetricRecords(s, count Register, turn, middle VecVirtual, weighted bool) {
	width := m.width()
	one, half := bitsOf(1), bitsOf(0.5)
	m.keep(magnitude, signBit, one, half, bitsOf(magic), 1)
	var n, less1 VecVirtual
	if m.wide() {
		n, less1 = m.broadcast(at(s, laneLimits)), m.broadcast(at(s, laneLimits+4))
	}
	sumX, sum2 := m.zero(), m.zero()
	x, record, left := GP64(), GP64(), GP64()
	LEAQ(at(s, laneValues), x)
	LEAQ(at(s, laneRecords), record)
	MOVQ(count, left)
	loop(left, func() {
		store := func(i int, v VecVirtual) { VMOVUPS(v, at(record, i*width)) }
		v := m.load(at(x, 0))
		size, q, parity, limit := m.register(), m.register(), m.register(), m.register()
		m.and(v, m.bits(magnitude), size)
		store(recordSize, size)
		VMULPS(size, middle, q)
		VADDPS(m.bits(bitsOf(magic)), q, q)
		m.integerAnd(q, m.bits(1), parity)
		VSUBPS(m.bits(bitsOf(magic)), q, q)
		VSUBPS(m.bits(half), q, limit)
		VPADDD(parity, limit, limit) // a half goes down from odd numbers
		store(recordLimits, limit)
		VADDPS(m.bits(half), q, limit)
		VPADDD(m.bits(1), limit, limit)
		VPSUBD(parity, limit, limit)
		store(recordLimits+1, limit)

		sign, largest, w, wx := m.register(), m.register(), m.register(), m.register()
		m.xor(v, turn, sign)
		if m.wide() {
			m.choose(m.signs(sign), n, less1, largest)
		} else {
			m.choose(m.signs(sign), m.broadcast(at(s, laneLimits)), m.broadcast(at(s, laneLimits+4)), largest)
		}
		m.and(sign, m.bits(signBit), sign)
		if weighted {
			VMOVUPS(at(x, laneWeights-laneValues), w)
		} else {
			VMULPS(v, v, w)
		}
		VMULPS(v, w, wx)
		for j := range 3 {
			l, termX, term2 := m.register(), m.register(), m.register()
			switch j {
			case 0:
				VSUBPS(m.bits(one), q, l)
			case 1:
				VMINPS(largest, q, l)
			case 2:
				VADDPS(m.bits(one), q, l)
				VMINPS(largest, l, l)
			}
			m.or(sign, l, l)
			VMULPS(l, wx, termX)
			VMULPS(l, w, term2)
			VMULPS(l, term2, term2)
			store(recordX+j, termX)
			store(record2+j, term2)
			if j == 1 {
				VADDPS(termX, sumX, sumX)
				VADDPS(term2, sum2, sum2)
			}
		}
		ADDQ(I32(width), x)
		ADDQ(I32(recordRows*width), record)
	})
	m.kept = nil
	VMOVUPS(sumX, at(s, laneScales))
	VMOVUPS(sum2, at(s, laneBest))
}
