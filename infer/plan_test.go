package infer

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestPlanHasEveryTextOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		lengths := make([]int, rng.IntN(60))
		for i := range lengths {
			lengths[i] = 1 + rng.IntN(1+rng.IntN(600))
		}
		groups, _ := plan(lengths, 1+rng.IntN(9))
		var all []int
		for _, g := range groups {
			tokens := 0
			for _, i := range g {
				tokens += lengths[i]
			}
			if len(g) == 0 || len(g) > 1 && tokens > groupTokens {
				t.Fatalf("a group of %d texts and %d tokens", len(g), tokens)
			}
			all = append(all, g...)
		}
		slices.Sort(all)
		for i, n := range all {
			if i != n {
				t.Fatalf("texts %v, want all %d", all, len(lengths))
			}
		}
		if len(all) != len(lengths) {
			t.Fatalf("%d texts, want %d", len(all), len(lengths))
		}
	}
}

func TestPlanMode(t *testing.T) {
	many := slices.Repeat([]int{40}, 64)
	for _, c := range []struct {
		lengths []int
		workers int
		apart   bool
	}{
		{nil, 2, true},
		{[]int{16}, 1, true},
		{many, 1, true},
		{[]int{16}, 2, false},      // one text alone
		{[]int{16, 16}, 2, true},   // one for each
		{[]int{100, 10}, 2, false}, // nine tenths for one
		{many, 2, true},
		{many, 16, true},
		{append(many, 8000), 2, false},
		{[]int{300, 300, 300}, 2, false},
	} {
		if _, apart := plan(c.lengths, c.workers); apart != c.apart {
			t.Errorf("%d texts on %d workers: apart is %t", len(c.lengths), c.workers, apart)
		}
	}
}
