package vec

import "math"

// Softmax turns x into the softmax of scale·x, for scale ≥ 0:
//
//	y[i] = exp(scale·(x[i] - max x)) / Σ exp(scale·(x[j] - max x))
//
// With w = scale·(max x - x[i]) and n elements, each result is within a relative
// 2⁻²¹ + (w + 2)·2⁻²³ + n·2⁻²⁸ of the exact one, or within 2⁻¹²⁵. An element of
// -Inf gives 0 where another is finite; NaN or +Inf gives NaN.
func Softmax(x []float32, scale float32) {
	if len(x) == 0 {
		return
	}
	Scale(x, 1/ExpSum(x, scale, Max(x)))
}

// Max returns the largest number of x, without regard to NaN; -Inf for none.
func Max(x []float32) float32 { return maximum(x) }

// ExpSum stores exponentials in x and returns their sum, for scale ≥ 0 and top
// not below any element:
//
//	x[i] = exp(scale·(x[i] - top));  sum = Σ x[i]
//
// With w = scale·(top - x[i]), each exponential is within a relative
// 2⁻²² + w·2⁻²⁴ of the exact one, or within 2⁻¹²⁵; that of -Inf is 0. The sum of
// n is within a further relative n·2⁻²⁸.
func ExpSum(x []float32, scale, top float32) float32 {
	// Beyond these bounds the assembly's constants leave the range of float32.
	if !(scale >= 0x1p-100 && scale <= 0x1p100) {
		return plainExpSum(x, scale, top)
	}
	return expSum(x, scale, top)
}

// Exp stores the exponential of each element of x in it, within a relative 2⁻²²
// of the exact one, or within 2⁻¹²⁵.
func Exp(x []float32) { exp(x) }

// Erf stores the error function of each element of x in it, within a relative
// 2⁻²¹ of the exact one, or within 2⁻¹⁴⁹ where it is subnormal.
func Erf(x []float32) { oneRow(x, erf) }

func plainMax(x []float32) float32 {
	top := float32(math.Inf(-1))
	for _, v := range x {
		if v > top {
			top = v
		}
	}
	return top
}

func plainExpSum(x []float32, scale, top float32) float32 {
	var sum float64
	for i, v := range x {
		e := math.Exp(float64(scale) * (float64(v) - float64(top)))
		sum += e
		x[i] = float32(e)
	}
	return float32(sum)
}

func plainExp(x []float32) {
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v)))
	}
}
