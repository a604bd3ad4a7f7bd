package vec

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestMean(t *testing.T) { onEachPath(t, testMean) }

func testMean(t *testing.T) {
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
				within(t, n, j, dst[j], want, float64(rows)*0x1p-24*largest)
			}
		}
	}
}

func TestNotFinite(t *testing.T) { onEachPath(t, testNotFinite) }

func testNotFinite(t *testing.T) {
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
