package bench

import (
	"math"
	"slices"
	"time"
)

// Samples are the figures of repetitions of one measurement, with what is told of
// them. They are robust: a few repetitions that something disturbed hardly move
// the median and the quartiles.
type Samples struct {
	Median float64   `json:"median"`
	Low    float64   `json:"low"`    // lower quartile
	High   float64   `json:"high"`   // upper quartile
	Values []float64 `json:"values"` // in order of time
}

// NewSamples summarises values, of which there is at least one.
func NewSamples(values []float64) Samples {
	sorted := slices.Sorted(slices.Values(values))
	return Samples{quantile(sorted, 0.5), quantile(sorted, 0.25), quantile(sorted, 0.75), values}
}

// Spread returns half the distance of the quartiles as a share of the median.
func (s Samples) Spread() float64 {
	if s.Median == 0 {
		return 0
	}
	return (s.High - s.Low) / 2 / math.Abs(s.Median)
}

// quantile returns the number below which a share of sorted lies, interpolated
// between neighbours, as numpy.quantile does.
func quantile(sorted []float64, share float64) float64 {
	at := share * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// Latency is how long requests took, in seconds. A percentile is the time of a
// request that there was: the shortest that the share of them did not exceed.
type Latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// newLatency summarises times, of which there is at least one.
func newLatency(times []time.Duration) Latency {
	sorted := slices.Sorted(slices.Values(times))
	return Latency{percentile(sorted, 50), percentile(sorted, 95), percentile(sorted, 99), sorted[len(sorted)-1].Seconds()}
}

// percentile returns the shortest of sorted times that p > 0 percent of them do
// not exceed, in seconds.
func percentile(sorted []time.Duration, p int) float64 {
	return sorted[(len(sorted)*p+99)/100-1].Seconds()
}

// latencyCurve returns the distribution of times, of which there is at least one:
// the shortest and the percentiles 1 to 100, or all of them in ascending order where
// there are fewer than that.
func latencyCurve(times []time.Duration) []float64 {
	sorted := slices.Sorted(slices.Values(times))
	var curve []float64
	if len(sorted) <= 101 {
		for _, t := range sorted {
			curve = append(curve, t.Seconds())
		}
		return curve
	}
	curve = append(curve, sorted[0].Seconds())
	for p := 1; p <= 100; p++ {
		curve = append(curve, percentile(sorted, p))
	}
	return curve
}

// openLatency summarises what requests would have taken that come at a steady rate,
// whether the one before is answered or not. Who waits for an answer before he asks
// again makes one request during a stall, and one slow request among hundreds tells
// little of it: those that would have come meanwhile are left out ("coordinated
// omission"). They are added here: where a request took longer than usual, others
// at the usual distance waited for the rest of it.
//
// What is usual is the median of requests at the same place of their cycle, as these
// do the same work.
func openLatency(times []time.Duration, places []int) Latency {
	byPlace := map[int][]time.Duration{}
	for i, t := range times {
		byPlace[places[i]] = append(byPlace[places[i]], t)
	}
	usual := map[int]time.Duration{}
	var sum time.Duration
	for place, t := range byPlace {
		slices.Sort(t)
		usual[place] = t[(len(t)-1)/2]
		sum += usual[place]
	}
	distance := max(sum/time.Duration(len(usual)), 1)
	// A stall adds as many requests at most as there were without it, so that one of
	// an hour does not take all memory.
	all := slices.Clone(times)
	for i, t := range times {
		late := min(int((t-usual[places[i]])/distance), max(1000, len(times)))
		for k := 1; k <= late; k++ {
			all = append(all, t-time.Duration(k)*distance)
		}
	}
	return newLatency(all)
}
