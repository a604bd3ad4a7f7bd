package embedding

import (
	"math"
	"slices"
	"testing"
)

func TestTruncate(t *testing.T) {
	if got := Truncate([]float32{3, 4, 12}, 2, true); math.Abs(float64(got[0])-0.6) > 1e-7 || math.Abs(float64(got[1])-0.8) > 1e-7 || len(got) != 2 {
		t.Errorf("%v, want 0.6 and 0.8", got)
	}
	if got := Truncate([]float32{3, 4, 12}, 2, false); !slices.Equal(got, []float32{3, 4}) {
		t.Errorf("%v, want 3 and 4", got)
	}
	if got := Truncate([]float32{0, 1}, 1, true); !slices.Equal(got, []float32{0}) {
		t.Errorf("%v, want 0", got)
	}
}

func TestCosine(t *testing.T) {
	for _, c := range []struct {
		a, b []float32
		want float64
	}{
		{[]float32{1, 0}, []float32{2, 0}, 1},
		{[]float32{1, 0}, []float32{0, 5}, 0},
		{[]float32{1, 2}, []float32{-2, -4}, -1},
		{[]float32{1, 0}, []float32{1, 1}, math.Sqrt2 / 2},
		{[]float32{0, 0}, []float32{1, 1}, 0},
		{[]float32{math.MaxFloat32, 0}, []float32{math.MaxFloat32, 0}, 1},
		{[]float32{1e-45, 0}, []float32{1e-45, 0}, 1},
	} {
		if got := Cosine(c.a, c.b); math.Abs(got-c.want) > 2*0x1p-51 || math.Abs(got) > 1 {
			t.Errorf("%v and %v: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}
