package block

import "math"

// A scaleMinSearch looks for a scale s and a minimum m ≤ 0 so that x[i] is
// nearly s·q[i] + m with 0 ≤ q[i] ≤ top. Candidates are inverse scales, offset /
// (largest x - m), for which s and m follow by least squares; m is that of the
// best candidate so far.
type scaleMinSearch struct {
	top      float32
	offsets  []float32 // rmin + step·rdelta + top
	absolute bool      // the error is the sum of |difference|, not of its square
	quants   *nearestTable
}

func newScaleMinSearch(top int, rmin, rdelta float32, steps int, absolute bool) *scaleMinSearch {
	s := &scaleMinSearch{top: float32(top), absolute: absolute, quants: newNearestTable(0, top)}
	for i := range steps + 1 {
		s.offsets = append(s.offsets, rmin+float32(rdelta*float32(i))+s.top)
	}
	return s
}

// A scaleMin is what a scaleMinSearch found.
type scaleMin struct {
	scale, min float32 // x[i] ≈ scale·q[i] - min
	low        float32 // q[i] = clamp(nearest(inverse·(x[i] - low)))
	inverse    float32 // 0 where all q[i] are 0
}

// run searches for the sub-block x of at most 32 values with weights w.
func (s *scaleMinSearch) run(x, w []float32) scaleMin {
	w = w[:len(x)]
	least, high := extent(x)
	sumW, sumX := w[0], float32(w[0]*x[0])
	for i := 1; i < len(x); i++ {
		sumW += w[i]
		sumX += float32(w[i] * x[i])
	}
	low := least
	if low > 0 {
		low = 0
	}
	if high == low {
		return scaleMin{min: -low}
	}
	best := scaleMin{min: low, low: low, inverse: s.top / (high - low)}
	best.scale = 1 / best.inverse

	var storage [4][32]float32
	n := len(x)
	above := storage[0][:n] // x - low
	last, qa, qb := storage[1][:n], storage[2][:n], storage[3][:n]
	shift(above, x, low)
	s.quantize(qa, last, above, least-low, high-low, best.inverse)
	smallest, _ := s.errors(x, w, qa, qa, best.scale, low, best.scale, low)

	// The error of a candidate follows from its quants. Steps are so fine that
	// about half of the candidates have the quants of the one before them, and
	// cannot win. Of the others, two at a time are judged; a winner moves the
	// minimum for those after it, so if it is the first the second is tried again.
	last[0] = -1
	for i := 0; i < len(s.offsets); {
		span := high - low
		a := s.next(i, qa, last, above, least-low, span)
		if a == len(s.offsets) {
			break
		}
		b := s.next(a+1, qb, qa, above, least-low, span)
		ma, mb := sumMoments(x, w, qa, qb)
		scaleA, minA, okA := ma.solve(sumW, sumX)
		scaleB, minB, okB := mb.solve(sumW, sumX)
		errorA, errorB := s.errors(x, w, qa, qb, scaleA, minA, scaleB, minB)
		switch {
		case okA && errorA < smallest:
			smallest, best = errorA, scaleMin{scaleA, minA, low, s.offsets[a] / span}
			i = a + 1
			last, qa = qa, last
		case b < len(s.offsets) && okB && errorB < smallest:
			smallest, best = errorB, scaleMin{scaleB, minB, low, s.offsets[b] / span}
			fallthrough
		default:
			i = b + 1
			last, qb = qb, last
		}
		if best.min != low {
			low = best.min
			shift(above, x, low)
		}
	}
	best.min = -best.min
	return best
}

func shift(above, x []float32, low float32) {
	for i, v := range x {
		above[i] = v - low
	}
}

// next stores in q the quants of the first candidate from i on whose quants are
// not those in last, and returns its index, or the count where there is none.
func (s *scaleMinSearch) next(i int, q, last, above []float32, least, span float32) int {
	for ; i < len(s.offsets); i++ {
		if s.quantize(q, last, above, least, span, s.offsets[i]/span) {
			break
		}
	}
	return i
}

// quantize stores the quants of above, numbers from least to most, in q and
// reports whether they differ from those in last.
func (s *scaleMinSearch) quantize(q, last, above []float32, least, most, inverse float32) (differ bool) {
	to, before := bitsOf(q)[:len(above)], bitsOf(last)[:len(above)]
	var diff uint32
	if inTable(float32(inverse*least)) && inTable(float32(inverse*most)) {
		quants := s.quants.bits()
		for i, v := range above {
			l := quants[math.Float32bits(float32(inverse*v)+roundingMagic)&127]
			diff |= l ^ before[i]
			to[i] = l
		}
		return diff != 0
	}
	top := int32(s.top)
	for i, v := range above {
		l := math.Float32bits(float32(clamp(nearest(float32(inverse*v)), 0, top)))
		diff |= l ^ before[i]
		to[i] = l
	}
	return diff != 0
}

// moments are the weighted sums Σ w·q, Σ w·q² and Σ w·q·x of a candidate.
type moments struct{ l, l2, xl float32 }

// sumMoments returns the moments of two candidates. Their sums are variables, as
// the compiler would keep those in a struct in memory.
func sumMoments(x, w, qa, qb []float32) (a, b moments) {
	w, qa, qb = w[:len(x)], qa[:len(x)], qb[:len(x)]
	var la, l2a, xla, lb, l2b, xlb float32
	for i, v := range x {
		wa, wb := float32(w[i]*qa[i]), float32(w[i]*qb[i])
		la += wa
		l2a += float32(wa * qa[i])
		xla += float32(wa * v)
		lb += wb
		l2b += float32(wb * qb[i])
		xlb += float32(wb * v)
	}
	return moments{la, l2a, xla}, moments{lb, l2b, xlb}
}

// solve returns the scale and minimum of least squared error. ok is false when
// all quants are equal, so that there are many.
func (m moments) solve(sumW, sumX float32) (scale, low float32, ok bool) {
	d := float32(sumW*m.l2) - float32(m.l*m.l)
	if !(d > 0) {
		return 0, 0, false
	}
	scale = (float32(sumW*m.xl) - float32(sumX*m.l)) / d
	low = (float32(m.l2*sumX) - float32(m.l*m.xl)) / d
	if low > 0 {
		return m.xl / m.l2, 0, true
	}
	return scale, low, true
}

// errors returns the weighted errors of two candidates.
func (s *scaleMinSearch) errors(x, w, qa, qb []float32, scaleA, minA, scaleB, minB float32) (a, b float32) {
	w, qa, qb = w[:len(x)], qa[:len(x)], qb[:len(x)]
	if s.absolute {
		for i, v := range x {
			a += float32(w[i] * abs(float32(scaleA*qa[i])+minA-v))
			b += float32(w[i] * abs(float32(scaleB*qb[i])+minB-v))
		}
		return a, b
	}
	for i, v := range x {
		da := float32(scaleA*qa[i]) + minA - v
		db := float32(scaleB*qb[i]) + minB - v
		a += float32(w[i] * float32(da*da))
		b += float32(w[i] * float32(db*db))
	}
	return a, b
}

// quantize stores the quants that the search found in q.
func (f scaleMin) quantize(q []uint8, x []float32, top int32) {
	for i, v := range x {
		q[i] = 0
		if f.inverse != 0 {
			q[i] = uint8(clamp(nearest(float32(f.inverse*(v-f.low))), 0, top))
		}
	}
}
