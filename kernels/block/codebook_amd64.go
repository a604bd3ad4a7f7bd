//go:build amd64 && !purego

package block

import "sync"

//go:generate go -C ../_gen run ./block -kernels codebook -out ../block/codebook_amd64.s -stubs ../block/codebook_stubs_amd64.go -pkg block

// codebookLanes is the memory of searches for scales of IQ4_NL and IQ4_XS, one in
// each lane of vectors of 16 or 8. Rows are as long as a vector. The assembly knows
// where all of it lies.
type codebookLanes struct {
	candidates [16]float32     // where the extreme value goes, but for the sign
	_          [3 * 16]float32 // the best error, the largest magnitude and its sign
	scales     [16]float32     // the result
	x          [32 * 16]float32
	w          [32 * 16]float32
	_          [32 * 6 * 16]float32 // what the candidates need to know of each value
}

// codebookKernels are the kernels of a path, of which symmetric searches have more.
type codebookKernels struct {
	*symmetricKernels
	searchSquares, searchWeighted func(s *float32)
	quantize                      func(dst *byte, x, inverses *float32, groups, stride int)
}

var (
	codebookAVX512 = codebookKernels{&symmetricAVX512, searchCodebookSquaresAVX512, searchCodebookWeightedAVX512, quantizeCodebookAVX512}
	codebookAVX2   = codebookKernels{&symmetricAVX2, searchCodebookSquaresAVX2, searchCodebookWeightedAVX2, quantizeCodebookAVX2}
)

// lanesIQ4 is up to 16 sub-blocks of 32 on their way.
type lanesIQ4 struct {
	codebookLanes
	x         [16 * 32]float32
	w         [16][32]float32
	inverses  [16]float32
	variances []float32 // of the blocks of a batch
}

var lanesOfIQ4 = sync.Pool{New: func() any {
	s := new(lanesIQ4)
	for i := range 15 {
		s.candidates[i] = float32(134 - i)
	}
	return s
}}

// prepare computes what the weights of errors need to know of blocks.
func (k *codebookKernels) prepare(s *lanesIQ4, b *batch, elements int) {
	if b.importance == nil {
		return
	}
	s.variances = k.squaresOf(&s.variances, b.x, elements)
	for i := range s.variances {
		s.variances[i] *= 2 / float32(elements)
	}
}

// search finds the scales of at most k.lanes sub-blocks of 32 from one on, in
// blocks of so many elements, and returns their elements.
func (k *codebookKernels) search(s *lanesIQ4, b *batch, first, some, elements int) (x []float32) {
	x = b.x[32*first : 32*(first+some)]
	if some < k.lanes { // what is in the other lanes does not matter
		x = s.x[:copy(s.x[:], x)]
	}
	k.transpose(&s.codebookLanes.x[0], &x[0], 32*4, 32/k.lanes)
	if b.importance == nil {
		k.searchSquares(&s.candidates[0])
		return x
	}
	for i := range some {
		at := 32 * (first + i)
		k.weigh(&s.w[i][0], &b.x[at], &b.importance[at%b.columns], 2, s.variances[at/elements])
	}
	k.transpose(&s.codebookLanes.w[0], &s.w[0][0], 32*4, 32/k.lanes)
	k.searchWeighted(&s.candidates[0])
	return x
}

func (k *codebookKernels) encodeIQ4_NL(b *batch) int {
	s := lanesOfIQ4.Get().(*lanesIQ4)
	defer lanesOfIQ4.Put(s)
	const bytes = 18
	n := len(b.x) / 32
	k.prepare(s, b, 32)
	for first := 0; first < n; first += k.lanes {
		some := min(k.lanes, n-first)
		x := k.search(s, b, first, some, 32)
		dst := b.dst[bytes*first : bytes*(first+some)]
		for i, d := range s.scales[:some] {
			putHalf(dst[bytes*i:], d)
			s.inverses[i] = inverse(d)
		}
		k.quantize(&dst[2], &x[0], &s.inverses[0], some, bytes)
	}
	return n
}

func (k *codebookKernels) encodeIQ4_XS(b *batch) int {
	s := lanesOfIQ4.Get().(*lanesIQ4)
	defer lanesOfIQ4.Put(s)
	const bytes = 136
	n := len(b.x) / superBlock
	k.prepare(s, b, superBlock)
	together := k.lanes / 8
	for first := 0; first < n; first += together {
		some := min(together, n-first)
		x := k.search(s, b, 8*first, 8*some, superBlock)
		for i := range some {
			dst := b.dst[bytes*(first+i):][:bytes]
			inverses := s.inverses[8*i:][:8]
			packScalesIQ4_XS(dst, inverses, s.scales[8*i:][:8])
			k.quantize(&dst[8], &x[superBlock*i], &inverses[0], 8, 16)
		}
	}
	return n
}
