package block

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

// The formats of this package, and a bound of the relative root mean square
// error of normal numbers, without (or with equal) and with random importance.
var formats = []struct {
	typ             gguf.Type
	plain, weighted float64
}{
	{gguf.TypeF32, 0, 0},
	{gguf.TypeF16, 0.00022, 0.00022},
	{gguf.TypeBF16, 0.0017, 0.0017},
	{gguf.TypeQ4_0, 0.08, 0.075},
	{gguf.TypeQ4_1, 0.074, 0.066},
	{gguf.TypeQ5_0, 0.041, 0.038},
	{gguf.TypeQ5_1, 0.036, 0.032},
	{gguf.TypeQ8_0, 0.0051, 0.0051},
	{gguf.TypeQ2_K, 0.29, 0.25},
	{gguf.TypeQ3_K, 0.145, 0.135},
	{gguf.TypeQ4_K, 0.068, 0.067},
	{gguf.TypeQ5_K, 0.034, 0.033},
	{gguf.TypeQ6_K, 0.017, 0.0165},
	{gguf.TypeIQ2XXS, 0.45, 0.4},
	{gguf.TypeIQ2XS, 0.4, 0.35},
	{gguf.TypeIQ2S, 0.33, 0.3},
	{gguf.TypeIQ3XXS, 0.24, 0.2},
	{gguf.TypeIQ3S, 0.2, 0.18},
	{gguf.TypeIQ4NL, 0.076, 0.073},
	{gguf.TypeIQ4XS, 0.077, 0.074},
	{gguf.TypeIQ1S, 0.55, 0.5},
	{gguf.TypeIQ1M, 0.57, 0.45},
	{gguf.TypeTQ1_0, 0.76, 0.76},
	{gguf.TypeTQ2_0, 0.76, 0.76},
	{gguf.TypeMXFP4, 0.118, 0.118},
	{gguf.TypeNVFP4, 0.099, 0.099},
	{gguf.TypeQ1_0, 0.6, 0.6},
	{gguf.TypeQ2_0, 0.7, 0.7},
}

func TestLookup(t *testing.T) {
	listed := map[gguf.Type]bool{}
	for _, f := range formats {
		listed[f.typ] = true
		c, ok := Lookup(f.typ)
		if !ok || c.Type != f.typ || !c.CanEncode() {
			t.Errorf("Lookup(%s) = %v, %v", f.typ, c, ok)
		}
	}
	for typ := range gguf.Type(256) {
		if _, ok := Lookup(typ); ok != listed[typ] {
			t.Errorf("Lookup(%s) says %v", typ, ok)
		}
	}
}

// TestSizes ties the decoders to gguf's table: each writes the whole block, and
// reads all of it, so that a shorter one panics.
func TestSizes(t *testing.T) {
	for _, f := range formats {
		c, _ := Lookup(f.typ)
		elements, size, ok := f.typ.Block()
		if !ok || c.elements != elements || c.bytes != size {
			t.Errorf("%s: %d elements in %d bytes, gguf has %d in %d", f.typ, c.elements, c.bytes, elements, size)
		}
		dst := make([]float32, elements)
		for i := range dst {
			dst[i] = float32(math.NaN())
		}
		decodeOne(c, dst, make([]byte, size))
		if i := slices.IndexFunc(dst, func(v float32) bool { return v != v }); i >= 0 {
			t.Errorf("%s: decoding leaves value %d", f.typ, i)
		}
		mustPanic(t, f.typ.String()+" of a short block", func() { decodeOne(c, dst, make([]byte, size-1)[:size-1:size-1]) })
	}
}

func TestLengths(t *testing.T) {
	for _, f := range formats {
		c, _ := Lookup(f.typ)
		n, size := c.elements, c.bytes
		name := f.typ.String()
		mustPanic(t, name+" decodes to too few", func() { c.Decode(make([]float32, 3*n-1), make([]byte, 3*size)) })
		mustPanic(t, name+" decodes from too few", func() { c.Decode(make([]float32, 3*n), make([]byte, 3*size-1)) })
		mustPanic(t, name+" decodes from too many", func() { c.Decode(make([]float32, 3*n), make([]byte, 4*size)) })
		mustPanic(t, name+" encodes to too few", func() { _ = c.EncodeRow(make([]byte, size), make([]float32, 2*n), nil) })
		mustPanic(t, name+" encodes with little importance", func() {
			_ = c.EncodeRow(make([]byte, 2*size), make([]float32, 2*n), make([]float32, n))
		})
		c.Decode(nil, nil)
		if err := c.EncodeRow(nil, nil, nil); err != nil {
			t.Errorf("%s of nothing: %v", name, err)
		}
		if err := c.EncodeRow(nil, nil, []float32{}); err != nil {
			t.Errorf("%s of nothing with importance: %v", name, err)
		}
	}
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", what)
		}
	}()
	f()
}

// neededImportance returns nil, or equal weights for formats that cannot do without.
func neededImportance(c *Codec, n int) []float32 {
	if !c.NeedsImportance() {
		return nil
	}
	w := make([]float32, n)
	for i := range w {
		w[i] = 1
	}
	return w
}

// TestNeedsImportance holds that nothing is made up where the reference has no bytes.
func TestNeedsImportance(t *testing.T) {
	for _, f := range formats {
		c, _ := Lookup(f.typ)
		want := f.typ == gguf.TypeIQ1S || f.typ == gguf.TypeIQ2XXS || f.typ == gguf.TypeIQ2XS
		if c.NeedsImportance() != want {
			t.Errorf("%s: NeedsImportance is %v", f.typ, c.NeedsImportance())
		}
		err := c.EncodeRow(make([]byte, c.bytes), make([]float32, c.elements), nil)
		if want && (err == nil || err.Error() != f.typ.String()+" needs importance") || !want && err != nil {
			t.Errorf("%s without importance: %v", f.typ, err)
		}
	}
}

func TestNotFinite(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, f := range formats {
		c, _ := Lookup(f.typ)
		n := 2 * c.elements
		dst := make([]byte, 2*c.bytes)
		for _, test := range []struct {
			bad  float32
			at   int
			want string
		}{
			{nan, 0, " 0 is NaN; only finite numbers can be stored"},
			{inf, n - 1, " is +Inf; only finite numbers can be stored"},
			{-inf, n / 2, " is -Inf; only finite numbers can be stored"},
		} {
			bad := make([]float32, n)
			bad[test.at] = test.bad
			if err := c.EncodeRow(dst, bad, neededImportance(c, n)); err == nil || !strings.HasSuffix(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "value ") {
				t.Errorf("%s: %v at %d: %v", f.typ, test.bad, test.at, err)
			}
			if err := c.EncodeRow(dst, make([]float32, n), bad); err == nil || !strings.HasSuffix(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "importance ") {
				t.Errorf("%s: importance %v at %d: %v", f.typ, test.bad, test.at, err)
			}
		}
	}
	row := make([]float32, 64)
	row[37], row[40] = inf, nan
	err := codecOf(t, "Q8_0").EncodeRow(make([]byte, 68), row, nil)
	if want := "value 37 is +Inf; only finite numbers can be stored"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestTooLarge(t *testing.T) {
	for _, test := range []struct {
		format string
		value  float32
		want   string
	}{
		{"F16", 65520, "value 40 is too large for F16"},
		{"BF16", math.MaxFloat32, "value 40 is too large for BF16"},
		{"Q4_0", 8 * 65520, "the scale of block 1 (values 32 to 63) is too large for Q4_0"},
		{"Q4_1", 15 * 65520, "the scale of block 1 (values 32 to 63) is too large for Q4_1"},
		{"Q8_0", -127 * 65520, "the scale of block 1 (values 32 to 63) is too large for Q8_0"},
		{"IQ4_NL", 1e8, "the scale of block 1 (values 32 to 63) is too large for IQ4_NL"},
		{"IQ1_M", 1e8, "the scale of block 0 (values 0 to 255) is too large for IQ1_M"},
		{"IQ1_M", 1e30, "the scale of block 0 (values 0 to 255) is too large for IQ1_M"}, // the errors are infinite
		{"TQ1_0", 65520, "the scale of block 0 (values 0 to 255) is too large for TQ1_0"},
		{"MXFP4", 0x1p-126, "the scale of block 1 (values 32 to 63) is not a number in MXFP4"},
		{"Q6_K", 1e9, "the scale of block 0 (values 0 to 255) is too large for Q6_K"},
		{"IQ3_S", 1e8, "the scale of block 0 (values 0 to 255) is too large for IQ3_S"},
		{"IQ2_S", 1e30, "the scale of block 0 (values 0 to 255) is too large for IQ2_S"}, // the errors are infinite
	} {
		c := codecOf(t, test.format)
		x := make([]float32, max(64, c.elements))
		x[40] = test.value
		err := c.EncodeRow(make([]byte, len(x)/c.elements*c.bytes), x, nil)
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.format, err, test.want)
		}
	}
}

// TestValidate spoils each scale of the second of three blocks.
func TestValidate(t *testing.T) {
	for _, f := range formats {
		c, _ := Lookup(f.typ)
		halfs, bad := c.halfs, [][]byte{{0, 0x7c}, {0, 0xfc}, {1, 0x7e}}
		switch f.typ {
		case gguf.TypeF32:
			halfs, bad = []int{2}, [][]byte{{0x80, 0x7f}, {0x80, 0xff}, {0xc1, 0x7f}}
		case gguf.TypeBF16:
			halfs, bad = []int{0}, [][]byte{{0x80, 0x7f}, {0x80, 0xff}, {0xc1, 0x7f}}
		}
		src := make([]byte, 3*c.bytes)
		if err := c.Validate(src); err != nil {
			t.Errorf("%s: zeros: %v", f.typ, err)
		}
		for _, h := range halfs {
			for _, b := range bad {
				clear(src)
				copy(src[c.bytes+h:], b)
				if err := c.Validate(src); err == nil || !strings.Contains(err.Error(), " 1 ") {
					t.Errorf("%s: % x at %d: %v", f.typ, b, h, err)
				}
			}
		}
		if c.scattered != nil {
			for _, b := range bad {
				clear(src)
				putScatteredHalf(src[c.bytes:], uint16(b[0])|uint16(b[1])<<8)
				if err := c.Validate(src); err == nil || !strings.Contains(err.Error(), " 1 ") {
					t.Errorf("%s: % x scattered: %v", f.typ, b, err)
				}
			}
		}
		for _, at := range c.powers {
			clear(src)
			src[c.bytes+at] = 0xff
			if err := c.Validate(src); err == nil || !strings.Contains(err.Error(), " 1 ") {
				t.Errorf("%s: ff at %d: %v", f.typ, at, err)
			}
		}
		// The largest finite scales, and 0xff in all that is no scale.
		for i := range src {
			src[i] = 0xff
		}
		for at := 0; at < len(src); at += c.bytes {
			for _, h := range halfs {
				copy(src[at+h:], []byte{0xff, bad[0][1] - 1})
				if f.typ == gguf.TypeF32 || f.typ == gguf.TypeBF16 {
					copy(src[at+h:], []byte{0x7f, 0x7f})
				}
			}
			if c.scattered != nil {
				clear(src[at+48 : at+56])
				putScatteredHalf(src[at:], 0x7bff)
			}
			for _, p := range c.powers {
				src[at+p] = 0xfe
			}
		}
		if err := c.Validate(src); err != nil {
			t.Errorf("%s: largest: %v", f.typ, err)
		}
	}
}

func TestError(t *testing.T) {
	const n = 4096
	x := make([]float32, n)
	for i, z := range draws(1, n) {
		x[i] = normal(z)
	}
	w := make([]float32, n)
	for i, z := range draws(2, n) {
		w[i] = uniform(z)
	}
	for _, f := range formats {
		c, _ := Lookup(f.typ)
		if e := relativeError(t, c, x, neededImportance(c, n)); e > f.plain || e < f.plain/2 {
			t.Errorf("%s: error %.5f, want at most %g and no less than half of that", f.typ, e, f.plain)
		}
		if e := relativeError(t, c, x, w); e > f.weighted || e < f.weighted/2 {
			t.Errorf("%s: error %.5f with importance, want at most %g and no less than half of that", f.typ, e, f.weighted)
		}
	}
}

// relativeError returns the root mean square error that encoding adds to x, in
// units of that of x. Importance weights the errors.
func relativeError(t *testing.T, c *Codec, x, w []float32) float64 {
	t.Helper()
	data, back := make([]byte, len(x)/c.elements*c.bytes), make([]float32, len(x))
	if err := c.EncodeRow(data, x, w); err != nil {
		t.Fatal(err)
	}
	c.Decode(back, data)
	var wrong, all float64
	for i, v := range x {
		weight := 1.0
		if w != nil {
			weight = float64(w[i])
		}
		wrong += weight * math.Pow(float64(v)-float64(back[i]), 2)
		all += weight * float64(v) * float64(v)
	}
	return math.Sqrt(wrong / all)
}

// decodeOne decodes one block without the checks of Decode.
func decodeOne(c *Codec, dst []float32, src []byte) {
	if c.quants.group > 0 {
		c.quants.decode(dst, src, c.elements, c.bytes, new(unpacked))
	} else {
		c.decode(dst, src)
	}
}

// TestLevels holds that quants of any bytes have the values that Levels says, and
// all of these.
func TestLevels(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for _, f := range formats {
		c, _ := Lookup(f.typ)
		group, _ := c.QuantGroup()
		levels := c.Levels()
		if group == 0 {
			if levels != nil {
				t.Errorf("%s has levels %d and no quants", f.typ, *levels)
			}
			continue
		}
		const blocks = 500
		n := blocks * c.elements
		src, q := make([]byte, blocks*c.bytes), make([]byte, n)
		for i := range src {
			src[i] = byte(rng.Uint32())
		}
		c.Quants(q, make([]float32, n/group), make([]float32, n/group), src)
		seen := map[int8]bool{}
		for _, v := range q {
			seen[int8(v)] = true
		}
		if levels == nil {
			if len(seen) <= 16 {
				t.Errorf("%s has %d values of quants, but no levels", f.typ, len(seen))
			}
			continue
		}
		said := map[int8]bool{}
		for _, v := range levels {
			said[v] = true
		}
		if !maps.Equal(seen, said) {
			t.Errorf("%s has quants %v, want %v", f.typ, slices.Sorted(maps.Keys(seen)), *levels)
		}
	}
}

// TestQuants holds that elements are what Quants says they are.
func TestQuants(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, f := range formats {
		c, _ := Lookup(f.typ)
		group, hasOffsets := c.QuantGroup()
		if group == 0 {
			mustPanic(t, f.typ.String()+" has no quants", func() { c.Quants(nil, nil, nil, nil) })
			continue
		}
		const blocks = 5
		n := blocks * c.elements
		src, dst := make([]byte, blocks*c.bytes), make([]float32, n)
		for i := range src {
			src[i] = byte(rng.Uint32())
		}
		limitHalfs(c, src)
		c.Decode(dst, src)
		q, scales := make([]byte, n), make([]float32, n/group)
		var offsets []float32
		if hasOffsets {
			offsets = make([]float32, n/group)
		}
		c.Quants(q, scales, offsets, src)
		for i, v := range q {
			want := float32(scales[i/group] * float32(int8(v)))
			if hasOffsets {
				want += offsets[i/group]
			}
			if math.Float32bits(dst[i]) != math.Float32bits(want) {
				t.Errorf("%s: element %d is %v, its quant gives %v", f.typ, i, dst[i], want)
				break
			}
		}
		mustPanic(t, f.typ.String()+" with few scales", func() { c.Quants(q, scales[1:], offsets, src) })
	}
}
