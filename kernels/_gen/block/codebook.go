package main

import (
	"math"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// codebook writes the encoders of IQ4_NL and IQ4_XS.
func (m *machine) codebook() {
	m.codebookSearch("searchCodebookSquares", "weighs errors by x².", false)
	m.codebookSearch("searchCodebookWeighted", "weighs errors by w.", true)
	m.quantizeCodebook()
}

// codebookIQ4 is that of package block.
var codebookIQ4 = [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// limitIQ4 returns the number from which on place i > 0 is the nearest.
func limitIQ4(i int) float32 { return (codebookIQ4[i-1] + codebookIQ4[i]) / 2 }

// places finds numbers in the codebook.
type places struct {
	*machine
	limits, bases [2]VecVirtual // of buckets, with 16 lanes
	values        VecVirtual
	round, width  VecVirtual
	one           VecVirtual
}

// A place in the codebook: with 16 lanes, the number of the place; with eight, minus
// that number, and where it is 8 or more.
type place struct {
	index VecVirtual
	upper Register
}

// bucket is how wide the numbers are of which the low bits of a rounded quotient
// tell the place, but for one limit to compare with. No two limits are as near
// to each other.
const bucket = 9

func (m *machine) newPlaces() *places {
	p := &places{machine: m}
	if !m.wide() {
		return p
	}
	var limits, bases, values [32]uint32
	for k := -16; k < 16; k++ {
		const slack = 0.25 // more than the quotient is wrong by
		low, high := float32(bucket*k)-bucket/2.-slack, float32(bucket*k)+bucket/2.+slack
		limit, base := float32(math.Inf(1)), 0
		for i := 1; i < 16; i++ {
			switch l := limitIQ4(i); {
			case l < low:
				base = i
			case l <= high:
				limit = l
			}
		}
		limits[k&31], bases[k&31] = bitsOf(limit), uint32(base)
	}
	for i, v := range codebookIQ4 {
		values[i] = bitsOf(v)
	}
	table := func(patterns []uint32) VecVirtual { return m.load(vectorConstant(patterns...)) }
	p.limits = [2]VecVirtual{table(limits[:16]), table(limits[16:])}
	p.bases = [2]VecVirtual{table(bases[:16]), table(bases[16:])}
	p.values = table(values[:16])
	p.round, p.width, p.one = m.k(magic), m.k(1./bucket), m.bits(1)
	return p
}

// everywhere is the place of a vector of eight equal numbers, repeated that of patterns.
func everywhere(f float32) Mem { return repeated(bitsOf(f)) }

func repeated(pattern uint32) Mem {
	return vectorConstant(slices.Repeat([]uint32{pattern}, 8)...)
}

// backwards is the place of eight numbers, to be chosen by the low bits of -i.
func backwards(number func(i int) float32) Mem {
	v := make([]uint32, 8)
	for i := range v {
		v[-i&7] = bitsOf(number(i))
	}
	return vectorConstant(v...)
}

// of returns the place of the number nearest to each of v, the larger one in a
// tie, for |v| < 139 with 16 lanes.
func (p *places) of(v VecVirtual) place {
	if p.wide() {
		limit, index := ZMM(), ZMM()
		VMOVAPS(p.round, index)
		VFMADD231PS(p.width, v, index)
		VMOVAPS(index, limit)
		VPERMI2PS(p.limits[1], p.limits[0], limit)
		VPERMI2D(p.bases[1], p.bases[0], index)
		k := K()
		VCMPPS(Imm(greaterEqual), limit, v, k)
		VPADDD(p.one, index, k, index)
		return place{index: index}
	}
	// A binary search. Comparisons are -1 where they hold.
	upper, next, limit, index := YMM(), YMM(), YMM(), YMM()
	above := func(limit Op, dst VecVirtual) { VCMPPS(Imm(greaterEqual), limit, v, dst) }
	above(everywhere(limitIQ4(8)), upper)
	VMOVUPS(everywhere(limitIQ4(4)), limit)
	VBLENDVPS(upper, everywhere(limitIQ4(12)), limit, limit)
	above(limit, next)
	VPADDD(upper, upper, index)
	VPADDD(next, index, index)
	for _, table := range []Mem{
		backwards(func(i int) float32 { return limitIQ4(4*(i&3) + 2) }),
		backwards(func(i int) float32 { return limitIQ4(2*i + 1) }),
	} {
		VPERMPS(table, index, limit)
		above(limit, next)
		VPADDD(index, index, index)
		VPADDD(next, index, index)
	}
	return place{index, upper}
}

// value returns the numbers at places.
func (p *places) value(of place) VecVirtual {
	v := p.register()
	if p.wide() {
		VPERMPS(p.values, of.index, v)
		return v
	}
	upper := YMM()
	VPERMPS(backwards(func(i int) float32 { return codebookIQ4[i] }), of.index, v)
	VPERMPS(backwards(func(i int) float32 { return codebookIQ4[8+i] }), of.index, upper)
	VBLENDVPS(of.upper, upper, v, v)
	return v
}

// outward returns the places next to those of v, away from zero, if there are any.
func (p *places) outward(of place, v VecVirtual) place {
	step, index := p.register(), p.register()
	VPSRAD(Imm(31), v, step)
	if p.wide() {
		VPORD(p.one, step, step)
		VPADDD(step, of.index, index)
		VPMAXSD(p.bits(0), index, index)
		VPMINSD(p.bits(15), index, index)
		return place{index: index}
	}
	VPOR(p.bits(1), step, step)
	VPSUBD(step, of.index, index)
	VPMINSD(p.zero(), index, index)
	VPMAXSD(p.bits(uint32(-15&math.MaxUint32)), index, index)
	positive := YMM()
	VXORPS(p.bits(signBit), v, positive)
	return place{index, positive}
}

// The places of codebookLanes, in bytes.
const (
	codebookCandidates = 0
	codebookBest       = 64 // memory of the search
	codebookMost       = 128
	codebookTurn       = 192
	codebookScales     = 256
	codebookValues     = 320
	codebookWeights    = codebookValues + 32*64
	codebookRecords    = codebookWeights + 32*64
)

// What the candidates need to know of a value: vectors of these.
const (
	codebookSize  = 0
	codebookLimit = 1
	codebookX     = 2 // two terms of Σ w·q·x
	codebook2     = 4 // two terms of Σ w·q²
	codebookRows  = 6
)

// The search puts a sub-block of 32 in each lane. The fifteen inverse scales that put
// the extreme value at -120 to -134 differ by less than the limits between the
// numbers of the codebook do, so that a value crosses at most one of them, outwards.
// Each value therefore has only two terms of each sum and a limit between them;
// a term is chosen by one product and one comparison. The candidate that puts the
// extreme value at 127 turns all signs and is summed first. In pseudo-code, for each lane:
//
//	peak = the first x of largest magnitude
//	for i < 32:
//		near = place of x[i]·(-120/peak); far = the next one outwards
//		limit = the middle of near and far
//		for j in near, far: termX[j], term2[j] = w·q·x, w·q·q of the number q there
//		lx, l2 += w·q·x, w·q·q of the number q nearest to x[i]/(peak/127)
//	scale, best = lx/l2, lx/l2·lx
//	for end in 134, 133, ... 120, several at once:
//		lx, l2 = Σ |x[i]|·(end/|peak|) >= limit ? termX[far], term2[far] : termX[near], term2[near]
//		if l2 > 0 && lx·lx > best·l2: scale, best = lx/l2, lx/l2·lx
//
// On the negative side the limit itself belongs to near.
func (m *machine) codebookSearch(name, doc string, weighted bool) {
	m.function(name, "func(s *float32)", doc)
	width := m.width()
	s := pointer("s")
	row := func(p Register, i int) Mem { return at(p, i*width) }
	most, turn := m.peaks(s, codebookValues, U32(32))
	VMOVUPS(most, at(s, codebookMost))
	VMOVUPS(turn, at(s, codebookTurn))

	sumX, sum2 := m.zero(), m.zero()
	{
		p := m.newPlaces()
		m.keep(magnitude, signBit, bitsOf(0.5), 15, 0)
		last, first := m.register(), m.register()
		VDIVPS(most, m.k(120), last)
		VDIVPS(m.k(127), most, first)
		VDIVPS(first, m.k(-1), first)
		x, record, left := GP64(), GP64(), GP64()
		LEAQ(at(s, codebookValues), x)
		LEAQ(at(s, codebookRecords), record)
		MOVQ(U32(32), left)
		loop(left, func() {
			store := func(i int, v VecVirtual) { VMOVUPS(v, row(record, i)) }
			v := m.load(at(x, 0))
			w, turned, scaled := m.register(), m.register(), m.register()
			if weighted {
				VMOVUPS(at(x, codebookWeights-codebookValues), w)
			} else {
				VMULPS(v, v, w)
			}
			terms := func(q VecVirtual) (termX, term2 VecVirtual) {
				wq := m.register()
				termX = m.register()
				VMULPS(q, w, wq)
				VMULPS(v, wq, termX)
				VMULPS(q, wq, wq)
				return termX, wq
			}
			m.xor(v, turn, turned)

			VMULPS(first, turned, scaled)
			termX, term2 := terms(p.value(p.of(scaled)))
			VADDPS(termX, sumX, sumX)
			VADDPS(term2, sum2, sum2)

			scaled = m.register()
			VMULPS(last, turned, scaled)
			nearPlace := p.of(scaled)
			near, far := p.value(nearPlace), p.value(p.outward(nearPlace, scaled))
			termX, term2 = terms(near)
			store(codebookX, termX)
			store(codebook2, term2)
			termX, term2 = terms(far)
			store(codebookX+1, termX)
			store(codebook2+1, term2)

			limit, size := m.register(), m.register()
			VADDPS(near, far, limit)
			VMULPS(m.bits(bitsOf(0.5)), limit, limit)
			m.and(limit, m.bits(magnitude), limit)
			VPSRLD(Imm(31), scaled, scaled)
			VPADDD(scaled, limit, limit)
			store(codebookLimit, limit)
			m.and(v, m.bits(magnitude), size)
			store(codebookSize, size)
			ADDQ(I32(width), x)
			ADDQ(I32(codebookRows*width), record)
		})
		m.kept = nil
	}
	{
		quotient, scale, best := m.register(), m.register(), m.register()
		positive := m.compare(m.zero(), less, sum2)
		VDIVPS(sum2, sumX, quotient)
		m.choose(positive, quotient, m.zero(), scale)
		VMULPS(sumX, scale, best)
		VMOVUPS(best, at(s, codebookBest))
		VMOVUPS(scale, at(s, codebookScales))
	}

	together := 3
	if m.wide() {
		together = 5
	}
	candidate, batches := GP64(), GP64()
	LEAQ(at(s, codebookCandidates), candidate)
	MOVQ(U32(15/together), batches)
	loop(batches, func() {
		most := m.load(at(s, codebookMost))
		inverse, lx, l2 := make([]VecVirtual, together), make([]VecVirtual, together), make([]VecVirtual, together)
		for c := range together {
			inverse[c] = m.broadcast(at(candidate, 4*c))
			VDIVPS(most, inverse[c], inverse[c])
			lx[c], l2[c] = m.zero(), m.zero()
		}
		p, n := GP64(), GP64()
		LEAQ(at(s, codebookRecords), p)
		MOVQ(U32(32), n)
		loop(n, func() {
			nearX, farX := m.load(row(p, codebookX)), m.load(row(p, codebookX+1))
			near2, far2 := m.load(row(p, codebook2)), m.load(row(p, codebook2+1))
			size, limit := m.load(row(p, codebookSize)), Op(row(p, codebookLimit))
			if m.wide() {
				limit = m.load(row(p, codebookLimit))
			}
			for c := range together {
				scaled, term := m.register(), m.register()
				VMULPS(size, inverse[c], scaled)
				isFar := m.compare(scaled, greaterEqual, limit)
				m.choose(isFar, farX, nearX, term)
				VADDPS(term, lx[c], lx[c])
				m.choose(isFar, far2, near2, term)
				VADDPS(term, l2[c], l2[c])
			}
			ADDQ(I32(codebookRows*width), p)
		})
		best, scale := m.load(at(s, codebookBest)), m.load(at(s, codebookScales))
		for c := range together {
			square, other, quotient := m.register(), m.register(), m.register()
			VMULPS(lx[c], lx[c], square)
			VMULPS(l2[c], best, other)
			better := m.compareToo(m.compare(other, less, square), m.zero(), less, l2[c])
			VDIVPS(l2[c], lx[c], quotient)
			m.choose(better, quotient, scale, scale)
			VMULPS(lx[c], quotient, quotient)
			m.choose(better, quotient, best, best)
		}
		VMOVUPS(best, at(s, codebookBest))
		VMOVUPS(scale, at(s, codebookScales))
		ADDQ(I32(4*together), candidate)
	})
	scale := m.load(at(s, codebookScales))
	m.choose(m.compare(m.load(at(s, codebookMost)), less, m.k(tiny)), m.zero(), scale, scale)
	VMOVUPS(scale, at(s, codebookScales))
	end()
}

// quantizeCodebook writes the kernel that stores places in the codebook:
//
//	for g < groups, i < 16: dst[g·stride+i] = place of inverses[g]·x[32·g+i]
//		| place of inverses[g]·x[32·g+16+i] << 4
func (m *machine) quantizeCodebook() {
	m.function("quantizeCodebook", "func(dst *byte, x, inverses *float32, groups, stride int)",
		"stores the places of groups of 32 numbers in the codebook of IQ4_NL.")
	dst, x, inverses, groups, stride := pointer("dst"), pointer("x"), pointer("inverses"), pointer("groups"), pointer("stride")
	p := m.newPlaces()
	m.keep(bitsOf(127), bitsOf(-128))
	loop(groups, func() {
		inverse := m.broadcast(at(inverses, 0))
		var index []VecVirtual
		for i := range 32 / m.lanes {
			v := m.register()
			VMULPS(at(x, i*m.width()), inverse, v)
			VMINPS(m.k(127), v, v) // 127 for NaN
			VMAXPS(m.k(-128), v, v)
			index = append(index, p.of(v).index)
		}
		half := len(index) / 2
		for i := range half {
			VPSLLD(Imm(4), index[half+i], index[half+i])
			if m.wide() {
				VPORD(index[half+i], index[i], index[i])
			} else {
				VPADDD(index[half+i], index[i], index[i])
			}
		}
		if m.wide() {
			VPMOVDB(index[0], at(dst, 0))
		} else {
			for i := range half {
				VPABSD(index[i], index[i])
			}
			m.storeBytes(index[0], index[1], at(dst, 0))
		}
		ADDQ(I32(128), x)
		ADDQ(I32(4), inverses)
		ADDQ(stride, dst)
	})
	end()
}
