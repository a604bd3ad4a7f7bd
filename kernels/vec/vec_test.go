package vec

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// lengths go around every multiple of a vector register of 4, 8 and 16 lanes,
// and around a few unrolled ones.
func lengths(from int) (all []int) {
	for n := from; n <= 70; n++ {
		all = append(all, n)
	}
	return append(all, 127, 128, 129, 383, 384, 385, 1023, 1024, 1025)
}

const guard = float32(-12345.5)

// guarded returns n random values of the given spread in memory that is fenced
// by guard values, and a function that fails the test when a fence was touched.
func guarded(t *testing.T, rng *rand.Rand, n int, spread float64) (x []float32, check func()) {
	const fence = 20
	mem := make([]float32, fence+n+fence)
	for i := range mem {
		mem[i] = guard
	}
	x = mem[fence : fence+n]
	for i := range x {
		x[i] = float32(rng.NormFloat64() * spread)
	}
	return x, func() {
		t.Helper()
		for i, v := range mem {
			if (i < fence || i >= fence+n) && v != guard {
				t.Errorf("length %d: element %d was written", n, i-fence)
			}
		}
	}
}

// within checks got against want with a bound of relative·|want| + absolute.
func within(t *testing.T, n, i int, got float32, want, relative, absolute float64) {
	t.Helper()
	if err := math.Abs(float64(got) - want); !(err <= relative*math.Abs(want)+absolute) {
		t.Fatalf("length %d: element %d is %v, want %v (error %.3g)", n, i, got, want, err)
	}
}

func TestSoftmax(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range lengths(0) {
		for _, spread := range []float64{0, 1e-3, 1, 30, 1e4} {
			for _, scale := range []float32{0, 0.125, 1} {
				x, check := guarded(t, rng, n, spread)
				want := make([]float64, n)
				var sum float64
				for i, v := range x {
					want[i] = math.Exp(float64(scale) * (float64(v) - float64(slices.Max(x))))
					sum += want[i]
				}
				Softmax(x, scale)
				check()
				for i := range x {
					within(t, n, i, x[i], want[i]/sum, 0x1p-23, 0x1p-149)
				}
			}
		}
	}
}

func TestLayerNorm(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	for _, n := range lengths(1) {
		for _, spread := range []float64{0, 1e-4, 1, 1e6} {
			x, checkX := guarded(t, rng, n, spread)
			weight, checkW := guarded(t, rng, n, 2)
			bias, checkB := guarded(t, rng, n, 0.1)
			offset := float32(rng.NormFloat64() * 1000)
			for i := range x {
				x[i] += offset
			}
			const eps = 1e-5
			want := layerNorm(x, weight, bias, eps)
			LayerNorm(x, weight, bias, eps)
			checkX()
			checkW()
			checkB()
			for i := range x {
				within(t, n, i, x[i], want[i], 0x1p-23, 0x1p-23*math.Abs(want[i]-float64(bias[i])))
			}
		}
	}
}

// layerNorm computes the mean and the variance with 200 bits, since both cancel.
func layerNorm(x, weight, bias []float32, eps float32) []float64 {
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
		want[i], _ = y.Add(y, exact(float64(bias[i]))).Float64()
	}
	return want
}

// Values of x·Φ(x) for float32 x, computed with 50 digits by mpmath.
var geluValues = []struct {
	x    float32
	want float64
}{
	{0, 0},
	{1e-30, 5.0000000158553843e-31},
	{0.001, 0.00050039896600053419},
	{0.1, 0.0539827845912596},
	{0.5, 0.34573123063700655},
	{1, 0.84134474606854295},
	{1.7, 1.6242387664929818},
	{2, 1.9544997361036416},
	{3, 2.9959503059051097},
	{5, 4.9999985667421406},
	{8, 7.999999999999995},
	{20, 20.0},
	{-1e-30, -5.0000000158553843e-31},
	{-0.001, -0.00049960108149691712},
	{-0.1, -0.046017216898856519},
	{-0.5, -0.15426876936299345},
	{-1, -0.15865525393145705},
	{-1.7, -0.07576128119073401},
	{-2, -0.045500263896358414},
	{-3, -0.0040496940948902836},
	{-5, -1.4332578593959696e-6},
	{-8, -4.9767684594174273e-15},
	{-12, -2.1317785344932148e-32},
	{-13.5, -1.0555389862638153e-40},
	{-14, -1.091095154686992e-43},
	{-20, -5.5072482372124674e-88},
}

func TestGELU(t *testing.T) {
	for _, v := range geluValues {
		x := []float32{v.x}
		GELU(x)
		within(t, 1, 0, x[0], v.want, 0x1p-23, 0x1p-149)
	}
	rng := rand.New(rand.NewPCG(3, 1))
	for _, n := range lengths(0) {
		x, check := guarded(t, rng, n, 4)
		want := make([]float64, n)
		for i, v := range x {
			want[i] = float64(v) * (1 + math.Erf(float64(v)/math.Sqrt2)) / 2
		}
		GELU(x)
		check()
		for i := range x {
			// 1 + erf cancels for negative values, so the reference is only good to 2⁻⁵² times x.
			within(t, n, i, x[i], want[i], 0x1p-23, 1e-14)
		}
	}
}

func TestMean(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	for _, n := range lengths(1) {
		for _, rows := range []int{1, 2, 3, 17, 300} {
			x, checkX := guarded(t, rng, rows*n, 3)
			dst, checkDst := guarded(t, rng, n, 1)
			Mean(dst, x)
			checkX()
			checkDst()
			for j := range dst {
				var want, largest float64
				for i := range rows {
					want += float64(x[i*n+j]) / float64(rows)
					largest = max(largest, math.Abs(float64(x[i*n+j])))
				}
				within(t, n, j, dst[j], want, 0, float64(rows)*0x1p-24*largest)
			}
		}
	}
}

func TestNormalize(t *testing.T) {
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
				within(t, n, i, x[i], want[i], 0x1p-23, 0x1p-149)
			}
		}
	}
}

func TestAdd(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 1))
	for _, n := range lengths(0) {
		x, checkX := guarded(t, rng, n, 1)
		y, checkY := guarded(t, rng, n, 1)
		want := make([]float32, n)
		for i := range x {
			want[i] = x[i] + y[i]
		}
		Add(x, y)
		checkX()
		checkY()
		for i := range x {
			if x[i] != want[i] {
				t.Errorf("length %d: element %d is %v, want %v", n, i, x[i], want[i])
			}
		}
	}
}

func TestNotFinite(t *testing.T) {
	for _, n := range lengths(0) {
		x := make([]float32, n)
		for i := range x {
			x[i] = math.MaxFloat32
		}
		if at := NotFinite(x); at != -1 {
			t.Errorf("length %d: finite values, but NotFinite returns %d", n, at)
		}
		for i := range x {
			for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				x[i] = float32(bad)
				if at := NotFinite(x); at != i {
					t.Errorf("length %d: %v at %d, but NotFinite returns %d", n, bad, i, at)
				}
			}
			x[i] = -math.MaxFloat32
		}
	}
}
