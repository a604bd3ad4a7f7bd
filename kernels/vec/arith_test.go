package vec

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Sums and products of two are the same as in plain Go, to the bit.
func TestArithmetic(t *testing.T) {
	for _, op := range []struct {
		name     string
		f        func(x, y []float32)
		plain    func(x, y float32) float32
		relative float64
	}{
		{"Add", Add, func(x, y float32) float32 { return x + y }, 0},
		{"Mul", Mul, func(x, y float32) float32 { return x * y }, 0},
		{"Scale", func(x, _ []float32) { Scale(x, 1.7) }, func(x, _ float32) float32 { return x * 1.7 }, 0},
		{"AddScaled", func(x, y []float32) { AddScaled(x, y, -0.3) },
			func(x, y float32) float32 { return float32(float64(x) + float64(float32(-0.3))*float64(y)) }, 0x1p-23},
	} {
		t.Run(op.name, func(t *testing.T) {
			onEachPath(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(6, 1))
				for _, n := range lengths(0) {
					x, checkX := guarded(t, rng, n, 1)
					y, checkY := guarded(t, rng, n, 1)
					before := slices.Clone(x)
					op.f(x, y)
					checkX()
					checkY()
					for i := range x {
						want := float64(op.plain(before[i], y[i]))
						within(t, n, i, x[i], want, op.relative*math.Abs(want))
					}
				}
			})
		})
	}
}

func TestDot(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(10, 1))
		for _, n := range append(lengths(0), 10_000) {
			x, _ := guarded(t, rng, n, 1)
			y, _ := guarded(t, rng, n, 1)
			var want, size float64
			for i := range x {
				want += float64(x[i]) * float64(y[i])
				size += math.Abs(float64(x[i]) * float64(y[i]))
			}
			within(t, n, -1, Dot(x, y), want, (8+float64(n)/32)*0x1p-24*size)
			clear(y)
			for i := range y {
				y[i] = 1
				if got := Dot(x, y); got != x[i] {
					t.Fatalf("length %d: the product with unit %d is %v, want %v", n, i, got, x[i])
				}
				y[i] = 0
			}
		}
	})
}

// A sum depends on the values and their number, not on where they lie.
func TestSumsDoNotDependOnAlignment(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(13, 1))
		for _, n := range lengths(1) {
			mem, _ := guarded(t, rng, n+17, 1)
			values := slices.Clone(mem[:n])
			var dot, sum float32
			var norm []float32
			for at := range 17 {
				x := mem[at : at+n]
				copy(x, values)
				d := Dot(x, x)
				LayerNorm(x, x, nil, 1e-5)
				ln := slices.Clone(x)
				copy(x, values)
				s := ExpSum(x, 1, Max(x))
				if at == 0 {
					dot, sum, norm = d, s, ln
				}
				if d != dot || s != sum || !slices.Equal(ln, norm) {
					t.Fatalf("length %d: at %d sums are others than at 0", n, at)
				}
			}
		}
	})
}
