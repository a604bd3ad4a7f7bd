package embedding

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
)

// An Encoding says how the numbers of a vector are stored.
type Encoding uint8

// The encodings.
const (
	// Float32 is 4 bytes a number, little-endian.
	Float32 Encoding = iota

	// Int8 is a signed byte a number: q[i] = round(x[i] / Scale(x)), from -127 to
	// 127, halves to even. q[i]·Scale(x) is within Scale(x)/2 of x[i], which is
	// max |x| / 254.
	//
	// Each vector has its own scale, so the largest of its numbers is ±127
	// whatever the model: nothing is calibrated and nothing is clipped. The cosine
	// of two vectors needs no scale. A dot product does: without it, vectors of
	// equal length no longer have equal length.
	Int8

	// Binary is a bit a number, set where it is greater than 0. The first of 8
	// numbers is the highest bit of a byte, and missing ones at the end are 0. 128
	// is subtracted from each byte, which makes it signed, as with the precision
	// "binary" of sentence-transformers' quantize_embeddings.
	Binary

	// UBinary is Binary without the subtraction: the bytes of the precision
	// "ubinary", and of numpy.packbits.
	UBinary
)

var encodingNames = [...]string{"f32", "int8", "binary", "ubinary"}

// String returns the name of e, as in "int8".
func (e Encoding) String() string {
	if int(e) < len(encodingNames) {
		return encodingNames[e]
	}
	return fmt.Sprintf("encoding %d", uint8(e))
}

// ParseEncoding returns the encoding called name: f32, int8, binary or ubinary.
func ParseEncoding(name string) (Encoding, error) {
	if i := slices.Index(encodingNames[:], name); i >= 0 {
		return Encoding(i), nil
	}
	return 0, fmt.Errorf("unknown type %q; choose one of %s", name, strings.Join(encodingNames[:], ", "))
}

// Elements returns how many numbers (Float32, Int8) or bytes of bits (Binary,
// UBinary) are stored of a vector with the given dimensions.
func (e Encoding) Elements(dimensions int) int {
	if e == Binary || e == UBinary {
		return (dimensions + 7) / 8
	}
	return dimensions
}

// Append appends the bytes of x, whose numbers are finite, to dst.
func (e Encoding) Append(dst []byte, x []float32) []byte {
	switch e {
	case Int8:
		return appendInt8(dst, x)
	case Binary:
		return appendBits(dst, x, 1<<7)
	case UBinary:
		return appendBits(dst, x, 0)
	}
	for _, v := range x {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
	}
	return dst
}

// Scale returns what the numbers of x are multiples of in Int8: max |x| / 127.
func Scale(x []float32) float32 { return float32(largest(x) / 127) }

// largest returns max |x|.
func largest(x []float32) float64 {
	var most float64
	for _, v := range x {
		most = max(most, math.Abs(float64(v)))
	}
	return most
}

func appendInt8(dst []byte, x []float32) []byte {
	most := largest(x)
	if most == 0 {
		return append(dst, make([]byte, len(x))...)
	}
	for _, v := range x {
		dst = append(dst, byte(int8(math.RoundToEven(float64(v)*127/most))))
	}
	return dst
}

// appendBits flips the bits of each byte that are set in flip: subtracting 128
// from a byte flips its highest bit.
func appendBits(dst []byte, x []float32, flip byte) []byte {
	for group := range slices.Chunk(x, 8) {
		var b byte
		for i, v := range group {
			if v > 0 {
				b |= 1 << (7 - i)
			}
		}
		dst = append(dst, b^flip)
	}
	return dst
}
