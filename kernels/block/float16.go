package block

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/gguftool/gguftool/kernels/vec"
)

// F16 is IEEE 754 binary16, BF16 the upper half of binary32. Package vec converts
// them:
//
//	F16   s eeeee mmmmmmmmmm
//	BF16  s eeeeeeee mmmmmmm

// F16ToF32 returns the value of a float16, exactly. The payload of a NaN is kept.
func F16ToF32(h uint16) float32 { return vec.F16ToF32(h) }

// F32ToF16 returns the nearest float16, to even in a tie. What is too large
// becomes infinity, and every NaN the quiet one of its sign.
func F32ToF16(f float32) uint16 { return vec.F32ToF16(f) }

// BF16ToF32 returns the value of a bfloat16, exactly.
func BF16ToF32(h uint16) float32 { return vec.BF16ToF32(h) }

// F32ToBF16 returns the nearest bfloat16, to even in a tie. What is too large
// becomes infinity; a NaN keeps its upper bits and becomes quiet.
func F32ToBF16(f float32) uint16 { return vec.F32ToBF16(f) }

func getHalf(src []byte) float32    { return F16ToF32(binary.LittleEndian.Uint16(src)) }
func putHalf(dst []byte, f float32) { binary.LittleEndian.PutUint16(dst, F32ToF16(f)) }

// F32 is copied or else, on machines of the other byte order, read and written
// eight bytes at a time where as many are left: fewer, wider loads, and one check
// of bounds for all of them.

func decodeF32(dst []float32, src []byte) {
	if x, ok := ViewF32(src); ok {
		copy(dst, x[:len(dst)])
		return
	}
	for ; len(dst) >= 4 && len(src) >= 16; dst, src = dst[4:], src[16:] {
		low, high := binary.LittleEndian.Uint64(src), binary.LittleEndian.Uint64(src[8:])
		dst[0] = math.Float32frombits(uint32(low))
		dst[1] = math.Float32frombits(uint32(low >> 32))
		dst[2] = math.Float32frombits(uint32(high))
		dst[3] = math.Float32frombits(uint32(high >> 32))
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func encodeF32(dst []byte, x, _ []float32, _ float32) {
	if to, ok := ViewF32(dst); ok {
		copy(to[:len(x)], x)
		return
	}
	bits := bitsOf(x)
	for ; len(bits) >= 4 && len(dst) >= 16; bits, dst = bits[4:], dst[16:] {
		binary.LittleEndian.PutUint64(dst, uint64(bits[0])|uint64(bits[1])<<32)
		binary.LittleEndian.PutUint64(dst[8:], uint64(bits[2])|uint64(bits[3])<<32)
	}
	for i, b := range bits {
		binary.LittleEndian.PutUint32(dst[4*i:], b)
	}
}

// ViewF32 returns rows of F32 as numbers without copying them; ok is false on a
// big-endian machine and where they are not aligned. The result must not be
// written to where src must not.
func ViewF32(src []byte) (rows []float32, ok bool) {
	p := unsafe.Pointer(unsafe.SliceData(src))
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 || uintptr(p)%unsafe.Alignof(float32(0)) != 0 {
		return nil, false
	}
	return unsafe.Slice((*float32)(p), len(src)/4), true
}

func encodeF16(dst []byte, x, _ []float32, _ float32) { vec.ToF16(dst, x) }

func encodeBF16(dst []byte, x, _ []float32, _ float32) { vec.ToBF16(dst, x) }

// bitsOf returns the memory of x as integers. Float32bits of an element costs a
// move from a float register.
func bitsOf(x []float32) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}
