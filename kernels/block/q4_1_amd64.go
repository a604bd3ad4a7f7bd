//go:build amd64 && !purego

package block

// lanesOfAffine returns the encoder of Q4_1 or Q5_1, blocks of so many bytes.
// plain and searched store blocks without and with importance.
func (k *scaleMinKernels) lanesOfAffine(search *scaleMinSearch, bytes int, encode func(dst []byte, x, w []float32, variance float32),
	plain, searched func(dst *byte, x, inverses, lows, scales, mins *float32, n int)) func(*batch) int {
	f := newLaneSearch(k.searchImportance, search, 32)
	return func(b *batch) int {
		s := scaleMinWorks.Get().(*scaleMinWork)
		defer scaleMinWorks.Put(s)
		variance := func(block int) float32 { return b.variances[32*block/b.columns] }
		n := len(b.x) / 32
		for first := 0; first < n; {
			if b.importance == nil {
				g, some := &s.lanes[0], min(k.lanes, n-first)
				k.load(s, g, b, first, some, 32)
				k.spans(&g.x[0], 32, search.top)
				plain(&b.dst[bytes*first], &b.x[32*first], &g.inverse[0], &g.low[0], &g.scale[0], &g.min[0], some)
				first += some
				continue
			}
			f.run(k, s, b, first, min(2*k.lanes, n-first), variance)
			for i := range s.lanes {
				g, some := &s.lanes[i], min(k.lanes, n-first)
				if some == 0 {
					break
				}
				for lane, v := range g.min[:some] {
					g.min[lane] = -v
				}
				searched(&b.dst[bytes*first], &b.x[32*first], &g.inverse[0], &g.low[0], &g.scale[0], &g.min[0], some)
				for lane, odd := range g.odd[:some] {
					if at := first + lane; odd != 0 {
						encode(b.dst[bytes*at:][:bytes], b.x[32*at:][:32], b.importance[32*at%b.columns:][:32], variance(at))
					}
				}
				first += some
			}
		}
		return n
	}
}
