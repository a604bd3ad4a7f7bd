package block

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// Weighs says which formats write other bytes where importance differs.
func TestWeighs(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	const columns = 512
	row, first, second := make([]float32, columns), make([]float32, columns), make([]float32, columns)
	for i := range row {
		row[i], first[i], second[i] = float32(rng.NormFloat64()), rng.Float32()+0.01, 100*rng.Float32()*rng.Float32()+0.01
	}
	for _, c := range codecs {
		if !c.CanEncode() {
			continue
		}
		var written [2][]byte
		for i, importance := range [][]float32{first, second} {
			written[i] = make([]byte, columns/c.elements*c.bytes)
			if err := c.EncodeRow(written[i], row, importance); err != nil {
				t.Fatalf("%v: %v", c.Type, err)
			}
		}
		if got := !bytes.Equal(written[0], written[1]); got != c.Weighs() {
			t.Errorf("%v: bytes depend on importance: %t, Weighs says %t", c.Type, got, c.Weighs())
		}
	}
}
