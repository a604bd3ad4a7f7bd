package block

// TQ2_0: 256 elements in 66 bytes, x = d·(q - 1). Encoders write 0 ≤ q ≤ 2.
//
//	0    qs   64 bytes: two bits an element, see packPairs
//	64   d    float16

func unpackTQ2_0(q []byte, scales, _ []float32, src []byte) {
	unpackPairs((*[superBlock]uint8)(q), src[:64])
	subtract(q, 1)
	repeat(scales, getHalf(src[64:]))
}

func encodeTQ2_0(dst []byte, x, _ []float32, _ float32) {
	var q [superBlock]uint8
	d := encodeTernary(q[:], x, 1)
	packPairs(dst[:64], &q)
	putHalf(dst[64:], d)
}
