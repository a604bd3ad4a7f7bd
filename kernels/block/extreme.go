package block

import "math"

// Branches on random numbers are guessed wrong too often. The largest and
// smallest values of a block are therefore found among integers of the same
// order, for which the compiler has conditional moves.

// extreme returns the first value of the largest magnitude in x, at most 64
// values, an even number. NaN counts as 0, and -0 becomes 0.
func extreme(x []float32) float32 {
	b := bitsOf(x)
	var even, odd uint64 // two maxima: a step of each need not wait for the other
	for i := 0; i < len(b)-1; i += 2 {
		even = max(even, magnitudeKey(b[i], i))
		odd = max(odd, magnitudeKey(b[i+1], i+1))
	}
	best := max(even, odd)
	if best>>32 == 0 {
		return 0
	}
	return x[63-best&63]
}

const infinity = 0x7f800000

// magnitudeKey orders by magnitude and, where that is equal, the first before
// those after it.
func magnitudeKey(b uint32, i int) uint64 {
	magnitude := uint64(b << 1)
	if magnitude > infinity<<1 {
		magnitude = 0
	}
	return magnitude<<32 | uint64(63-i)
}

// extent returns the smallest and the largest of x, all finite. Of zeros, which
// are equal whatever their sign, the first is the smallest.
func extent(x []float32) (low, high float32) {
	least, most := int32(math.MaxInt32), int32(math.MinInt32)
	for _, b := range bitsOf(x) {
		key := orderKey(b)
		least, most = min(least, key), max(most, key)
	}
	low, high = fromOrderKey(least), fromOrderKey(most)
	if low == 0 {
		for _, v := range x {
			if v == 0 {
				return v, high
			}
		}
	}
	return low, high
}

// orderKey maps the bits of floats to integers of the same order: those of
// negative numbers are turned round. It is its own inverse.
func orderKey(b uint32) int32 { return int32(b) ^ int32(uint32(int32(b)>>31)>>1) }

func fromOrderKey(key int32) float32 { return math.Float32frombits(uint32(orderKey(uint32(key)))) }

func isInf(f float32) bool { return math.Float32bits(f)<<1 == infinity<<1 }
