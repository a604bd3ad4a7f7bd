package block

// Q8_0: 32 elements in 34 bytes, x = d·q.
//
//	0   d    float16
//	2   qs   32 signed bytes

func unpackQ8_0(q []byte, scales, _ []float32, src []byte) {
	copy(q, src[2:34])
	scales[0] = getHalf(src)
}

// encodeQ8_0 makes no use of importance.
func encodeQ8_0(dst []byte, x, _ []float32, _ float32) {
	d := abs(extreme(x)) / 127
	inv := inverse(d)
	putHalf(dst, d)
	qs := (*[32]byte)(dst[2:])
	if isInf(inv) { // as in encodeSymmetric
		clear(qs[:])
		return
	}
	for i, v := range (*[32]float32)(x) {
		qs[i] = uint8(roundAway(float32(v * inv)))
	}
}
