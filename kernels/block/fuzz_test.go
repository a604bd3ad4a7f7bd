package block

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/gguftool/gguftool/kernels/vec"
)

// FuzzDecode decodes any bytes. What Validate accepts must decode to finite
// numbers, and those of the plain formats come back.
func FuzzDecode(f *testing.F) {
	for i, format := range formats {
		c, _ := Lookup(format.typ)
		f.Add(uint8(i), randomBlocks(c)[:c.bytes])
		f.Add(uint8(i), make([]byte, 2*c.bytes))
	}
	f.Fuzz(func(t *testing.T, format uint8, src []byte) {
		c, _ := Lookup(formats[int(format)%len(formats)].typ)
		blocks := len(src) / c.bytes
		src = src[:blocks*c.bytes]
		dst := make([]float32, blocks*c.elements)
		c.Decode(dst, src)
		if c.Validate(src) != nil {
			return
		}
		if i := vec.NotFinite(dst); i >= 0 && !overflows(c, src[i/c.elements*c.bytes:]) {
			t.Fatalf("%s: value %d is %v", c.Type, i, dst[i])
		}
		if c.elements > 1 {
			return
		}
		back := make([]byte, len(src))
		if err := c.EncodeRow(back, dst, nil); err != nil || string(back) != string(src) {
			t.Fatalf("%s: % x comes back as % x: %v", c.Type, src, back, err)
		}
	})
}

// overflows reports whether the scale of a block is so large a power of two that
// a quant may overflow, which the reference finds valid.
func overflows(c *Codec, block []byte) bool {
	return slices.ContainsFunc(c.powers, func(at int) bool { return block[at] >= 253 })
}

// FuzzEncode encodes any numbers, with the importance in the second half of
// them where weighted is set. The result must be valid and decode to finite ones.
func FuzzEncode(f *testing.F) {
	for i, format := range formats {
		c, _ := Lookup(format.typ)
		for j, family := range families {
			x := append(makeRow(f, family, 0, 256)[:c.elements:c.elements], makeImportance(f, "heavy", 256)[:c.elements]...)
			f.Add(uint8(i), j%2 == 1, floatBytes(x))
		}
	}
	f.Fuzz(func(t *testing.T, format uint8, weighted bool, raw []byte) {
		c, _ := Lookup(formats[int(format)%len(formats)].typ)
		x := make([]float32, len(raw)/4)
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		var w []float32
		if weighted {
			x, w = x[:len(x)/2], x[len(x)/2:]
		}
		n := len(x) / c.elements * c.elements
		x = x[:n]
		if weighted {
			w = w[:n]
		}
		dst := make([]byte, n/c.elements*c.bytes)
		if err := c.EncodeRow(dst, x, w); err != nil {
			return
		}
		if err := c.Validate(dst); err != nil {
			t.Fatalf("%s: %v", c.Type, err)
		}
		back := make([]float32, n)
		c.Decode(back, dst)
		if i := vec.NotFinite(back); i >= 0 {
			t.Fatalf("%s: value %d is %v", c.Type, i, back[i])
		}
	})
}
