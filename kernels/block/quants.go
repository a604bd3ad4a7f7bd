package block

import (
	"fmt"
	"sync"
)

// A format whose elements are scale·q + offset, with a scale for each group of
// 16 or 32 of them, is decoded through its quants: integer kernels multiply
// those as they are, and Decode makes numbers of them.

// quantGroups says how the elements of a block share scales.
type quantGroups struct {
	group   int  // elements of a scale: 16 or 32
	offsets bool // there is an offset for each scale; it is 0 otherwise

	// unpack fills q with the quants of one block, signed bytes, scales and, where
	// the format has them, offsets.
	unpack func(q []byte, scales, offsets []float32, src []byte)

	levels *[16]int8 // all values of quants, some of them twice if need be; nil where there are more than 16
}

// QuantGroup returns how many elements share a scale, 16 or 32, for formats
// whose elements are scale·q + offset with q a signed byte. It is 0 for others,
// and hasOffsets tells whether offsets can differ from 0.
func (c *Codec) QuantGroup() (group int, hasOffsets bool) { return c.quants.group, c.quants.offsets }

// Levels returns the values that quants of the format can have, where there are
// no more than 16; of fewer, some are there twice. It is nil for other formats.
func (c *Codec) Levels() *[16]int8 {
	if c.quants.levels == nil {
		return nil
	}
	levels := *c.quants.levels
	return &levels
}

// ofBothSigns returns numbers, up to eight, and those of the other sign as levels.
func ofBothSigns(magnitudes ...int8) *[16]int8 {
	var levels [16]int8
	for i := range 8 {
		v := magnitudes[min(i, len(magnitudes)-1)]
		levels[7-i], levels[8+i] = -v, v
	}
	return &levels
}

// integers returns those from low to high as levels.
func integers(low, high int8) *[16]int8 {
	var levels [16]int8
	for i := range levels {
		levels[i] = min(low+int8(i), high)
	}
	return &levels
}

// Quants unpacks src, a whole number of blocks: q gets its quants as signed
// bytes in two's complement, scales and offsets those of each group. Element i
// is float32(scales[i/group]·q[i]) + offsets[i/group], exactly as Decode gives
// it; where the format has no offsets, they are not touched and may be nil. It
// panics on other lengths and for formats that have no QuantGroup.
func (c *Codec) Quants(q []byte, scales, offsets []float32, src []byte) {
	c.check(len(q), len(src))
	f := &c.quants
	if f.group == 0 {
		panic(fmt.Sprintf("block: %s has no quants", c.Type))
	}
	if groups := len(q) / f.group; len(scales) != groups || f.offsets && len(offsets) != groups {
		panic(fmt.Sprintf("block: %d scales and %d offsets for %d groups", len(scales), len(offsets), groups))
	}
	n, groups := c.elements, c.elements/f.group
	for len(q) > 0 {
		f.unpack(q[:n:n], scales[:groups:groups], offsets, src[:c.bytes:c.bytes])
		q, scales, src = q[n:], scales[groups:], src[c.bytes:]
		if f.offsets {
			offsets = offsets[groups:]
		}
	}
}

// unpacked is a block before its quants are scaled.
type unpacked struct {
	q               [superBlock]byte
	scales, offsets [superBlock / 16]float32
}

// unpackedBlocks holds scratch memory of Decode: the compiler cannot tell that
// formats do not keep it, and would allocate it for each row.
var unpackedBlocks = sync.Pool{New: func() any { return new(unpacked) }}

// decode computes the elements of some blocks, at most a super-block of them, so
// many and of so many bytes each. u is scratch memory.
func (f *quantGroups) decode(dst []float32, src []byte, elements, bytes int, u *unpacked) {
	n := elements / f.group
	groups := 0
	for at := 0; at < len(dst); at += elements {
		f.unpack(u.q[at:at+elements], u.scales[groups:groups+n], u.offsets[groups:], src[:bytes:bytes])
		groups, src = groups+n, src[bytes:]
	}
	if f.offsets {
		scaleAddGroups(dst, u.q[:], u.scales[:groups], u.offsets[:groups])
	} else {
		scaleGroups(dst, u.q[:], u.scales[:groups])
	}
}

// subtract takes n from each quant, 0 ≤ q < 128.
func subtract(q []byte, n uint64) {
	for ; len(q) >= 8; q = q[8:] {
		// 128 more than the difference fits a byte; then the highest bit is turned.
		store64(q, load64(q)+(128-n)*ones^128*ones)
	}
}
