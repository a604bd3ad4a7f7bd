package block

import (
	"bytes"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

// gridFormats are the formats of gridsearch.go.
var gridFormats = []struct {
	typ    gguf.Type
	format *gridFormat
	pack   func(dst []byte, b *gridBlock)
}{
	{gguf.TypeIQ2XXS, &formatIQ2_XXS, packIQ2_XXS},
	{gguf.TypeIQ2XS, &formatIQ2_XS, packIQ2_XS},
	{gguf.TypeIQ2S, &formatIQ2_S, packIQ2_S},
	{gguf.TypeIQ3XXS, &formatIQ3_XXS, packIQ3_XXS},
	{gguf.TypeIQ3S, &formatIQ3_S, packIQ3_S},
}

// TestGridFast compares the search with less work with the plain one, with the
// kernels of each path.
func TestGridFast(t *testing.T) {
	for name, kernels := range gridPaths() {
		for _, g := range gridFormats {
			c, _ := Lookup(g.typ)
			fast := g.format.fast(kernels, g.pack)
			t.Run(name+"/"+g.typ.String(), func(t *testing.T) {
				for _, family := range families {
					for _, kind := range importances {
						n := 1024
						w := makeImportance(t, kind, n)
						if w == nil && c.NeedsImportance() {
							continue
						}
						for row := range goldenRows {
							x := makeRow(t, family, row, n)
							want, got := make([]byte, n/c.elements*c.bytes), make([]byte, n/c.elements*c.bytes)
							for i := range n / c.elements {
								var part []float32
								if w != nil {
									part = w[i*c.elements:][:c.elements]
								}
								c.encode(want[i*c.bytes:][:c.bytes], x[i*c.elements:][:c.elements], part, 0)
							}
							if done := fast(&batch{got, x, n, w, nil}); done != n/c.elements {
								t.Fatalf("%d blocks done", done)
							}
							if !bytes.Equal(got, want) {
								t.Errorf("%s %s %d differs", family, kind, row)
							}
						}
					}
				}
			})
		}
	}
}

func BenchmarkGridFast(b *testing.B) {
	x, w := benchmarkInput()
	for name, kernels := range gridPaths() {
		for _, g := range gridFormats {
			c, _ := Lookup(g.typ)
			fast := g.format.fast(kernels, g.pack)
			dst := make([]byte, benchmarkRow/c.elements*c.bytes)
			b.Run(name+"/"+g.typ.String(), func(b *testing.B) {
				for b.Loop() {
					fast(&batch{dst, x, benchmarkRow, w, nil})
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchmarkRow, "ns/weight")
			})
		}
	}
}
