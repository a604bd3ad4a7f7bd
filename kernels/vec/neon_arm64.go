//go:build !purego

package vec

// addNEON adds y to x.
//
//go:noescape
func addNEON(x, y []float32)

// mulNEON multiplies x by y.
//
//go:noescape
func mulNEON(x, y []float32)

// addScaledNEON adds s·y to x.
//
//go:noescape
func addScaledNEON(x, y []float32, s float32)

// mulScaledNEON multiplies x by s, then by y.
//
//go:noescape
func mulScaledNEON(x, y []float32, s float32)

// scaleNEON multiplies x by s.
//
//go:noescape
func scaleNEON(x []float32, s float32)

// dotNEON returns Σ x·y.
//
//go:noescape
func dotNEON(x, y []float32) float32

// maxNEON returns the largest of x that is a number, -Inf for none.
//
//go:noescape
func maxNEON(x []float32) float32

// expSumNEON stores 2^((c+low)·max(x-top, floor)) in x and returns the sum.
//
//go:noescape
func expSumNEON(x []float32, c, low, floor, top float32) float32

// expNEON stores the exponential of x in x.
//
//go:noescape
func expNEON(x []float32)

// erfNEON computes erf in place, in rows stride bytes apart; rows > 0, cols > 0.
//
//go:noescape
func erfNEON(x *float32, rows, cols, stride int)

// geluNEON computes GELU in place, in rows stride bytes apart; rows > 0, cols > 0.
//
//go:noescape
func geluNEON(x *float32, rows, cols, stride int)

// geluTanhNEON computes GELUTanh in place, in rows stride bytes apart; rows > 0, cols > 0.
//
//go:noescape
func geluTanhNEON(x *float32, rows, cols, stride int)

// siluNEON computes SiLU in place, in rows stride bytes apart; rows > 0, cols > 0.
//
//go:noescape
func siluNEON(x *float32, rows, cols, stride int)

// mulGELUNEON multiplies dst by GELU of gate.
//
//go:noescape
func mulGELUNEON(dst, gate []float32)

// mulGELUTanhNEON multiplies dst by GELUTanh of gate.
//
//go:noescape
func mulGELUTanhNEON(dst, gate []float32)

// mulSiLUNEON multiplies dst by SiLU of gate.
//
//go:noescape
func mulSiLUNEON(dst, gate []float32)

// sumNEON returns Σ x.
//
//go:noescape
func sumNEON(x []float32) float32

// deviationsNEON returns Σ (x - mean) and Σ (x - mean)².
//
//go:noescape
func deviationsNEON(x []float32, mean float32) (sum, squares float32)

// normaliseNEON stores ((x - mean)·scale - shift)·weight in x.
//
//go:noescape
func normaliseNEON(x, weight []float32, mean, scale, shift float32)

// normaliseBiasedNEON stores ((x - mean)·scale - shift)·weight + bias in x.
//
//go:noescape
func normaliseBiasedNEON(x, weight, bias []float32, mean, scale, shift float32)

// ropeHalvesNEON rotates each (x, y).
//
//go:noescape
func ropeHalvesNEON(x, y, cos, sin []float32)

// ropePairsNEON rotates each two neighbours of x.
//
//go:noescape
func ropePairsNEON(x, cos, sin []float32)

// meanNEON stores the mean of the rows of x in dst; rows > 0.
//
//go:noescape
func meanNEON(dst, x []float32, rows int)

// finiteNEON returns how many whole blocks of 32 elements at the front of x are
// finite, in elements.
//
//go:noescape
func finiteNEON(x []float32) int

// addSquaresNEON adds the squares of the columns of x, whose rows are stride bytes
// apart, to sums, for whole vectors of columns.
//
//go:noescape
func addSquaresNEON(sums []float64, x []float32, rows, stride int)

// fromF16NEON widens float16; it handles whole runs of 16 elements.
//
//go:noescape
func fromF16NEON(dst []float32, src []byte)

// toF16NEON rounds to float16; it handles whole runs of 16 elements.
//
//go:noescape
func toF16NEON(dst []byte, src []float32)

// fromBF16NEON widens bfloat16; it handles whole runs of 16 elements.
//
//go:noescape
func fromBF16NEON(dst []float32, src []byte)

// toBF16NEON rounds to bfloat16; it handles whole runs of 16 elements.
//
//go:noescape
func toBF16NEON(dst []byte, src []float32)
