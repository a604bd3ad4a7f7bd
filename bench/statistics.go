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

// A ranking is the ascending order of numbers, from which follow the places of any
// that are drawn from them, without sorting again.
type ranking struct {
	order []int  // numbers of the values
	ends  []bool // whether the value at this place of order is the last of equal ones

	count []int     // memory to work in: how often each is drawn
	place []float64 // and the place of each
}

func newRanking(x []float64) *ranking {
	r := &ranking{order: make([]int, len(x)), ends: make([]bool, len(x)), count: make([]int, len(x)), place: make([]float64, len(x))}
	for i := range r.order {
		r.order[i] = i
	}
	slices.SortFunc(r.order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	for i := range r.ends {
		r.ends[i] = i+1 == len(x) || x[r.order[i]] != x[r.order[i+1]]
	}
	return r
}

// places stores in dst, which is as long as drawn, the place of each drawn number
// among all that are drawn, in ascending order, counted from 0. Equal numbers share
// the mean of their places. It takes time in proportion to the numbers there are.
func (r *ranking) places(dst []float64, drawn []int) []float64 {
	clear(r.count)
	for _, d := range drawn {
		r.count[d]++
	}
	before, equal, from := 0, 0, 0 // drawn numbers that are less, those that are equal, and where these begin
	for i, d := range r.order {
		equal += r.count[d]
		if !r.ends[i] {
			continue
		}
		for _, same := range r.order[from : i+1] {
			r.place[same] = float64(2*before+equal-1) / 2
		}
		before, equal, from = before+equal, 0, i+1
	}
	for k, d := range drawn {
		dst[k] = r.place[d]
	}
	return dst
}

// ranks returns the place of each number of x, which are finite, in ascending order,
// counted from 0. Equal numbers share the mean of their places. It sorts by digits,
// which for thousands of numbers takes a tenth of the time of comparing them.
func ranks(x []float32) []float64 {
	keys := make([]uint64, len(x)) // what orders a number, above where it stands
	for i, v := range x {
		keys[i] = uint64(ascending(v))<<32 | uint64(i)
	}
	keys = sortByHigh(keys)
	places := make([]float64, len(x))
	for from := 0; from < len(keys); {
		to := from + 1
		for to < len(keys) && keys[to]>>32 == keys[from]>>32 {
			to++
		}
		for _, k := range keys[from:to] {
			places[uint32(k)] = float64(from+to-1) / 2
		}
		from = to
	}
	return places
}

// ascending returns a number that is the greater the greater v is. Negative floats
// descend with their bits, so those are turned round. Both zeros are equal.
func ascending(v float32) uint32 {
	bits := math.Float32bits(v + 0)
	if bits>>31 != 0 {
		return ^bits
	}
	return bits | 1<<31
}

// sortByHigh sorts keys by their upper 32 bits, and leaves equal ones in their
// order: by the lowest 11 of these bits, then the next, then the rest. It overwrites
// keys.
func sortByHigh(keys []uint64) []uint64 {
	const digit = 11
	other := make([]uint64, len(keys))
	for shift := 32; shift < 64; shift += digit {
		var next [1 << digit]int // where the next key with a digit belongs
		for _, k := range keys {
			next[k>>shift&(1<<digit-1)]++
		}
		sum := 0
		for d, n := range next {
			next[d] = sum
			sum += n
		}
		for _, k := range keys {
			d := k >> shift & (1<<digit - 1)
			other[next[d]] = k
			next[d]++
		}
		keys, other = other, keys
	}
	return keys
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
	all := make([]int, len(x))
	for i := range all {
		all[i] = i
	}
	return correlation(newRanking(x).places(make([]float64, len(x)), all), newRanking(y).places(make([]float64, len(y)), all))
}
