package block

import "math"

// The reference rounds in three ways, and each format must round in its own.

// nearest returns the integer nearest to f, to even in a tie, for |f| < 2^22. It
// adds a number whose last mantissa bit is worth one and reads the bits. Beyond
// that range, and for NaN, the result is what those bits happen to hold, as in
// the reference.
const roundingMagic = 0x1.8p23

func nearest(f float32) int32 {
	return int32(math.Float32bits(f+roundingMagic)&0x007fffff) - 0x00400000
}

// roundAway returns the integer nearest to f, away from zero in a tie, for
// |f| < 2^22. It adds a little less than a half, so that the number before a half
// stays below one and a half becomes one, with the sign of f put in as bits: a
// branch would be guessed wrong half of the time.
func roundAway(f float32) int32 {
	const beforeHalf = 0.49999997
	sign := math.Float32bits(f) & (1 << 31)
	return int32(f + math.Float32frombits(sign|math.Float32bits(beforeHalf)))
}

func clamp(v, low, high int32) int32 { return max(low, min(high, v)) }

// inverse returns 1/f, and 0 for 0.
func inverse(f float32) float32 {
	if f == 0 {
		return 0
	}
	return 1 / f
}

func abs(f float32) float32 { return math.Float32frombits(math.Float32bits(f) &^ (1 << 31)) }

func sqrt(f float32) float32 { return float32(math.Sqrt(float64(f))) }

// sumSquares adds in order, from the front.
func sumSquares(x []float32) float32 {
	var sum float32
	for _, v := range x {
		sum += float32(v * v)
	}
	return sum
}

// squares stores x² in w.
func squares(w, x []float32) {
	for i, v := range x {
		w[i] = float32(v * v)
	}
}

// sumsOfRows stores the sum of the squares of each row, added in order.
func sumsOfRows(sums, x []float32, columns int) {
	for i := range sums {
		sums[i] = sumSquares(x[i*columns:][:columns])
	}
}

// weigh stores importance · √(variance + x²) in w: how much an error of each
// value matters. The variance may be a quotient by a power of two, which is
// compiled as a product, inlined and fused with the sum were it not converted.
func weigh(w, x, importance []float32, variance float32) {
	for i, v := range x {
		w[i] = float32(importance[i] * sqrt(float32(variance)+float32(v*v)))
	}
}
