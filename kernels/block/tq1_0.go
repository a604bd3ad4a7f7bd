package block

// TQ1_0: 256 elements in 54 bytes, x = d·(q - 1) with 0 ≤ q ≤ 2.
//
//	0    qs   48 bytes of five digits: of the first 160 elements, byte l holds l, l+32, l+64, l+96 and l+128;
//	          of the next 80, byte 32+l holds 160+l, 176+l, 192+l, 208+l and 224+l
//	48   qh   4 bytes of four digits: byte l holds 240+l, 244+l, 248+l and 252+l
//	52   d    float16
//
// Digits are those of a number 0 ≤ n < 243 in base 3, the first one the highest.
// The byte is n/243 as a fraction of 256, rounded up, so that multiplying it
// by 3 carries the next digit out of it.

// partsTQ1_0 are elements whose digits share bytes: the first of them, the first
// byte, how many bytes, and the digits of each.
var partsTQ1_0 = [3]struct{ element, at, bytes, digits int }{{0, 0, 32, 5}, {160, 32, 16, 5}, {240, 48, 4, 4}}

func unpackTQ1_0(q []byte, scales, _ []float32, src []byte) {
	for _, p := range partsTQ1_0 {
		for l, fraction := range src[p.at : p.at+p.bytes] {
			for k := range p.digits {
				carried := uint16(fraction) * 3
				q[p.element+k*p.bytes+l] = uint8(carried>>8) - 1
				fraction = uint8(carried)
			}
		}
	}
	repeat(scales, getHalf(src[52:]))
}

func encodeTQ1_0(dst []byte, x, _ []float32, _ float32) {
	var q [superBlock]uint8
	d := encodeTernary(q[:], x, 1)
	for _, p := range partsTQ1_0 {
		for l := range p.bytes {
			n := uint16(0)
			for k := range 5 {
				n *= 3
				if k < p.digits {
					n += uint16(q[p.element+k*p.bytes+l])
				}
			}
			dst[p.at+l] = uint8((n<<8 + 242) / 243)
		}
	}
	putHalf(dst[52:], d)
}
