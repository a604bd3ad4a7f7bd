package vec

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRope(t *testing.T) {
	for _, layout := range []struct {
		name string
		f    func(x, cos, sin []float32)
		pair func(i, half int) (first, second int)
	}{
		{"Halves", RopeHalves, func(i, half int) (int, int) { return i, i + half }},
		{"Pairs", RopePairs, func(i, _ int) (int, int) { return 2 * i, 2*i + 1 }},
	} {
		t.Run(layout.name, func(t *testing.T) {
			onEachPath(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(14, 1))
				for _, half := range lengths(0) {
					x, checkX := guarded(t, rng, 2*half, 3)
					cos, checkCos := guarded(t, rng, half, 1)
					sin, checkSin := guarded(t, rng, half, 1)
					before := slices.Clone(x)
					layout.f(x, cos, sin)
					checkX()
					checkCos()
					checkSin()
					for i := range half {
						a, b := layout.pair(i, half)
						u, v, c, s := float64(before[a]), float64(before[b]), float64(cos[i]), float64(sin[i])
						within(t, half, a, x[a], u*c-v*s, 0x1p-23*(math.Abs(u*c)+math.Abs(v*s)))
						within(t, half, b, x[b], v*c+u*s, 0x1p-23*(math.Abs(v*c)+math.Abs(u*s)))
					}
				}
			})
		})
	}
}
