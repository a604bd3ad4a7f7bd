//go:build amd64 && !purego

package block

//go:generate go -C ../_gen run ./block -kernels iq1 -out ../block/iq1_amd64.s -stubs ../block/iq1_stubs_amd64.go -pkg block

var (
	iq1AVX512 = iq1Kernels{
		symmetricAVX512.sumsOfSquares, weighAVX512, rank32AVX512, rank16AVX512, below32AVX512, below16AVX512, filterIQ1_SAVX512, filterIQ1_MAVX512,
		iq1Places(16, 32), iq1Places(16, 16), 16, nearestTernaryAVX512,
	}
	iq1AVX2 = iq1Kernels{
		symmetricAVX2.sumsOfSquares, weighAVX2, rank32AVX2, rank16AVX2, below32AVX2, below16AVX2, filterIQ1_SAVX2, filterIQ1_MAVX2,
		iq1Places(8, 32), iq1Places(8, 16), 8, nearestTernaryAVX2,
	}
)

// batches returns an encoder of batches around one of blocks.
func (k *iq1Kernels) batches(size int, encode func(s *iq1Search, dst []byte, x, importance []float32, squares float32)) func(*batch) int {
	return func(b *batch) int {
		s := iq1Searches.Get().(*iq1Search)
		defer iq1Searches.Put(s)
		s.kernels, s.near = k, bookIQ1S.neighbours()
		var signs uint32
		for _, w := range bitsOf(b.importance) {
			signs |= w
		}
		s.positive = signs>>31 == 0
		s.splits.masks = [24]uint64{} // the filters write as many as there are places
		var sums [64]float32
		blocks := len(b.x) / superBlock
		for i := range blocks {
			if i%len(sums) == 0 {
				n := min(len(sums), blocks-i)
				k.sums(sums[:n], b.x[i*superBlock:(i+n)*superBlock], superBlock)
			}
			var importance []float32
			if b.importance != nil {
				importance = b.importance[i*superBlock%b.columns:][:superBlock]
			}
			encode(s, b.dst[i*size:(i+1)*size], b.x[i*superBlock:(i+1)*superBlock], importance, sums[i%len(sums)])
		}
		return blocks
	}
}
