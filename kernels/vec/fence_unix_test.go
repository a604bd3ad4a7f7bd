//go:build unix

package vec

import (
	"math/rand/v2"
	"testing"

	"github.com/gguftool/gguftool/internal/fence"
)

// No function reads or writes anything beside its slices.
func TestStaysInside(t *testing.T) { onEachPath(t, testStaysInside) }

func testStaysInside(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 1))
	floats := func(n int, behind bool) []float32 {
		x := fence.Around[float32](t, n, behind)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return x
	}
	const longest = 100
	for _, behind := range []bool{true, false} {
		// Slices of each length end where the memory does, or begin there.
		x, y, z, w := floats(longest, behind), floats(longest, behind), floats(longest, behind), floats(longest, behind)
		halves := fence.Around[byte](t, 2*longest, behind)
		sums := fence.Around[float64](t, longest, behind)
		const rows = 3
		matrix := floats(rows*longest, behind)
		for n := 1; n <= longest; n++ {
			x, y, z, w := part(x, n, behind), part(y, n, behind), part(z, n, behind), part(w, n, behind)
			matrix := part(matrix, rows*n, behind)
			halves := part(halves, 2*n, behind)
			Add(x, y)
			Mul(x, y)
			AddScaled(x, y, 0.5)
			Scale(x, 0.5)
			Dot(x, y)
			Max(x)
			Softmax(x, 0.5)
			Exp(x)
			Erf(x)
			for _, a := range activations {
				a.f(x)
				a.rows(matrix, rows, n, n)
				a.gated(x, y)
			}
			LayerNorm(x, y, z, 1e-5)
			LayerNorm(x, y, nil, 1e-5)
			RMSNorm(x, y, 1e-5)
			RMSNorm(x, nil, 1e-5)
			Normalize(x)
			Mean(x, matrix)
			NotFinite(x)
			AddSquares(part(sums, n, behind), matrix, rows, n)
			ToF16(halves, x)
			FromF16(x, halves)
			ToBF16(halves, x)
			FromBF16(x, halves)
			if even := n &^ 1; even > 0 {
				x, z, w := part(x, even, behind), part(z, even/2, behind), part(w, even/2, behind)
				RopeHalves(x, z, w)
				RopePairs(x, z, w)
			}
		}
	}
}

// part returns n elements of s at the end at which its fence is.
func part[T any](s []T, n int, behind bool) []T {
	if behind {
		return s[len(s)-n:]
	}
	return s[:n]
}
