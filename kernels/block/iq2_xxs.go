package block

import "encoding/binary"

// IQ2_XXS: 256 elements in 66 bytes, eight sub-blocks of 32,
// x = d·(scale + 1/2)/4·q with q = ±8, ±25 or ±43.
//
//	0   d    float16
//	2   qs   64 bytes, eight for each sub-block:
//	         0   four points of the codebook, each of eight elements
//	         4   uint32:
//
//	bit   31 to 28   27 to 21      20 to 14      13 to 7      6 to 0
//	      scale      signs 24..31  signs 16..23  signs 8..15  signs 0..7
//
// Of eight signs, seven are stored: an even number of the eight is set.

var formatIQ2_XXS = gridFormat{
	book: bookIQ2XXS, group: 32, steps: 6, step: 0.1, evenSigns: true, tiny: tiny, variances: 1, again: againAll, fitted: true,
	pack: packIQ2_XXS,
}

func unpackIQ2_XXS(q []byte, scales, _ []float32, src []byte) {
	points := bookIQ2XXS.points()
	d := getHalf(src)
	for j := range 8 {
		sub, to := src[2+8*j:10+8*j], q[32*j:32*j+32]
		rest := binary.LittleEndian.Uint32(sub[4:])
		scales[j] = float32(d*(0.5+float32(rest>>28))) * 0.25
		for k := range 4 {
			store64(to[8*k:], negate(points[sub[k]], evenSign(rest>>(7*k))))
		}
	}
}

func encodeIQ2_XXS(dst []byte, x, w []float32, _ float32) { formatIQ2_XXS.write(dst, x, w) }

func packIQ2_XXS(dst []byte, b *gridBlock) {
	clear(dst)
	putHalf(dst, b.d)
	if b.zeros {
		return
	}
	for j := range 8 {
		sub := dst[2+8*j : 10+8*j]
		rest := uint32(b.scale[j]) << 28
		for k := range 4 {
			sub[k] = uint8(b.points[4*j+k])
			rest |= uint32(b.signs[4*j+k]) << (7 * k)
		}
		binary.LittleEndian.PutUint32(sub[4:], rest)
	}
}
