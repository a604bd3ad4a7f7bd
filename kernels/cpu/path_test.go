package cpu

import "testing"

func TestChoose(t *testing.T) {
	have := []Path{Scalar, AVX2}
	for name, want := range map[string]Path{"": AVX2, "scalar": Scalar, "avx2": AVX2, "AVX2": AVX2} {
		if got, err := choose(name, have); got != want || err != nil {
			t.Errorf("%q chooses %v, %v; want %v", name, got, err, want)
		}
	}
	for _, name := range []string{"avx512", "neon", " "} {
		if got, err := choose(name, have); got != Scalar || err == nil {
			t.Errorf("%q chooses %v, %v; want scalar and an error", name, got, err)
		}
	}
}

func TestPathsBeginWithScalar(t *testing.T) {
	for i, p := range Paths() {
		if p != Path(i) {
			t.Errorf("path %d is %v", i, p)
		}
	}
}
