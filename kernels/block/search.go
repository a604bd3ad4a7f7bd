package block

import "math"

// Searches for the scales of a sub-block: few numbers, at most 32, that share
// one scale. All of them try candidates and keep the one with the least squared
// error, weighted by w.
//
// The sums of a candidate must run in order, each waiting for the one before.
// Two candidates are therefore summed side by side.

// tiny is the magnitude below which a sub-block counts as all zeros.
const tiny = 1e-15

// A nearestTable rounds to the nearest integer and limits the result to a range,
// for -64 < f < 63: the last seven bits that nearest reads lead to the float. That
// is much less work than two comparisons and a conversion. NaN becomes 0.
type nearestTable [128]float32

func newNearestTable(low, high int) *nearestTable {
	var t nearestTable
	for l := -64; l < 64; l++ {
		t[l&127] = float32(min(high, max(low, l)))
	}
	return &t
}

func inTable(f float32) bool { return f > -64 && f < 63 }

func (t *nearestTable) nearest(f float32) float32 {
	return t[math.Float32bits(f+roundingMagic)&127]
}

// bits returns the table's memory as integers.
func (t *nearestTable) bits() *[128]uint32 { return (*[128]uint32)(bitsOf(t[:])) }
