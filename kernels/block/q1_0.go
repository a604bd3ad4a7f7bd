package block

// Q1_0: 128 elements in 18 bytes, x = d or -d.
//
//	0   d    float16
//	2   qs   16 bytes: bit k of byte l is set where x[8·l + k] is d

func unpackQ1_0(q []byte, scales, _ []float32, src []byte) {
	for l, b := range src[2:18] {
		v := uint64(b) * ones & 0x80_40_20_10_08_04_02_01 // bit k alone in byte k
		set := (v + 0x7f*ones) >> 7 & ones                // 1 where it is set
		// 2·set - 1 in each byte: 1 where it is set, else 0xff.
		store64(q[8*l:], set|(ones-set)*0xff)
	}
	repeat(scales, getHalf(src))
}

// encodeQ1_0 stores signs, and as d the mean magnitude. Both zeros count as positive.
func encodeQ1_0(dst []byte, x, _ []float32, _ float32) {
	var sum float32
	for _, v := range x {
		sum += abs(v)
	}
	putHalf(dst, sum/128)
	for l := range 16 {
		var b uint8
		for k, v := range x[8*l : 8*l+8] {
			if v >= 0 {
				b |= 1 << k
			}
		}
		dst[2+l] = b
	}
}
