package vec

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// F16 is IEEE 754 binary16, BF16 the upper half of binary32:
//
//	F16   s eeeee mmmmmmmmmm
//	BF16  s eeeeeeee mmmmmmm
//
// The functions of slices take and give two little-endian bytes a number. They
// give the same bits on every path, those of the functions of one number.

// FromF16 stores the values of the float16 numbers in src, two bytes for each
// element of dst, as F16ToF32 gives them.
func FromF16(dst []float32, src []byte) {
	src = src[:2*len(dst)]
	n := fromF16(dst, src)
	plainFromF16(dst[n:], src[2*n:])
}

// ToF16 stores src as float16 numbers in dst, two bytes for each, as F32ToF16
// rounds them.
func ToF16(dst []byte, src []float32) {
	dst = dst[:2*len(src)]
	n := toF16(dst, src)
	plainToF16(dst[2*n:], src[n:])
}

// FromBF16 stores the values of the bfloat16 numbers in src, two bytes for each
// element of dst, as BF16ToF32 gives them.
func FromBF16(dst []float32, src []byte) {
	src = src[:2*len(dst)]
	n := fromBF16(dst, src)
	plainFromBF16(dst[n:], src[2*n:])
}

// ToBF16 stores src as bfloat16 numbers in dst, two bytes for each, as F32ToBF16
// rounds them.
func ToBF16(dst []byte, src []float32) {
	dst = dst[:2*len(src)]
	n := toBF16(dst, src)
	plainToBF16(dst[2*n:], src[n:])
}

// F16ToF32 returns the value of a float16, exactly. The payload of a NaN is kept.
func F16ToF32(h uint16) float32 {
	sign, rest := uint32(h&0x8000)<<16, uint32(h&0x7fff)
	switch {
	case rest >= 0x7c00: // infinity, NaN
		return math.Float32frombits(sign | 0x7f800000 | rest&0x3ff<<13)
	case isNormalF16(h):
		return normalF16ToF32(h)
	}
	f := float32(rest) * 0x1p-24 // subnormal: an integer of the smallest step
	return math.Float32frombits(sign | math.Float32bits(f))
}

func isNormalF16(h uint16) bool { return h&0x7fff-0x0400 < 0x7c00-0x0400 }

// normalF16ToF32 moves the exponent's bias from 15 to 127.
func normalF16ToF32(h uint16) float32 {
	return math.Float32frombits(uint32(h&0x8000)<<16 | (uint32(h&0x7fff)<<13 + (127-15)<<23))
}

const (
	smallestF16 = 0x38800000 // the bits of 2^-14, the smallest normal one, as a float32
	overflowF16 = 0x477ff000 // of 65520, half a step above the largest
)

// F32ToF16 returns the nearest float16, to even in a tie. What is too large
// becomes infinity, and every NaN the quiet one of its sign.
func F32ToF16(f float32) uint16 {
	b := math.Float32bits(f)
	sign, rest := uint16(b>>16&0x8000), b&0x7fffffff
	switch {
	case rest > 0x7f800000:
		return sign | 0x7e00
	case rest >= overflowF16:
		return sign | 0x7c00
	case becomesNormalF16(b):
		return f32ToNormalF16(b)
	}
	// The sum of a subnormal's value and 1/2 has the wanted step as its last bit.
	sum := math.Float32frombits(rest) + 0.5
	return sign | uint16(math.Float32bits(sum)-math.Float32bits(0.5))
}

func becomesNormalF16(b uint32) bool { return b&0x7fffffff-smallestF16 < overflowF16-smallestF16 }

// f32ToNormalF16 rounds to even: half a step less one, and one where the last
// bit is set, carry into what is kept.
func f32ToNormalF16(b uint32) uint16 {
	rest := b&0x7fffffff - (127-15)<<23
	return uint16(b>>16&0x8000 | (rest+0xfff+rest>>13&1)>>13)
}

// BF16ToF32 returns the value of a bfloat16, exactly.
func BF16ToF32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// F32ToBF16 returns the nearest bfloat16, to even in a tie. What is too large
// becomes infinity; a NaN keeps its upper bits and becomes quiet.
func F32ToBF16(f float32) uint16 { return bitsToBF16(math.Float32bits(f)) }

func bitsToBF16(b uint32) uint16 {
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// The plain loops read and write eight bytes at a time where as many are left:
// fewer, wider loads, and one check of bounds for all of them.

func plainFromF16(dst []float32, src []byte) {
	for ; len(dst) >= 4 && len(src) >= 8; dst, src = dst[4:], src[8:] {
		v := binary.LittleEndian.Uint64(src)
		a, b, c, d := uint16(v), uint16(v>>16), uint16(v>>32), uint16(v>>48)
		if isNormalF16(a) && isNormalF16(b) && isNormalF16(c) && isNormalF16(d) {
			dst[0], dst[1], dst[2], dst[3] = normalF16ToF32(a), normalF16ToF32(b), normalF16ToF32(c), normalF16ToF32(d)
		} else {
			dst[0], dst[1], dst[2], dst[3] = F16ToF32(a), F16ToF32(b), F16ToF32(c), F16ToF32(d)
		}
	}
	for i := range dst {
		dst[i] = F16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

func plainToF16(dst []byte, x []float32) {
	bits := bitsOf(x)
	for ; len(bits) >= 4 && len(dst) >= 8; bits, dst = bits[4:], dst[8:] {
		a, b, c, d := bits[0], bits[1], bits[2], bits[3]
		if !(becomesNormalF16(a) && becomesNormalF16(b) && becomesNormalF16(c) && becomesNormalF16(d)) {
			for i, v := range bits[:4] {
				binary.LittleEndian.PutUint16(dst[2*i:], F32ToF16(math.Float32frombits(v)))
			}
			continue
		}
		binary.LittleEndian.PutUint16(dst, f32ToNormalF16(a))
		binary.LittleEndian.PutUint16(dst[2:], f32ToNormalF16(b))
		binary.LittleEndian.PutUint16(dst[4:], f32ToNormalF16(c))
		binary.LittleEndian.PutUint16(dst[6:], f32ToNormalF16(d))
	}
	for i, v := range bits {
		binary.LittleEndian.PutUint16(dst[2*i:], F32ToF16(math.Float32frombits(v)))
	}
}

func plainFromBF16(dst []float32, src []byte) {
	for ; len(dst) >= 4 && len(src) >= 8; dst, src = dst[4:], src[8:] {
		v := binary.LittleEndian.Uint64(src)
		dst[0] = BF16ToF32(uint16(v))
		dst[1] = BF16ToF32(uint16(v >> 16))
		dst[2] = BF16ToF32(uint16(v >> 32))
		dst[3] = BF16ToF32(uint16(v >> 48))
	}
	for i := range dst {
		dst[i] = BF16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

func plainToBF16(dst []byte, x []float32) {
	bits := bitsOf(x)
	for ; len(bits) >= 4 && len(dst) >= 8; bits, dst = bits[4:], dst[8:] {
		binary.LittleEndian.PutUint16(dst, bitsToBF16(bits[0]))
		binary.LittleEndian.PutUint16(dst[2:], bitsToBF16(bits[1]))
		binary.LittleEndian.PutUint16(dst[4:], bitsToBF16(bits[2]))
		binary.LittleEndian.PutUint16(dst[6:], bitsToBF16(bits[3]))
	}
	for i, b := range bits {
		binary.LittleEndian.PutUint16(dst[2*i:], bitsToBF16(b))
	}
}

// bitsOf returns the memory of x as integers. Float32bits of an element costs a
// move from a float register.
func bitsOf(x []float32) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}
