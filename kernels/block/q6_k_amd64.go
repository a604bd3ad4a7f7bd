//go:build amd64 && !purego

package block

import "sync"

// lanesQ6_K is two super-blocks on their way, one of which is searched while the
// other one is finished: each waits for its own results only.
type lanesQ6_K struct {
	symmetricLanes
	of [2]struct {
		found, inverse [16]float32 // of the sub-blocks
		stored         [16]float32 // the scales as they will be read
		some           bool        // not all counts as zeros
	}
	q [superBlock]uint8
}

var lanesOfQ6_K = sync.Pool{New: func() any {
	s := new(lanesQ6_K)
	s.set(&symmetric32)
	return s
}}

const bytesQ6_K = 210

// quantizeScales stores the scales of super-block i, which was searched.
func (s *lanesQ6_K) quantizeScales(b *batch, i int) {
	of, dst := &s.of[i&1], b.dst[bytesQ6_K*i:][:bytesQ6_K]
	of.some = levelsQ6_KAVX2(&dst[208], &dst[192], &of.stored[0], &of.found[0])
}

// store stores the quants of super-block i, whose scales are stored.
func (s *lanesQ6_K) store(k *symmetricKernels, b *batch, i int) {
	of, x, dst := &s.of[i&1], b.x[superBlock*i:superBlock*(i+1)], b.dst[bytesQ6_K*i:][:bytesQ6_K]
	if !of.some {
		clear(dst)
		return
	}
	k.quantizeQuotients(&s.q[0], &x[0], &of.stored[0], 16, 32)
	for j, scale := range of.stored {
		if scale == 0 {
			symmetric32.inverseQuants(s.q[16*j:16*j+16], x[16*j:16*j+16], of.inverse[j])
		}
	}
	packSixBitsAVX2(&dst[0], &dst[128], &s.q[0])
}

// encodeQ6_K encodes a batch: what the function encodeQ6_K does, in lanes.
func (k *symmetricKernels) encodeQ6_K(b *batch) int {
	s := lanesOfQ6_K.Get().(*lanesQ6_K)
	defer lanesOfQ6_K.Put(s)
	n := len(b.x) / superBlock
	for i := range n {
		var w []float32
		if b.importance != nil {
			w = b.importance[superBlock*i%b.columns:][:superBlock]
		}
		if i > 0 {
			s.quantizeScales(b, i-1)
		}
		k.search(&s.symmetricLanes, &s.of[i&1].found, &s.of[i&1].inverse, nil, b.x[superBlock*i:superBlock*(i+1)], w)
		if i > 0 {
			s.store(k, b, i-1)
		}
	}
	s.quantizeScales(b, n-1)
	s.store(k, b, n-1)
	return n
}
