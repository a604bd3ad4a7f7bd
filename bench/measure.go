package bench

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gguftool/gguftool/infer"
)

// A Case is one way of using a model that is to be measured.
type Case struct {
	Model   string // its name
	Threads int
	Batch   int // texts of a request
	Length  int // tokens of a text, 0 for real text

	// Cycle is after how many requests the first comes again, where they differ in
	// size: repetitions then end after whole cycles, so that all do the same work.
	Cycle int

	// Request makes request i of a repetition and returns what it served.
	Request func(ctx context.Context, i int) (Served, error)
}

// Workload returns what texts a case is about, "text" or "synthetic".
func (c *Case) Workload() string {
	if c.Length == 0 {
		return "text"
	}
	return "synthetic"
}

// Served is what one or more requests came to.
type Served struct {
	Texts, Tokens int
	Work          infer.Work
}

func (s *Served) add(t Served) {
	s.Texts += t.Texts
	s.Tokens += t.Tokens
	s.Work.FloatOperations += t.Work.FloatOperations
	s.Work.ByteOperations += t.Work.ByteOperations
	s.Work.WeightBytes += t.Work.WeightBytes
}

// MeasureOptions say how often and how long is measured.
type MeasureOptions struct {
	Repetitions int           // of each case, at least 1
	Duration    time.Duration // of a repetition; what is being done then, a request or a cycle, is completed
	Warmup      time.Duration // of requests of each case before, that do not count; at least one is made

	Clock Clock // nil: that of the system

	// Yardstick, when set, tells how fast the machine is at the moment, on so many
	// threads. It is asked around each repetition.
	Yardstick func(threads int) float64

	// Progress, when set, is told when a repetition begins, of how many, and the
	// tokens per second of the last one.
	Progress func(done, total int, c *Case, rate float64)
}

// A Measurement is the figures of a case.
type Measurement struct {
	Case *Case

	Requests   int // that succeeded, in all repetitions
	Errors     int // requests that failed, those of the warm-up too
	FirstError error
	Served     Served
	Seconds    float64 // of all repetitions
	CPUSeconds float64

	TokensPerSecond Samples // with a value for each repetition
	Latency         Latency // of all requests that succeeded
	MedianLatency   Samples // of each repetition
	Yardstick       Samples // around each repetition; no values without a yardstick
}

// Measure measures cases side by side: each repetition of one is followed by that
// of the next, in turn forwards and backwards, so that what disturbs the machine
// for a while disturbs all of them. It ends when ctx does.
//
// A request that fails is counted, and the time that it took is part of the
// repetition. Where all of them fail, there are no figures but these.
func Measure(ctx context.Context, cases []*Case, o *MeasureOptions) ([]Measurement, error) {
	if o.Repetitions < 1 {
		return nil, fmt.Errorf("%d repetitions are fewer than one", o.Repetitions)
	}
	clock := o.Clock
	if clock == nil {
		clock = systemClock{}
	}
	runs := make([]caseRun, len(cases))
	total := len(cases) * (o.Repetitions + 1)
	for round := range o.Repetitions + 1 {
		for k := range cases {
			i := k
			if round%2 == 1 {
				i = len(cases) - 1 - k
			}
			r := &runs[i]
			r.c = cases[i]
			if o.Progress != nil {
				o.Progress(round*len(cases)+k, total, r.c, r.lastRate())
			}
			if round == 0 {
				r.repeat(ctx, clock, o.Warmup, true)
			} else {
				before := o.yardstick(r.c.Threads)
				r.repeat(ctx, clock, o.Duration, false)
				if o.Yardstick != nil {
					r.yardsticks = append(r.yardsticks, (before+o.yardstick(r.c.Threads))/2)
				}
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
	}
	var all []Measurement
	for i := range runs {
		all = append(all, runs[i].result())
	}
	return all, nil
}

func (o *MeasureOptions) yardstick(threads int) float64 {
	if o.Yardstick == nil {
		return 0
	}
	return o.Yardstick(threads)
}

// A caseRun is a case while it is measured.
type caseRun struct {
	c          *Case
	m          Measurement
	times      []time.Duration // of all requests
	rates      []float64       // of each repetition
	medians    []float64
	yardsticks []float64
}

func (r *caseRun) lastRate() float64 {
	if len(r.rates) == 0 {
		return 0
	}
	return r.rates[len(r.rates)-1]
}

// repeat makes requests, at least one cycle, until so much time is over. A
// warm-up need not complete a cycle.
func (r *caseRun) repeat(ctx context.Context, clock Clock, duration time.Duration, warmup bool) {
	var (
		served Served
		times  []time.Duration
	)
	start, cpu := clock.Now(), clock.CPU()
	now := start
	cycle := max(1, r.c.Cycle)
	if warmup {
		cycle = 1
	}
	for i := 0; (i == 0 || i%cycle != 0 || now-start < duration) && ctx.Err() == nil; i++ {
		s, err := r.c.Request(ctx, i)
		end := clock.Now()
		if err != nil {
			r.m.Errors++
			if r.m.FirstError == nil {
				r.m.FirstError = err
			}
		} else {
			times = append(times, end-now)
			served.add(s)
		}
		now = end
	}
	if warmup {
		return
	}
	elapsed := (now - start).Seconds()
	r.m.Seconds += elapsed
	r.m.CPUSeconds += (clock.CPU() - cpu).Seconds()
	r.m.Requests += len(times)
	r.m.Served.add(served)
	r.times = append(r.times, times...)
	if len(times) > 0 && elapsed > 0 {
		r.rates = append(r.rates, float64(served.Tokens)/elapsed)
		r.medians = append(r.medians, newLatency(times).P50)
	}
}

func (r *caseRun) result() Measurement {
	m := r.m
	m.Case = r.c
	m.TokensPerSecond = samplesOrNone(r.rates)
	m.MedianLatency = samplesOrNone(r.medians)
	m.Yardstick = samplesOrNone(r.yardsticks)
	if len(r.times) > 0 {
		m.Latency = newLatency(r.times)
	}
	return m
}

func samplesOrNone(values []float64) Samples {
	if len(values) == 0 {
		return Samples{Values: []float64{}}
	}
	return NewSamples(slices.Clone(values))
}

// TextsPerSecond returns the texts of all repetitions by their time.
func (m *Measurement) TextsPerSecond() float64 {
	if m.Seconds == 0 || math.IsNaN(m.Seconds) {
		return 0
	}
	return float64(m.Served.Texts) / m.Seconds
}
