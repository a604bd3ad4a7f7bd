package block

import "encoding/binary"

// IQ3_XXS: 256 elements in 98 bytes, eight sub-blocks of 32,
// x = d·(scale + 1/2)/2·q with q = ±4, ±12, … ±52 or ±62.
//
//	0    d       float16
//	2    qs      64 bytes: points of the codebook, each of four elements
//	66   signs   eight uint32, one for each sub-block:
//
//	bit   31 to 28   27 to 21      20 to 14      13 to 7      6 to 0
//	      scale      signs 24..31  signs 16..23  signs 8..15  signs 0..7
//
// Of eight signs, seven are stored: an even number of the eight is set.

var formatIQ3_XXS = gridFormat{
	book: bookIQ3XXS, group: 32, steps: 15, step: 0.2, evenSigns: true, tiny: 1e-8, variances: 2, adjust: 1.0125,
	unweighted: squareWeights,
	pack:       packIQ3_XXS,
}

// squareWeights takes squares as weights.
func squareWeights(w, x []float32, _ float32) { squares(w, x) }

func unpackIQ3_XXS(q []byte, scales, _ []float32, src []byte) {
	points := bookIQ3XXS.points()
	d := getHalf(src)
	for j := range 8 {
		rest := binary.LittleEndian.Uint32(src[66+4*j:])
		scales[j] = float32(d*(0.5+float32(rest>>28))) * 0.5
		for k := range 4 {
			pair := src[2+8*j+2*k:]
			store64(q[32*j+8*k:], negate(points[pair[0]]|points[pair[1]]<<32, evenSign(rest>>(7*k))))
		}
	}
}

func encodeIQ3_XXS(dst []byte, x, w []float32, _ float32) { formatIQ3_XXS.write(dst, x, w) }

func packIQ3_XXS(dst []byte, b *gridBlock) {
	clear(dst)
	putHalf(dst, b.d)
	if b.zeros {
		return
	}
	for k, p := range b.points {
		dst[2+k] = uint8(p)
	}
	for j := range 8 {
		rest := uint32(b.scale[j]) << 28
		for k := range 4 {
			rest |= uint32(b.signs[4*j+k]) << (7 * k)
		}
		binary.LittleEndian.PutUint32(dst[66+4*j:], rest)
	}
}
