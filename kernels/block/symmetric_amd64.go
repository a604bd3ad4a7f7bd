//go:build amd64 && !purego

package block

//go:generate go -C ../_gen run ./block -kernels symmetric -out ../block/symmetric_amd64.s -stubs ../block/symmetric_stubs_amd64.go -pkg block

// symmetricLanes is the memory of searches for symmetric scales, one in each lane
// of vectors of 16 or 8. Rows are as long as a vector. The assembly knows where
// all of it lies.
type symmetricLanes struct {
	n, less float32 // n, n-1
	_       [14]float32
	steps   [19]float32 // n + the steps of the candidates, that of 0 first
	_       [13]float32

	_                [3 * 16]float32 // of the search
	scales, inverses [16]float32     // the result; both 0 for sub-blocks that count as zeros
	x, w             [32 * 16]float32
	_                [(32*9 + 18) * 16]float32 // of the search
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
	lanes int

	transpose                           func(dst, src *float32, stride, squares int)
	searchSquares, searchWeighted       func(s *float32, count int)
	descend                             func(s *float32)
	weigh                               func(w, x, importance *float32, groups int, variance float32)
	total                               func(sums, x *float32, count int)
	squares                             func(sums, x *float32, stride, squares int)
	quantizeQuotients, quantizeProducts func(q *byte, x, by *float32, groups, n int)
}

var (
	symmetricAVX512 = symmetricKernels{
		16, transposeAVX512, searchSquaresAVX512, searchWeightedAVX512, descendAVX512, weighAVX512, totalAVX512, squaresAVX512,
		quantizeQuotientsAVX512, quantizeProductsAVX512,
	}
	symmetricAVX2 = symmetricKernels{
		8, transposeAVX2, searchSquaresAVX2, searchWeightedAVX2, descendAVX2, weighAVX2, totalAVX2, squaresAVX2,
		quantizeQuotientsAVX2, quantizeProductsAVX2,
	}
)

// search finds the scales of the sixteen sub-blocks of a super-block, and the
// inverse scales that lead to their quants. Errors are weighted by w, whose sum for
// each sub-block is stored in totals, or by x² where w is nil.
func (k *symmetricKernels) search(s *symmetricLanes, scales, inverses, totals *[16]float32, x, w []float32) {
	for j := 0; j < 16; j += k.lanes {
		k.transpose(&s.x[0], &x[16*j], 16*4, 16/k.lanes)
		if w != nil {
			k.transpose(&s.w[0], &w[16*j], 16*4, 16/k.lanes)
			k.searchWeighted(&s.n, 16)
			if totals != nil {
				k.total(&totals[j], &s.w[0], 16)
			}
		} else {
			k.searchSquares(&s.n, 16)
		}
		copy(scales[j:j+k.lanes], s.scales[:])
		copy(inverses[j:j+k.lanes], s.inverses[:])
	}
}

// inverseQuants stores the quants that an inverse scale gives, 0 for one of 0.
func (f *symmetricFormat) inverseQuants(q []uint8, x []float32, inverse float32) {
	if inverse == 0 {
		clear(q)
		return
	}
	for i, v := range x {
		q[i] = uint8(f.n + int32(f.quants.nearest(float32(inverse*v))))
	}
}

// squaresOf returns the sums of the squares of rows, in memory that grows as needed.
func (k *symmetricKernels) squaresOf(memory *[]float32, x []float32, columns int) []float32 {
	n := len(x) / columns
	if cap(*memory) < n {
		*memory = make([]float32, n)
	}
	sums := (*memory)[:n]
	k.sumsOfSquares(sums, x, columns)
	return sums
}

// sumsOfSquares stores the sum of the squares of each row, added from the front.
func (k *symmetricKernels) sumsOfSquares(sums, x []float32, columns int) {
	if len(sums) < k.lanes || columns%k.lanes != 0 {
		sumsOfRows(sums, x, columns)
		return
	}
	for i := 0; i < len(sums); i += k.lanes {
		i = min(i, len(sums)-k.lanes) // the last ones may overlap those before
		k.squares(&sums[i], &x[i*columns], columns*4, columns/k.lanes)
	}
}
