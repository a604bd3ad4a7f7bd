package block

import "math"

const infinity = 0x7f800000

func isInf(f float32) bool { return math.Float32bits(f)<<1 == infinity<<1 }

// extreme returns the first value of the largest magnitude in x, which is not
// empty, and 0 where that is -0. NaN counts as 0.
func extreme(x []float32) float32 {
	low, high := extent(x)
	switch {
	case -low > high:
		return low
	case high > -low:
		return high
	}
	var most, peak float32 // two of the same magnitude, or NaN
	for _, v := range x {
		if a := abs(v); a > most {
			most, peak = a, v
		}
	}
	return peak
}

// extent returns the smallest and the largest of x, which is not empty. Of
// zeros, which are equal whatever their sign, the first is the smallest. With
// NaN one of the two is NaN.
//
// Branches on random numbers are guessed wrong too often. For integers the
// compiler has conditional moves, and the bits of floats are in order but for
// the sign: read as unsigned, the largest is the most negative number, if there
// is one, and read as signed, the largest is the most positive one.
func extent(x []float32) (low, high float32) {
	least, most, signedMost := uint32(math.MaxUint32), uint32(0), int32(math.MinInt32)
	for _, b := range bitsOf(x) {
		least, most = min(least, b), max(most, b)
		signedMost = max(signedMost, int32(b))
	}
	low, high = math.Float32frombits(least), math.Float32frombits(least)
	if int32(most) < 0 {
		low = math.Float32frombits(most)
	}
	if signedMost >= 0 {
		high = math.Float32frombits(uint32(signedMost))
	}
	if low == 0 {
		for _, v := range x {
			if v == 0 {
				return v, high
			}
		}
	}
	return low, high
}
