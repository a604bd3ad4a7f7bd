package block

import "testing"

// The benchmarks work on a tensor's row of 16384 normal numbers and report ns a
// weight. MB/s counts the float32 side.
const benchmarkRow = 16384

func benchmarkInput() (x, w []float32) {
	x, w = make([]float32, benchmarkRow), make([]float32, benchmarkRow)
	for i, z := range draws(1, benchmarkRow) {
		x[i] = normal(z) * 0x1p-5
	}
	for i, z := range draws(2, benchmarkRow) {
		w[i] = uniform(z)
	}
	return x, w
}

func benchmarkFormats(b *testing.B, run func(c *Codec, data []byte, x, w []float32)) {
	x, w := benchmarkInput()
	for _, f := range formats {
		c, _ := Lookup(f.typ)
		data := make([]byte, benchmarkRow/c.elements*c.bytes)
		if err := c.EncodeRow(data, x, w); err != nil {
			b.Fatal(err)
		}
		b.Run(f.typ.String(), func(b *testing.B) {
			b.SetBytes(4 * benchmarkRow)
			for b.Loop() {
				run(c, data, x, w)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchmarkRow, "ns/weight")
		})
	}
}

// BenchmarkEncode is without importance where a format allows it.
func BenchmarkEncode(b *testing.B) {
	benchmarkFormats(b, func(c *Codec, data []byte, x, w []float32) {
		if !c.needsImportance {
			w = nil
		}
		_ = c.EncodeRow(data, x, w)
	})
}

func BenchmarkEncodeImportance(b *testing.B) {
	benchmarkFormats(b, func(c *Codec, data []byte, x, w []float32) { _ = c.EncodeRow(data, x, w) })
}

func BenchmarkDecode(b *testing.B) {
	benchmarkFormats(b, func(c *Codec, data []byte, x, _ []float32) { c.Decode(x, data) })
}
