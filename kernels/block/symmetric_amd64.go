//go:build amd64 && !purego

package block

import "sync"

//go:generate go -C ../_gen run ./block -kernels symmetric -out ../block/symmetric_amd64.s -stubs ../block/symmetric_stubs_amd64.go -pkg block

// symmetricLanes is the memory of searches for symmetric scales, one in each lane
// of vectors of 16 or 8. Rows are as long as a vector. The assembly knows where
// all of it lies.
type symmetricLanes struct {
	n, less float32 // n, n-1
	_       [14]float32
	steps   [19]float32 // n + the steps of the candidates, that of 0 first
	_       [13]float32

	best, most, turn [16]float32
	scales, inverses [16]float32 // the result; both 0 for sub-blocks that count as zeros
	x                [32 * 16]float32
	w                [32 * 16]float32
	records          [32 * 9 * 16]float32
}

func (s *symmetricLanes) set(f *symmetricFormat) {
	n := float32(f.n)
	s.n, s.less, s.steps[0] = n, n-1, n
	for i, pair := range symmetricSteps {
		s.steps[1+2*i], s.steps[2+2*i] = n+pair[0], n+pair[1]
	}
}

// symmetricKernels are the kernels of a path.
type symmetricKernels struct {
	lanes                               int
	transpose                           func(dst, src *float32, stride, squares int)
	searchSquares, searchWeighted       func(s *float32, count int)
	quantizeQuotients, quantizeProducts func(q *byte, x, by *float32, groups, n int)
}

var (
	symmetricAVX512 = symmetricKernels{16, transposeAVX512, searchSquaresAVX512, searchWeightedAVX512, quantizeQuotientsAVX512, quantizeProductsAVX512}
	symmetricAVX2   = symmetricKernels{8, transposeAVX2, searchSquaresAVX2, searchWeightedAVX2, quantizeQuotientsAVX2, quantizeProductsAVX2}
)

// symmetricBlock is a super-block of Q6_K or Q3_K on its way.
type symmetricBlock struct {
	symmetricLanes
	found, inverse [16]float32 // of its sub-blocks
	stored         [16]float32 // the scales as they will be read
	q              [superBlock]uint8
}

var symmetricBlocks = sync.Pool{New: func() any { return new(symmetricBlock) }}

// search finds the scales of the sixteen sub-blocks of a super-block, weighted by
// w, or by x² where w is nil.
func (k *symmetricKernels) search(s *symmetricBlock, x, w []float32) {
	for j := 0; j < 16; j += k.lanes {
		squares := 16 / k.lanes
		k.transpose(&s.x[0], &x[16*j], 16*4, squares)
		if w != nil {
			k.transpose(&s.w[0], &w[16*j], 16*4, squares)
			k.searchWeighted(&s.n, 16)
		} else {
			k.searchSquares(&s.n, 16)
		}
		copy(s.found[j:j+k.lanes], s.scales[:])
		copy(s.inverse[j:j+k.lanes], s.inverses[:])
	}
}

// requantize makes the quants of x with the scales that are stored. Sub-blocks
// whose scale is 0 keep the quants of their search.
func (k *symmetricKernels) requantize(s *symmetricBlock, x []float32, f *symmetricFormat) {
	k.quantizeQuotients(&s.q[0], &x[0], &s.stored[0], 16, int(f.n))
	for j, scale := range s.stored {
		if scale != 0 {
			continue
		}
		inverse := s.inverse[j]
		if inverse == 0 {
			clear(s.q[16*j : 16*j+16])
			continue
		}
		for i, v := range x[16*j : 16*j+16] {
			s.q[16*j+i] = uint8(f.n + int32(f.quants.nearest(float32(inverse*v))))
		}
	}
}

func (k *symmetricKernels) encodeQ6_K(b *batch) int {
	s := symmetricBlocks.Get().(*symmetricBlock)
	defer symmetricBlocks.Put(s)
	s.set(&symmetric32)
	const bytes = 210
	n := len(b.x) / superBlock
	for i := range n {
		x, dst := b.x[superBlock*i:superBlock*(i+1)], b.dst[bytes*i:bytes*(i+1)]
		var w []float32
		if b.importance != nil {
			w = b.importance[superBlock*i%b.columns:][:superBlock]
		}
		k.search(s, x, w)
		peak := extreme(s.found[:])
		if abs(peak) < tiny {
			clear(dst)
			continue
		}
		inv := -128 / peak
		putHalf(dst[208:], 1/inv)
		d := getHalf(dst[208:])
		for j, v := range s.found {
			level := int8(min(127, nearest(float32(inv*v))))
			dst[192+j] = uint8(level)
			s.stored[j] = float32(d * float32(level))
		}
		k.requantize(s, x, &symmetric32)
		packSixBitsAVX2(&dst[0], &dst[128], &s.q[0])
	}
	return n
}
