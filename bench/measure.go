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

// String names a case for people.
func (c *Case) String() string { return caseName(c.Model, c.Workload(), c.Threads, c.Batch, c.Length) }

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
	// Repetitions are how often each case has its turn, at least once. A turn lasts
	// for an equal part of Duration; what is being done then, a request or a cycle,
	// is completed. A case whose requests last longer has fewer turns, spread
	// evenly: as many as fit in one and a half times Duration, or fewRepetitions
	// where these are more.
	Repetitions int
	Duration    time.Duration // of a case, all its repetitions together
	Warmup      time.Duration // of requests of each case before, that do not count; at least one is made

	Clock Clock // nil: that of the system

	// Refresh, when set, is called Refreshes times between repetitions, at equal
	// distances. Afterwards each case makes a request that does not count.
	Refresh   func(ctx context.Context) error
	Refreshes int

	// Yardstick, when set, tells how fast the machine is at the moment, on so many
	// threads. It is asked around each repetition.
	Yardstick func(threads int) Yardstick

	// Progress, when set, is told when a repetition begins, of how many, and the
	// tokens per second of the last one.
	Progress func(done, total int, c *Case, rate float64)
}

// fewRepetitions are enough to tell that a case is noisy, if not how noisy.
const fewRepetitions = 10

// due reports whether a case has its turn in a round, after some turns that took
// so long.
func (o *MeasureOptions) due(round, turns int, took time.Duration) bool {
	part := float64(round+1) / float64(o.Repetitions)
	return float64(turns) < part*float64(min(o.Repetitions, fewRepetitions)) || took.Seconds() < 1.5*part*o.Duration.Seconds()
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

	TokensPerSecond    Samples   // with a value for each repetition
	TokensPerCPUSecond Samples   // the same of processor time; no values where the system does not tell
	Latency            Latency   // of all requests that succeeded
	Latencies          []float64 // their distribution: see latencyCurve
	OpenLatency        Latency   // the same, had requests come at a steady rate: see openLatency
	LatencyParts       []Latency // as Latency, of consecutive parts, equally many requests each, to tell noise
	MedianLatency      Samples   // of each repetition
	Yardstick          Samples   // Yardstick.All around each repetition; no values without a yardstick
	ThreadYardstick    Samples   // Yardstick.One
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
	turn := o.Duration / time.Duration(o.Repetitions)
	total := len(cases) * (o.Repetitions + 1)
	for round := range o.Repetitions + 1 {
		if round > 1 && o.Refresh != nil && (round-1)*(o.Refreshes+1)/o.Repetitions != (round-2)*(o.Refreshes+1)/o.Repetitions {
			if err := o.Refresh(ctx); err != nil {
				return nil, err
			}
			for i := range runs {
				runs[i].repeat(ctx, clock, 0, true)
			}
		}
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
			switch {
			case round == 0:
				r.repeat(ctx, clock, o.Warmup, true)
			case o.due(round-1, r.turns, r.took):
				r.turn(ctx, clock, turn, o.Yardstick)
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

// A caseRun is a case while it is measured.
type caseRun struct {
	c                *Case
	m                Measurement
	turns            int             // repetitions so far
	took             time.Duration   // in all
	times            []time.Duration // of all requests
	places           []int           // of these in their cycle
	rates            []float64       // of each repetition
	cpuRates         []float64
	medians          []float64
	yardsticks       []float64
	threadYardsticks []float64
}

func (r *caseRun) lastRate() float64 {
	if len(r.rates) == 0 {
		return 0
	}
	return r.rates[len(r.rates)-1]
}

// turn is one repetition, between two looks at the yardstick.
func (r *caseRun) turn(ctx context.Context, clock Clock, duration time.Duration, yardstick func(threads int) Yardstick) {
	if yardstick == nil {
		r.repeat(ctx, clock, duration, false)
		return
	}
	before := yardstick(r.c.Threads)
	r.repeat(ctx, clock, duration, false)
	after := yardstick(r.c.Threads)
	r.yardsticks = append(r.yardsticks, (before.All+after.All)/2)
	r.threadYardsticks = append(r.threadYardsticks, max(before.One, after.One))
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
			if !warmup {
				r.places = append(r.places, i%cycle)
			}
			served.add(s)
		}
		now = end
	}
	if warmup {
		return
	}
	r.turns++
	r.took += now - start
	elapsed, busy := (now - start).Seconds(), (clock.CPU() - cpu).Seconds()
	r.m.Seconds += elapsed
	r.m.CPUSeconds += busy
	r.m.Requests += len(times)
	r.m.Served.add(served)
	r.times = append(r.times, times...)
	if len(times) > 0 && elapsed > 0 {
		r.rates = append(r.rates, float64(served.Tokens)/elapsed)
		r.medians = append(r.medians, newLatency(times).P50)
		if busy > 0 {
			r.cpuRates = append(r.cpuRates, float64(served.Tokens)/busy)
		}
	}
}

func (r *caseRun) result() Measurement {
	m := r.m
	m.Case = r.c
	m.TokensPerSecond = samplesOrNone(r.rates)
	m.TokensPerCPUSecond = samplesOrNone(r.cpuRates)
	m.MedianLatency = samplesOrNone(r.medians)
	m.Yardstick = samplesOrNone(r.yardsticks)
	m.ThreadYardstick = samplesOrNone(r.threadYardsticks)
	if len(r.times) > 0 {
		m.Latency, m.Latencies = newLatency(r.times), latencyCurve(r.times)
		m.OpenLatency = openLatency(r.times, r.places)
	}
	const parts = 5
	for i := range parts {
		if part := r.times[i*len(r.times)/parts : (i+1)*len(r.times)/parts]; len(part) > 0 {
			m.LatencyParts = append(m.LatencyParts, newLatency(part))
		}
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
