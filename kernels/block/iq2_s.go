package block

// IQ2_S: 256 elements in 82 bytes, sixteen sub-blocks of 16,
// x = d·(scale + 1/2)/4·q with q = ±8, ±25 or ±43.
//
//	0    d        float16
//	2    qs       32 bytes: bits 0 to 7 of points of the codebook, each of eight elements
//	34   signs    32 bytes: bit i of byte k is the sign of element 8·k + i
//	66   qh       8 bytes: bits 8 and 9 of points 4·j, 4·j+1, 4·j+2 and 4·j+3, from the lowest
//	74   scales   8 bytes: low nibble scale of sub-block 2·j, high nibble of 2·j+1

var formatIQ2_S = gridFormat{
	book: bookIQ2S, group: 16, steps: 9, step: 0.1, tiny: 1e-8, variances: 2, adjust: 0.9875,
	unweighted: func(w, x []float32, variance float32) {
		quarter := float32(0.25 * variance)
		for i, v := range x {
			w[i] = quarter + float32(v*v)
		}
	},
	pack: packIQ2_S,
}

func unpackIQ2_S(q []byte, scales, _ []float32, src []byte) {
	points := bookIQ2S.points()
	unpackHalfScales(scales, getHalf(src), src[74:82])
	for k := range 32 {
		high := int(src[66+k/4]) >> (k % 4 * 2) & 3
		store64(q[8*k:], negate(points[int(src[2+k])|high<<8], uint64(src[34+k])))
	}
}

func encodeIQ2_S(dst []byte, x, w []float32, _ float32) { formatIQ2_S.write(dst, x, w) }

func packIQ2_S(dst []byte, b *gridBlock) {
	clear(dst)
	putHalf(dst, b.d)
	for k, p := range b.points[:32] {
		dst[2+k] = uint8(p)
		dst[66+k/4] |= uint8(p >> 8 << (k % 4 * 2))
	}
	copy(dst[34:66], b.signs[:])
	if b.zeros {
		return
	}
	b.packScales(dst[74:82])
}
