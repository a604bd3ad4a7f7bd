package block

import (
	"encoding/binary"
	"math"
	"os"
	"testing"
)

// The inputs of the goldens. testdata/make_goldens.py makes the same numbers:
// integers, and single operations on float32, each rounded.

const goldenRows = 4 // of each length

var (
	goldenLengths = []int{32, 96, 384, 256, 512, 768, 1024}

	families = []string{
		"normal", "uniform", "heavy", "tiny", "subnormal", "large", "vast", "zeros", "constant",
		"outlier", "sparse", "negative", "positive", "mixed", "integers", "real", "brink", "spread",
	}
	importances = []string{"none", "random", "heavy", "partial", "zero", "spike"}
)

// draws returns n numbers of SplitMix64.
func draws(seed uint64, n int) []uint64 {
	out := make([]uint64, n)
	for i := range out {
		seed += 0x9e3779b97f4a7c15
		z := seed
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		out[i] = z ^ z>>31
	}
	return out
}

// uniform takes 24 bits as a number in [0, 1).
func uniform(z uint64) float32 { return float32(z>>40) * 0x1p-24 }

// normal is the sum of three 21-bit numbers: mean 0, variance 1, at most 3.
func normal(z uint64) float32 {
	const mask = 1<<21 - 1
	return float32(int64(z&mask+z>>21&mask+z>>42&mask)-3<<20) * 0x1p-20
}

// tail takes 10 bits as a reciprocal in [1, 1024], half of them below 2.
func tail(z uint64) float32 { return 1024 / (float32(z>>54) + 1) }

func power(e int) float32 { return float32(math.Ldexp(1, e)) }

// makeRow returns row 0 ≤ row < goldenRows of length n.
func makeRow(t testing.TB, family string, row, n int) []float32 {
	seed := uint64(index(t, families, family))<<32 | uint64(n)<<8 | uint64(row)
	z := draws(seed, n+1)
	r, z := z[0], z[1:]
	y := draws(seed|1<<40, n)
	x := make([]float32, n)
	for i := range x {
		v := normal(z[i])
		switch family {
		case "normal":
			v = float32(v*(1+uniform(r))) * power(int(r%16)-12)
		case "uniform":
			v = float32(uniform(z[i])*2) - 1
		case "heavy":
			v *= tail(y[i])
		case "tiny":
			v *= power(-20 - int(r%60))
		case "subnormal":
			v *= power(-100 - int(r%50))
		case "large":
			v *= power(8 + int(r%20))
		case "vast":
			v *= power(40 + int(r%87))
		case "zeros":
			v = math.Float32frombits(uint32(z[i]&1) << 31)
		case "constant":
			v = normal(r)
		case "outlier":
			v *= 0x1p-10
			if uint64(i) == r>>32%uint64(n) {
				v = normal(r) * 128
			}
		case "sparse":
			if y[i]%16 != 0 {
				v = 0
			}
		case "negative":
			v = -abs(v)
		case "positive":
			v = abs(v)
		case "mixed":
			v *= power(-int(y[i/16*16] % 40))
		case "brink": // of the magnitude that counts as zero
			v *= power(-50 + int(r%4))
		case "spread":
			v *= power(int(y[i]%96) - 32)
		case "integers":
			v = float32(z[i]%16) - 8
		}
		x[i] = v
	}
	if family == "real" {
		copy(x, realRow(t, row, n))
	}
	return x
}

// realRow returns weights of all-MiniLM-L6-v2.
func realRow(t testing.TB, row, n int) []float32 {
	t.Helper()
	raw, err := os.ReadFile("testdata/minilm.f32")
	if err != nil {
		t.Fatal(err)
	}
	at := row * n
	for _, other := range goldenLengths {
		if other == n {
			break
		}
		at += goldenRows * other
	}
	x := make([]float32, n)
	if _, err := binary.Decode(raw[4*at:], binary.LittleEndian, x); err != nil {
		t.Fatal(err)
	}
	return x
}

// makeImportance returns the weights of a row of n, nil for "none".
func makeImportance(t testing.TB, kind string, n int) []float32 {
	if kind == "none" {
		return nil
	}
	seed := uint64(index(t, importances, kind))<<48 | uint64(n)
	z := draws(seed, n+1)
	r, z := z[0], z[1:]
	y := draws(seed|1<<40, n)
	w := make([]float32, n)
	for i := range w {
		switch kind {
		case "random":
			w[i] = uniform(z[i])
		case "heavy":
			w[i] = tail(z[i]) * tail(y[i])
		case "partial":
			if y[i]&1 != 0 {
				w[i] = uniform(z[i])
			}
		case "spike":
			if uint64(i) == r%uint64(n) {
				w[i] = 1
			}
		}
	}
	return w
}

func index(t testing.TB, names []string, name string) int {
	t.Helper()
	for i, s := range names {
		if s == name {
			return i
		}
	}
	t.Fatalf("%q is not one of %q", name, names)
	return 0
}
