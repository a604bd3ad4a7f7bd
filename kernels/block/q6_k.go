package block

// Q6_K: 256 elements in 210 bytes, sixteen sub-blocks of 16,
// x = d·scale·(q - 32).
//
//	0     ql       128 bytes: bits 0 to 3; of every 128 elements, byte l holds l and l+64, byte 32+l holds l+32 and l+96
//	128   qh       64 bytes: bits 4 and 5, see packPairs
//	192   scales   16 signed bytes
//	208   d        float16

func unpackQ6_K(q []byte, scales, _ []float32, src []byte) {
	unpackNibbles(q, src[:128], 64)
	var high [superBlock]uint8
	unpackPairs(&high, src[128:192])
	for i := 0; i < superBlock; i += 8 {
		store64(q[i:], load64(q[i:])|load64(high[i:])<<4)
	}
	subtract(q, 32)
	d := getHalf(src[208:])
	for j, s := range src[192:208] {
		scales[j] = float32(d * float32(int8(s)))
	}
}

func encodeQ6_K(dst []byte, x, importance []float32, _ float32) {
	var (
		q      [superBlock]uint8
		scales [16]float32
	)
	for j := range scales {
		sub := x[16*j : 16*j+16]
		var w []float32
		if importance != nil {
			w = importance[16*j : 16*j+16]
		}
		scales[j] = symmetric32.search(q[16*j:16*j+16], sub, w)
	}
	peak := extreme(scales[:])
	if abs(peak) < tiny {
		clear(dst)
		return
	}
	inv := -128 / peak
	putHalf(dst[208:], 1/inv)
	d := getHalf(dst[208:])
	for j, s := range scales {
		level := int8(min(127, nearest(float32(inv*s))))
		dst[192+j] = uint8(level)
		scale := float32(d * float32(level))
		if scale == 0 {
			continue
		}
		for i, v := range x[16*j : 16*j+16] {
			q[16*j+i] = uint8(32 + clamp(nearest(v/scale), -32, 31))
		}
	}
	packNibbles(dst[:128], q[:], 64)
	for i := range q {
		q[i] >>= 4
	}
	packPairs(dst[128:192], &q)
}
