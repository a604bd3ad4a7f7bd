package block

// Q2_0: 64 elements in 18 bytes, x = d·(q - 1). Encoders write 0 ≤ q ≤ 2.
//
//	0   d    float16
//	2   qs   16 bytes: bits 2·k and 2·k + 1 of byte l are q[4·l + k]

func unpackQ2_0(q []byte, scales, _ []float32, src []byte) {
	for l, b := range src[2:18] {
		to := q[4*l : 4*l+4]
		to[0], to[1], to[2], to[3] = b&3-1, b>>2&3-1, b>>4&3-1, b>>6-1
	}
	repeat(scales, getHalf(src))
}

func encodeQ2_0(dst []byte, x, _ []float32, _ float32) {
	var q [64]uint8
	putHalf(dst, encodeTernary(q[:], x, 0))
	for l := range 16 {
		from := q[4*l : 4*l+4]
		dst[2+l] = from[0] | from[1]<<2 | from[2]<<4 | from[3]<<6
	}
}
