package block

// positiveSearch looks for a scale s so that x[i] ≥ 0 is nearly s·q[i] with
// 0 ≤ q[i] ≤ top, for at most 32 values. It stores the quants and returns the
// scale of least squared error, weighted by w.
func positiveSearch(q []uint8, x, w []float32, top int32) (scale float32) {
	var peak float32
	for _, v := range x {
		peak = max(peak, v)
	}
	if peak < tiny {
		clear(q[:len(x)])
		return 0
	}
	var quants [32]float32
	l := quants[:len(x)]
	inverse := float32(top) / peak
	for i, v := range x {
		// With importance that is nearly all zeros an x may be negative. The quants
		// of the first candidate, alone, then wrap around to bytes.
		l[i] = float32(uint8(nearest(float32(inverse * v))))
	}
	least := positiveError(x, w, l, 1/inverse)
	// Four candidates side by side, as their sums would each wait for themselves.
	for _, steps := range [2][4]float32{{-4, -3, -2, -1}, {1, 2, 3, 4}} {
		var candidates, scales [4]float32
		for c, step := range steps {
			candidates[c] = (float32(float32(0.1)*step) + float32(top)) / peak
			scales[c] = 1 / candidates[c]
		}
		c0, c1, c2, c3 := candidates[0], candidates[1], candidates[2], candidates[3]
		s0, s1, s2, s3 := scales[0], scales[1], scales[2], scales[3]
		var e0, e1, e2, e3 float32
		for i, v := range x {
			weight := w[i]
			d0 := v - float32(s0*float32(min(top, nearest(float32(c0*v)))))
			d1 := v - float32(s1*float32(min(top, nearest(float32(c1*v)))))
			d2 := v - float32(s2*float32(min(top, nearest(float32(c2*v)))))
			d3 := v - float32(s3*float32(min(top, nearest(float32(c3*v)))))
			e0 += float32(float32(weight*d0) * d0)
			e1 += float32(float32(weight*d1) * d1)
			e2 += float32(float32(weight*d2) * d2)
			e3 += float32(float32(weight*d3) * d3)
		}
		for c, e := range [4]float32{e0, e1, e2, e3} {
			if e < least {
				least, inverse = e, candidates[c]
			}
		}
	}
	var lx, l2 float32
	for i, v := range x {
		bounded := min(top, nearest(float32(inverse*v)))
		q[i] = uint8(bounded)
		n := float32(bounded)
		lx += float32(float32(w[i]*v) * n)
		l2 += float32(float32(w[i]*n) * n)
	}
	for range 5 {
		changed := false
		for i, v := range x {
			n := float32(q[i])
			wx := float32(w[i] * v)
			restX := lx - float32(wx*n)
			rest2 := l2 - float32(float32(w[i]*n)*n)
			if !(restX > 0 && rest2 > 0) {
				continue
			}
			better := min(top, nearest(float32(v*rest2)/restX))
			if better == int32(q[i]) {
				continue
			}
			n = float32(better)
			restX += float32(wx * n)
			rest2 += float32(float32(w[i]*n) * n)
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

func positiveError(x, w, l []float32, scale float32) (sum float32) {
	w, l = w[:len(x)], l[:len(x)]
	for i, v := range x {
		d := v - float32(scale*l[i])
		sum += float32(float32(w[i]*d) * d)
	}
	return sum
}
