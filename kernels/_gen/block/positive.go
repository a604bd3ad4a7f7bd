package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The places of levelLanes, in bytes: up to 16 vectors of numbers, of their
// weights and of their levels, and the scale. A second one follows, for minimums.
const (
	levelX     = 0
	levelW     = 16 * 64
	levelQ     = 32 * 64
	levelScale = 48 * 64
	levelLanes = 49 * 64
)

// A leveler writes the quantization of positive numbers, a super-block in each
// lane, scales and minimums side by side.
type leveler struct {
	*machine
	sets [2]Register
	n    Register // vectors
	top  VecVirtual
}

func (m *machine) beginLevels(name, doc string) *leveler {
	m.function(name, "func(s *float32, n int, top float32)", doc)
	l := &leveler{machine: m, sets: [2]Register{pointer("s"), GP64()}, n: Load(Param("n"), GP64())}
	LEAQ(at(l.sets[0], levelLanes), l.sets[1])
	top, err := Param("top").Resolve()
	if err != nil {
		panic(err)
	}
	l.top = m.broadcast(top.Addr)
	return l
}

// each runs body for every vector of a set.
func (l *leveler) each(set Register, body func(at func(array int) Mem)) {
	i, left := GP64(), GP64()
	XORQ(i, i)
	MOVQ(l.n, left)
	loop(left, func() {
		body(func(array int) Mem { return Mem{Base: set, Index: i, Scale: 1, Disp: array} })
		ADDQ(I32(l.width()), i)
	})
}

// peak returns the largest number of each lane, at least 0.
func (l *leveler) peak(set Register) VecVirtual {
	peak := l.zero()
	l.each(set, func(at func(int) Mem) { VMAXPS(peak, l.load(at(levelX)), peak) }) // 0, not -0
	return peak
}

// nearestByte turns t into the nearest integer, of which it keeps eight bits.
func (l *leveler) nearestByte(t VecVirtual) {
	VADDPS(l.k(magic), t, t)
	l.integerAnd(l.bits(0xff), t, t)
}

// nearest turns t into the nearest integer as the plain nearest gives it, no
// more than top.
func (l *leveler) nearest(t, top VecVirtual) {
	VADDPS(l.k(magic), t, t)
	l.integerAnd(l.bits(0x007fffff), t, t)
	VPSUBD(l.bits(0x00400000), t, t)
	VPMINSD(top, t, t)
}

func (m *machine) toFloat(v VecVirtual) VecVirtual {
	f := m.register()
	VCVTDQ2PS(v, f)
	return f
}

// proportional writes the kernel that makes the largest number top:
//
//	for each lane: q[i] = byte(nearest(x[i]·(top/peak)))
//	scale = peak/top
func (m *machine) proportional() {
	l := m.beginLevels("proportional", "quantizes n numbers in each lane in proportion to the largest.")
	for _, set := range l.sets {
		peak, inverse, scale := l.peak(set), m.register(), m.register()
		VDIVPS(peak, l.top, inverse)
		m.choose(m.compare(peak, greater, m.zero()), inverse, m.zero(), inverse)
		VDIVPS(l.top, peak, scale)
		VMOVUPS(scale, at(set, levelScale))
		l.each(set, func(at func(int) Mem) {
			q := m.register()
			VMULPS(at(levelX), inverse, q)
			l.nearestByte(q)
			VMOVUPS(q, at(levelQ))
		})
	}
	end()
}

// positive writes the search of positiveSearch: nine inverse scales, of which the
// best gives levels that are then changed one at a time, as long as that lowers
// the error, in five passes at most. What does not change in a pass never does.
func (m *machine) positive() {
	l := m.beginLevels("positive", "searches the scales of n numbers in each lane.")
	integerTop := m.register()
	VCVTPS2DQ(l.top, integerTop)
	var lx, l2 [2]VecVirtual
	for s, set := range l.sets {
		peak, best, inverse := l.peak(set), m.register(), m.register()
		VDIVPS(peak, l.top, inverse)
		for step := -5; step <= 4; step++ {
			if step == 0 {
				continue
			}
			first := step == -5 // the one in the middle, whose levels wrap around
			candidate, scale, e := m.register(), m.register(), m.zero()
			if first {
				VMOVAPS(inverse, candidate)
			} else {
				VADDPS(m.k(float32(float32(0.1)*float32(step))), l.top, candidate)
				VDIVPS(peak, candidate, candidate)
			}
			VDIVPS(candidate, m.k(1), scale)
			l.each(set, func(at func(int) Mem) {
				x, t, w := m.load(at(levelX)), m.register(), m.register()
				VMULPS(x, candidate, t)
				if first {
					l.nearestByte(t)
				} else {
					l.nearest(t, integerTop)
				}
				VCVTDQ2PS(t, t)
				VMULPS(scale, t, t)
				VSUBPS(t, x, t)
				VMULPS(at(levelW), t, w)
				VMULPS(t, w, w)
				VADDPS(w, e, e)
			})
			if first {
				VMOVAPS(e, best)
				continue
			}
			better := m.compare(e, less, best)
			m.choose(better, e, best, best)
			m.choose(better, candidate, inverse, inverse)
		}
		sumX, sum2 := m.zero(), m.zero()
		l.each(set, func(at func(int) Mem) {
			x, w, q := m.load(at(levelX)), m.load(at(levelW)), m.register()
			VMULPS(x, inverse, q)
			l.nearest(q, integerTop)
			f := m.toFloat(q)
			m.integerAnd(m.bits(0xff), q, q)
			VMOVUPS(q, at(levelQ))
			VMULPS(w, x, x)
			VMULPS(f, x, x)
			VADDPS(x, sumX, sumX)
			VMULPS(f, w, w)
			VMULPS(f, w, w)
			VADDPS(w, sum2, sum2)
		})
		lx[s], l2[s] = sumX, sum2
		VMOVUPS(peak, at(set, levelScale))
	}

	passes, i, left, changes := GP64(), GP64(), GP64(), GP32()
	MOVQ(I32(5), passes)
	done := label("done")
	loop(passes, func() {
		XORL(changes, changes)
		XORQ(i, i)
		MOVQ(l.n, left)
		loop(left, func() {
			for s, set := range l.sets {
				l.improve(set, i, integerTop, lx[s], l2[s], changes)
			}
			ADDQ(I32(m.width()), i)
		})
		TESTL(changes, changes)
		JZ(LabelRef(done))
	})
	Label(done)

	for s, set := range l.sets {
		scale := m.register()
		VDIVPS(l2[s], lx[s], scale)
		m.choose(m.compare(l2[s], greater, m.zero()), scale, m.zero(), scale)
		zeros := m.compare(m.load(at(set, levelScale)), less, m.k(tiny))
		m.choose(zeros, m.zero(), scale, scale)
		VMOVUPS(scale, at(set, levelScale))
		l.each(set, func(at func(int) Mem) {
			q := m.load(at(levelQ))
			m.choose(zeros, m.zero(), q, q)
			VMOVUPS(q, at(levelQ))
		})
	}
	end()
}

// improve changes the level at i where another one has a lower error, and sets
// bits of changes for those lanes.
func (l *leveler) improve(set, i Register, top, lx, l2 VecVirtual, changes Register) {
	m := l.machine
	at := func(array int) Mem { return Mem{Base: set, Index: i, Scale: 1, Disp: array} }
	x, w, q := m.load(at(levelX)), m.load(at(levelW)), m.load(at(levelQ))
	n, wx, restX, rest2, t := m.toFloat(q), m.register(), m.register(), m.register(), m.register()
	VMULPS(x, w, wx)
	VMULPS(n, wx, restX)
	VSUBPS(restX, lx, restX)
	VMULPS(n, w, rest2)
	VMULPS(n, rest2, rest2)
	VSUBPS(rest2, l2, rest2)
	better := m.compareToo(m.compare(restX, greater, m.zero()), rest2, greater, m.zero())
	VMULPS(rest2, x, t)
	VDIVPS(restX, t, t)
	l.nearest(t, top)
	f := m.toFloat(t)
	better = m.compareToo(better, f, notEqual, n)
	VMULPS(f, wx, wx)
	VADDPS(wx, restX, restX)
	VMULPS(f, w, w)
	VMULPS(f, w, w)
	VADDPS(w, rest2, rest2)
	after, before := m.register(), m.register()
	VMULPS(restX, restX, after)
	VMULPS(l2, after, after)
	VMULPS(lx, lx, before)
	VMULPS(rest2, before, before)
	better = m.compareToo(better, after, greater, before)
	m.choose(better, restX, lx, lx)
	m.choose(better, rest2, l2, l2)
	m.integerAnd(m.bits(0xff), t, t)
	m.choose(better, t, q, q)
	VMOVUPS(q, at(levelQ))
	m.note(better, changes)
}
