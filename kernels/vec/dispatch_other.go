//go:build (!amd64 && !arm64) || purego

package vec

import "math"

// There is no assembly here: each of these is plain Go.

func add(x, y []float32)                             { plainAdd(x, y) }
func mul(x, y []float32)                             { plainMul(x, y) }
func addScaled(x, y []float32, s float32)            { plainAddScaled(x, y, s) }
func scale(x []float32, s float32)                   { plainScale(x, s) }
func dot(x, y []float32) float32                     { return plainDot(x, y) }
func maximum(x []float32) float32                    { return plainMax(x) }
func expSum(x []float32, scale, top float32) float32 { return plainExpSum(x, scale, top) }
func exp(x []float32)                                { plainExp(x) }
func erf(data []float32, rows, cols, stride int)     { applyRows(data, rows, cols, stride, math.Erf) }
func gelu(data []float32, rows, cols, stride int)    { applyRows(data, rows, cols, stride, plainGELU) }
func geluTanh(data []float32, rows, cols, stride int) {
	applyRows(data, rows, cols, stride, plainGELUTanh)
}
func silu(data []float32, rows, cols, stride int) { applyRows(data, rows, cols, stride, plainSiLU) }
func mulGELU(dst, gate []float32)                 { mulApplied(dst, gate, plainGELU) }
func mulGELUTanh(dst, gate []float32)             { mulApplied(dst, gate, plainGELUTanh) }
func mulSiLU(dst, gate []float32)                 { mulApplied(dst, gate, plainSiLU) }

// Norms return false where x is left for plain Go.

func layerNorm(_, _, _ []float32, _ float32) bool { return false }
func rmsNorm(_, _ []float32, _ float32) bool      { return false }

func ropeHalves(x, y, cos, sin []float32) { plainRopeHalves(x, y, cos, sin) }
func ropePairs(x, cos, sin []float32)     { plainRopePairs(x, cos, sin) }
func mean(dst, x []float32, rows int)     { plainMean(dst, x, rows) }

// addSquares returns how many columns at the front it has handled.
func addSquares([]float64, []float32, int, int) int { return 0 }

// finite returns a number of elements at the front of x that are finite.
func finite([]float32) int { return 0 }

// Conversions return how many elements at the front they have handled.

func fromF16([]float32, []byte) int  { return 0 }
func toF16([]byte, []float32) int    { return 0 }
func fromBF16([]float32, []byte) int { return 0 }
func toBF16([]byte, []float32) int   { return 0 }
