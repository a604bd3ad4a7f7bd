package block

// IQ4_NL: 32 elements in 18 bytes, x = d·codebookIQ4[q].
//
//	0   d    float16
//	2   qs   16 bytes: q[j] in the low nibble of byte j, q[j+16] in the high one

func unpackIQ4_NL(q []byte, scales, _ []float32, src []byte) {
	unpackNibbles(q, src[2:18], 16)
	lookUp(q, &codebookIQ4)
	scales[0] = getHalf(src)
}

func encodeIQ4_NL(dst []byte, x, importance []float32, _ float32) {
	var w [32]float32
	if importance != nil {
		weigh(w[:], x, importance, sumSquares(x)*(2./32))
	} else {
		squares(w[:], x)
	}
	d := searchIQ4(x, w[:])
	putHalf(dst, d)
	var q [32]uint8
	quantizeIQ4(q[:], x, inverse(d))
	packNibbles(dst[2:18], q[:], 16)
}
