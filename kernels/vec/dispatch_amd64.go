//go:build !purego

package vec

import (
	"math"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// Each of these takes the active path. Lengths are checked by who calls them.

func add(x, y []float32) {
	switch active {
	case cpu.AVX512:
		addAVX512(x, y)
	case cpu.AVX2:
		addAVX2(x, y)
	default:
		plainAdd(x, y)
	}
}

func mul(x, y []float32) {
	switch active {
	case cpu.AVX512:
		mulAVX512(x, y)
	case cpu.AVX2:
		mulAVX2(x, y)
	default:
		plainMul(x, y)
	}
}

func addScaled(x, y []float32, s float32) {
	switch active {
	case cpu.AVX512:
		addScaledAVX512(x, y, s)
	case cpu.AVX2:
		addScaledAVX2(x, y, s)
	default:
		plainAddScaled(x, y, s)
	}
}

func scale(x []float32, s float32) {
	switch active {
	case cpu.AVX512:
		scaleAVX512(x, s)
	case cpu.AVX2:
		scaleAVX2(x, s)
	default:
		plainScale(x, s)
	}
}

func dot(x, y []float32) float32 {
	switch active {
	case cpu.AVX512:
		return dotAVX512(x, y)
	case cpu.AVX2:
		return dotAVX2(x, y)
	}
	return plainDot(x, y)
}

func maximum(x []float32) float32 {
	switch active {
	case cpu.AVX512:
		return maxAVX512(x)
	case cpu.AVX2:
		return maxAVX2(x)
	}
	return plainMax(x)
}

func expSum(x []float32, scale, top float32) float32 {
	c, low, floor := baseTwo(scale)
	switch active {
	case cpu.AVX512:
		return expSumAVX512(x, c, low, floor, top)
	case cpu.AVX2:
		return expSumAVX2(x, c, low, floor, top)
	}
	return plainExpSum(x, scale, top)
}

func exp(x []float32) {
	switch active {
	case cpu.AVX512:
		expAVX512(x)
	case cpu.AVX2:
		expAVX2(x)
	default:
		plainExp(x)
	}
}

func erf(data []float32, rows, cols, stride int) {
	switch active {
	case cpu.AVX512:
		erfAVX512(&data[0], rows, cols, 4*stride)
	case cpu.AVX2:
		erfAVX2(&data[0], rows, cols, 4*stride)
	default:
		applyRows(data, rows, cols, stride, math.Erf)
	}
}

func gelu(data []float32, rows, cols, stride int) {
	switch active {
	case cpu.AVX512:
		geluAVX512(&data[0], rows, cols, 4*stride)
	case cpu.AVX2:
		geluAVX2(&data[0], rows, cols, 4*stride)
	default:
		applyRows(data, rows, cols, stride, plainGELU)
	}
}

func geluTanh(data []float32, rows, cols, stride int) {
	switch active {
	case cpu.AVX512:
		geluTanhAVX512(&data[0], rows, cols, 4*stride)
	case cpu.AVX2:
		geluTanhAVX2(&data[0], rows, cols, 4*stride)
	default:
		applyRows(data, rows, cols, stride, plainGELUTanh)
	}
}

func silu(data []float32, rows, cols, stride int) {
	switch active {
	case cpu.AVX512:
		siluAVX512(&data[0], rows, cols, 4*stride)
	case cpu.AVX2:
		siluAVX2(&data[0], rows, cols, 4*stride)
	default:
		applyRows(data, rows, cols, stride, plainSiLU)
	}
}

func mulGELU(dst, gate []float32) {
	switch active {
	case cpu.AVX512:
		mulGELUAVX512(dst, gate)
	case cpu.AVX2:
		mulGELUAVX2(dst, gate)
	default:
		mulApplied(dst, gate, plainGELU)
	}
}

func mulGELUTanh(dst, gate []float32) {
	switch active {
	case cpu.AVX512:
		mulGELUTanhAVX512(dst, gate)
	case cpu.AVX2:
		mulGELUTanhAVX2(dst, gate)
	default:
		mulApplied(dst, gate, plainGELUTanh)
	}
}

func mulSiLU(dst, gate []float32) {
	switch active {
	case cpu.AVX512:
		mulSiLUAVX512(dst, gate)
	case cpu.AVX2:
		mulSiLUAVX2(dst, gate)
	default:
		mulApplied(dst, gate, plainSiLU)
	}
}

// Norms return false where x is left for plain Go.

func layerNorm(x, weight, bias []float32, eps float32) bool {
	switch active {
	case cpu.AVX512:
		return layerNormAVX512(x, weight, bias, eps)
	case cpu.AVX2:
		return layerNormAVX2(x, weight, bias, eps)
	}
	return false
}

func rmsNorm(x, weight []float32, eps float32) bool {
	switch active {
	case cpu.AVX512:
		return rmsNormAVX512(x, weight, eps)
	case cpu.AVX2:
		return rmsNormAVX2(x, weight, eps)
	}
	return false
}

func ropeHalves(x, y, cos, sin []float32) {
	switch active {
	case cpu.AVX512:
		ropeHalvesAVX512(x, y, cos, sin)
	case cpu.AVX2:
		ropeHalvesAVX2(x, y, cos, sin)
	default:
		plainRopeHalves(x, y, cos, sin)
	}
}

func ropePairs(x, cos, sin []float32) {
	switch active {
	case cpu.AVX512:
		ropePairsAVX512(x, cos, sin)
	case cpu.AVX2:
		ropePairsAVX2(x, cos, sin)
	default:
		plainRopePairs(x, cos, sin)
	}
}

func mean(dst, x []float32, rows int) {
	switch active {
	case cpu.AVX512:
		meanAVX512(dst, x, rows)
	case cpu.AVX2:
		meanAVX2(dst, x, rows)
	default:
		plainMean(dst, x, rows)
	}
}

// addSquares returns how many columns at the front it has handled. rows is at
// least 1.
func addSquares(sums []float64, x []float32, rows, stride int) int {
	switch active {
	case cpu.AVX512:
		addSquaresAVX512(sums, x, rows, 4*stride)
		return len(sums) &^ 15
	case cpu.AVX2:
		addSquaresAVX2(sums, x, rows, 4*stride)
		return len(sums) &^ 7
	}
	return 0
}

// finite returns a number of elements at the front of x that are finite.
func finite(x []float32) int {
	switch active {
	case cpu.AVX512:
		return finiteAVX512(x)
	case cpu.AVX2:
		return finiteAVX2(x)
	}
	return 0
}

// halfRun is the number of elements that conversions handle at a time. They
// return how many at the front they have handled.
const halfRun = 32

func fromF16(dst []float32, src []byte) int {
	switch active {
	case cpu.AVX512:
		fromF16AVX512(dst, src)
	case cpu.AVX2:
		fromF16AVX2(dst, src)
	default:
		return 0
	}
	return len(dst) &^ (halfRun - 1)
}

func toF16(dst []byte, src []float32) int {
	switch active {
	case cpu.AVX512:
		toF16AVX512(dst, src)
	case cpu.AVX2:
		toF16AVX2(dst, src)
	default:
		return 0
	}
	return len(src) &^ (halfRun - 1)
}

func fromBF16(dst []float32, src []byte) int {
	switch active {
	case cpu.AVX512:
		fromBF16AVX512(dst, src)
	case cpu.AVX2:
		fromBF16AVX2(dst, src)
	default:
		return 0
	}
	return len(dst) &^ (halfRun - 1)
}

func toBF16(dst []byte, src []float32) int {
	switch active {
	case cpu.AVX512:
		toBF16AVX512(dst, src)
	case cpu.AVX2:
		toBF16AVX2(dst, src)
	default:
		return 0
	}
	return len(src) &^ (halfRun - 1)
}
