//go:build amd64 && !purego

package block

import (
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/cpu"
)

// lanePath is the path that is taken. Who computes reports the error of
// cpu.Chosen; without that, it is plain Go.
var lanePath, _ = cpu.Chosen()

func newLaneEncoders() map[gguf.Type]func(*batch) int { return laneEncodersOf(lanePath) }

func newSumsOfSquares() func(sums, x []float32, columns int) {
	switch lanePath {
	case cpu.AVX512:
		return symmetricAVX512.sumsOfSquares
	case cpu.AVX2:
		return symmetricAVX2.sumsOfSquares
	}
	return sumsOfRows
}

// laneEncodersOf returns the encoders of a path.
func laneEncodersOf(path cpu.Path) map[gguf.Type]func(*batch) int {
	var (
		plain     *plainKernels
		symmetric *symmetricKernels
		scaleMin  *scaleMinKernels
		codebook  *codebookKernels
		fp4       *fp4Kernels
		ternary   *ternaryKernels
		iq1       *iq1Kernels
		grid      *gridKernels
	)
	switch path {
	case cpu.AVX512:
		plain, symmetric, scaleMin = &plainAVX512, &symmetricAVX512, &scaleMinAVX512
		codebook, fp4, ternary = &codebookAVX512, &fp4AVX512, &ternaryAVX512
		iq1, grid = &iq1AVX512, &gridAVX512
	case cpu.AVX2:
		plain, symmetric, scaleMin = &plainAVX2, &symmetricAVX2, &scaleMinAVX2
		codebook, fp4, ternary = &codebookAVX2, &fp4AVX2, &ternaryAVX2
		iq1, grid = &iq1AVX2, &gridAVX2
	default:
		return nil
	}
	encoders := map[gguf.Type]func(*batch) int{
		gguf.TypeQ4_0: symmetric.encodeNibbles(&symmetric8, 18, plainLanes(plain.q4_0), packQ4_0),
		gguf.TypeQ5_0: symmetric.encodeNibbles(&symmetric16, 22, plainLanes(plain.q5_0), packQ5_0),
		gguf.TypeQ8_0: plainLanes(plain.q8_0),
		gguf.TypeQ4_1: scaleMin.lanesOfAffine(searchQ4_1, 20, encodeQ4_1, scaleMin.plainQ4_1, scaleMin.searchedQ4_1),
		gguf.TypeQ5_1: scaleMin.lanesOfAffine(searchQ5_1, 24, encodeQ5_1, scaleMin.plainQ5_1, scaleMin.searchedQ5_1),
		gguf.TypeQ2_K: scaleMin.lanesOfQ2_K(),
		gguf.TypeQ3_K: symmetric.encodeQ3_K,
		gguf.TypeQ4_K: scaleMin.lanesOfScaleMins(&formatQ4_K, 144, scaleMin.nibbles),
		gguf.TypeQ5_K: scaleMin.lanesOfScaleMins(&formatQ5_K, 176, scaleMin.fifthsNibbles),
		gguf.TypeQ6_K: symmetric.encodeQ6_K,
		gguf.TypeIQ1S: iq1.batches(50, (*iq1Search).encodeIQ1_S),
		gguf.TypeIQ1M: iq1.batches(56, (*iq1Search).encodeIQ1_M),

		gguf.TypeIQ4NL: codebook.encodeIQ4_NL,
		gguf.TypeIQ4XS: codebook.encodeIQ4_XS,
		gguf.TypeMXFP4: fp4.encodeMXFP4,
		gguf.TypeNVFP4: fp4.encodeNVFP4,
		gguf.TypeTQ1_0: ternary.encode(codecs[gguf.TypeTQ1_0], ternary.packTQ1_0, 52, 0),
		gguf.TypeTQ2_0: ternary.encode(codecs[gguf.TypeTQ2_0], ternary.packTQ2_0, 64, 0),
		gguf.TypeQ2_0:  ternary.encode(codecs[gguf.TypeQ2_0], ternary.packQ2_0, 0, 2),
		gguf.TypeQ1_0:  ternary.encodeQ1_0,
	}
	addGridEncoders(encoders, grid)
	return encoders
}
