package block

import (
	"math"
	"testing"
)

// TestNearestIQ4 compares with the distances themselves around every place where
// the result changes.
func TestNearestIQ4(t *testing.T) {
	check := func(f float32) {
		want := int32(0)
		for i := int32(1); i < 16; i++ {
			if math.Abs(float64(f)-float64(valuesIQ4[i])) <= math.Abs(float64(f)-float64(valuesIQ4[want])) {
				want = i
			}
		}
		if got := nearestIQ4(f); got != want {
			t.Errorf("%v is nearest to %v, want %v", f, valuesIQ4[got], valuesIQ4[want])
		}
	}
	for n := -600; n <= 600; n++ {
		f := float32(n) / 4
		check(f)
		check(math.Nextafter32(f, -1000))
		check(math.Nextafter32(f, 1000))
	}
	for _, f := range []float32{1e9, -1e9, 1e-45, -1e-45} {
		check(f)
	}
	for _, test := range []struct {
		f    float64
		want int32
	}{{math.Inf(1), 15}, {math.Inf(-1), 0}, {math.NaN(), 15}, {math.Copysign(math.NaN(), -1), 15}} {
		if got := nearestIQ4(float32(test.f)); got != test.want {
			t.Errorf("%v is at place %d, want %d", test.f, got, test.want)
		}
	}
}

// TestExponentMXFP4 has the first numbers below powers of two that the
// reference takes for the power, and the last that it does not.
func TestExponentMXFP4(t *testing.T) {
	for _, test := range []struct {
		power, below int // how many steps below 2^power
		want         uint8
	}{
		{0, 0, 125}, {0, 1, 124}, {1, 1, 125}, {2, 1, 126}, {3, 1, 128}, {3, 2, 127}, {-3, 1, 122}, {-3, 2, 121},
		{9, 5, 134}, {9, 6, 133}, {100, 44, 225}, {100, 45, 224}, {-100, 44, 25}, {-100, 45, 24},
		{128, 44, 253}, {128, 45, 252}, {-126, 0, 255}, {-127, 0, 254}, {-149, 0, 232},
	} {
		f := float32(math.Ldexp(1, test.power))
		for range test.below {
			f = math.Nextafter32(f, 0)
		}
		if got := exponentMXFP4(f); got != test.want {
			t.Errorf("%d steps below 2^%d have exponent %d, want %d", test.below, test.power, got, test.want)
		}
	}
	if got := exponentMXFP4(0); got != 0 {
		t.Errorf("0 has exponent %d", got)
	}
}

// TestUE4M3 rounds the numbers themselves and those around the middle of two.
func TestUE4M3(t *testing.T) {
	for i := range uint8(0x78) {
		f := 2 * halvesUE4M3[i]
		if got := roundUE4M3(f); got != i {
			t.Errorf("%v is %#x, want %#x", f, got, i)
		}
		middle := halvesUE4M3[i] + halvesUE4M3[i+1]
		above := i + 1
		if i == 7 {
			above = 7 // the largest subnormal number, as in the reference
		}
		if i == 0x77 {
			above = 0x7e
		}
		if got := roundUE4M3(middle); got != above {
			t.Errorf("%v is %#x, want %#x", middle, got, above)
		}
		if i == 0 {
			continue // adding a half to what is nearly one is rounded, too
		}
		if got := roundUE4M3(math.Nextafter32(middle, 0)); got != i {
			t.Errorf("below %v is %#x, want %#x", middle, got, i)
		}
	}
	for _, f := range []float32{256, 447, 449, math.MaxFloat32} {
		if got := roundUE4M3(f); got != 0x7e {
			t.Errorf("%v is %#x", f, got)
		}
	}
}

// TestQuantizeFP4 compares with the distances from all numbers, around the middle
// of two of them, far beyond the last one and where products overflow.
func TestQuantizeFP4(t *testing.T) {
	for _, scale := range []float32{0, 0x1p-128, 0x1p-10, 0.4375, 1, 224, 0x1p124, 0x1p125, 0x1p127} {
		var x []float32
		for n := range 60 {
			f := scale * float32(n) / 4
			x = append(x, f, math.Nextafter32(f, -1), math.Nextafter32(f, math.MaxFloat32))
		}
		x = append(x, 1e-45, 1, 1e4, 1e9, 1e12, math.MaxFloat32)
		for _, f := range x {
			for _, v := range []float32{f, -f} {
				if v-v != 0 {
					continue
				}
				var q [1]uint8
				quantizeFP4(q[:], []float32{v}, scale, abs(v))
				if want := nearestFP4(v, scale); q[0] != want {
					t.Errorf("%v of scale %v is at place %d, want %d", v, scale, q[0], want)
				}
			}
		}
	}
}
