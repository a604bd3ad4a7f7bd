package block

// Q4_K: 256 elements in 144 bytes, eight sub-blocks of 32,
// x = d·scale·q - dmin·min.
//
//	0     d        float16
//	2     dmin     float16
//	4     scales   12 bytes: eight scales and minimums of six bits, see scaleMins.pack
//	16    qs       128 bytes: of every 64 elements, element l in the low nibble of byte l, l+32 in the high one

func unpackQ4_K(q []byte, scales, offsets []float32, src []byte) {
	unpackScaleMins(scales, offsets, src)
	unpackNibbles(q, src[16:144], 32)
}

var formatQ4_K = scaleMinFormat{
	top:      15,
	pack:     func(dst []byte, q []uint8) { packNibbles(dst[16:144], q, 32) },
	plain:    newScaleMinSearch(15, -1, 0.1, 20, false),
	weighted: newScaleMinSearch(15, -0.9, 0.05, 36, false),
}

func encodeQ4_K(dst []byte, x, w []float32, _ float32) { formatQ4_K.encode(dst, x, w) }
