package vec

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// onEachPath runs a test on every path that this machine has.
func onEachPath(t *testing.T, test func(t *testing.T)) {
	defer func(p cpu.Path) { active = p }(active)
	for _, path := range cpu.Paths() {
		active = path
		t.Run(path.String(), test)
	}
}

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

// within checks got against want, which may not differ by more than bound.
func within(t *testing.T, n, i int, got float32, want, bound float64) {
	t.Helper()
	if math.Abs(want) > math.MaxFloat32 && math.IsInf(float64(got), int(math.Copysign(1, want))) {
		return
	}
	if err := math.Abs(float64(got) - want); !(err <= bound) {
		t.Fatalf("length %d: element %d is %v, want %v (error %.3g, bound %.3g)", n, i, got, want, err, bound)
	}
}

// everywhere returns finite numbers of all exponents and both signs, many of
// them between -20 and 20.
func everywhere() (x []float32) {
	for b := uint64(0); b < 1<<32; b += 1<<14 + 1 {
		if f := math.Float32frombits(uint32(b)); f-f == 0 {
			x = append(x, f)
		}
	}
	for i := -100_000; i <= 100_000; i++ {
		x = append(x, float32(i)*2e-4)
	}
	for _, f := range []float32{0, math.SmallestNonzeroFloat32, 0x1p-126, 1, math.MaxFloat32, 5.4, 3.9, 87.33, 88.02, 88.72, 88.73, 126} {
		for _, f := range []float32{f, math.Nextafter32(f, 0), math.Nextafter32(f, math.MaxFloat32)} {
			x = append(x, f, -f)
		}
	}
	return x
}

// same checks that a function of single elements gives the same bits for each of
// them alone as among others, and does not write beyond them.
func same(t *testing.T, f func(x []float32)) {
	t.Helper()
	rng := rand.New(rand.NewPCG(20, 1))
	for _, n := range lengths(0) {
		x, check := guarded(t, rng, n, 4)
		want := append([]float32{}, x...)
		for i := range want {
			f(want[i : i+1])
		}
		f(x)
		check()
		for i := range x {
			if x[i] != want[i] {
				t.Fatalf("length %d: element %d is %v, alone it is %v", n, i, x[i], want[i])
			}
		}
	}
}

// keepsNaN checks that NaN at any place of x gives NaN there.
func keepsNaN(t *testing.T, f func(x []float32)) {
	t.Helper()
	for _, n := range lengths(1) {
		for i := 0; i < n; i += 1 + n/40 {
			x := make([]float32, n)
			x[i] = float32(math.NaN())
			f(x)
			if x[i] == x[i] {
				t.Fatalf("length %d: NaN at %d gives %v", n, i, x[i])
			}
		}
	}
}
