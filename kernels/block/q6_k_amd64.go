//go:build amd64 && !purego

package block

import "sync"

// lanesQ6_K is a super-block on its way.
type lanesQ6_K struct {
	symmetricLanes
	found, inverse [16]float32 // of its sub-blocks
	stored         [16]float32 // the scales as they will be read
	q              [superBlock]uint8
}

var lanesOfQ6_K = sync.Pool{New: func() any {
	s := new(lanesQ6_K)
	s.set(&symmetric32)
	return s
}}

// encodeQ6_K encodes one super-block after the other, as encodeQ6_K without lanes does.
func (k *symmetricKernels) encodeQ6_K(b *batch) int {
	s := lanesOfQ6_K.Get().(*lanesQ6_K)
	defer lanesOfQ6_K.Put(s)
	const bytes = 210
	n := len(b.x) / superBlock
	for i := range n {
		x, dst := b.x[superBlock*i:superBlock*(i+1)], b.dst[bytes*i:bytes*(i+1)]
		var w []float32
		if b.importance != nil {
			w = b.importance[superBlock*i%b.columns:][:superBlock]
		}
		k.search(&s.symmetricLanes, &s.found, &s.inverse, nil, x, w)
		if !levelsQ6_KAVX2(&dst[208], &dst[192], &s.stored[0], &s.found[0]) {
			clear(dst)
			continue
		}
		k.quantizeQuotients(&s.q[0], &x[0], &s.stored[0], 16, 32)
		for j, scale := range s.stored {
			if scale == 0 {
				symmetric32.inverseQuants(s.q[16*j:16*j+16], x[16*j:16*j+16], s.inverse[j])
			}
		}
		packSixBitsAVX2(&dst[0], &dst[128], &s.q[0])
	}
	return n
}
