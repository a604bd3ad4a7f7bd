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
func (m *machine) scaleMinSearch(name, doc string, weights int) {
	m.function(name, "func(s, steps *float32, candidates, count int)", doc)
	s := &searcher{machine: m, weights: weights}
	groups := [2]Register{pointer("s"), GP64()}
	LEAQ(at(groups[0], scaleMinGroup), groups[1])
	s.steps = pointer("steps")
	candidates, count := Load(Param("candidates"), GP64()), Load(Param("count"), GP64())
	s.bytes = GP64()
	MOVQ(count, s.bytes)
	SHLQ(Imm(uint64(bits.TrailingZeros(uint(m.width())))), s.bytes)
	s.top = m.broadcast(at(s.steps, stepTop))
	for _, g := range groups {
		s.begin(g)
	}
	step := GP64()
	LEAQ(at(s.steps, stepFirst), step)
	loop(candidates, func() {
		for _, g := range groups {
			s.try(g, step)
		}
		for _, g := range groups {
			s.judge(g)
		}
		ADDQ(Imm(4), step)
	})
	for _, g := range groups {
		s.finish(g)
	}
	end()
}

// each runs body for count vectors, unroll at a time; at gives the place of the
// i-th of them in an array.
func (s *searcher) each(g Register, unroll int, body func(at func(array int) Mem)) {
	i := GP64()
	XORQ(i, i)
	begin := label("each")
	Label(begin)
	for u := range unroll {
		body(func(array int) Mem { return Mem{Base: g, Index: i, Scale: 1, Disp: array + u*s.width()} })
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
// the quants and the error of the first inverse scale.
func (s *searcher) begin(g Register) {
	absolute := s.bits(magnitude)
	var mean, variance VecVirtual
	switch s.weights {
	case meanWeights:
		mean = s.zero()
		s.each(g, 4, func(at func(int) Mem) {
			v := s.load(at(valueX))
			VMULPS(v, v, v)
			VADDPS(v, mean, mean)
		})
		VMULPS(s.k(1./32), mean, mean)
		VSQRTPS(mean, mean)
	case importanceWeights:
		variance = s.load(at(g, rowVariance))
	}

	sumW, sumX := s.k(float32(math.Copysign(0, -1))), s.k(float32(math.Copysign(0, -1)))
	least, high := s.load(at(g, valueX)), s.load(at(g, valueX))
	s.each(g, 2, func(at func(int) Mem) {
		v, w := s.load(at(valueX)), s.register()
		switch s.weights {
		case meanWeights:
			s.and(v, absolute, w)
			VADDPS(w, mean, w)
		case magnitudeWeights:
			s.and(v, absolute, w)
		case importanceWeights:
			VMULPS(v, v, w)
			VADDPS(w, variance, w)
			VSQRTPS(w, w)
			VMULPS(at(valueW), w, w)
		}
		VMOVUPS(w, at(valueW))
		VADDPS(w, sumW, sumW)
		VMULPS(v, w, w)
		VADDPS(w, sumX, sumX)
		VMINPS(least, v, least) // of zeros the first remains
		VMAXPS(high, v, high)
	})
	low, span := s.register(), s.register()
	VMINPS(least, s.zero(), low)
	flat := s.compare(high, equal, low)
	VSUBPS(low, high, span)
	s.choose(flat, s.k(1), span, span)
	marks := s.register()
	s.choose(flat, s.bits(math.MaxUint32), s.zero(), marks)
	VMOVUPS(marks, at(g, rowFlat))
	VMOVUPS(sumW, at(g, rowSumW))
	VMOVUPS(sumX, at(g, rowSumX))
	VMOVUPS(least, at(g, rowLeast))
	VMOVUPS(high, at(g, rowHigh))
	VMOVUPS(span, at(g, rowSpan))
	VMOVUPS(low, at(g, rowNow))
	VMOVUPS(low, at(g, rowMin))
	VMOVUPS(low, at(g, rowLow))
	VMOVUPS(s.zero(), at(g, rowOdd))
	s.check(g, low, span)

	inverse := s.div(s.top, span)
	scale := s.div(s.k(1), inverse)
	VMOVUPS(inverse, at(g, rowInverse))
	VMOVUPS(scale, at(g, rowScale))
	e := s.zero()
	zero := s.zero()
	s.each(g, 2, func(at func(int) Mem) {
		v, q := s.load(at(valueX)), s.register()
		VSUBPS(low, v, q)
		VMULPS(q, inverse, q)
		s.round(q, zero)
		s.addError(e, q, scale, low, v, at(valueW), absolute)
	})
	VMOVUPS(e, at(g, rowBest))
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

// round rounds to integers, to even in a tie, and limits them. Of the bits of
// floats, read as integers, negative ones are less than 0 and others in order.
func (s *searcher) round(v, zero VecVirtual) {
	if s.wide() {
		VRNDSCALEPS(Imm(8), v, v)
	} else {
		VROUNDPS(Imm(8), v, v)
	}
	VPMAXSD(zero, v, v)
	VPMINSD(s.top, v, v)
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
func (s *searcher) try(g, step Register) {
	inverse := s.broadcast(at(step, 0))
	VDIVPS(at(g, rowSpan), inverse, inverse)
	VMOVUPS(inverse, at(g, rowTryInverse))
	low, zero := s.load(at(g, rowNow)), s.zero()
	l, l2, xl := s.zero(), s.zero(), s.zero()
	s.each(g, 4, func(at func(int) Mem) {
		x := s.load(at(valueX))
		q := s.sub(x, low)
		VMULPS(inverse, q, q)
		s.round(q, zero)
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
	s.each(g, 4, func(at func(int) Mem) {
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
