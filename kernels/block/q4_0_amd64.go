//go:build amd64 && !purego

package block

import "sync"

// lanesQ4_0 is up to 16 blocks of Q4_0 or Q5_0 on their way.
type lanesQ4_0 struct {
	symmetricLanes
	x        [16 * 32]float32
	w        [16][32]float32
	inverses [16][2]float32 // for both halves of a block
	q        [16][32]uint8
}

var lanesOfQ4_0 = sync.Pool{New: func() any { return new(lanesQ4_0) }}

// encodeNibbles encodes Q4_0 or Q5_0, blocks of so many bytes with quants below
// 2n. plain is the encoder without importance.
func (k *symmetricKernels) encodeNibbles(f *symmetricFormat, bytes int, plain func(*batch) int, pack func(dst []byte, q *[32]uint8)) func(*batch) int {
	return func(b *batch) int {
		if b.importance == nil {
			return plain(b)
		}
		s := lanesOfQ4_0.Get().(*lanesQ4_0)
		defer lanesOfQ4_0.Put(s)
		s.set(f)
		n := len(b.x) / 32
		for first := 0; first < n; first += k.lanes {
			some := min(k.lanes, n-first)
			x := &b.x[32*first]
			if some < k.lanes { // what is in the other lanes does not matter
				copy(s.x[:], b.x[32*first:])
				x = &s.x[0]
			}
			for i := range some {
				at := 32 * (first + i)
				k.weigh(&s.w[i][0], &b.x[at], &b.importance[at%b.columns], 2, b.variances[at/b.columns])
			}
			k.transpose(&s.symmetricLanes.x[0], x, 32*4, 32/k.lanes)
			k.transpose(&s.symmetricLanes.w[0], &s.w[0][0], 32*4, 32/k.lanes)
			k.searchWeighted(&s.n, 32)
			for i, inverse := range s.symmetricLanes.inverses[:k.lanes] {
				s.inverses[i] = [2]float32{inverse, inverse}
			}
			k.quantizeProducts(&s.q[0][0], x, &s.inverses[0][0], 2*k.lanes, int(f.n))
			for i := range some {
				if s.inverses[i][0] == 0 {
					clear(s.q[i][:])
				}
				dst := b.dst[bytes*(first+i):][:bytes]
				putHalf(dst, s.scales[i])
				pack(dst[2:], &s.q[i])
			}
		}
		return n
	}
}
