package block

import (
	"math"
	"testing"
)

// TestRounding tries the three ways to round on a step through all numbers that
// they are good for, and around every half.
func TestRounding(t *testing.T) {
	table := newNearestTable(-64, 63)
	check := func(f float32) {
		if got, want := nearest(f), int32(math.RoundToEven(float64(f))); got != want {
			t.Errorf("nearest(%v) = %d, want %d", f, got, want)
		}
		if got, want := roundAway(f), int32(math.Round(float64(f))); got != want {
			t.Errorf("roundAway(%v) = %d, want %d", f, got, want)
		}
		if inTable(f) {
			if got, want := table.nearest(f), float32(math.RoundToEven(float64(f))); got != want {
				t.Errorf("nearestTable of %v = %v, want %v", f, got, want)
			}
		}
	}
	const limit = 1<<22 - 1
	for b := uint32(0); b <= math.Float32bits(limit); b += 1021 {
		check(math.Float32frombits(b))
		check(-math.Float32frombits(b))
	}
	for i := -130; i <= 130; i++ {
		half := float32(i) + 0.5
		check(math.Nextafter32(half, -limit))
		check(half)
		check(math.Nextafter32(half, limit))
		check(float32(i))
	}
	nan := float32(math.NaN())
	if nearest(nan) != 0 || table.nearest(nan) != 0 || inTable(nan) {
		t.Errorf("NaN: %d, %v, %v", nearest(nan), table.nearest(nan), inTable(nan))
	}
	clamped := newNearestTable(-4, 3)
	for l := float32(-63.9); inTable(l); l += 0.3 {
		if got, want := clamped.nearest(l), float32(clamp(nearest(l), -4, 3)); got != want {
			t.Errorf("nearestTable of %v = %v, want %v", l, got, want)
		}
	}
}

// TestExtreme compares with the plain loops, where equal numbers, zeros and NaN
// must keep their order.
func TestExtreme(t *testing.T) {
	nan := float32(math.NaN())
	negativeNaN := math.Float32frombits(0xffc00000)
	values := []float32{0, math.Float32frombits(1 << 31), 1, -1, 2, -2, 1e-45, -1e-45, nan, negativeNaN}
	finite := len(values) - 2
	for _, z := range draws(1, 20000) {
		x := make([]float32, 4)
		kinds := len(values)
		if z>>63 == 0 {
			kinds = finite
		}
		hasNaN := false
		for i := range x {
			x[i] = values[int(z>>(8*i)&0xff)%kinds]
			hasNaN = hasNaN || x[i] != x[i]
		}
		var most, peak float32
		for _, v := range x {
			if a := abs(v); a > most {
				most, peak = a, v
			}
		}
		if got := extreme(x); math.Float32bits(got) != math.Float32bits(peak) {
			t.Errorf("extreme(%v) = %v, want %v", x, got, peak)
		}
		if hasNaN {
			continue
		}
		first, high := x[0], x[0]
		for _, v := range x {
			if v < first {
				first = v
			}
			high = max(high, v)
		}
		low, most := extent(x)
		if math.Float32bits(low) != math.Float32bits(first) || most != high {
			t.Errorf("extent(%v) = %v, %v, want %v, %v", x, low, most, first, high)
		}
	}
}
