package vec

import "math"

// Add adds y, which has the length of x, to x; each sum is rounded once.
func Add(x, y []float32) { add(x, y[:len(x)]) }

// Mul multiplies x by y, which has the length of x; each product is rounded once.
func Mul(x, y []float32) { mul(x, y[:len(x)]) }

// AddScaled adds s·y to x; y has the length of x. Each result is within a
// relative 2⁻²³ of the exact one, or within 2⁻¹⁴⁹ where it is subnormal.
func AddScaled(x, y []float32, s float32) { addScaled(x, y[:len(x)], s) }

// Scale multiplies x by s; each product is rounded once.
func Scale(x []float32, s float32) { scale(x, s) }

// Dot returns Σ x[i]·y[i]; y has the length of x. The result is within
// (8 + n/32)·2⁻²⁴·Σ |x[i]·y[i]| of the exact one for a length of n, where no
// product is subnormal.
func Dot(x, y []float32) float32 { return dot(x, y[:len(x)]) }

func plainAdd(x, y []float32) {
	for i, v := range y {
		x[i] += v
	}
}

func plainMul(x, y []float32) {
	for i, v := range y {
		x[i] *= v
	}
}

func plainAddScaled(x, y []float32, s float32) {
	for i, v := range y {
		x[i] = float32(math.FMA(float64(s), float64(v), float64(x[i])))
	}
}

func plainScale(x []float32, s float32) {
	for i := range x {
		x[i] *= s
	}
}

func plainDot(x, y []float32) float32 {
	var sum float64
	for i, v := range x {
		sum += float64(v) * float64(y[i])
	}
	return float32(sum)
}
