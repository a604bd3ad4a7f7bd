package block

import "encoding/binary"

// IQ2_XS: 256 elements in 74 bytes, sixteen sub-blocks of 16,
// x = d·(scale + 1/2)/4·q with q = ±8, ±25 or ±43.
//
//	0    d        float16
//	2    qs       32 uint16, one for eight elements:
//	66   scales   8 bytes: low nibble scale of sub-block 2·j, high nibble of 2·j+1
//
//	bit of qs   15 to 9   8 to 0
//	            signs     point of the codebook
//
// Of eight signs, seven are stored: an even number of the eight is set.

var formatIQ2_XS = gridFormat{
	book: bookIQ2XS, group: 16, steps: 9, step: 0.1, evenSigns: true, tiny: tiny, variances: 1,
	pack: packIQ2_XS,
}

func unpackIQ2_XS(q []byte, scales, _ []float32, src []byte) {
	points := bookIQ2XS.points()
	unpackHalfScales(scales, getHalf(src), src[66:74])
	for k := range 32 {
		v := binary.LittleEndian.Uint16(src[2+2*k:])
		store64(q[8*k:], negate(points[v&511], evenSign(uint32(v>>9))))
	}
}

// unpackHalfScales reads sixteen scales of four bits and a half.
func unpackHalfScales(scales []float32, d float32, src []byte) {
	for j, s := range src {
		scales[2*j] = float32(d*(0.5+float32(s&15))) * 0.25
		scales[2*j+1] = float32(d*(0.5+float32(s>>4))) * 0.25
	}
}

func encodeIQ2_XS(dst []byte, x, w []float32, _ float32) { formatIQ2_XS.write(dst, x, w) }

func packIQ2_XS(dst []byte, b *gridBlock) {
	clear(dst)
	putHalf(dst, b.d)
	if b.zeros {
		return
	}
	for k := range 32 {
		binary.LittleEndian.PutUint16(dst[2+2*k:], b.points[k]|uint16(b.signs[k])<<9)
	}
	b.packScales(dst[66:74])
}
