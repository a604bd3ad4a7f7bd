package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// slowRanks counts for each number those that are less and those that are equal.
func slowRanks(x []float64) []float64 {
	places := make([]float64, len(x))
	for i, v := range x {
		for k, other := range x {
			if other < v {
				places[i]++
			} else if other == v && k != i {
				places[i] += 0.5
			}
		}
	}
	return places
}

func TestRanks(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	negativeZero := math.Float32frombits(1 << 31)
	for n := range 40 {
		x := []float32{0, negativeZero, -1, 1, 1e-45, -1e-45, 3e38, -3e38}
		for range n * n {
			switch rng.IntN(3) {
			case 0:
				x = append(x, float32(rng.IntN(7)-3))
			case 1:
				x = append(x, rng.Float32()-0.5)
			default:
				x = append(x, x[rng.IntN(len(x))])
			}
		}
		var wide []float64
		for _, v := range x {
			wide = append(wide, float64(v))
		}
		want := slowRanks(wide)
		if got := ranks(x); !slices.Equal(got, want) {
			t.Fatalf("%d numbers: places %v, want %v", len(x), got, want)
		}
	}
	if got := ranks(nil); len(got) != 0 {
		t.Errorf("no numbers have places %v", got)
	}
}

// What is drawn has the places that it has when it is sorted by itself.
func TestRankingOfDrawn(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var x []float64
	for range 60 {
		x = append(x, float64(rng.IntN(25)))
	}
	r := newRanking(x)
	for range 50 {
		drawn, values := make([]int, 60), make([]float64, 60)
		for i := range drawn {
			drawn[i] = rng.IntN(len(x))
			values[i] = x[drawn[i]]
		}
		if got, want := r.places(make([]float64, 60), drawn), slowRanks(values); !slices.Equal(got, want) {
			t.Fatalf("places %v, want %v", got, want)
		}
	}
}

func BenchmarkRanks(b *testing.B) {
	row := make([]float32, 10_000)
	for i := range row {
		row[i] = float32(i*7919%len(row)) / 1e4
	}
	for b.Loop() {
		ranks(row)
	}
}
