package block

// Q5_0: 32 elements in 22 bytes, x = d·(q - 16).
//
//	0   d    float16
//	2   qh   uint32: bit i is bit 4 of q[i]
//	6   qs   16 bytes: bits 0 to 3 of q[j] in the low nibble of byte j, those of q[j+16] in the high one

func unpackQ5_0(q []byte, scales, _ []float32, src []byte) {
	unpackNibbles(q, src[6:22], 16)
	unpackFifthBits((*[32]uint8)(q), src[2:6])
	subtract(q, 16)
	scales[0] = getHalf(src)
}

func encodeQ5_0(dst []byte, x, w []float32, variance float32) {
	var q [32]uint8
	d := encodeSymmetric(&q, x, w, variance, &symmetric16)
	putHalf(dst, d)
	packQ5_0(dst[2:22], &q)
}

func packQ5_0(qh []byte, q *[32]uint8) {
	packFifthBits(qh, q)
	packNibbles(qh[4:20], q[:], 16)
}
