package main

import (
	"math"
	"math/bits"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// scaleMin writes the search for scales and minimums and what surrounds it.
func (m *machine) scaleMin() {
	m.scaleMinSearch("searchMean", "weighs errors by the root mean square and magnitude of 32 numbers.", meanWeights)
	m.scaleMinSearch("searchMagnitude", "weighs errors, not their squares, by magnitude.", magnitudeWeights)
	m.scaleMinSearch("searchImportance", "weighs errors by importance.", importanceWeights)
	m.proportional()
	m.positive()
	m.affineNibbles("nibbles", false)
	m.affineNibbles("fifthsNibbles", true)
	m.affinePairs()
	m.spans()
	m.affineBlocks("blocksQ4_1", false, true)
	m.affineBlocks("blocksQ5_1", true, true)
	m.affineBlocks("searchedQ4_1", false, false)
	m.affineBlocks("searchedQ5_1", true, false)
}

// The ways in which errors are weighted.
const (
	meanWeights       = iota // √(Σ x²/32) + |x|
	magnitudeWeights         // |x|, and it is the sum of |error| that counts
	importanceWeights        // importance · √(variance + x²)
)

// The places of scaleMinLanes, in bytes: for each of two groups of lanes four
// arrays of vectors and then these rows. The arrays are a little more than half a
// page apart, so that their elements do not share the last bits of an address.
const (
	scaleMinArray = 33 * 64
	valueX        = 0 * scaleMinArray
	valueW        = 1 * scaleMinArray
	valueQ        = 2 * scaleMinArray
	scaleMinRows  = 3 * scaleMinArray
)

const (
	rowVariance = scaleMinRows + 64*iota
	rowSumW
	rowSumX
	rowLeast
	rowHigh
	rowFlat
	rowOdd // lanes that the plain encoder must do
	rowSpan
	rowNow // the minimum that quants are taken from
	rowBest
	rowScale
	rowMin
	rowLow
	rowInverse
	rowTryScale
	rowTryMin
	rowTryInverse
	scaleMinGroup
)

// The places of the table of steps, in bytes.
const (
	stepTop     = 0
	stepLargest = 4
	stepFirst   = 8
)

// A searcher writes a search for scales and minimums.
type searcher struct {
	*machine
	weights      int
	groups       [2]Register
	steps, bytes Register // of count vectors
	top          VecVirtual
}

// scaleMinSearch writes the search, for two groups of lanes side by side: while
// one waits for its quotients, the other one's sums go on. In pseudo-code, for each
// lane:
//
//	low = min(least x, 0)
//	quantize with top/(high-low); best = its error with 1/inverse and low
//	for step in steps:
//		inverse = step/(high-low)
//		q[i] = min(max(round(inverse·(x[i]-low)), 0), top)
//		scale, min = least squares of Σ w·q, Σ w·q², Σ w·q·x
//		if its error < best: keep inverse and low, scale and min; low = min
//
// Rounding by adding a large number, as the plain encoder does, gives other
// results outside of ±2^22 only. Lanes that could get there, or where low passes
// high, are marked as odd, for the plain encoder.
//
// There are so many steps within top + 1/2, for which nothing is above top, and so
// many beyond, at least one of each.
func (m *machine) scaleMinSearch(name, doc string, weights int) {
	m.function(name, "func(s, steps *float32, within, beyond, count int)", doc)
	s := &searcher{machine: m, weights: weights}
	s.groups = [2]Register{pointer("s"), GP64()}
	LEAQ(at(s.groups[0], scaleMinGroup), s.groups[1])
	s.steps, s.bytes = pointer("steps"), Load(Param("count"), GP64())
	SHLQ(Imm(uint64(bits.TrailingZeros(uint(m.width())))), s.bytes)
	s.top = m.broadcast(at(s.steps, stepTop))
	s.begin()
	step := GP64()
	LEAQ(at(s.steps, stepFirst), step)
	for _, candidates := range []string{"within", "beyond"} {
		loop(Load(Param(candidates), GP64()), func() {
			for _, g := range s.groups {
				s.try(g, step, candidates == "beyond")
			}
			for _, g := range s.groups {
				s.judge(g)
			}
			ADDQ(Imm(4), step)
		})
	}
	for _, g := range s.groups {
		s.finish(g)
	}
	end()
}

// each runs body for the arrays of one group or both, unroll vectors at a time; at
// gives the place of a vector in an array of a group.
func (s *searcher) each(groups []Register, unroll int, body func(group int, at func(array int) Mem)) {
	i := GP64()
	XORQ(i, i)
	begin := label("each")
	Label(begin)
	for u := range unroll {
		for k, g := range groups {
			body(k, func(array int) Mem { return Mem{Base: g, Index: i, Scale: 1, Disp: array + u*s.width()} })
		}
	}
	ADDQ(I32(unroll*s.width()), i)
	CMPQ(i, s.bytes)
	JNE(LabelRef(begin))
}

func (s *searcher) binary(op func(ops ...Op), b Op, a VecVirtual) VecVirtual {
	v := s.register()
	op(b, a, v)
	return v
}

func (s *searcher) mul(a VecVirtual, b Op) VecVirtual {
	return s.binary(func(ops ...Op) { VMULPS(ops...) }, b, a)
}

func (s *searcher) sub(a VecVirtual, b Op) VecVirtual {
	return s.binary(func(ops ...Op) { VSUBPS(ops...) }, b, a)
}

func (s *searcher) div(a VecVirtual, b Op) VecVirtual {
	return s.binary(func(ops ...Op) { VDIVPS(ops...) }, b, a)
}

// begin computes the weights, what the search needs to know of the values, and
// the error of the first inverse scale.
func (s *searcher) begin() {
	absolute := s.bits(magnitude)
	both := s.groups[:]
	var spread [2]VecVirtual // root mean square or variance
	for k, g := range both {
		switch s.weights {
		case meanWeights:
			spread[k] = s.zero()
		case importanceWeights:
			spread[k] = s.load(at(g, rowVariance))
		}
	}
	if s.weights == meanWeights {
		s.each(both, 2, func(k int, at func(int) Mem) {
			v := s.load(at(valueX))
			VMULPS(v, v, v)
			VADDPS(v, spread[k], spread[k])
		})
		for _, v := range spread {
			VMULPS(s.k(1./32), v, v)
			VSQRTPS(v, v)
		}
	}

	var sumW, sumX, least, high [2]VecVirtual
	for k, g := range both {
		sumW[k], sumX[k] = s.k(float32(math.Copysign(0, -1))), s.k(float32(math.Copysign(0, -1)))
		least[k], high[k] = s.load(at(g, valueX)), s.load(at(g, valueX))
	}
	s.each(both, 1, func(k int, at func(int) Mem) {
		v, w := s.load(at(valueX)), s.register()
		switch s.weights {
		case meanWeights:
			s.and(v, absolute, w)
			VADDPS(w, spread[k], w)
		case magnitudeWeights:
			s.and(v, absolute, w)
		case importanceWeights:
			VMULPS(v, v, w)
			VADDPS(w, spread[k], w)
			VSQRTPS(w, w)
			VMULPS(at(valueW), w, w)
		}
		VMOVUPS(w, at(valueW))
		VADDPS(w, sumW[k], sumW[k])
		VMULPS(v, w, w)
		VADDPS(w, sumX[k], sumX[k])
		VMINPS(least[k], v, least[k]) // of zeros the first remains
		VMAXPS(high[k], v, high[k])
	})
	for k, g := range both {
		VMOVUPS(sumW[k], at(g, rowSumW))
		VMOVUPS(sumX[k], at(g, rowSumX))
		VMOVUPS(least[k], at(g, rowLeast))
		VMOVUPS(high[k], at(g, rowHigh))
		VMOVUPS(s.zero(), at(g, rowOdd))
	}

	var low, inverse, scale, e [2]VecVirtual
	for k, g := range both {
		span, flat := s.register(), s.register()
		low[k] = s.register()
		VMINPS(least[k], s.zero(), low[k])
		VSUBPS(low[k], high[k], span)
		equals := s.compare(high[k], equal, low[k])
		s.choose(equals, s.k(1), span, span)
		s.choose(equals, s.bits(math.MaxUint32), s.zero(), flat)
		VMOVUPS(flat, at(g, rowFlat))
		VMOVUPS(span, at(g, rowSpan))
		for _, row := range []int{rowNow, rowMin, rowLow} {
			VMOVUPS(low[k], at(g, row))
		}
		s.check(g, low[k], span)
		inverse[k] = s.div(s.top, span)
		scale[k] = s.div(s.k(1), inverse[k])
		VMOVUPS(inverse[k], at(g, rowInverse))
		VMOVUPS(scale[k], at(g, rowScale))
		e[k] = s.zero()
	}
	s.each(both, 1, func(k int, at func(int) Mem) {
		v, q := s.load(at(valueX)), s.register()
		VSUBPS(low[k], v, q) // at least 0
		VMULPS(q, inverse[k], q)
		s.round(q)
		s.addError(e[k], q, scale[k], low[k], v, at(valueW), absolute)
	})
	for k, g := range both {
		VMOVUPS(e[k], at(g, rowBest))
	}
}

// addError adds the error of quants q, which change, to e.
func (s *searcher) addError(e, q, scale, min VecVirtual, x, w Op, absolute VecVirtual) {
	VMULPS(scale, q, q)
	VADDPS(min, q, q)
	VSUBPS(x, q, q)
	if s.weights == magnitudeWeights {
		s.and(absolute, q, q)
	} else {
		VMULPS(q, q, q)
	}
	VMULPS(w, q, q)
	VADDPS(q, e, e)
}

// round rounds to integers, to even in a tie.
func (s *searcher) round(v VecVirtual) {
	if s.wide() {
		VRNDSCALEPS(Imm(8), v, v)
	} else {
		VROUNDPS(Imm(8), v, v)
	}
}

// check marks lanes as odd whose candidates may leave the range in which rounding
// is what it seems. Products grow with the step, so that those of the largest one tell.
func (s *searcher) check(g Register, low, span VecVirtual) {
	inverse := s.div(s.broadcast(at(s.steps, stepLargest)), span)
	lowest, highest := s.load(at(g, rowLeast)), s.mul(inverse, span)
	VSUBPS(low, lowest, lowest)
	VMULPS(inverse, lowest, lowest)
	good := s.compare(span, greater, s.zero())
	good = s.compareToo(good, lowest, greater, s.k(-1<<22))
	good = s.compareToo(good, highest, less, s.k(1<<22))
	odd := s.load(at(g, rowOdd))
	s.choose(good, odd, s.bits(math.MaxUint32), odd)
	VMOVUPS(odd, at(g, rowOdd))
}

// try quantizes with the candidate of a step and stores its scale, not a number
// where there is none, and minimum.
func (s *searcher) try(g, step Register, beyond bool) {
	inverse := s.broadcast(at(step, 0))
	VDIVPS(at(g, rowSpan), inverse, inverse)
	VMOVUPS(inverse, at(g, rowTryInverse))
	low, zero := s.load(at(g, rowNow)), s.zero()
	l, l2, xl := s.zero(), s.zero(), s.zero()
	s.each([]Register{g}, 4, func(_ int, at func(int) Mem) {
		x := s.load(at(valueX))
		q := s.sub(x, low)
		VMULPS(inverse, q, q)
		s.round(q)
		// Of the bits of floats, read as integers, negative ones are less than 0 and
		// others are in order.
		VPMAXSD(zero, q, q)
		if beyond {
			VPMINSD(s.top, q, q)
		}
		VMOVUPS(q, at(valueQ))
		wl := s.mul(q, at(valueW))
		VADDPS(wl, l, l)
		VMULPS(wl, q, q)
		VADDPS(q, l2, l2)
		VMULPS(x, wl, wl)
		VADDPS(wl, xl, xl)
	})
	sumW, sumX := s.load(at(g, rowSumW)), s.load(at(g, rowSumX))
	d := s.sub(s.mul(l2, sumW), s.mul(l, l))
	scale := s.sub(s.mul(xl, sumW), s.mul(l, sumX))
	min := s.sub(s.mul(l2, sumX), s.mul(l, xl))
	VDIVPS(d, scale, scale)
	VDIVPS(d, min, min)
	positive := s.compare(min, greater, s.zero())
	none := label("none")
	s.jumpIfNone(positive, none)
	s.choose(positive, s.div(xl, l2), scale, scale)
	s.choose(positive, s.zero(), min, min)
	Label(none)
	s.choose(s.compare(d, greater, s.zero()), scale, s.bits(math.MaxUint32), scale)
	VMOVUPS(scale, at(g, rowTryScale))
	VMOVUPS(min, at(g, rowTryMin))
}

// judge keeps what try found in the lanes where its error is less.
func (s *searcher) judge(g Register) {
	scale, min := s.load(at(g, rowTryScale)), s.load(at(g, rowTryMin))
	var absolute VecVirtual
	if s.weights == magnitudeWeights {
		absolute = s.bits(magnitude)
	}
	e := s.zero()
	s.each([]Register{g}, 4, func(_ int, at func(int) Mem) {
		s.addError(e, s.load(at(valueQ)), scale, min, at(valueX), at(valueW), absolute)
	})
	best := s.load(at(g, rowBest))
	better := s.compare(e, less, best)
	none := label("none")
	s.jumpIfNone(better, none)
	keep := func(row int, v VecVirtual) {
		old := s.load(at(g, row))
		s.choose(better, v, old, old)
		VMOVUPS(old, at(g, row))
	}
	keep(rowBest, e)
	keep(rowScale, scale)
	keep(rowMin, min)
	keep(rowInverse, s.load(at(g, rowTryInverse)))
	low := s.load(at(g, rowNow))
	keep(rowLow, low)
	s.choose(better, min, low, low)
	VMOVUPS(low, at(g, rowNow))
	span := s.load(at(g, rowSpan))
	s.choose(better, s.sub(s.load(at(g, rowHigh)), low), span, span)
	VMOVUPS(span, at(g, rowSpan))
	s.check(g, low, span)
	Label(none)
}

// finish gives flat lanes their result, and turns the signs of minimums.
func (s *searcher) finish(g Register) {
	flat := s.signs(s.load(at(g, rowFlat)))
	min := s.load(at(g, rowMin))
	s.xor(s.bits(signBit), min, min)
	VMOVUPS(min, at(g, rowMin))
	for _, row := range []int{rowScale, rowInverse} {
		v := s.load(at(g, row))
		s.choose(flat, s.zero(), v, v)
		VMOVUPS(v, at(g, row))
	}
}

// jumpIfNone jumps where a mask has no lane.
func (m *machine) jumpIfNone(mask Register, to string) {
	if m.wide() {
		KORTESTW(mask, mask)
	} else {
		VPTEST(mask, mask)
	}
	JZ(LabelRef(to))
}
