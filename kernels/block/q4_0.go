package block

// Q4_0: 32 elements in 18 bytes, x = d·(q - 8).
//
//	0   d    float16
//	2   qs   16 bytes: q[j] in the low nibble of byte j, q[j+16] in the high one

func unpackQ4_0(q []byte, scales, _ []float32, src []byte) {
	unpackNibbles(q, src[2:18], 16)
	subtract(q, 8)
	scales[0] = getHalf(src)
}

func encodeQ4_0(dst []byte, x, w []float32, variance float32) {
	var q [32]uint8
	d := encodeSymmetric(&q, x, w, variance, &symmetric8)
	putHalf(dst, d)
	packQ4_0(dst[2:18], &q)
}

func packQ4_0(qs []byte, q *[32]uint8) { packNibbles(qs, q[:], 16) }

// encodeSymmetric stores the quants of Q4_0 (n = 8) and Q5_0 (n = 16), 0 ≤ q < 2n,
// and returns the scale. Without importance the value of largest magnitude
// becomes -n exactly, and where the inverse scale overflows all quants are 0: in the
// reference they are converted from infinity, which gives that on x86.
func encodeSymmetric(q *[32]uint8, x, importance []float32, variance float32, f *symmetricFormat) float32 {
	if importance != nil {
		var w [32]float32
		weigh(w[:], x, importance, variance)
		return f.search(q[:], x, w[:])
	}
	d := extreme(x) / float32(-f.n)
	inv := inverse(d)
	if isInf(inv) {
		clear(q[:])
		return d
	}
	last, offset := 2*f.n-1, float32(f.n)+0.5
	for i, v := range (*[32]float32)(x) {
		q[i] = uint8(min(last, int32(float32(v*inv)+offset)))
	}
	return d
}
