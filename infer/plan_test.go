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
		inOrder := rng.IntN(2) == 0
		groups, _ := plan(lengths, 1+rng.IntN(9), inOrder)
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
		if !inOrder {
			slices.Sort(all)
		}
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
		if _, apart := plan(c.lengths, c.workers, false); apart != c.apart {
			t.Errorf("%d texts on %d workers: apart is %t", len(c.lengths), c.workers, apart)
		}
	}
}

// TestPlanShrinks takes groups as workers do that are free, one of them slower
// than the others: all must end at nearly the same time.
func TestPlanShrinks(t *testing.T) {
	for _, c := range []struct{ texts, tokens, workers int }{{64, 40, 2}, {32, 128, 2}, {100, 20, 2}, {500, 12, 4}, {200, 100, 8}} {
		groups, _ := plan(slices.Repeat([]int{c.tokens}, c.texts), c.workers, false)
		ends := make([]float64, c.workers)
		rate := 0.8 + float64(c.workers) - 1 // of all, in workers
		for _, g := range groups {
			next := slices.Index(ends, slices.Min(ends))
			work := float64(len(g) * c.tokens)
			if next == 0 {
				work /= 0.8
			}
			ends[next] += work
		}
		ideal := float64(c.texts*c.tokens) / rate
		if most := slices.Max(ends); most > ideal+1.5*float64(max(tailTokens, c.tokens)) {
			t.Errorf("%d texts of %d tokens on %d workers end after %.0f, could after %.0f: %d groups", c.texts, c.tokens, c.workers, most, ideal, len(groups))
		}
	}
}
