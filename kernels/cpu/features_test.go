package cpu

import (
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// A path is there when all of its features are.
func TestPathsHaveFeatures(t *testing.T) {
	have := Features()
	for path, needs := range map[Path][]string{
		NEON:   {"neon"},
		AVX2:   {"avx2", "fma", "f16c", "bmi2"},
		AVX512: {"avx2", "fma", "f16c", "bmi2", "avx512f", "avx512bw", "avx512dq", "avx512vl"},
	} {
		want := !slices.ContainsFunc(needs, func(name string) bool { return !slices.Contains(have, name) })
		if got := slices.Contains(Paths(), path); got != want {
			t.Errorf("features are %v: path %v is %v, want %v", have, path, got, want)
		}
	}
	for name, got := range map[string]bool{"avx512_vnni": HasVNNI(), "avx_vnni": HasAVXVNNI(), "dotprod": HasDotProd()} {
		if want := slices.Contains(have, name); got != want {
			t.Errorf("features are %v, but %s is reported as %v", have, name, got)
		}
	}
}

// Linux finds the same features on x86.
func TestFeaturesAreThoseOfLinux(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^flags\s*:(.*)$`).FindSubmatch(info)
	if line == nil {
		t.Fatalf("no flags in /proc/cpuinfo:\n%s", info)
	}
	flags := strings.Fields(string(line[1]))
	for _, f := range features {
		if want := slices.Contains(flags, f.name); f.has != want {
			t.Errorf("%s is %v, in /proc/cpuinfo %v", f.name, f.has, want)
		}
	}
}
