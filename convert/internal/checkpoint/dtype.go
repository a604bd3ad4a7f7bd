package checkpoint

import (
	"encoding/binary"
	"math"

	"github.com/gguftool/gguftool/kernels/vec"
)

// A DType is the type of a tensor's elements.
type DType uint8

// The types that are read. Files store all of them little-endian.
const (
	F32 DType = iota
	F16
	BF16
	F64
	I64
	I32
	I16
	I8
	U8
	Bool
	F8E4M3
	F8E5M2
)

// dtypes has one row for each type.
var dtypes = [...]struct {
	name    string // in safetensors
	storage string // the class of PyTorch's storage, if it has one of its own
	size    int64
}{
	F32:  {"F32", "FloatStorage", 4},
	F16:  {"F16", "HalfStorage", 2},
	BF16: {"BF16", "BFloat16Storage", 2},
	F64:  {"F64", "DoubleStorage", 8},
	I64:  {"I64", "LongStorage", 8},
	I32:  {"I32", "IntStorage", 4},
	I16:  {"I16", "ShortStorage", 2},
	I8:   {"I8", "CharStorage", 1},
	U8:   {"U8", "ByteStorage", 1},
	Bool: {"BOOL", "BoolStorage", 1},

	F8E4M3: {"F8_E4M3", "", 1},
	F8E5M2: {"F8_E5M2", "", 1},
}

// otherDTypes are the names of types that safetensors may hold but that are not
// read: unsigned integers, complex numbers and the floats of quantized models.
var otherDTypes = []string{
	"U16", "U32", "U64", "C64", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F8_E8M0", "F6_E2M3", "F6_E3M2", "F4",
}

func parseDType(name string) (d DType, ok bool) {
	for d := range dtypes {
		if dtypes[d].name == name {
			return DType(d), true
		}
	}
	return 0, false
}

// String returns the name of d in safetensors files, as in "BF16".
func (d DType) String() string { return dtypes[d].name }

// Size returns the bytes of an element.
func (d DType) Size() int64 { return dtypes[d].size }

// Floats fills dst from the elements in src, of which there must be as many.
// Numbers that float32 does not hold are rounded to the nearest, ties to even;
// the payload of a NaN is kept as far as it fits.
func (d DType) Floats(dst []float32, src []byte) {
	src = src[:int64(len(dst))*d.Size()]
	switch d {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
	case F16:
		vec.FromF16(dst, src)
	case BF16:
		vec.FromBF16(dst, src)
	case F8E4M3:
		lookUp(dst, src, floatsE4M3)
	case F8E5M2:
		lookUp(dst, src, floatsE5M2)
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
		}
	case I64:
		for i := range dst {
			dst[i] = float32(int64(binary.LittleEndian.Uint64(src[8*i:])))
		}
	case I32:
		for i := range dst {
			dst[i] = float32(int32(binary.LittleEndian.Uint32(src[4*i:])))
		}
	case I16:
		for i := range dst {
			dst[i] = float32(int16(binary.LittleEndian.Uint16(src[2*i:])))
		}
	case I8:
		for i := range dst {
			dst[i] = float32(int8(src[i]))
		}
	case U8:
		for i := range dst {
			dst[i] = float32(src[i])
		}
	case Bool:
		for i := range dst {
			dst[i] = 0
			if src[i] != 0 {
				dst[i] = 1
			}
		}
	}
}
