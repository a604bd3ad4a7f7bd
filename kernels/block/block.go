// Package block encodes and decodes the block formats of GGUF tensors.
//
// A row of a tensor is stored as whole blocks. A block of 32 or 256 elements
// (then called a super-block) holds small integers, the quants, and the scales
// that turn them back into numbers. Each format has a file of its own, which
// begins with a drawing of the block.
//
// Encoders write the same bytes as llama.cpp's quantizers, on every machine:
// each product is rounded to float32 before it is added, as the reference is
// built, and sums run in the reference's order. Decoders give the same floats.
package block

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/vec"
)

// A Codec converts between float32 rows and the bytes of one format.
type Codec struct {
	Type gguf.Type

	elements, bytes int // of a block

	// Formats of scaled integers are decoded through their quants, others by decode,
	// which takes any number of elements.
	quants quantGroups
	decode func(dst []float32, src []byte)

	// encode writes one block. w is nil or holds the importance of each element
	// of x; variance is the mean square of the whole row, where wholeRow is set
	// and w is not nil.
	encode   func(dst []byte, x, w []float32, variance float32)
	wholeRow bool

	needsImportance bool // encode takes no nil

	halfs    []int  // places of the float16 numbers in a block
	powers   []int  // places of scales that are powers of two (E8M0), of which 255 is NaN
	exponent uint64 // of a plain format, the exponent's bits in eight bytes

	scattered func(block []byte) uint16 // a float16 number whose bits lie apart
}

// codecs is the table of formats. Sizes of blocks come from gguf.
var codecs = makeCodecs([]Codec{
	{Type: gguf.TypeF32, decode: decodeF32, encode: encodeF32, exponent: 0x7f800000_7f800000},
	{Type: gguf.TypeF16, decode: vec.FromF16, encode: encodeF16, halfs: []int{0}, exponent: 0x7c00_7c00_7c00_7c00},
	{Type: gguf.TypeBF16, decode: vec.FromBF16, encode: encodeBF16, exponent: 0x7f80_7f80_7f80_7f80},
	{Type: gguf.TypeQ4_0, quants: quantGroups{32, false, unpackQ4_0, integers(-8, 7)}, encode: encodeQ4_0, wholeRow: true, halfs: []int{0}},
	{Type: gguf.TypeQ4_1, quants: quantGroups{32, true, unpackQ4_1, integers(0, 15)}, encode: encodeQ4_1, wholeRow: true, halfs: []int{0, 2}},
	{Type: gguf.TypeQ5_0, quants: quantGroups{32, false, unpackQ5_0, nil}, encode: encodeQ5_0, wholeRow: true, halfs: []int{0}},
	{Type: gguf.TypeQ5_1, quants: quantGroups{32, true, unpackQ5_1, nil}, encode: encodeQ5_1, wholeRow: true, halfs: []int{0, 2}},
	{Type: gguf.TypeQ8_0, quants: quantGroups{32, false, unpackQ8_0, nil}, encode: encodeQ8_0, halfs: []int{0}},
	{Type: gguf.TypeQ2_K, quants: quantGroups{16, true, unpackQ2_K, integers(0, 3)}, encode: encodeQ2_K, halfs: []int{80, 82}},
	{Type: gguf.TypeQ3_K, quants: quantGroups{16, false, unpackQ3_K, integers(-4, 3)}, encode: encodeQ3_K, halfs: []int{108}},
	{Type: gguf.TypeQ4_K, quants: quantGroups{32, true, unpackQ4_K, integers(0, 15)}, encode: encodeQ4_K, halfs: []int{0, 2}},
	{Type: gguf.TypeQ5_K, quants: quantGroups{32, true, unpackQ5_K, nil}, encode: encodeQ5_K, halfs: []int{0, 2}},
	{Type: gguf.TypeQ6_K, quants: quantGroups{16, false, unpackQ6_K, nil}, encode: encodeQ6_K, halfs: []int{208}},
	{Type: gguf.TypeIQ2XXS, quants: quantGroups{32, false, unpackIQ2_XXS, ofBothSigns(8, 25, 43)}, encode: encodeIQ2_XXS, needsImportance: true, halfs: []int{0}},
	{Type: gguf.TypeIQ2XS, quants: quantGroups{16, false, unpackIQ2_XS, ofBothSigns(8, 25, 43)}, encode: encodeIQ2_XS, needsImportance: true, halfs: []int{0}},
	{Type: gguf.TypeIQ2S, quants: quantGroups{16, false, unpackIQ2_S, ofBothSigns(8, 25, 43)}, encode: encodeIQ2_S, halfs: []int{0}},
	{Type: gguf.TypeIQ3XXS, quants: quantGroups{32, false, unpackIQ3_XXS, ofBothSigns(4, 12, 20, 28, 36, 44, 52, 62)}, encode: encodeIQ3_XXS, halfs: []int{0}},
	{Type: gguf.TypeIQ3S, quants: quantGroups{32, false, unpackIQ3_S, ofBothSigns(1, 3, 5, 7, 9, 11, 13, 15)}, encode: encodeIQ3_S, halfs: []int{0}},
	{Type: gguf.TypeIQ4NL, quants: quantGroups{32, false, unpackIQ4_NL, &codebookIQ4}, encode: encodeIQ4_NL, halfs: []int{0}},
	{Type: gguf.TypeIQ4XS, quants: quantGroups{32, false, unpackIQ4_XS, &codebookIQ4}, encode: encodeIQ4_XS, halfs: []int{0}},
	{Type: gguf.TypeIQ1S, quants: quantGroups{32, false, unpackIQ1_S, ofBothSigns(1, 7, 9)}, encode: encodeIQ1_S, needsImportance: true, halfs: []int{0}},
	{Type: gguf.TypeIQ1M, quants: quantGroups{16, false, unpackIQ1_M, ofBothSigns(1, 7, 9)}, encode: encodeIQ1_M, scattered: scatteredHalf},
	{Type: gguf.TypeTQ1_0, quants: quantGroups{32, false, unpackTQ1_0, integers(-1, 1)}, encode: encodeTQ1_0, halfs: []int{52}},
	{Type: gguf.TypeTQ2_0, quants: quantGroups{32, false, unpackTQ2_0, integers(-1, 2)}, encode: encodeTQ2_0, halfs: []int{64}},
	{Type: gguf.TypeMXFP4, quants: quantGroups{32, false, unpackMXFP4, &codebookFP4}, encode: encodeMXFP4, powers: []int{0}},
	{Type: gguf.TypeNVFP4, quants: quantGroups{16, false, unpackNVFP4, &codebookFP4}, encode: encodeNVFP4},
	{Type: gguf.TypeQ1_0, quants: quantGroups{32, false, unpackQ1_0, ofBothSigns(1)}, encode: encodeQ1_0, halfs: []int{0}},
	{Type: gguf.TypeQ2_0, quants: quantGroups{32, false, unpackQ2_0, integers(-1, 2)}, encode: encodeQ2_0, halfs: []int{0}},
})

func makeCodecs(rows []Codec) map[gguf.Type]*Codec {
	m := make(map[gguf.Type]*Codec, len(rows))
	for i := range rows {
		c := &rows[i]
		c.elements, c.bytes, _ = c.Type.Block()
		m[c.Type] = c
	}
	return m
}

// Lookup returns the codec of t; ok is false when the format cannot be decoded here.
func Lookup(t gguf.Type) (c *Codec, ok bool) {
	c, ok = codecs[t]
	return c, ok
}

// CanEncode reports whether EncodeRows works for this format.
func (c *Codec) CanEncode() bool { return c.encode != nil }

// NeedsImportance reports whether EncodeRows refuses to do without importance: the
// reference defines no bytes then.
func (c *Codec) NeedsImportance() bool { return c.needsImportance }

// Decode fills dst from src, which must hold exactly len(dst) elements, a whole
// number of blocks. It panics on other lengths.
func (c *Codec) Decode(dst []float32, src []byte) {
	c.check(len(dst), len(src))
	if c.elements > 1 {
		u := unpackedBlocks.Get().(*unpacked)
		defer unpackedBlocks.Put(u)
		blocks := superBlock / c.elements // at once
		for len(dst) > 0 {
			n := min(blocks*c.elements, len(dst))
			size := n / c.elements * c.bytes
			c.quants.decode(dst[:n:n], src[:size:size], c.elements, c.bytes, u)
			dst, src = dst[n:], src[size:]
		}
		return
	}
	c.decode(dst, src) // plain formats take any number of elements
}

// Validate returns an error when a scale in src, whole blocks, is not finite,
// so that decoding would give values that are not either.
func (c *Codec) Validate(src []byte) error {
	if c.exponent != 0 {
		return c.validatePlain(src)
	}
	const exponent = 0x7c
	for at := 0; at < len(src); at += c.bytes {
		block := src[at : at+c.bytes]
		for _, h := range c.halfs {
			if block[h+1]&exponent == exponent {
				return c.overflow(at / c.bytes)
			}
		}
		if c.scattered != nil && c.scattered(block)>>8&exponent == exponent {
			return c.overflow(at / c.bytes)
		}
		for _, p := range c.powers {
			if block[p] == 0xff {
				return fmt.Errorf("%s is not a number in %s", c.scaleOf(at/c.bytes), c.Type)
			}
		}
	}
	return nil
}

// validatePlain looks at eight bytes at a time, which are two or four numbers,
// and at eight times as many as long as all is well.
func (c *Codec) validatePlain(src []byte) error {
	one := c.exponent &^ (c.exponent << 1) // the exponent's lowest bit
	sign := c.exponent + one
	at := 0
	for ; at <= len(src)-64; at += 64 {
		words, e := (*[64]byte)(src[at:]), c.exponent
		bad := (load64(words[0:])&e + one) | (load64(words[8:])&e + one) | (load64(words[16:])&e + one) | (load64(words[24:])&e + one) |
			(load64(words[32:])&e + one) | (load64(words[40:])&e + one) | (load64(words[48:])&e + one) | (load64(words[56:])&e + one)
		if bad&sign != 0 {
			break // found again below
		}
	}
	for ; at <= len(src)-8; at += 8 {
		// Only an exponent of ones carries into the sign.
		v := binary.LittleEndian.Uint64(src[at:])
		if bad := (v&c.exponent + one) & sign; bad != 0 {
			return c.overflow((at + bits.TrailingZeros64(bad)/8) / c.bytes)
		}
	}
	if at < len(src) {
		var rest [8]byte
		copy(rest[:], src[at:])
		v := binary.LittleEndian.Uint64(rest[:])
		if bad := (v&c.exponent + one) & sign; bad != 0 {
			return c.overflow((at + bits.TrailingZeros64(bad)/8) / c.bytes)
		}
	}
	return nil
}

func (c *Codec) overflow(block int) error {
	if c.elements == 1 {
		return fmt.Errorf("value %d is too large for %s", block, c.Type)
	}
	return fmt.Errorf("%s is too large for %s", c.scaleOf(block), c.Type)
}

func (c *Codec) scaleOf(block int) string {
	return fmt.Sprintf("the scale of block %d (values %d to %d)", block, block*c.elements, (block+1)*c.elements-1)
}

func (c *Codec) check(elements, bytes int) {
	if elements%c.elements != 0 || elements/c.elements*c.bytes != bytes {
		panic(fmt.Sprintf("block: %d bytes for %d elements of %s", bytes, elements, c.Type))
	}
}
