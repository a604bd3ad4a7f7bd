package block

// What TQ1_0, TQ2_0 and Q2_0 share: one scale for many elements, and quants that
// are -1, 0 or 1, plus one.

// repeat fills scales, those of groups that share one.
func repeat(scales []float32, d float32) {
	for i := range scales {
		scales[i] = d
	}
}

// encodeTernary stores x/d rounded, plus one, where d is the largest magnitude
// in x, and returns d. Where the inverse of d overflows all quants become the
// given one: the reference converts infinity to an integer.
func encodeTernary(q []uint8, x []float32, overflow uint8) (d float32) {
	d = abs(extreme(x))
	inv := inverse(d)
	if isInf(inv) {
		for i := range q {
			q[i] = overflow
		}
		return d
	}
	for i, v := range x {
		q[i] = uint8(roundAway(float32(v*inv)) + 1)
	}
	return d
}
