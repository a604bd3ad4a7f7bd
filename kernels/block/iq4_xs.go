package block

import "encoding/binary"

// IQ4_XS: 256 elements in 136 bytes, eight sub-blocks of 32,
// x = d·(scale - 32)·codebookIQ4[q].
//
//	0   d         float16
//	2   scalesh   uint16: bits 4 and 5 of scale j in bits 2·j and 2·j + 1
//	4   scalesl   4 bytes: bits 0 to 3 of scale 2·j in the low nibble of byte j, of 2·j + 1 in the high one
//	8   qs        128 bytes: of every 32 elements, byte l holds l in its low and l+16 in its high nibble

func unpackIQ4_XS(q []byte, scales, _ []float32, src []byte) {
	unpackNibbles(q, src[8:136], 16)
	lookUp(q, &codebookIQ4)
	d, high := getHalf(src), binary.LittleEndian.Uint16(src[2:])
	for j := range 8 {
		level := int32(src[4+j/2]>>(4*(j&1))&15) | int32(high>>(2*j)&3)<<4
		scales[j] = float32(d * float32(level-32))
	}
}

func encodeIQ4_XS(dst []byte, x, importance []float32, _ float32) {
	var (
		scales   [8]float32
		w        [32]float32
		variance float32
	)
	if importance != nil {
		variance = sumSquares(x) * (2. / superBlock)
	}
	for j := range scales {
		sub := x[32*j : 32*j+32]
		if importance != nil {
			weigh(w[:], sub, importance[32*j:32*j+32], variance)
		} else {
			squares(w[:], sub)
		}
		scales[j] = searchIQ4(sub, w[:])
	}

	var inverses [8]float32
	packScalesIQ4_XS(dst, inverses[:], scales[:])
	var q [superBlock]uint8
	for j, inv := range inverses {
		quantizeIQ4(q[32*j:32*j+32], x[32*j:32*j+32], inv)
	}
	packNibbles(dst[8:136], q[:], 16)
}

// packScalesIQ4_XS stores eight scales in the first eight bytes of a block, and
// the inverses of what they have become, before d is made a float16, in inverses.
func packScalesIQ4_XS(dst []byte, inverses, scales []float32) {
	d := -extreme(scales) / 32
	putHalf(dst, d)
	inv := inverse(d)
	var (
		high uint16
		low  uint32
	)
	for j, s := range scales {
		level := clamp(nearest(float32(inv*s)), -32, 31)
		inverses[j] = inverse(float32(d * float32(level)))
		stored := uint32(level + 32)
		low |= stored & 15 << (4 * j)
		high |= uint16(stored >> 4 << (2 * j))
	}
	binary.LittleEndian.PutUint16(dst[2:], high)
	binary.LittleEndian.PutUint32(dst[4:], low)
}
