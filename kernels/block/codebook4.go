package block

import "math"

// Formats of four bits whose quants are places in a codebook.

// codebookIQ4 is that of IQ4_NL and IQ4_XS: denser near zero, where most weights are.
var codebookIQ4 = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// codebookFP4 is that of MXFP4 and NVFP4: twice the numbers that a sign, two bits of
// exponent and one of mantissa stand for.
var codebookFP4 = [16]int8{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// lookUp replaces each place in a codebook by what is there.
func lookUp(q []byte, codebook *[16]int8) {
	for i, place := range q {
		q[i] = uint8(codebook[place&15])
	}
}

// A step is what nearestIQ4 knows of numbers that the same multiple of 8 is
// nearest to: they belong to a place in the codebook or, from a threshold on,
// to the one after it. Thresholds, half-way between the codebook's numbers, are
// at least 11.5 apart.
type step struct {
	threshold float32
	place     int32
}

// stepsIQ4 has the step of 8·k at k modulo 32.
var stepsIQ4 = func() *[32]step {
	var steps [32]step
	for k := -16; k < 16; k++ {
		s := step{threshold: 1000} // none: the last place
		for place := range 15 {
			middle := float32(int(codebookIQ4[place])+int(codebookIQ4[place+1])) / 2
			if middle >= float32(8*k-4) {
				s = step{middle, int32(place)}
				break
			}
			s.place = int32(place) + 1
		}
		steps[k&31] = s
	}
	return &steps
}()

// nearestIQ4 returns the place of the number in codebookIQ4 that is nearest to
// f, the larger one in a tie. NaN belongs to the last place.
//
// The reference compares f's distances from both. Near the middle these are
// exact, so comparing with the middle does the same.
func nearestIQ4(f float32) int32 {
	if f < -116 {
		return 0
	}
	if !(f < 101) {
		return 15
	}
	const multiple = 8 * roundingMagic
	s := &stepsIQ4[math.Float32bits(f+multiple)&31]
	return s.place + int32(^math.Float32bits(f-s.threshold)>>31)
}

// valuesIQ4 is the codebook as floats.
var valuesIQ4 = func() (values [16]float32) {
	for i, v := range codebookIQ4 {
		values[i] = float32(v)
	}
	return values
}()

// quantizeIQ4 stores the places nearest to x·inverse.
func quantizeIQ4(q []uint8, x []float32, inverse float32) {
	for i, v := range x {
		q[i] = uint8(nearestIQ4(float32(inverse * v)))
	}
}

// searchIQ4 returns a scale d so that x[i] is nearly d times a number of
// codebookIQ4, for 32 elements. Candidates are inverse scales that put the
// extreme value at 127, and from -134 to -120; the best has the least squared
// error, weighted by w. A sub-block of zeros has the scale 0.
func searchIQ4(x, w []float32) (scale float32) {
	peak := extreme(x)
	if abs(peak) < tiny {
		return 0
	}
	const end = 127
	lx, l2, ax, a2 := sumsIQ4(x, w, 1/(peak/end), -(end+7)/peak)
	if l2 > 0 {
		scale = lx / l2
	}
	best := float32(scale * lx)
	better := func(lx, l2 float32) {
		if l2 > 0 && float32(lx*lx) > float32(best*l2) {
			scale = lx / l2
			best = float32(scale * lx)
		}
	}
	better(ax, a2)
	for end := float32(end + 6); end >= 120; end -= 2 {
		lx, l2, ax, a2 := sumsIQ4(x, w, -end/peak, -(end-1)/peak)
		better(lx, l2)
		better(ax, a2)
	}
	return scale
}

// sumsIQ4 returns Σ w·q·x and Σ w·q² for two inverse scales.
func sumsIQ4(x, w []float32, ia, ib float32) (ax, a2, bx, b2 float32) {
	w = w[:len(x)]
	for i, v := range x {
		a, b := valuesIQ4[nearestIQ4(float32(ia*v))&15], valuesIQ4[nearestIQ4(float32(ib*v))&15]
		wa, wb := float32(w[i]*a), float32(w[i]*b)
		ax += float32(wa * v)
		a2 += float32(wa * a)
		bx += float32(wb * v)
		b2 += float32(wb * b)
	}
	return ax, a2, bx, b2
}

// limitsFP4 lie in the middle of two numbers of codebookFP4; they belong to the lower one.
var limitsFP4 = [7]float32{0.5, 1.5, 2.5, 3.5, 5, 7, 10}

// quantizeFP4 stores the places that nearestFP4 returns. peak is the largest
// magnitude in x, and scale is 0 or at least 2^-128.
//
// Where the products with scale do not overflow and no number is so far beyond
// them that distances are rounded, these are exact near the middle of two, so
// that comparing with the middle does the same.
func quantizeFP4(q []uint8, x []float32, scale, peak float32) {
	const far, overflow = 1 << 20, 0x1p125
	if !(peak < float32(far*scale)) || scale >= overflow {
		for i, v := range x {
			q[i] = nearestFP4(v, scale)
		}
		return
	}
	limits := limitsFP4
	for i := range limits {
		limits[i] *= scale
	}
	for i, v := range x {
		a := abs(v)
		var place uint32
		for _, l := range limits {
			place += math.Float32bits(l-a) >> 31
		}
		negative := math.Float32bits(v) >> 31 & ((place + 7) >> 3)
		q[i] = uint8(place | negative<<3)
	}
}

// nearestFP4 returns the place of the number in codebookFP4 whose product with
// scale ≥ 0 is nearest to f, the first of them in a tie; f is finite. Only
// numbers of f's sign come into question, and zero is always +0.
func nearestFP4(f, scale float32) uint8 {
	a := abs(f)
	place, least := uint8(0), a
	for i := uint8(1); i < 8; i++ {
		if e := abs(float32(float32(codebookFP4[i])*scale) - a); e < least {
			place, least = i, e
		}
	}
	if f < 0 && place > 0 {
		place |= 8
	}
	return place
}
