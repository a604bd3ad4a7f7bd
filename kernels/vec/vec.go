// Package vec holds the small vector work of a forward pass: softmax, norms,
// activations, pooling.
//
// The functions here are the specification of their operations: they compute in
// float64 and round once, or where a sum runs over rows, say what they do
// instead. Each documents its reference loop and its error against exact
// arithmetic, for finite input. Sums run in index order, so equal input gives
// equal bits.
package vec

import "math"

// Softmax turns x into the softmax of scale·x, for scale ≥ 0:
//
//	y[i] = exp(scale·(x[i] - max x)) / Σ exp(scale·(x[j] - max x))
//
// Each result is within a relative 2⁻²³ of the exact one, or within 2⁻¹⁴⁹ where
// it is subnormal.
func Softmax(x []float32, scale float32) {
	if len(x) == 0 {
		return
	}
	top := x[0]
	for _, v := range x[1:] {
		top = max(top, v)
	}
	var sum float64
	for i, v := range x {
		e := math.Exp(float64(scale) * (float64(v) - float64(top)))
		sum += e
		x[i] = float32(e)
	}
	scaleBy(x, 1/sum)
}

// LayerNorm normalises x to mean 0 and variance 1, then scales and shifts it;
// weight and bias have the length of x:
//
//	mean = Σ x[i] / n;  variance = Σ (x[i] - mean)² / n
//	y[i] = (x[i] - mean) / √(variance + eps) · weight[i] + bias[i]
//
// Each result is within 2⁻²³·(|y[i] - bias[i]| + |y[i]|) of the exact one.
func LayerNorm(x, weight, bias []float32, eps float32) {
	weight, bias = weight[:len(x)], bias[:len(x)]
	var sum, squares float64
	for _, v := range x {
		sum += float64(v)
	}
	mean := sum / float64(len(x))
	for _, v := range x {
		d := float64(v) - mean
		squares += d * d
	}
	scale := 1 / math.Sqrt(squares/float64(len(x))+float64(eps))
	for i, v := range x {
		x[i] = float32((float64(v)-mean)*scale*float64(weight[i]) + float64(bias[i]))
	}
}

// GELU applies the Gaussian error linear unit in its exact form:
//
//	y[i] = x[i] · (1 + erf(x[i]/√2)) / 2
//
// Each result is within a relative 2⁻²³ of the exact one, or within 2⁻¹⁴⁹ where
// it is subnormal.
func GELU(x []float32) {
	for i, v := range x {
		x[i] = float32(float64(v) * 0.5 * math.Erfc(-float64(v)/math.Sqrt2))
	}
}

// Mean stores in dst the mean of the rows of x, each as long as dst:
//
//	y[j] = Σ x[i][j] / rows
//
// The sums are float32, so each result is within rows·2⁻²⁴·max |x[i][j]| of the
// exact one.
func Mean(dst, x []float32) {
	n := len(dst)
	rows := len(x) / n
	clear(dst)
	for i := range rows {
		for j, v := range x[i*n : (i+1)*n] {
			dst[j] += v
		}
	}
	scaleBy(dst, 1/float64(rows))
}

// Normalize divides x by its Euclidean length, or by 1e-12 where it is shorter,
// as PyTorch does. Each result is within a relative 2⁻²³ of the exact one.
func Normalize(x []float32) {
	var squares float64
	for _, v := range x {
		squares += float64(v) * float64(v)
	}
	scaleBy(x, 1/max(math.Sqrt(squares), 1e-12))
}

// Add adds y, which has the length of x, to x; each sum is rounded once.
func Add(x, y []float32) {
	y = y[:len(x)]
	for i := range x {
		x[i] += y[i]
	}
}

// NotFinite returns the index of the first NaN or infinity in x, or -1.
func NotFinite(x []float32) int {
	for i, v := range x {
		if v-v != 0 {
			return i
		}
	}
	return -1
}

func scaleBy(x []float32, scale float64) {
	for i, v := range x {
		x[i] = float32(float64(v) * scale)
	}
}
