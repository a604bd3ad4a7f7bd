package block

// Searches for the scales of a sub-block: few numbers, at most 32, that share
// one scale. All of them try candidates and keep the one with the least squared
// error, weighted by w.
//
// The sums of a candidate must run in order, each waiting for the one before.
// Two candidates are therefore summed side by side.

// tiny is the magnitude below which a sub-block counts as all zeros.
const tiny = 1e-15

// A scaleMinSearch looks for a scale s and a minimum m ≤ 0 so that x[i] is
// nearly s·q[i] + m with 0 ≤ q[i] ≤ top. Candidates are inverse scales, offset /
// (largest x - m), for which s and m follow by least squares; m is that of the
// best candidate so far.
type scaleMinSearch struct {
	top      float32
	offsets  []float32 // rmin + step·rdelta + top
	absolute bool      // the error is the sum of |difference|, not of its square
}

func newScaleMinSearch(top int, rmin, rdelta float32, steps int, absolute bool) *scaleMinSearch {
	s := &scaleMinSearch{top: float32(top), absolute: absolute}
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
	low, high := extent(x)
	sumW, sumX := w[0], float32(w[0]*x[0])
	for i := 1; i < len(x); i++ {
		sumW += w[i]
		sumX += float32(w[i] * x[i])
	}
	if low > 0 {
		low = 0
	}
	if high == low {
		return scaleMin{min: -low}
	}
	best := scaleMin{min: low, low: low, inverse: s.top / (high - low)}
	best.scale = 1 / best.inverse

	var qa, qb [32]float32 // the quants of two candidates
	s.moments(x, w, &qa, &qb, low, best.inverse, best.inverse)
	least, _ := s.errors(x, w, &qa, &qb, best.scale, low, best.scale, low)

	// A candidate that wins moves the minimum for those after it, so the second of
	// two is judged only where the first has lost, and else tried again.
	for i := 0; i < len(s.offsets); {
		low = best.min
		span := high - low
		next := min(i+1, len(s.offsets)-1)
		ia, ib := s.offsets[i]/span, s.offsets[next]/span
		a, b := s.moments(x, w, &qa, &qb, low, ia, ib)
		scaleA, minA, okA := a.solve(sumW, sumX)
		scaleB, minB, okB := b.solve(sumW, sumX)
		errorA, errorB := s.errors(x, w, &qa, &qb, scaleA, minA, scaleB, minB)
		switch {
		case okA && errorA < least:
			least, best = errorA, scaleMin{scaleA, minA, low, ia}
			i++
		case next > i && okB && errorB < least:
			least, best = errorB, scaleMin{scaleB, minB, low, ib}
			i += 2
		default:
			i += 2
		}
	}
	best.min = -best.min
	return best
}

// moments stores the quants of two inverse scales and returns their sums.
func (s *scaleMinSearch) moments(x, w []float32, qa, qb *[32]float32, low, ia, ib float32) (a, b moments) {
	top := int32(s.top)
	w = w[:len(x)]
	for i, v := range x {
		above := v - low
		la := float32(clamp(nearest(float32(ia*above)), 0, top))
		lb := float32(clamp(nearest(float32(ib*above)), 0, top))
		qa[i&31], qb[i&31] = la, lb
		a.add(w[i], la, v)
		b.add(w[i], lb, v)
	}
	return a, b
}

// moments are the weighted sums of the quants of a candidate.
type moments struct{ l, l2, xl float32 }

func (m *moments) add(w, l, x float32) {
	wl := float32(w * l)
	m.l += wl
	m.l2 += float32(wl * l)
	m.xl += float32(wl * x)
}

// solve returns the scale and minimum of least squared error. ok is false when
// all quants are equal, so that there are many.
func (m *moments) solve(sumW, sumX float32) (scale, low float32, ok bool) {
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
func (s *scaleMinSearch) errors(x, w []float32, qa, qb *[32]float32, scaleA, minA, scaleB, minB float32) (a, b float32) {
	w = w[:len(x)]
	if s.absolute {
		for i, v := range x {
			a += float32(w[i] * abs(float32(scaleA*qa[i&31])+minA-v))
			b += float32(w[i] * abs(float32(scaleB*qb[i&31])+minB-v))
		}
		return a, b
	}
	for i, v := range x {
		da := float32(scaleA*qa[i&31]) + minA - v
		db := float32(scaleB*qb[i&31]) + minB - v
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

// symmetricSearch looks for a scale s so that x[i] is nearly s·(q[i] - n) with
// 0 ≤ q[i] < 2n, stores the quants and returns the scale. Without w an error
// counts by the square of its value. A sub-block of zeros has the scale 0 and
// the quants 0.
func symmetricSearch(q []uint8, x, w []float32, n int32) (scale float32) {
	peak := extreme(x)
	if abs(peak) < tiny {
		clear(q[:len(x)])
		return 0
	}
	var squares, wx [32]float32
	if w == nil {
		for i, v := range x {
			squares[i] = float32(v * v)
		}
		w = squares[:len(x)]
	}
	for i, v := range x {
		wx[i] = float32(w[i] * v)
	}
	inverse := -float32(n) / peak
	lx, l2, _, _ := symmetricSums(x, w, wx[:], n, inverse, inverse)
	if l2 != 0 {
		scale = lx / l2
	}
	best := float32(scale * lx)
	for _, pair := range symmetricSteps {
		ia := -(float32(n) + pair[0]) / peak
		ib := -(float32(n) + pair[1]) / peak
		ax, a2, bx, b2 := symmetricSums(x, w, wx[:], n, ia, ib)
		if a2 > 0 && float32(ax*ax) > float32(best*a2) {
			scale, inverse = ax/a2, ia
			best = float32(scale * ax)
		}
		if b2 > 0 && float32(bx*bx) > float32(best*b2) {
			scale, inverse = bx/b2, ib
			best = float32(scale * bx)
		}
	}
	for i, v := range x {
		q[i] = uint8(n + clamp(nearest(float32(inverse*v)), -n, n-1))
	}
	return scale
}

// symmetricSteps are 0.1·i for -9 ≤ i ≤ 9 without 0, in pairs.
var symmetricSteps = func() (pairs [9][2]float32) {
	for i := range 18 {
		step := i - 9
		if step >= 0 {
			step++
		}
		pairs[i/2][i%2] = float32(float32(0.1) * float32(step))
	}
	return pairs
}()

// symmetricSums returns Σ w·x·q and Σ w·q² for two inverse scales.
func symmetricSums(x, w, wx []float32, n int32, ia, ib float32) (ax, a2, bx, b2 float32) {
	w, wx = w[:len(x)], wx[:len(x)]
	for i, v := range x {
		la := float32(clamp(nearest(float32(ia*v)), -n, n-1))
		lb := float32(clamp(nearest(float32(ib*v)), -n, n-1))
		ax += float32(wx[i] * la)
		a2 += float32(float32(w[i]*la) * la)
		bx += float32(wx[i] * lb)
		b2 += float32(float32(w[i]*lb) * lb)
	}
	return ax, a2, bx, b2
}

// symmetricDescent also looks for a scale of quants -n ≤ q < n. It begins with
// the quants that the extreme value gives and changes one at a time as long as
// that lowers the squared error, weighted by x². It stores the quants, moved up
// by n, and returns the scale.
func symmetricDescent(q []uint8, x []float32, n int32) (scale float32) {
	peak := extreme(x)
	if abs(peak) < tiny {
		clear(q[:len(x)])
		return 0
	}
	var l, w [32]float32
	inverse := -float32(n) / peak
	var lx, l2 float32
	for i, v := range x {
		l[i] = float32(clamp(nearest(float32(inverse*v)), -n, n-1))
		w[i] = float32(v * v)
		lx += float32(float32(w[i]*v) * l[i])
		l2 += float32(float32(w[i]*l[i]) * l[i])
	}
	for range 5 {
		changed := false
		for i, v := range x {
			wx := float32(w[i] * v)
			restX := lx - float32(wx*l[i])
			if !(restX > 0) {
				continue
			}
			rest2 := l2 - float32(float32(w[i]*l[i])*l[i])
			better := float32(clamp(nearest(float32(v*rest2)/restX), -n, n-1))
			if better == l[i] {
				continue
			}
			restX += float32(wx * better)
			rest2 += float32(float32(w[i]*better) * better)
			if rest2 > 0 && float32(float32(restX*restX)*l2) > float32(float32(lx*lx)*rest2) {
				l[i], lx, l2 = better, restX, rest2
				changed = true
			}
		}
		if !changed {
			break
		}
	}
	for i := range x {
		q[i] = uint8(int32(l[i]) + n)
	}
	if l2 > 0 {
		return lx / l2
	}
	return 0
}

// positiveSearch looks for a scale s so that x[i] ≥ 0 is nearly s·q[i] with
// 0 ≤ q[i] ≤ top, stores the quants and returns the scale.
func positiveSearch(q []uint8, x, w []float32, top int32) (scale float32) {
	var peak float32
	for _, v := range x {
		peak = max(peak, v)
	}
	if peak < tiny {
		clear(q[:len(x)])
		return 0
	}
	inverse := float32(top) / peak
	// With importance that is nearly all zeros an x may be negative. The quants of
	// the first candidate, alone, then wrap around to bytes.
	least := positiveError(x, w, inverse, func(f float32) int32 { return int32(uint8(nearest(f))) })
	bounded := func(f float32) int32 { return min(top, nearest(f)) }
	for step := -4; step <= 4; step++ {
		if step == 0 {
			continue
		}
		candidate := (float32(float32(0.1)*float32(step)) + float32(top)) / peak
		if e := positiveError(x, w, candidate, bounded); e < least {
			least, inverse = e, candidate
		}
	}
	var lx, l2 float32
	for i, v := range x {
		n := bounded(float32(inverse * v))
		q[i] = uint8(n)
		l := float32(n)
		lx += float32(float32(w[i]*v) * l)
		l2 += float32(float32(w[i]*l) * l)
	}
	for range 5 {
		changed := false
		for i, v := range x {
			l := float32(q[i])
			wx := float32(w[i] * v)
			restX := lx - float32(wx*l)
			rest2 := l2 - float32(float32(w[i]*l)*l)
			if !(restX > 0 && rest2 > 0) {
				continue
			}
			better := bounded(float32(v*rest2) / restX)
			if better == int32(q[i]) {
				continue
			}
			l = float32(better)
			restX += float32(wx * l)
			rest2 += float32(float32(w[i]*l) * l)
			if float32(float32(restX*restX)*l2) > float32(float32(lx*lx)*rest2) {
				q[i], lx, l2 = uint8(better), restX, rest2
				changed = true
			}
		}
		if !changed {
			break
		}
	}
	if l2 > 0 {
		return lx / l2
	}
	return 0
}

func positiveError(x, w []float32, inverse float32, quant func(float32) int32) (sum float32) {
	scale := 1 / inverse
	for i, v := range x {
		d := v - float32(scale*float32(quant(float32(inverse*v))))
		sum += float32(float32(w[i]*d) * d)
	}
	return sum
}
