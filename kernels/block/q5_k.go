package block

// Q5_K: 256 elements in 176 bytes, eight sub-blocks of 32,
// x = d·scale·q - dmin·min.
//
//	0     d        float16
//	2     dmin     float16
//	4     scales   12 bytes: eight scales and minimums of six bits, see scaleMins.pack
//	16    qh       32 bytes: bit 4, see packBit
//	48    qs       128 bytes: bits 0 to 3, of every 64 elements element l in the low nibble of byte l, l+32 in the high one

func unpackQ5_K(q []byte, scales, offsets []float32, src []byte) {
	unpackScaleMins(scales, offsets, src)
	unpackNibbles(q, src[48:176], 32)
	unpackBit((*[superBlock]uint8)(q), src[16:48], 4)
}

var formatQ5_K = scaleMinFormat{
	top:      31,
	pack:     packQ5_K,
	plain:    newScaleMinSearch(31, -0.5, 0.1, 15, false),
	weighted: newScaleMinSearch(31, -0.9, 0.05, 36, false),

	clampWeighted: true,
}

func encodeQ5_K(dst []byte, x, w []float32, _ float32) { formatQ5_K.encode(dst, x, w) }

func packQ5_K(dst []byte, q []uint8) {
	packBit(dst[16:48], (*[superBlock]uint8)(q), 4)
	packNibbles(dst[48:176], q, 32)
}
