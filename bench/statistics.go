package bench

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// An Estimate is a figure with the interval in which it would lie with 95 %
// confidence, had other texts of the same kind been taken.
type Estimate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Resampling is the same in every run, so that reports of the same texts and
// vectors are the same.
const (
	resamples  = 1000
	seed       = 8
	confidence = 0.95
)

// bootstrap estimates a figure of n texts. figure computes it of the texts with
// the given numbers, some of which come more than once: first of all texts, then of
// as many drawn with replacement, again and again. The interval is that of the
// middle 95 % of what came out (percentile bootstrap: Efron, 1979).
func bootstrap(n int, figure func(texts []int) float64) Estimate {
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	texts := make([]int, n)
	for i := range texts {
		texts[i] = i
	}
	e := Estimate{Value: figure(texts)}
	values := make([]float64, resamples)
	for r := range values {
		for i := range texts {
			texts[i] = rng.IntN(n)
		}
		values[r] = figure(texts)
	}
	slices.Sort(values)
	e.Low = quantile(values, (1-confidence)/2)
	e.High = quantile(values, (1+confidence)/2)
	return e
}

// estimateMean estimates the mean of one value for each text.
func estimateMean(values []float64) Estimate {
	return bootstrap(len(values), func(texts []int) float64 {
		var sum float64
		for _, t := range texts {
			sum += values[t]
		}
		return sum / float64(len(texts))
	})
}

// ranks stores in dst the place of each number of x in ascending order, counted
// from 0. Equal numbers share the mean of their places. order is memory to work in
// with the length of x.
func ranks[T cmp.Ordered](dst []float64, x []T, order []int) {
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && x[order[to]] == x[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			dst[i] = float64(from+to-1) / 2
		}
		from = to
	}
}

// correlation returns Pearson's r of x and y, which are equally long. It is 0
// where one of them does not vary, as nothing can be said then.
func correlation(x, y []float64) float64 {
	n := float64(len(x))
	var meanX, meanY float64
	for i := range x {
		meanX += x[i] / n
		meanY += y[i] / n
	}
	var xx, yy, xy float64
	for i := range x {
		dx, dy := x[i]-meanX, y[i]-meanY
		xx += dx * dx
		yy += dy * dy
		xy += dx * dy
	}
	if xx == 0 || yy == 0 {
		return 0
	}
	return xy / math.Sqrt(xx*yy)
}

// Spearman returns the rank correlation of x and y, which are equally long: the
// correlation of their places in ascending order, where equal numbers share the
// mean of theirs. It is 0 where one of them does not vary.
func Spearman(x, y []float64) float64 {
	order := make([]int, len(x))
	rx, ry := make([]float64, len(x)), make([]float64, len(y))
	ranks(rx, x, order)
	ranks(ry, y, order)
	return correlation(rx, ry)
}
