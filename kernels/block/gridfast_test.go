package block

import (
	"bytes"
	"math"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

// gridFormats are the formats of gridsearch.go.
var gridFormats = []struct {
	typ    gguf.Type
	format *gridFormat
}{
	{gguf.TypeIQ2XXS, &formatIQ2_XXS},
	{gguf.TypeIQ2XS, &formatIQ2_XS},
	{gguf.TypeIQ2S, &formatIQ2_S},
	{gguf.TypeIQ3XXS, &formatIQ3_XXS},
	{gguf.TypeIQ3S, &formatIQ3_S},
}

// TestGridFast compares the search with less work with the plain one. TestLanes
// does so with the kernels of each path.
func TestGridFast(t *testing.T) {
	const n = 1024
	for _, g := range gridFormats {
		c, _ := Lookup(g.typ)
		fast := g.format.fast(&plainGridKernels)
		want, got := make([]byte, n/c.elements*c.bytes), make([]byte, n/c.elements*c.bytes)
		for _, family := range families {
			for _, kind := range importances {
				w := makeImportance(t, kind, n)
				if w == nil && c.NeedsImportance() {
					continue
				}
				for row := range goldenRows {
					x := makeRow(t, family, row, n)
					b := &batch{want, x, n, w, nil}
					c.encodeFrom(b, 0)
					b.dst = got
					if done := fast(b); done != n/c.elements {
						t.Fatalf("%s: %d blocks encoded", g.typ, done)
					}
					if !bytes.Equal(got, want) {
						t.Errorf("%s: %s, importance %s, row %d differs", g.typ, family, kind, row)
					}
				}
			}
		}
	}
}

// TestGridPath holds that ordinary rows are searched with less work: the plain
// search, which overflowing numbers need, is never taken.
func TestGridPath(t *testing.T) {
	for _, g := range gridFormats {
		f := g.format
		s := gridSub{signs: make([]uint8, 4)}
		x, w := makeRow(t, "normal", 0, 256)[:f.group], makeImportance(t, "random", 256)
		weigh(s.weight[:f.group], x, w[:f.group], 1)
		f.begin(&s, x)
		var energy [8]float32
		if !f.bounded(&s, &energy) {
			t.Errorf("%s: normal numbers have no bounds", g.typ)
		}
		for _, bad := range []float32{-1, 0x1p80, float32(math.NaN())} {
			s.root[3] = bad
			if f.bounded(&s, &energy) {
				t.Errorf("%s: a root of weight %v has bounds", g.typ, bad)
			}
		}
	}
}

// BenchmarkGridFast is with the plain kernels.
func BenchmarkGridFast(b *testing.B) {
	x, w := benchmarkInput()
	for _, g := range gridFormats {
		c, _ := Lookup(g.typ)
		fast := g.format.fast(&plainGridKernels)
		dst := make([]byte, benchmarkRow/c.elements*c.bytes)
		b.Run(g.typ.String(), func(b *testing.B) {
			for b.Loop() {
				fast(&batch{dst, x, benchmarkRow, w, nil})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchmarkRow, "ns/weight")
		})
	}
}
