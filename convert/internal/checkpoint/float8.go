package checkpoint

import (
	"encoding/binary"
	"math"
)

// An 8-bit float is a sign, an exponent and a mantissa, from the highest bit:
//
//	F8_E4M3    s eeee mmm    bias 7;  no infinities, and only s 1111 111 is no number
//	F8_E5M2    s eeeee mm    bias 15; the upper half of an IEEE half
//
// See "FP8 Formats for Deep Learning", https://arxiv.org/abs/2209.05433.
var (
	floatsE4M3 = floats8(3, func(exponent, mantissa uint32) (uint32, bool) {
		return 0x7ff00000, exponent == 15 && mantissa == 7
	})
	floatsE5M2 = floats8(2, func(exponent, mantissa uint32) (uint32, bool) {
		bits := 0x7f800000 | mantissa<<21
		if mantissa != 0 {
			bits |= 1 << 22 // quiet
		}
		return bits, exponent == 31
	})
)

// floats8 returns the number of each code, of which the lowest bits are the
// mantissa. special returns the bits of the float32, without sign, where
// exponent and mantissa stand for no finite number. Those are PyTorch's.
func floats8(mantissaBits int, special func(exponent, mantissa uint32) (bits uint32, ok bool)) *[256]float32 {
	bias := 1<<(6-mantissaBits) - 1
	var table [256]float32
	for code := range table {
		mantissa := uint32(code) & (1<<mantissaBits - 1)
		exponent := uint32(code) & 0x7f >> mantissaBits
		sign := uint32(code) & 0x80 << 24
		bits, ok := special(exponent, mantissa)
		if !ok {
			whole, power := mantissa, 1-bias // a number too small for the usual form
			if exponent > 0 {
				whole, power = 1<<mantissaBits|mantissa, int(exponent)-bias
			}
			bits = math.Float32bits(float32(math.Ldexp(float64(whole), power-mantissaBits)))
		}
		table[code] = math.Float32frombits(sign | bits)
	}
	return &table
}

// lookUp fills dst with the numbers of the codes in src.
func lookUp(dst []float32, src []byte, table *[256]float32) {
	for len(dst) >= 8 && len(src) >= 8 {
		codes := binary.LittleEndian.Uint64(src)
		d := (*[8]float32)(dst)
		d[0], d[1], d[2], d[3] = table[byte(codes)], table[byte(codes>>8)], table[byte(codes>>16)], table[byte(codes>>24)]
		d[4], d[5], d[6], d[7] = table[byte(codes>>32)], table[byte(codes>>40)], table[byte(codes>>48)], table[byte(codes>>56)]
		dst, src = dst[8:], src[8:]
	}
	for i := range dst {
		dst[i] = table[src[i]]
	}
}
