package block

import "math"

// MXFP4: 32 elements in 17 bytes, x = 2^(e-128)·codebookFP4[q], the OCP
// Microscaling format of the same name.
//
//	0   e    uint8; 255 stands for NaN
//	1   qs   16 bytes: q[j] in the low nibble of byte j, q[j+16] in the high one

func unpackMXFP4(q []byte, scales, _ []float32, src []byte) {
	unpackNibbles(q, src[1:17], 16)
	lookUp(q, &codebookFP4)
	scales[0] = halfPower(src[0])
}

// halfPower returns 2^(e-128), half of what an E8M0 number stands for.
func halfPower(e uint8) float32 {
	if e < 2 {
		return math.Float32frombits(1 << (21 + e)) // subnormal
	}
	return math.Float32frombits(uint32(e-1) << 23)
}

func encodeMXFP4(dst []byte, x, _ []float32, _ float32) {
	peak := abs(extreme(x))
	e := exponentMXFP4(peak)
	dst[0] = e
	var q [32]uint8
	quantizeFP4(q[:], x, halfPower(e), peak)
	packNibbles(dst[1:17], q[:], 16)
}

// exponentMXFP4 returns the E8M0 exponent that puts peak between 4 and 8. The
// reference takes the logarithm, rounded to float32, so that numbers a little below
// a power of two count as that power. Exponents below 0 wrap.
func exponentMXFP4(peak float32) uint8 {
	if peak == 0 {
		return 0
	}
	bits := math.Float32bits(peak)
	e := int32(bits >> 23)
	const mostly = 0x7fff00 // mantissas below that are far enough from the power
	if e == 0 || bits&0x7fffff >= mostly {
		logarithm := float32(math.Log2(float64(peak)))
		e = int32(math.Floor(float64(logarithm))) + 127
	}
	return uint8(e - 2)
}
