package vec

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestAddSquares(t *testing.T) { onEachPath(t, testAddSquares) }

func testAddSquares(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	const fence = 20
	for _, n := range lengths(0) {
		for _, rows := range []int{0, 1, 2, 3, 17} {
			for _, gap := range []int{0, 1, 16} {
				stride := n + gap
				x, check := guarded(t, rng, rows*stride, 3)
				memory := make([]float64, fence+n+fence)
				for i := range memory {
					memory[i] = rng.Float64()
				}
				want := append([]float64{}, memory...)
				for i := range rows {
					for j := range n {
						v := float64(x[i*stride+j])
						want[fence+j] += v * v
					}
				}
				AddSquares(memory[fence:fence+n], x[:max(0, len(x)-gap)], rows, stride)
				check()
				for i, v := range memory {
					if v != want[i] {
						t.Fatalf("length %d, %d rows %d apart: sum %d is %v, want %v", n, rows, stride, i-fence, v, want[i])
					}
				}
			}
		}
	}
}

// Squares of all floats are exact, and what is not finite is seen in the sum.
func TestAddSquaresExtremes(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		inf := float32(math.Inf(1))
		for _, v := range []float32{0, math.SmallestNonzeroFloat32, -math.MaxFloat32, 1 + 0x1p-23, inf, -inf, float32(math.NaN())} {
			x, sums := make([]float32, 40), make([]float64, 40)
			for i := range x {
				x[i] = v
			}
			AddSquares(sums, x, 1, 40)
			for i, got := range sums {
				if want := float64(v) * float64(v); got != want && want == want || want != want && got == got {
					t.Fatalf("the square of %v is %v at %d, want %v", v, got, i, want)
				}
			}
		}
	})
}

func TestAddSquaresOverlap(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("rows that overlap are taken")
		}
	}()
	AddSquares(make([]float64, 4), make([]float32, 8), 2, 3)
}
