package cpu

import (
	"runtime"
	"slices"
	"testing"
)

func TestChoose(t *testing.T) {
	have := []Path{Scalar, AVX2}
	for name, want := range map[string]Path{"": AVX2, "scalar": Scalar, "avx2": AVX2, "AVX2": AVX2} {
		if got, err := choose(name, have); got != want || err != nil {
			t.Errorf("%q chooses %v, %v; want %v", name, got, err, want)
		}
	}
	if got, err := choose("neon", []Path{Scalar, NEON}); got != NEON || err != nil {
		t.Errorf("neon chooses %v, %v", got, err)
	}
	for _, name := range []string{"avx512", "neon", " "} {
		if got, err := choose(name, have); got != Scalar || err == nil {
			t.Errorf("%q chooses %v, %v; want scalar and an error", name, got, err)
		}
	}
}

func TestPaths(t *testing.T) {
	have := Paths()
	if have[0] != Scalar || !slices.IsSorted(have) {
		t.Errorf("paths are %v, want scalar first and the fastest last", have)
	}
	for _, p := range have {
		neon, avx := p == NEON, p == AVX2 || p == AVX512
		if neon && runtime.GOARCH != "arm64" || avx && runtime.GOARCH != "amd64" {
			t.Errorf("paths are %v on %s", have, runtime.GOARCH)
		}
	}
	if runtime.GOARCH == "arm64" && !slices.Contains(have, NEON) {
		t.Errorf("paths are %v, want neon on every arm64 machine", have)
	}
}
