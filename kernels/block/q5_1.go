package block

// Q5_1: 32 elements in 24 bytes, x = d·q + m.
//
//	0   d    float16
//	2   m    float16
//	4   qh   uint32: bit i is bit 4 of q[i]
//	8   qs   16 bytes: bits 0 to 3 of q[j] in the low nibble of byte j, those of q[j+16] in the high one

func unpackQ5_1(q []byte, scales, offsets []float32, src []byte) {
	unpackNibbles(q, src[8:24], 16)
	unpackFifthBits((*[32]uint8)(q), src[4:8])
	scales[0], offsets[0] = getHalf(src), getHalf(src[2:])
}

var searchQ5_1 = newScaleMinSearch(31, -0.9, 0.05, 36, false)

func encodeQ5_1(dst []byte, x, w []float32, variance float32) {
	var q [32]uint8
	d, m := encodeAffine(&q, x, w, variance, searchQ5_1)
	putHalf(dst, d)
	putHalf(dst[2:], m)
	packFifthBits(dst[4:8], &q)
	packNibbles(dst[8:24], q[:], 16)
}
