//go:build amd64 && !purego

package block

// laneScaleMins encodes a K format of scales and minimums in lanes.
type laneScaleMins struct {
	plain, weighted *laneSearch
	bytes           int
	levels          float32 // the most of a scale or minimum
	squares         float32 // the variance is that many times the mean square of a super-block

	encode func(dst []byte, x, w []float32, variance float32) // of one super-block
	finish func(s *scaleMinWork, dst []byte, x []float32, i int, weighted bool)
}

func (f *laneScaleMins) lanes(k *scaleMinKernels) func(*batch) int {
	return func(b *batch) int {
		s := scaleMinWorks.Get().(*scaleMinWork)
		defer scaleMinWorks.Put(s)
		search, quantize := f.plain, k.proportional
		n := len(b.x) / superBlock
		if b.importance != nil {
			search, quantize = f.weighted, k.positive
			s.squares = k.symmetric.squaresOf(&s.squares, b.x, superBlock)
		}
		for first := 0; first < n; first += k.lanes {
			some := min(k.lanes, n-first)
			f.search(k, s, b, search, first, some)
			for i, rows := range []*[16][16]float32{&s.scales, &s.mins} {
				k.symmetric.transpose(&s.levels[i].x[0], &rows[0][0], 16*4, 16/k.lanes)
				if b.importance != nil {
					k.symmetric.transpose(&s.levels[i].w[0], &s.totals[0][0], 16*4, 16/k.lanes)
				}
			}
			quantize(&s.levels[0].x[0], superBlock/search.sub, f.levels)
			for i := range some {
				at := superBlock * (first + i)
				x, dst := b.x[at:at+superBlock], b.dst[f.bytes*(first+i):][:f.bytes]
				if s.odd[i] {
					var w []float32
					if b.importance != nil {
						w = b.importance[at%b.columns:][:superBlock]
					}
					f.encode(dst, x, w, 0)
					continue
				}
				f.finish(s, dst, x, i, b.importance != nil)
			}
		}
		return n
	}
}

// search searches the sub-blocks of some super-blocks from the first on.
func (f *laneScaleMins) search(k *scaleMinKernels, s *scaleMinWork, b *batch, search *laneSearch, first, some int) {
	row := superBlock / search.sub
	variance := func(sub int) float32 { return f.squares * s.squares[sub/row] / superBlock }
	clear(s.odd[:])
	for at := 0; at < some*row; at += 2 * k.lanes {
		search.run(k, s, b, first*row+at, min(2*k.lanes, some*row-at), variance)
		for i := range s.lanes {
			g := &s.lanes[i]
			width := min(row, k.lanes) // what of a group belongs to a super-block
			for lane := 0; lane < k.lanes; lane += width {
				sub := at + i*k.lanes + lane
				if sub >= some*row {
					break
				}
				super, j := sub/row, sub%row
				copy(s.scales[super][j:], g.scale[lane:lane+width])
				copy(s.mins[super][j:], g.min[lane:lane+width])
				copy(s.totals[super][j:], g.sumW[lane:lane+width])
				copy(s.lows[super][j:], g.low[lane:lane+width])
				copy(s.inverses[super][j:], g.inverse[lane:lane+width])
				for _, odd := range g.odd[lane : lane+width] {
					s.odd[super] = s.odd[super] || odd != 0
				}
			}
		}
	}
}

// found returns what the search found for sub-block j of a super-block that the
// last quants may depend on.
func (s *scaleMinWork) found(super, j int) scaleMin {
	return scaleMin{low: s.lows[super][j], inverse: s.inverses[super][j]}
}

// lanesOfScaleMins returns the encoder of Q4_K or Q5_K. quantize stores the quants
// from byte 16 on.
func (k *scaleMinKernels) lanesOfScaleMins(format *scaleMinFormat, bytes int, quantize func(qs *byte, x, scales, mins *float32)) func(*batch) int {
	f := &laneScaleMins{
		plain:    newLaneSearch(k.searchMean, format.plain, 32),
		weighted: newLaneSearch(k.searchImportance, format.weighted, 32),
		bytes:    bytes,
		levels:   levels63,
		squares:  2,
		encode:   func(dst []byte, x, w []float32, _ float32) { format.encode(dst, x, w) },
	}
	f.finish = func(s *scaleMinWork, dst []byte, x []float32, i int, weighted bool) {
		m := &s.scaleMins
		m.d, m.dmin = s.levels[0].scale[i], s.levels[1].scale[i]
		for j := range m.scales {
			m.scales[j], m.mins[j] = uint8(s.levels[0].q[j*k.lanes+i]), uint8(s.levels[1].q[j*k.lanes+i])
		}
		if !weighted || format.clampWeighted {
			m.clamp()
		}
		m.store(dst)
		scales, mins := (*[8]float32)(s.stored[0][:]), (*[8]float32)(s.stored[1][:])
		zero := false
		for j := range scales {
			scales[j], mins[j] = float32(m.d*float32(m.scales[j])), float32(m.dmin*float32(m.mins[j]))
			zero = zero || scales[j] == 0
		}
		if !zero {
			quantize(&dst[16], &x[0], &scales[0], &mins[0])
			return
		}
		var found [8]scaleMin
		for j := range found {
			found[j] = s.found(i, j)
		}
		m.quantize(x, &found, format.top)
		format.pack(dst, m.q[:])
	}
	return f.lanes(k)
}

// lanesOfQ2_K returns the encoder of Q2_K.
func (k *scaleMinKernels) lanesOfQ2_K() func(*batch) int {
	f := &laneScaleMins{
		plain:    newLaneSearch(k.searchMagnitude, plainQ2_K, 16),
		weighted: newLaneSearch(k.searchImportance, weightedQ2_K, 16),
		bytes:    84,
		levels:   levelsQ2_K,
		squares:  1,
		encode:   encodeQ2_K,
	}
	f.finish = func(s *scaleMinWork, dst []byte, x []float32, i int, _ bool) {
		var ls, lm [16]uint8
		for j := range ls {
			ls[j], lm[j] = uint8(s.levels[0].q[j*k.lanes+i]), uint8(s.levels[1].q[j*k.lanes+i])
		}
		scales, mins := &s.stored[0], &s.stored[1]
		storeScalesQ2_K(scales[:], mins[:], dst, s.levels[0].scale[i], s.levels[1].scale[i], &ls, &lm)
		for _, scale := range scales {
			if scale == 0 {
				var found [16]scaleMin
				for j := range found {
					found[j] = s.found(i, j)
				}
				quantizeQ2_K(dst, x, scales, mins, &found)
				return
			}
		}
		k.pairs(&dst[16], &x[0], &scales[0], &mins[0])
	}
	return f.lanes(k)
}
