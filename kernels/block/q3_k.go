package block

// Q3_K: 256 elements in 110 bytes, sixteen sub-blocks of 16,
// x = d·(scale - 32)·(q - 4).
//
//	0     hmask    32 bytes: bit 2, see packBit
//	32    qs       64 bytes: bits 0 and 1, see packPairs
//	96    scales   12 bytes: sixteen scales of six bits, see packScales6
//	108   d        float16

func unpackQ3_K(q []byte, scales, _ []float32, src []byte) {
	quants := (*[superBlock]uint8)(q)
	unpackPairs(quants, src[32:96])
	unpackBit(quants, src[:32], 2)
	subtract(q, 4)
	d := getHalf(src[108:])
	for j, s := range unpackScales6(src[96:108]) {
		scales[j] = float32(d * float32(int32(s)-32))
	}
}

func encodeQ3_K(dst []byte, x, importance []float32, _ float32) {
	var (
		q      [superBlock]uint8
		scales [16]float32
		packed [16]uint8
		d      float32
	)
	if importance != nil {
		d = weightedScalesQ3_K(&q, &packed, &scales, x, importance)
	} else {
		for j := range scales {
			scales[j] = symmetric4.descend(q[16*j:16*j+16], x[16*j:16*j+16])
		}
		d = peakScalesQ3_K(&packed, &scales)
	}
	packScales6(dst[96:108], &packed)
	putHalf(dst[108:], d)
	d = getHalf(dst[108:])
	for j, s := range unpackScales6(dst[96:108]) {
		scale := float32(d * float32(int32(s)-32))
		if scale == 0 {
			continue
		}
		for i, v := range x[16*j : 16*j+16] {
			q[16*j+i] = uint8(4 + clamp(nearest(v/scale), -4, 3))
		}
	}
	packBit(dst[:32], &q, 2)
	for i := range q {
		q[i] &= 3
	}
	packPairs(dst[32:96], &q)
}

// peakScalesQ3_K stores scales so that the one of largest magnitude becomes -32,
// stored as 0, and returns what a step is worth.
func peakScalesQ3_K(packed *[16]uint8, scales *[16]float32) float32 {
	peak := extreme(scales[:])
	if peak == 0 {
		return 0
	}
	inv := -32 / peak
	for j, s := range scales {
		l := int32(int8(nearest(float32(inv * s))))
		packed[j] = uint8(clamp(l, -32, 31) + 32)
	}
	return 1 / inv
}

// weightedScalesQ3_K searches with importance, for the sub-blocks and then for
// their scales.
func weightedScalesQ3_K(q *[superBlock]uint8, packed *[16]uint8, scales *[16]float32, x, importance []float32) float32 {
	var totals [16]float32
	variance := 2 * sumSquares(x) / superBlock
	for j := range scales {
		sub := x[16*j : 16*j+16]
		var w [16]float32
		weigh(w[:], sub, importance[16*j:16*j+16], variance)
		for _, v := range w {
			totals[j] += v
		}
		scales[j] = symmetric4.search(q[16*j:16*j+16], sub, w[:])
	}
	return symmetric32.search(packed[:], scales[:], totals[:])
}

// packScales6 stores sixteen numbers of six bits:
//
//	byte j < 8    7 to 4: bits 0 to 3 of s[j+8]   3 to 0: bits 0 to 3 of s[j]
//	byte 8 + j    7 6: bits 4 to 5 of s[j+12]   5 4: of s[j+8]   3 2: of s[j+4]   1 0: of s[j]
func packScales6(dst []byte, s *[16]uint8) {
	for j := range 8 {
		dst[j] = s[j]&15 | s[j+8]<<4
	}
	for j := range 4 {
		dst[8+j] = s[j]>>4 | s[j+4]>>4<<2 | s[j+8]>>4<<4 | s[j+12]>>4<<6
	}
}

func unpackScales6(src []byte) (s [16]uint8) {
	for j := range s {
		low := src[j%8] >> (j / 8 * 4) & 15
		high := src[8+j%4] >> (j / 4 * 2) & 3
		s[j] = low | high<<4
	}
	return s
}
