package vec

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestExp(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		same(t, Exp)
		keepsNaN(t, Exp)
		x := everywhere()
		y := slices.Clone(x)
		Exp(y)
		for i, v := range x {
			want := math.Exp(float64(v))
			within(t, len(x), i, y[i], want, 0x1p-22*want+0x1p-125)
		}
		y = []float32{float32(math.Inf(-1)), float32(math.Inf(1)), -200, 200, 0}
		Exp(y)
		if want := []float32{0, float32(math.Inf(1)), 0, float32(math.Inf(1)), 1}; !slices.Equal(y, want) {
			t.Errorf("exponentials are %v, want %v", y, want)
		}
	})
}

func TestErf(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		same(t, Erf)
		keepsNaN(t, Erf)
		x := append(everywhere(), float32(math.Inf(1)), float32(math.Inf(-1)))
		y := slices.Clone(x)
		Erf(y)
		for i, v := range x {
			want := math.Erf(float64(v))
			within(t, len(x), i, y[i], want, 0x1p-21*math.Abs(want)+0x1p-149)
		}
	})
}

func TestMax(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(11, 1))
		for _, n := range lengths(1) {
			x, check := guarded(t, rng, n, 3)
			for i := range x {
				x[i] -= 100 // the lanes beyond the end are 0
			}
			if got, want := Max(x), slices.Max(x); got != want {
				t.Fatalf("length %d: largest is %v, want %v", n, got, want)
			}
			for i := range x {
				old := x[i]
				x[i] = -1
				if got := Max(x); got != -1 {
					t.Fatalf("length %d: largest is %v, want -1 at %d", n, got, i)
				}
				x[i] = old
			}
			check()
			x[n/2] = float32(math.NaN())
			want := float32(math.Inf(-1))
			for i, v := range x {
				if i != n/2 {
					want = max(want, v)
				}
			}
			if got := Max(x); got != want {
				t.Fatalf("length %d: largest beside NaN is %v, want %v", n, got, want)
			}
		}
		if got := Max(nil); !math.IsInf(float64(got), -1) {
			t.Errorf("largest of nothing is %v", got)
		}
	})
}

func TestExpSum(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(12, 1))
		for _, n := range append(lengths(0), 5000) {
			for _, spread := range []float64{0, 1e-3, 1, 30, 1e4, 1e37} {
				for _, scale := range []float32{0, 1e-35, 0.125, 1, 1e33} {
					x, check := guarded(t, rng, n, spread)
					top := plainMax(x)
					if n%2 == 1 {
						top += 1.5 // any that is not below
					}
					want := make([]float64, n)
					var total, room float64
					for i, v := range x {
						w := float64(scale) * (float64(top) - float64(v))
						want[i] = math.Exp(-w)
						total += want[i]
						room += want[i]*(0x1p-22+math.Min(w, 1e6)*0x1p-24) + 0x1p-125
					}
					sum := ExpSum(x, scale, top)
					check()
					for i := range x {
						w := -math.Log(math.Max(want[i], 0x1p-200))
						within(t, n, i, x[i], want[i], want[i]*(0x1p-22+w*0x1p-24)+0x1p-125)
					}
					within(t, n, -1, sum, total, room+total*(float64(n)*0x1p-28+0x1p-24))
				}
			}
		}
		// All exponents, one by one.
		for i := range 4_000_000 {
			if i >= 900_000 && i%40 != 0 {
				continue
			}
			x := []float32{-float32(i) * 1e-4}
			want := math.Exp(float64(x[0]))
			within(t, 1, i, ExpSum(x, 1, 0), want, want*(0x1p-22+float64(i)*1e-4*0x1p-24)+0x1p-125)
		}
		x := []float32{1, float32(math.Inf(-1)), 1, float32(math.Inf(-1))}
		if sum := ExpSum(x, 0.5, 1); sum != 2 || !slices.Equal(x, []float32{1, 0, 1, 0}) {
			t.Errorf("-Inf gives %v, sum %v", x, sum)
		}
	})
}

func TestSoftmax(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 1))
		for _, n := range lengths(0) {
			for _, spread := range []float64{0, 1e-3, 1, 30, 1e4} {
				for _, scale := range []float32{0, 0.125, 1} {
					x, check := guarded(t, rng, n, spread)
					want, w := make([]float64, n), make([]float64, n)
					var sum float64
					for i, v := range x {
						w[i] = float64(scale) * (float64(slices.Max(x)) - float64(v))
						want[i] = math.Exp(-w[i])
						sum += want[i]
					}
					Softmax(x, scale)
					check()
					for i := range x {
						want := want[i] / sum
						within(t, n, i, x[i], want, want*(0x1p-21+(w[i]+2)*0x1p-23+float64(n)*0x1p-28)+0x1p-125)
					}
				}
			}
		}
		for _, bad := range []float64{math.NaN(), math.Inf(1)} {
			for _, n := range lengths(1) {
				for i := 0; i < n; i += 1 + n/40 {
					x := make([]float32, n)
					x[i] = float32(bad)
					Softmax(x, 0.5)
					if x[i] == x[i] {
						t.Fatalf("length %d: %v at %d gives %v", n, bad, i, x[i])
					}
				}
			}
		}
	})
}
