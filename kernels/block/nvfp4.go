package block

import "math"

// NVFP4: 64 elements in 36 bytes, four sub-blocks of 16,
// x = scale/2·codebookFP4[q].
//
//	0   scales   4 bytes, UE4M3: a float8 of 4 bits exponent and 3 of mantissa, without sign
//	4   qs       32 bytes: of every 16 elements, byte l holds l in its low and l+8 in its high nibble

func unpackNVFP4(q []byte, scales, _ []float32, src []byte) {
	unpackNibbles(q, src[4:36], 8)
	lookUp(q, &codebookFP4)
	for j, s := range src[:4] {
		scales[j] = halvesUE4M3[s]
	}
}

// halvesUE4M3 has half of what each UE4M3 number stands for. Bit 7 means
// nothing; 0x7f, NaN elsewhere, is taken for 0.
//
//	byte   7   6 5 4 3   2 1 0
//	       -   e         m       2^(e-7)·(1 + m/8), and 2^-6·m/8 for e = 0
var halvesUE4M3 = func() *[256]float32 {
	var halves [256]float32
	for i := range halves {
		e, m := i>>3&15, float64(i&7)
		switch {
		case i == 0x7f:
		case e == 0:
			halves[i] = float32(math.Ldexp(m, -10))
		default:
			halves[i] = float32(math.Ldexp(8+m, e-11))
		}
	}
	return &halves
}()

// roundUE4M3 returns the UE4M3 number nearest to f ≥ 0, the larger one in a tie.
// The reference knows only one of the highest exponent: 448.
func roundUE4M3(f float32) uint8 {
	const largest, half = 0x7e, 1 << 19
	bits := math.Float32bits(f)
	if bits>>23 <= 127-7 {
		return uint8(min(7, int32(float32(f*512)+0.5))) // subnormal
	}
	rounded := (bits+half)>>20 - (127-7)<<3 // the exponent follows the mantissa
	if rounded >= 15<<3 {
		return largest
	}
	return uint8(rounded)
}

func encodeNVFP4(dst []byte, x, _ []float32, _ float32) {
	var q [64]uint8
	for j := range 4 {
		sub := x[16*j : 16*j+16]
		peak := abs(extreme(sub))
		s := roundUE4M3(peak / 6)
		dst[j] = s
		quantizeFP4(q[16*j:16*j+16], sub, halvesUE4M3[s], peak)
	}
	packNibbles(dst[4:36], q[:], 8)
}
