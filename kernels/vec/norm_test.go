package vec

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestLayerNorm(t *testing.T) { onEachPath(t, testLayerNorm) }

func testLayerNorm(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	for _, n := range append(lengths(1), 4096) {
		for _, spread := range []float64{0, 1e-4, 1, 1e6, 1e25} {
			for _, eps := range []float32{1e-12, 1e-5} {
				x, checkX := guarded(t, rng, n, spread)
				weight, checkW := guarded(t, rng, n, 2)
				bias, checkB := guarded(t, rng, n, 0.1)
				offset := float32(rng.NormFloat64() * 1000)
				if spread == 0 || eps == 1e-12 {
					offset = 0
				}
				for i := range x {
					x[i] += offset
				}
				unbiased := slices.Clone(x)
				want, wantUnbiased := exactLayerNorm(x, weight, bias, eps), exactLayerNorm(x, weight, nil, eps)
				LayerNorm(x, weight, bias, eps)
				LayerNorm(unbiased, weight, nil, eps)
				checkX()
				checkW()
				checkB()
				e := (12 + float64(n)/16) * 0x1p-24
				for i := range x {
					w := math.Abs(float64(weight[i]))
					within(t, n, i, x[i], want[i], e*(math.Abs(want[i]-float64(bias[i]))+w)+0x1p-24*math.Abs(want[i]))
					within(t, n, i, unbiased[i], wantUnbiased[i], e*(math.Abs(wantUnbiased[i])+w)+0x1p-24*math.Abs(wantUnbiased[i]))
				}
			}
		}
	}
	keepsNaN(t, func(x []float32) { LayerNorm(x, x, x, 1e-5) })
	keepsNaN(t, func(x []float32) { LayerNorm(x, make([]float32, len(x)), nil, 1e-5) })
}

// exactLayerNorm computes the mean and the variance with 200 bits, since both cancel.
func exactLayerNorm(x, weight, bias []float32, eps float32) []float64 {
	exact := func(v float64) *big.Float { return new(big.Float).SetPrec(200).SetFloat64(v) }
	n := exact(float64(len(x)))
	mean, variance := exact(0), exact(0)
	for _, v := range x {
		mean.Add(mean, exact(float64(v)))
	}
	mean.Quo(mean, n)
	for _, v := range x {
		d := exact(float64(v))
		d.Sub(d, mean)
		variance.Add(variance, d.Mul(d, d))
	}
	variance.Quo(variance, n)
	spread := variance.Sqrt(variance.Add(variance, exact(float64(eps))))
	want := make([]float64, len(x))
	for i, v := range x {
		y := exact(float64(v))
		y.Sub(y, mean)
		y.Quo(y, spread)
		y.Mul(y, exact(float64(weight[i])))
		if bias != nil {
			y.Add(y, exact(float64(bias[i])))
		}
		want[i], _ = y.Float64()
	}
	return want
}

func TestRMSNorm(t *testing.T) { onEachPath(t, testRMSNorm) }

func testRMSNorm(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 1))
	for _, n := range append(lengths(1), 4096) {
		for _, spread := range []float64{0, 1e-30, 1e-4, 1, 1e6, 1e25} {
			for _, eps := range []float32{0, 1e-12, 1e-5} {
				if spread == 0 && eps == 0 {
					continue
				}
				x, checkX := guarded(t, rng, n, spread)
				weight, checkW := guarded(t, rng, n, 2)
				unweighted := slices.Clone(x)
				var squares float64
				for _, v := range x {
					squares += float64(v) * float64(v)
				}
				want := make([]float64, n)
				for i, v := range x {
					want[i] = float64(v) / math.Sqrt(squares/float64(n)+float64(eps))
				}
				RMSNorm(x, weight, eps)
				RMSNorm(unweighted, nil, eps)
				checkX()
				checkW()
				e := (8 + float64(n)/32) * 0x1p-24
				for i := range x {
					w := float64(weight[i])
					within(t, n, i, x[i], want[i]*w, e*math.Abs(want[i]*w)+0x1p-148*max(1, math.Abs(w)))
					within(t, n, i, unweighted[i], want[i], e*math.Abs(want[i])+0x1p-148)
				}
			}
		}
	}
	keepsNaN(t, func(x []float32) { RMSNorm(x, x, 1e-5) })
	keepsNaN(t, func(x []float32) { RMSNorm(x, nil, 1e-5) })
}

func TestNormalize(t *testing.T) { onEachPath(t, testNormalize) }

func testNormalize(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	for _, n := range lengths(0) {
		for _, spread := range []float64{0, 1e-30, 1e-20, 1, 1e30} {
			x, check := guarded(t, rng, n, spread)
			want := make([]float64, n)
			length := 0.0
			for _, v := range x {
				length = math.Hypot(length, float64(v))
			}
			for i, v := range x {
				want[i] = float64(v) / max(length, 1e-12)
			}
			Normalize(x)
			check()
			for i := range x {
				within(t, n, i, x[i], want[i], (8+float64(n)/32)*0x1p-24*math.Abs(want[i])+0x1p-149)
			}
		}
	}
	keepsNaN(t, Normalize)
}
