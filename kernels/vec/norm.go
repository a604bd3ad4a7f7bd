package vec

import "math"

// LayerNorm normalises x to mean 0 and variance 1, then scales and shifts it;
// weight and bias have the length of x, and a bias of nil is none:
//
//	mean = Σ x[i] / n;  variance = Σ (x[i] - mean)² / n
//	y[i] = (x[i] - mean) / √(variance + eps) · weight[i] + bias[i]
//
// With e = (12 + n/16)·2⁻²⁴, each result is within
// e·(|y[i] - bias[i]| + |weight[i]|) + 2⁻²⁴·|y[i]| of the exact one.
func LayerNorm(x, weight, bias []float32, eps float32) {
	weight = weight[:len(x)]
	if bias != nil {
		bias = bias[:len(x)]
	}
	if len(x) == 0 {
		return
	}
	if !squaresFit(eps) || !layerNorm(x, weight, bias, eps) {
		plainLayerNorm(x, weight, bias, eps)
	}
}

// RMSNorm divides x by its root mean square, then scales it; weight has the
// length of x, or is nil for none:
//
//	y[i] = x[i] / √(Σ x[j]² / n + eps) · weight[i]
//
// Each result is within a relative (8 + n/32)·2⁻²⁴ of the exact one, or within
// 2⁻¹⁴⁸·max(1, |weight[i]|) where it is subnormal.
func RMSNorm(x, weight []float32, eps float32) {
	if weight != nil {
		weight = weight[:len(x)]
	}
	if len(x) == 0 {
		return
	}
	if !squaresFit(eps) || !rmsNorm(x, weight, eps) {
		plainRMSNorm(x, weight, eps)
	}
}

// squaresFit reports whether eps is so large that squares which are too small
// for float32 do not matter beside it. Those that are too large the assembly
// finds.
func squaresFit(eps float32) bool { return eps >= 0x1p-100 }

// Normalize divides x by its Euclidean length, or by 1e-12 where it is shorter,
// as PyTorch does. Each result is within a relative (8 + n/32)·2⁻²⁴ of the exact
// one, or within 2⁻¹⁴⁹ where it is subnormal.
func Normalize(x []float32) {
	if s := Dot(x, x); s >= 0x1p-70 && s <= 0x1p120 {
		Scale(x, float32(1/math.Sqrt(float64(s))))
		return
	}
	var squares float64
	for _, v := range x {
		squares += float64(v) * float64(v)
	}
	scaleBy(x, 1/max(math.Sqrt(squares), 1e-12))
}

func plainLayerNorm(x, weight, bias []float32, eps float32) {
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
		y := (float64(v) - mean) * scale * float64(weight[i])
		if bias != nil {
			y += float64(bias[i])
		}
		x[i] = float32(y)
	}
}

func plainRMSNorm(x, weight []float32, eps float32) {
	var squares float64
	for _, v := range x {
		squares += float64(v) * float64(v)
	}
	scale := 1 / math.Sqrt(squares/float64(len(x))+float64(eps))
	if weight == nil {
		scaleBy(x, scale)
		return
	}
	for i, v := range x {
		x[i] = float32(float64(v) * scale * float64(weight[i]))
	}
}

func scaleBy(x []float32, scale float64) {
	for i, v := range x {
		x[i] = float32(float64(v) * scale)
	}
}
