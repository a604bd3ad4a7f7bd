//go:build amd64 && !purego

package block

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// eachIQ1 runs a test with the kernels of each path that the machine has.
func eachIQ1(t *testing.T, run func(t *testing.T, k *iq1Kernels)) {
	for path, k := range map[cpu.Path]*iq1Kernels{cpu.AVX2: &iq1AVX2, cpu.AVX512: &iq1AVX512} {
		if slices.Contains(cpu.Paths(), path) {
			t.Run(path.String(), func(t *testing.T) { run(t, k) })
		}
	}
}

// tiedRow returns values of which many are equal, some of them zeros of both signs.
func tiedRow(seed uint64, n int) []float32 {
	x := make([]float32, n)
	for i, z := range draws(seed, n) {
		x[i] = float32(int(z%9)-4) / 8
		if z&64 != 0 {
			x[i] = normal(z)
		}
		if x[i] == 0 && z&128 != 0 {
			x[i] = float32(math.Copysign(0, -1))
		}
	}
	return x
}

// TestRanks sorts values and takes them apart at every pair of places.
func TestRanks(t *testing.T) {
	eachIQ1(t, func(t *testing.T, k *iq1Kernels) {
		for seed := range uint64(50) {
			for _, n := range []int{16, 32} {
				x := tiedRow(seed, n)
				want, got := iq1Search{}, iq1Search{kernels: k}
				got.rank = [32]int32{31: 99, 16: 99}
				most := want.sort(x)
				if m := got.sort(x); m != most || !slices.Equal(got.rank[:n], want.rank[:n]) {
					t.Fatalf("%v: ranks %v and %v, want %v and %v", x, got.rank, m, want.rank, most)
				}
				if n == 16 && got.rank[16] != 99 {
					t.Fatal("a rank past the end is changed")
				}
				for i, r := range want.rank[:n] {
					for j, other := range want.rank[:n] {
						if before := x[i] < x[j] || x[i] == x[j] && i < j; before != (r < other) {
							t.Fatalf("%v: ranks %v", x, want.rank)
						}
					}
				}
				for first := range n + 1 {
					for second := first; second <= n; second++ {
						low, high := want.below(n, first, second)
						if l, h := got.below(n, first, second); l != low || h != high {
							t.Fatalf("%v: below %d and %d are %x and %x, want %x and %x", want.rank, first, second, l, h, low, high)
						}
					}
				}
			}
		}
	})
}

// TestNearestTernary has lists of every length from a vector on, with equal errors
// and with errors that are no numbers.
func TestNearestTernary(t *testing.T) {
	eachIQ1(t, func(t *testing.T, k *iq1Kernels) {
		for seed := range uint64(40) {
			x, w := tiedRow(seed, 8), make([]float32, 8)
			for i, z := range draws(seed+100, 8) {
				w[i] = float32(z % 4)
			}
			scale := 0.25 + uniform(draws(seed, 1)[0])
			if seed%10 == 0 {
				scale = infinite
			}
			for n := k.lanes; n <= 100; n++ {
				codes := make([]uint16, n)
				for i, z := range draws(seed<<8|uint64(n), n) {
					codes[i] = bookIQ1S.codes[z%2048]
				}
				for _, levels := range []*[4]float32{&raised, &lowered} {
					code, ok := nearestTernary(codes, x, w, scale, levels)
					at := k.nearest(&codes[0], n, &x[0], &w[0], scale, &levels[0])
					if ok != (at >= 0) || ok && (at >= n || at != slices.Index(codes, code)) {
						t.Fatalf("seed %d: place %d of %d, want that of %#x, %v", seed, at, n, code, ok)
					}
				}
			}
		}
	})
}

// TestFilters finds the best split points with and without a filter.
func TestFilters(t *testing.T) {
	eachIQ1(t, func(t *testing.T, k *iq1Kernels) {
		plain, fast := new(iq1Search), &iq1Search{kernels: k, positive: true}
		plain.near, fast.near = bookIQ1S.neighbours(), bookIQ1S.neighbours()
		compare := func(what string, x, w []float32) {
			for at := 0; at+32 <= len(x); at += 32 {
				var a, b iq1Fit
				plain.fitS(&a, x[at:at+32], w[at:at+32])
				fast.fitS(&b, x[at:at+32], w[at:at+32])
				if a != b || plain.splits.best != fast.splits.best {
					t.Fatalf("%s: %+v of %+v, want %+v of %+v", what, b, fast.splits.best, a, plain.splits.best)
				}
			}
			fast.splits.masks = [24]uint64{}
			for at := 0; at+16 <= len(x); at += 16 {
				var a, b iq1Fit
				plain.fitM(&a, x[at:at+16], w[at:at+16])
				fast.fitM(&b, x[at:at+16], w[at:at+16])
				if a != b || plain.splits.best != fast.splits.best {
					t.Fatalf("%s: %+v of %+v, want %+v of %+v", what, b, fast.splits.best, a, plain.splits.best)
				}
			}
		}
		for seed := range uint64(60) {
			x, w := tiedRow(seed, 256), make([]float32, 256)
			for kind := range 3 {
				for i, z := range draws(seed+1000, len(w)) {
					w[i] = [...]float32{uniform(z), float32(z % 3), tail(z) * tail(z<<10)}[kind]
				}
				compare(fmt.Sprint("ties, weights ", kind), x, w)
			}
		}
		for _, family := range []string{"normal", "heavy", "constant", "sparse", "negative", "positive", "mixed", "integers", "real"} {
			for _, kind := range importances[1:] {
				compare(family+" "+kind, makeRow(t, family, 0, 1024), makeImportance(t, kind, 1024))
			}
		}
	})
}
