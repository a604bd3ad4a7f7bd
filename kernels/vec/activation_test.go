package vec

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

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

// activations have a bound of relative·|y| + ofX·|x| + absolute.
var activations = []struct {
	name                    string
	f                       func(x []float32)
	rows                    func(data []float32, rows, cols, stride int)
	gated                   func(dst, gate []float32)
	exact                   func(float64) float64
	relative, ofX, absolute float64
}{
	{"GELU", GELU, GELURows, MulGELU, func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 }, 0, 0x1p-22, 0x1p-149},
	{"GELUTanh", GELUTanh, GELUTanhRows, MulGELUTanh, func(x float64) float64 {
		return x / (1 + math.Exp(-2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}, 0, 0x1p-22, 0x1p-149},
	{"SiLU", SiLU, SiLURows, MulSiLU, func(x float64) float64 { return x / (1 + math.Exp(-x)) }, 0x1p-21, 0, 0x1p-120},
}

func TestActivations(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		for _, a := range activations {
			t.Run(a.name, func(t *testing.T) {
				same(t, a.f)
				keepsNaN(t, a.f)
				x := everywhere()
				y := slices.Clone(x)
				a.f(y)
				for i, v := range x {
					want := a.exact(float64(v))
					within(t, len(x), i, y[i], want, a.relative*math.Abs(want)+a.ofX*math.Abs(float64(v))+a.absolute)
				}
				y = []float32{float32(math.Inf(1)), float32(math.Inf(-1)), 0}
				a.f(y)
				if !math.IsInf(float64(y[0]), 1) || y[1] == y[1] || y[2] != 0 {
					t.Errorf("Inf, -Inf and 0 give %v", y)
				}
			})
		}
	})
}

func TestGELUValues(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		for _, v := range geluValues {
			x := []float32{v.x}
			GELU(x)
			within(t, 1, 0, x[0], v.want, 0x1p-22*math.Abs(float64(v.x))+0x1p-149)
		}
	})
}

func TestActivationRows(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(7, 1))
		for _, a := range activations {
			for rows := range 4 {
				for _, cols := range lengths(0)[:40] {
					for _, gap := range []int{0, 1, 19} {
						stride := cols + gap
						data, check := guarded(t, rng, rows*stride, 2)
						want := slices.Clone(data)
						for r := range rows {
							a.f(want[r*stride : r*stride+cols])
						}
						a.rows(data, rows, cols, stride)
						check()
						if !slices.Equal(data, want) {
							t.Fatalf("%s: %d x %d, stride %d: not as row by row", a.name, rows, cols, stride)
						}
					}
				}
			}
		}
	})
}

func TestGatedActivations(t *testing.T) {
	onEachPath(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(8, 1))
		for _, a := range activations {
			for _, n := range lengths(0) {
				for _, spread := range []float64{1e-44, 1e-20, 1, 50} {
					dst, checkDst := guarded(t, rng, n, 3)
					gate, checkGate := guarded(t, rng, n, spread)
					before := slices.Clone(dst)
					a.gated(dst, gate)
					checkDst()
					checkGate()
					for i, d := range before {
						d := float64(d)
						within(t, n, i, dst[i], d*a.exact(float64(gate[i])),
							0x1p-21*math.Abs(d*float64(gate[i]))+0x1p-149*(1+math.Abs(d)))
					}
				}
			}
			for i := range 70 {
				dst, gate := make([]float32, 70), make([]float32, 70)
				gate[i] = float32(math.NaN())
				a.gated(dst, gate)
				if dst[i] == dst[i] {
					t.Errorf("%s: a gate of NaN gives %v", a.name, dst[i])
				}
			}
		}
	})
}
