package block

// IQ3_S: 256 elements in 110 bytes, eight sub-blocks of 32,
// x = d·(2·scale + 1)·q with q = ±1, ±3, … ±15.
//
//	0     d        float16
//	2     qs       64 bytes: bits 0 to 7 of points of the codebook, each of four elements
//	66    qh       8 bytes: bit 8 of points, that of 8·j + k in bit k of byte j
//	74    signs    32 bytes: bit i of byte k is the sign of element 8·k + i
//	106   scales   4 bytes: low nibble scale of sub-block 2·j, high nibble of 2·j+1

var formatIQ3_S = gridFormat{
	book: bookIQ3S, group: 32, steps: 9, step: 0.2, variances: 2, again: againAny, adjust: 1.033,
	unweighted: squareWeights,
	pack:       packIQ3_S,
}

func unpackIQ3_S(q []byte, scales, _ []float32, src []byte) {
	points := bookIQ3S.points()
	d := getHalf(src)
	for j := range 8 {
		scales[j] = d * float32(1+2*(src[106+j/2]>>(j%2*4)&15))
		high := int(src[66+j]) << 8
		for k := range 4 {
			pair := src[2+8*j+2*k:]
			first := points[int(pair[0])|high>>(2*k)&256]
			second := points[int(pair[1])|high>>(2*k+1)&256]
			store64(q[32*j+8*k:], negate(first|second<<32, uint64(src[74+4*j+k])))
		}
	}
}

func encodeIQ3_S(dst []byte, x, w []float32, _ float32) { formatIQ3_S.write(dst, x, w) }

func packIQ3_S(dst []byte, b *gridBlock) {
	clear(dst)
	putHalf(dst, b.d)
	// The reference has no place in qs and signs for sub-blocks of zeros: what
	// follows moves up, and decodes to something else. Its bytes are the format.
	qs, signs := dst[2:66], dst[74:106]
	for j := range 8 {
		if b.skipped>>j&1 != 0 {
			continue
		}
		for k, p := range b.points[8*j : 8*j+8] {
			qs[k] = uint8(p)
			dst[66+j] |= uint8(p >> 8 << k)
		}
		copy(signs, b.signs[4*j:4*j+4])
		qs, signs = qs[8:], signs[4:]
	}
	if b.zeros {
		return
	}
	b.packScales(dst[106:110])
}
