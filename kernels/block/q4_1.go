package block

// Q4_1: 32 elements in 20 bytes, x = d·q + m.
//
//	0   d    float16
//	2   m    float16
//	4   qs   16 bytes: q[j] in the low nibble of byte j, q[j+16] in the high one

func unpackQ4_1(q []byte, scales, offsets []float32, src []byte) {
	unpackNibbles(q, src[4:20], 16)
	scales[0], offsets[0] = getHalf(src), getHalf(src[2:])
}

var searchQ4_1 = newScaleMinSearch(15, -0.9, 0.05, 36, false)

func encodeQ4_1(dst []byte, x, w []float32, variance float32) {
	var q [32]uint8
	d, m := encodeAffine(&q, x, w, variance, searchQ4_1)
	putHalf(dst, d)
	putHalf(dst[2:], m)
	packNibbles(dst[4:20], q[:], 16)
}

// encodeAffine stores the quants of Q4_1 and Q5_1 and returns scale and minimum.
// Without importance the quants are spread evenly over the range of x.
func encodeAffine(q *[32]uint8, x, importance []float32, variance float32, search *scaleMinSearch) (d, m float32) {
	top := int32(search.top)
	if importance != nil {
		var w [32]float32
		weigh(w[:], x, importance, variance)
		found := search.run(x, w[:])
		found.quantize(q[:], x, top)
		return found.scale, -found.min
	}
	low, high := extent(x)
	d = (high - low) / search.top
	inv := inverse(d)
	if isInf(inv) || isInf(d) { // as in encodeSymmetric
		clear(q[:])
		return d, low
	}
	for i, v := range (*[32]float32)(x) {
		q[i] = uint8(min(top, int32(float32((v-low)*inv)+0.5)))
	}
	return d, low
}
