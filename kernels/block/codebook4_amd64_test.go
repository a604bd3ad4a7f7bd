//go:build amd64 && !purego

package block

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/cpu"
)

// TestLanesOnLimits holds vector encoders to the bytes of the plain ones where a
// number lies between two quants or next to that, with importance that is zero or
// negative here and there, and at the ends of the range of float32.
func TestLanesOnLimits(t *testing.T) {
	for _, path := range cpu.Paths() {
		lanes := laneEncodersOf(path)
		if lanes == nil {
			continue
		}
		for _, typ := range []gguf.Type{
			gguf.TypeIQ4NL, gguf.TypeIQ4XS, gguf.TypeMXFP4, gguf.TypeNVFP4,
			gguf.TypeTQ1_0, gguf.TypeTQ2_0, gguf.TypeQ2_0, gguf.TypeQ1_0,
		} {
			c, _ := Lookup(typ)
			t.Run(fmt.Sprintf("%s/%s", path, typ), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(uint64(path), uint64(typ)))
				for trial := range 60 {
					n := superBlock * (1 + rng.IntN(20))
					x, w := numbersOnLimits(rng, n, trial)
					want, got := make([]byte, n/c.elements*c.bytes), make([]byte, n/c.elements*c.bytes)
					c.encodeFrom(&batch{want, x, n, w, nil}, 0)
					b := &batch{got, x, n, w, nil}
					c.encodeFrom(b, lanes[typ](b))
					if !bytes.Equal(got, want) {
						t.Fatalf("trial %d of %d numbers differs", trial, n)
					}
				}
			})
		}
	}
}

func numbersOnLimits(rng *rand.Rand, n, trial int) (x, w []float32) {
	x, w = make([]float32, n), make([]float32, n)
	d := float32(math.Ldexp(1+rng.Float64(), rng.IntN(20)-10))
	for i := range x {
		switch trial % 6 {
		case 0: // half-way between any two numbers of a codebook, or beside that
			x[i] = d * (valuesIQ4[rng.IntN(16)] + valuesIQ4[rng.IntN(16)]) / 2
		case 1:
			x[i] = d * float32(int(codebookFP4[rng.IntN(16)])+int(codebookFP4[rng.IntN(16)])) / 2
		case 2:
			x[i] = d * float32(rng.IntN(255)-127) / float32(rng.IntN(3)+1)
		case 3:
			x[i] = float32(math.Ldexp(float64(rng.IntN(32)-16), -3))
		case 4:
			x[i] = float32(rng.NormFloat64() * math.Exp(8*rng.NormFloat64()))
		case 5:
			x[i] = math.Float32frombits(rng.Uint32())
			if x[i]-x[i] != 0 { // not finite
				x[i] = math.MaxFloat32
			}
		}
		if trial%6 < 3 {
			for range rng.IntN(3) {
				x[i] = math.Nextafter32(x[i], float32(rng.IntN(3)-1)*math.MaxFloat32)
			}
		}
		w[i] = float32(math.Exp(rng.NormFloat64() * float64(trial%5)))
		switch rng.IntN(20) {
		case 0:
			w[i] = 0
		case 1:
			w[i] *= -1
		}
	}
	if trial/6%2 == 0 {
		return x, nil
	}
	return x, w
}
