//go:build !purego

package vec

import "math"

// layerNormNEON normalises x; bias may be nil. It returns false and does nothing
// where the squares overflow. What the mean was off by follows from the sum of the
// differences to it, so that a large mean costs no accuracy:
//
//	m = Σ x / n
//	d = x - m;  off = Σ d / n;  variance = Σ d² / n - off²
//	y = (d - off) / √(variance + eps) · weight + bias
func layerNormNEON(x, weight, bias []float32, eps float32) bool {
	n := float64(len(x))
	mean := float32(float64(sumNEON(x)) / n)
	sum, squares := deviationsNEON(x, mean)
	if squares-squares != 0 {
		return false
	}
	off := float64(sum) / n
	variance := max(0, float64(squares)/n-off*off)
	scale := 1 / math.Sqrt(variance+float64(eps))
	if bias == nil {
		normaliseNEON(x, weight, mean, float32(scale), float32(off*scale))
	} else {
		normaliseBiasedNEON(x, weight, bias, mean, float32(scale), float32(off*scale))
	}
	return true
}

// rmsNormNEON normalises x; weight may be nil. It returns false and does nothing
// where the squares overflow.
func rmsNormNEON(x, weight []float32, eps float32) bool {
	squares := dotNEON(x, x)
	if squares-squares != 0 {
		return false
	}
	scale := float32(1 / math.Sqrt(float64(squares)/float64(len(x))+float64(eps)))
	if weight == nil {
		scaleNEON(x, scale)
	} else {
		mulScaledNEON(x, weight, scale)
	}
	return true
}
