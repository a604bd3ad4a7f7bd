package block

// Searches for a scale s so that x[i] is nearly s·(q[i] - n) with 0 ≤ q[i] < 2n.

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

// A symmetricFormat holds n and the rounding to -n ≤ q < n. Inverse scales are
// such that no value comes out beyond n + 1.
type symmetricFormat struct {
	n      int32
	quants *nearestTable
}

var (
	symmetric4  = symmetricFormat{4, newNearestTable(-4, 3)}
	symmetric8  = symmetricFormat{8, newNearestTable(-8, 7)}
	symmetric16 = symmetricFormat{16, newNearestTable(-16, 15)}
	symmetric32 = symmetricFormat{32, newNearestTable(-32, 31)}
)

// search stores the quants and returns the scale. Candidates are inverse scales
// near the one that makes the extreme value -n; the best has the least squared
// error, weighted by w, or by x² where w is nil. A sub-block of zeros has the
// scale 0 and the quants 0.
func (f *symmetricFormat) search(q []uint8, x, w []float32) (scale float32) {
	peak := extreme(x)
	if abs(peak) < tiny {
		clear(q[:len(x)])
		return 0
	}
	var own, wx [32]float32
	if w == nil {
		w = own[:len(x)]
		squares(w, x)
	}
	for i, v := range x {
		wx[i] = float32(w[i] * v)
	}
	n := float32(f.n)
	inverse := -n / peak
	lx, l2, _, _ := f.sums(x, w, wx[:], inverse, inverse)
	if l2 != 0 {
		scale = lx / l2
	}
	best := float32(scale * lx)
	for _, pair := range symmetricSteps {
		ia, ib := -(n+pair[0])/peak, -(n+pair[1])/peak
		ax, a2, bx, b2 := f.sums(x, w, wx[:], ia, ib)
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
		q[i] = uint8(f.n + int32(f.quants.nearest(float32(inverse*v))))
	}
	return scale
}

// sums returns Σ w·x·q and Σ w·q², q moved down by n, for two inverse scales.
func (f *symmetricFormat) sums(x, w, wx []float32, ia, ib float32) (ax, a2, bx, b2 float32) {
	quants, w, wx := f.quants, w[:len(x)], wx[:len(x)]
	for i, v := range x {
		la, lb := quants.nearest(float32(ia*v)), quants.nearest(float32(ib*v))
		ax += float32(wx[i] * la)
		a2 += float32(float32(w[i]*la) * la)
		bx += float32(wx[i] * lb)
		b2 += float32(float32(w[i]*lb) * lb)
	}
	return ax, a2, bx, b2
}

// descend also stores quants and returns their scale. It begins with the quants
// that the extreme value gives and changes one at a time as long as that lowers
// the squared error, weighted by x².
func (f *symmetricFormat) descend(q []uint8, x []float32) (scale float32) {
	peak := extreme(x)
	if abs(peak) < tiny {
		clear(q[:len(x)])
		return 0
	}
	var quants, squares, cubes [32]float32
	l, w, wx := quants[:len(x)], squares[:len(x)], cubes[:len(x)]
	inverse := -float32(f.n) / peak
	var lx, l2 float32
	for i, v := range x {
		l[i] = f.quants.nearest(float32(inverse * v))
		w[i] = float32(v * v)
		wx[i] = float32(w[i] * v)
		lx += float32(wx[i] * l[i])
		l2 += float32(float32(w[i]*l[i]) * l[i])
	}
	for range 5 {
		changed := false
		for i, v := range x {
			restX := lx - float32(wx[i]*l[i])
			if !(restX > 0) {
				continue
			}
			rest2 := l2 - float32(float32(w[i]*l[i])*l[i])
			wanted := float32(v*rest2) / restX
			if !inTable(wanted) {
				wanted = float32(clamp(nearest(wanted), -f.n, f.n-1))
			}
			better := f.quants.nearest(wanted)
			if better == l[i] {
				continue
			}
			restX += float32(wx[i] * better)
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
	for i, v := range l {
		q[i] = uint8(int32(v) + f.n)
	}
	if l2 > 0 {
		return lx / l2
	}
	return 0
}
