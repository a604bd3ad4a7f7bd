//go:build !purego

package vec

import (
	"math"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// Each of these takes the active path. Lengths are checked by who calls them.

func add(x, y []float32) {
	if active == cpu.NEON {
		addNEON(x, y)
	} else {
		plainAdd(x, y)
	}
}

func mul(x, y []float32) {
	if active == cpu.NEON {
		mulNEON(x, y)
	} else {
		plainMul(x, y)
	}
}

func addScaled(x, y []float32, s float32) {
	if active == cpu.NEON {
		addScaledNEON(x, y, s)
	} else {
		plainAddScaled(x, y, s)
	}
}

func scale(x []float32, s float32) {
	if active == cpu.NEON {
		scaleNEON(x, s)
	} else {
		plainScale(x, s)
	}
}

func dot(x, y []float32) float32 {
	if active == cpu.NEON {
		return dotNEON(x, y)
	}
	return plainDot(x, y)
}

func maximum(x []float32) float32 {
	if active == cpu.NEON {
		return maxNEON(x)
	}
	return plainMax(x)
}

func expSum(x []float32, scale, top float32) float32 {
	c, low, floor := baseTwo(scale)
	if active == cpu.NEON {
		return expSumNEON(x, c, low, floor, top)
	}
	return plainExpSum(x, scale, top)
}

func exp(x []float32) {
	if active == cpu.NEON {
		expNEON(x)
	} else {
		plainExp(x)
	}
}

func erf(data []float32, rows, cols, stride int) {
	if active == cpu.NEON {
		erfNEON(&data[0], rows, cols, 4*stride)
	} else {
		applyRows(data, rows, cols, stride, math.Erf)
	}
}

func gelu(data []float32, rows, cols, stride int) {
	if active == cpu.NEON {
		geluNEON(&data[0], rows, cols, 4*stride)
	} else {
		applyRows(data, rows, cols, stride, plainGELU)
	}
}

func geluTanh(data []float32, rows, cols, stride int) {
	if active == cpu.NEON {
		geluTanhNEON(&data[0], rows, cols, 4*stride)
	} else {
		applyRows(data, rows, cols, stride, plainGELUTanh)
	}
}

func silu(data []float32, rows, cols, stride int) {
	if active == cpu.NEON {
		siluNEON(&data[0], rows, cols, 4*stride)
	} else {
		applyRows(data, rows, cols, stride, plainSiLU)
	}
}

func mulGELU(dst, gate []float32) {
	if active == cpu.NEON {
		mulGELUNEON(dst, gate)
	} else {
		mulApplied(dst, gate, plainGELU)
	}
}

func mulGELUTanh(dst, gate []float32) {
	if active == cpu.NEON {
		mulGELUTanhNEON(dst, gate)
	} else {
		mulApplied(dst, gate, plainGELUTanh)
	}
}

func mulSiLU(dst, gate []float32) {
	if active == cpu.NEON {
		mulSiLUNEON(dst, gate)
	} else {
		mulApplied(dst, gate, plainSiLU)
	}
}

// Norms return false where x is left for plain Go.

func layerNorm(x, weight, bias []float32, eps float32) bool {
	if active == cpu.NEON {
		return layerNormNEON(x, weight, bias, eps)
	}
	return false
}

func rmsNorm(x, weight []float32, eps float32) bool {
	if active == cpu.NEON {
		return rmsNormNEON(x, weight, eps)
	}
	return false
}

func ropeHalves(x, y, cos, sin []float32) {
	if active == cpu.NEON {
		ropeHalvesNEON(x, y, cos, sin)
	} else {
		plainRopeHalves(x, y, cos, sin)
	}
}

func ropePairs(x, cos, sin []float32) {
	if active == cpu.NEON {
		ropePairsNEON(x, cos, sin)
	} else {
		plainRopePairs(x, cos, sin)
	}
}

func mean(dst, x []float32, rows int) {
	if active == cpu.NEON {
		meanNEON(dst, x, rows)
	} else {
		plainMean(dst, x, rows)
	}
}

// addSquares returns how many columns at the front it has handled. rows is at
// least 1.
func addSquares(sums []float64, x []float32, rows, stride int) int {
	if active == cpu.NEON {
		addSquaresNEON(sums, x, rows, 4*stride)
		return len(sums) &^ 3
	}
	return 0
}

// finite returns a number of elements at the front of x that are finite.
func finite(x []float32) int {
	if active == cpu.NEON {
		return finiteNEON(x)
	}
	return 0
}

// halfRun is the number of elements that conversions handle at a time. They
// return how many at the front they have handled.
const halfRun = 16

func fromF16(dst []float32, src []byte) int {
	if active != cpu.NEON {
		return 0
	}
	fromF16NEON(dst, src)
	return len(dst) &^ (halfRun - 1)
}

func toF16(dst []byte, src []float32) int {
	if active != cpu.NEON {
		return 0
	}
	toF16NEON(dst, src)
	return len(src) &^ (halfRun - 1)
}

func fromBF16(dst []float32, src []byte) int {
	if active != cpu.NEON {
		return 0
	}
	fromBF16NEON(dst, src)
	return len(dst) &^ (halfRun - 1)
}

func toBF16(dst []byte, src []float32) int {
	if active != cpu.NEON {
		return 0
	}
	toBF16NEON(dst, src)
	return len(src) &^ (halfRun - 1)
}
