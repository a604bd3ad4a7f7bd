package gguf

import (
	"fmt"
	"math"
	"strings"
)

// A Type is the element type of a tensor (ggml_type): a plain number format, or
// a block format that stores a fixed count of elements in a fixed count of bytes.
type Type uint32

// Types of llama.cpp. The gaps are ids of formats that were removed.
const (
	TypeF32    Type = 0
	TypeF16    Type = 1
	TypeQ4_0   Type = 2
	TypeQ4_1   Type = 3
	TypeQ5_0   Type = 6
	TypeQ5_1   Type = 7
	TypeQ8_0   Type = 8
	TypeQ8_1   Type = 9
	TypeQ2_K   Type = 10
	TypeQ3_K   Type = 11
	TypeQ4_K   Type = 12
	TypeQ5_K   Type = 13
	TypeQ6_K   Type = 14
	TypeQ8_K   Type = 15
	TypeIQ2XXS Type = 16
	TypeIQ2XS  Type = 17
	TypeIQ3XXS Type = 18
	TypeIQ1S   Type = 19
	TypeIQ4NL  Type = 20
	TypeIQ3S   Type = 21
	TypeIQ2S   Type = 22
	TypeIQ4XS  Type = 23
	TypeI8     Type = 24
	TypeI16    Type = 25
	TypeI32    Type = 26
	TypeI64    Type = 27
	TypeF64    Type = 28
	TypeIQ1M   Type = 29
	TypeBF16   Type = 30
	TypeTQ1_0  Type = 34
	TypeTQ2_0  Type = 35
	TypeMXFP4  Type = 39
	TypeNVFP4  Type = 40
	TypeQ1_0   Type = 41
	TypeQ2_0   Type = 42
)

// typeInfo is one row of the only table of tensor types.
type typeInfo struct {
	name   string
	block  int    // elements of a block; 0: the layout is not known here
	bytes  int    // bytes of a block
	status status // who writes it
	swap   []field
}

// A field is a multi-byte number inside a block, which a big-endian file stores
// the other way round.
type field struct{ offset, width int }

type status uint8

const (
	current status = iota // a type that llama.cpp writes today
	removed               // an id that llama.cpp once used and gave up
	foreign               // an id that only ik_llama.cpp writes
)

// Common values of the swap column. A nil one means that no big-endian layout
// is agreed on: the reference code reads the same bytes at several widths.
// Where it reads them at one width only, as the 32 fifth bits of Q5_0, that is
// a field.
var (
	single   = []field{} // single bytes only
	half     = []field{{0, 2}}
	word     = []field{{0, 4}}
	double   = []field{{0, 8}}
	twoHalfs = []field{{0, 2}, {2, 2}}
)

// types is indexed by id. Sizes are those of the block structs in llama.cpp's
// ggml-common.h; ids and names of the last group those of ik_llama.cpp's ggml.h.
var types = [...]typeInfo{
	TypeF32:    {"F32", 1, 4, current, word},
	TypeF16:    {"F16", 1, 2, current, half},
	TypeQ4_0:   {"Q4_0", 32, 18, current, half},
	TypeQ4_1:   {"Q4_1", 32, 20, current, twoHalfs},
	4:          {"Q4_2", 0, 0, removed, nil},
	5:          {"Q4_3", 0, 0, removed, nil},
	TypeQ5_0:   {"Q5_0", 32, 22, current, []field{{0, 2}, {2, 4}}},
	TypeQ5_1:   {"Q5_1", 32, 24, current, []field{{0, 2}, {2, 2}, {4, 4}}},
	TypeQ8_0:   {"Q8_0", 32, 34, current, half},
	TypeQ8_1:   {"Q8_1", 32, 36, current, twoHalfs},
	TypeQ2_K:   {"Q2_K", 256, 84, current, []field{{80, 2}, {82, 2}}},
	TypeQ3_K:   {"Q3_K", 256, 110, current, []field{{108, 2}}},
	TypeQ4_K:   {"Q4_K", 256, 144, current, twoHalfs},
	TypeQ5_K:   {"Q5_K", 256, 176, current, twoHalfs},
	TypeQ6_K:   {"Q6_K", 256, 210, current, []field{{208, 2}}},
	TypeQ8_K:   {"Q8_K", 256, 292, current, nil},
	TypeIQ2XXS: {"IQ2_XXS", 256, 66, current, nil},
	TypeIQ2XS:  {"IQ2_XS", 256, 74, current, nil},
	TypeIQ3XXS: {"IQ3_XXS", 256, 98, current, nil},
	TypeIQ1S:   {"IQ1_S", 256, 50, current, nil},
	TypeIQ4NL:  {"IQ4_NL", 32, 18, current, half},
	TypeIQ3S:   {"IQ3_S", 256, 110, current, nil},
	TypeIQ2S:   {"IQ2_S", 256, 82, current, nil},
	TypeIQ4XS:  {"IQ4_XS", 256, 136, current, twoHalfs},
	TypeI8:     {"I8", 1, 1, current, single},
	TypeI16:    {"I16", 1, 2, current, half},
	TypeI32:    {"I32", 1, 4, current, word},
	TypeI64:    {"I64", 1, 8, current, double},
	TypeF64:    {"F64", 1, 8, current, double},
	TypeIQ1M:   {"IQ1_M", 256, 56, current, nil},
	TypeBF16:   {"BF16", 1, 2, current, half},
	31:         {"Q4_0_4_4", 0, 0, removed, nil},
	32:         {"Q4_0_4_8", 0, 0, removed, nil},
	33:         {"Q4_0_8_8", 0, 0, removed, nil},
	TypeTQ1_0:  {"TQ1_0", 256, 54, current, []field{{52, 2}}},
	TypeTQ2_0:  {"TQ2_0", 256, 66, current, []field{{64, 2}}},
	36:         {"IQ4_NL_4_4", 0, 0, removed, nil}, // BitNet's I2_S in ik_llama.cpp
	37:         {"IQ4_NL_4_8", 0, 0, removed, nil},
	38:         {"IQ4_NL_8_8", 0, 0, removed, nil},
	TypeMXFP4:  {"MXFP4", 32, 17, current, single},
	TypeNVFP4:  {"NVFP4", 64, 36, current, single},
	TypeQ1_0:   {"Q1_0", 128, 18, current, half}, // Q1_0_G128 in ik_llama.cpp, of the same layout
	TypeQ2_0:   {"Q2_0", 64, 18, current, half},

	97:  {"Q8_0_X4", 0, 0, foreign, nil},
	98:  {"Q8_1_X4", 0, 0, foreign, nil},
	99:  {"Q8_2_X4", 0, 0, foreign, nil},
	133: {"Q6_0", 0, 0, foreign, nil},
	134: {"IQ1_BN", 0, 0, foreign, nil},
	135: {"IQ2_BN", 0, 0, foreign, nil},
	136: {"Q8_K64", 0, 0, foreign, nil},
	137: {"IQ2_K", 0, 0, foreign, nil},
	138: {"IQ3_K", 0, 0, foreign, nil},
	139: {"IQ4_K", 0, 0, foreign, nil},
	140: {"IQ5_K", 0, 0, foreign, nil},
	141: {"IQ6_K", 0, 0, foreign, nil},
	142: {"IQ2_TN", 0, 0, foreign, nil},
	143: {"IQ1_TN", 0, 0, foreign, nil},
	144: {"IQ4_KS", 0, 0, foreign, nil},
	145: {"IQ2_KS", 0, 0, foreign, nil},
	146: {"IQ4_KSS", 0, 0, foreign, nil},
	147: {"Q8_K16", 0, 0, foreign, nil},
	148: {"Q8_K32", 0, 0, foreign, nil},
	149: {"Q8_KR8", 0, 0, foreign, nil},
	150: {"Q8_K128", 0, 0, foreign, nil},
	151: {"Q8_KV", 0, 0, foreign, nil},
	152: {"IQ5_KS", 0, 0, foreign, nil},
	153: {"IQ2_KT", 0, 0, foreign, nil},
	154: {"IQ3_KT", 0, 0, foreign, nil},
	155: {"IQ4_KT", 0, 0, foreign, nil},
	156: {"IQ3_KS", 0, 0, foreign, nil},
	157: {"IQ2_KL", 0, 0, foreign, nil},
	158: {"IQ1_KT", 0, 0, foreign, nil},
	202: {"Q4_0_R8", 0, 0, foreign, nil},
	206: {"Q5_0_R4", 0, 0, foreign, nil},
	208: {"Q8_0_R8", 0, 0, foreign, nil},
	210: {"Q2_K_R4", 0, 0, foreign, nil},
	211: {"Q3_K_R4", 0, 0, foreign, nil},
	212: {"Q4_K_R4", 0, 0, foreign, nil},
	213: {"Q5_K_R4", 0, 0, foreign, nil},
	214: {"Q6_K_R4", 0, 0, foreign, nil},
	216: {"IQ2_XXS_R4", 0, 0, foreign, nil},
	217: {"IQ2_XS_R4", 0, 0, foreign, nil},
	218: {"IQ3_XXS_R4", 0, 0, foreign, nil},
	219: {"IQ1_S_R4", 0, 0, foreign, nil},
	220: {"IQ4_NL_R4", 0, 0, foreign, nil},
	221: {"IQ3_S_R4", 0, 0, foreign, nil},
	222: {"IQ2_S_R4", 0, 0, foreign, nil},
	223: {"IQ4_XS_R8", 0, 0, foreign, nil},
	229: {"IQ1_M_R4", 0, 0, foreign, nil},
	230: {"BF16_R16", 0, 0, foreign, nil},
	233: {"Q6_0_R4", 0, 0, foreign, nil},
	335: {"IQ2_BN_R4", 0, 0, foreign, nil},
	337: {"IQ2_K_R4", 0, 0, foreign, nil},
	338: {"IQ3_K_R4", 0, 0, foreign, nil},
	339: {"IQ4_K_R4", 0, 0, foreign, nil},
	340: {"IQ5_K_R4", 0, 0, foreign, nil},
	344: {"IQ4_KS_R4", 0, 0, foreign, nil},
	352: {"IQ5_KS_R4", 0, 0, foreign, nil},
	353: {"MXFP4_R8", 0, 0, foreign, nil},
	397: {"Q8_K_R16", 0, 0, foreign, nil},
	398: {"Q8_KV_R8", 0, 0, foreign, nil},
	399: {"Q8_K_R8", 0, 0, foreign, nil},
}

// row returns the table's row for t, or nil.
func (t Type) row() *typeInfo {
	if int64(t) >= int64(len(types)) || types[t].name == "" {
		return nil
	}
	return &types[t]
}

// String returns the name of t in capitals, as in "Q4_K".
func (t Type) String() string {
	if r := t.row(); r != nil {
		return r.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// ParseType returns the type called name, in any case. It may be one that can
// be named but not decoded: see Block.
func ParseType(name string) (Type, error) {
	for t := range types {
		if types[t].name != "" && strings.EqualFold(types[t].name, name) {
			return Type(t), nil
		}
	}
	return 0, fmt.Errorf("tensor type %q does not exist; examples are F16, Q8_0 and Q4_K", name)
}

// Project returns the project that writes tensors of type t, "llama.cpp" or
// "ik_llama.cpp", or "" for an id that is not known.
func (t Type) Project() string {
	r := t.row()
	switch {
	case r == nil:
		return ""
	case r.status == foreign:
		return "ik_llama.cpp"
	}
	return "llama.cpp"
}

// Removed reports whether llama.cpp once wrote t and no longer reads it.
func (t Type) Removed() bool {
	r := t.row()
	return r != nil && r.status == removed
}

// Block returns the elements and the bytes of one block of t; plain formats
// have blocks of one element. ok is false when the layout of t is not known.
func (t Type) Block() (elements, bytes int, ok bool) {
	r := t.row()
	if r == nil || r.block == 0 {
		return 0, 0, false
	}
	return r.block, r.bytes, true
}

// Size returns the bytes of n elements, which must be a multiple of the block;
// ok is false when they are not, when the layout is unknown or on overflow.
func (t Type) Size(n int64) (bytes int64, ok bool) {
	block, width, ok := t.Block()
	if !ok || n < 0 || n%int64(block) != 0 {
		return 0, false
	}
	blocks := n / int64(block)
	if blocks > math.MaxInt64/int64(width) {
		return 0, false
	}
	return blocks * int64(width), true
}

// unknownSize is the size of a tensor whose type has no known layout.
const unknownSize = -1

// sizeOf returns the bytes of a tensor, unknownSize, or what is wrong with its
// shape.
func sizeOf(t Type, shape []int64) (size int64, problem string) {
	elements, extent := int64(1), int64(1)
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Sprintf("shape %v has a negative dimension", shape)
		}
		// The product without zeros must fit as well, as that of some of the
		// dimensions is the number of rows.
		if extent > math.MaxInt64/max(d, 1) {
			return 0, fmt.Sprintf("shape %v has more elements than fit into 63 bits", shape)
		}
		elements *= d
		extent *= max(d, 1)
	}
	block, _, ok := t.Block()
	if !ok {
		return unknownSize, ""
	}
	if shape[0]%int64(block) != 0 {
		return 0, fmt.Sprintf("rows of %d elements are not whole blocks of %d, as %s needs", shape[0], block, t)
	}
	// So must the bytes of a row, although there may be none.
	row, ok := t.Size(shape[0])
	if !ok || row > math.MaxInt64/(extent/max(shape[0], 1)) {
		return 0, fmt.Sprintf("shape %v of %s has more bytes than fit into 63 bits", shape, t)
	}
	size, _ = t.Size(elements)
	return size, ""
}
