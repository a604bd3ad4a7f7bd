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
	percentile := func(p int) float64 {
		return sorted[(len(sorted)*p+99)/100-1].Seconds()
	}
	return Latency{percentile(50), percentile(95), percentile(99), sorted[len(sorted)-1].Seconds()}
}
