package bench

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gguftool/gguftool/infer"
)

// fakeClock is moved by what pretends to take time.
type fakeClock struct{ now, cpu time.Duration }

func (c *fakeClock) Now() time.Duration { return c.now }
func (c *fakeClock) CPU() time.Duration { return c.cpu }

// fakeCase returns a case whose requests take what took says for each of them, all
// of them counted from 0.
func (c *fakeClock) fakeCase(name string, batch, length int, took func(n int) time.Duration) *Case {
	n := 0
	return &Case{Model: name, Threads: 1, Batch: batch, Length: length, Request: func(context.Context, int) (Served, error) {
		d := took(n) // negative: the request fails after that time
		n++
		c.now += d
		c.cpu += d / 2
		if d < 0 {
			c.now -= 2 * d
			return Served{}, errors.New("it is broken")
		}
		return Served{Texts: batch, Tokens: batch * length, Work: infer.Work{FloatOperations: 10}}, nil
	}}
}

func constant(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }

func TestMeasure(t *testing.T) {
	clock := new(fakeClock)
	var order []string
	cases := []*Case{
		clock.fakeCase("a", 4, 10, constant(10*time.Millisecond)),
		clock.fakeCase("b", 1, 50, constant(30*time.Millisecond)),
	}
	o := &MeasureOptions{
		Repetitions: 3, Duration: 100 * time.Millisecond, Warmup: 15 * time.Millisecond, Clock: clock,
		Yardstick: func(threads int) float64 { return float64(100 + len(order)) },
		Progress: func(done, total int, c *Case, rate float64) {
			if total != 8 || done != len(order) {
				t.Errorf("told of %d of %d", done, total)
			}
			order = append(order, c.Model)
		},
	}
	got, err := Measure(t.Context(), cases, o)
	if err != nil {
		t.Fatal(err)
	}
	if want := "a b b a a b b a"; strings.Join(order, " ") != want {
		t.Errorf("order %v, want %s", order, want)
	}
	a, b := got[0], got[1]
	if a.Requests != 30 || a.Served.Texts != 120 || a.Served.Tokens != 1200 || a.Served.Work.FloatOperations != 300 {
		t.Errorf("a served %d requests, %+v", a.Requests, a.Served)
	}
	if !near(a.Seconds, 0.3, 1e-9) || !near(a.CPUSeconds, 0.15, 1e-9) || a.TokensPerSecond.Median != 4000 || !near(a.TextsPerSecond(), 400, 1e-9) {
		t.Errorf("a: %v s, %v s CPU, %v tokens/s, %v texts/s", a.Seconds, a.CPUSeconds, a.TokensPerSecond.Median, a.TextsPerSecond())
	}
	// The fourth request of b is under way when 100 ms are over, and completed.
	if b.Requests != 12 || !near(b.Seconds, 0.36, 1e-9) || len(b.TokensPerSecond.Values) != 3 || !near(b.TokensPerSecond.Median, 50/0.03, 1e-9) {
		t.Errorf("b: %d requests, %v s, %v", b.Requests, b.Seconds, b.TokensPerSecond)
	}
	if b.Latency != (Latency{0.03, 0.03, 0.03, 0.03}) || b.MedianLatency.Median != 0.03 {
		t.Errorf("latency of b: %+v, %+v", b.Latency, b.MedianLatency)
	}
	if !slices.Equal(a.Yardstick.Values, []float64{104, 105, 108}) {
		t.Errorf("yardstick %v", a.Yardstick.Values)
	}
}

// One request in two hundred stalls: the median does not tell, p99 does where more
// than a hundredth of requests do, and the largest always.
func TestStallShows(t *testing.T) {
	clock := new(fakeClock)
	measure := func(every, requests int) Latency {
		c := clock.fakeCase("a", 1, 10, func(n int) time.Duration {
			if n%every == every-1 {
				return 500 * time.Millisecond
			}
			return 10 * time.Millisecond
		})
		// The first request warms up.
		stalls := requests / every
		o := &MeasureOptions{Repetitions: 1, Duration: time.Duration(10*(requests-stalls)+500*stalls) * time.Millisecond, Clock: clock}
		got, err := Measure(t.Context(), []*Case{c}, o)
		if err != nil {
			t.Fatal(err)
		}
		return got[0].Latency
	}
	if got := measure(40, 100); got != (Latency{0.01, 0.01, 0.5, 0.5}) {
		t.Errorf("two stalls in a hundred requests: %+v", got)
	}
	if got := measure(60, 60); got != (Latency{0.01, 0.01, 0.5, 0.5}) {
		t.Errorf("one stall in sixty requests: %+v", got)
	}
	if got := measure(150, 300); got != (Latency{0.01, 0.01, 0.01, 0.5}) {
		t.Errorf("two stalls in three hundred requests: %+v", got)
	}
}

func TestMeasureWholeCycles(t *testing.T) {
	clock := new(fakeClock)
	var seen []int
	c := clock.fakeCase("a", 1, 0, constant(10*time.Millisecond))
	request := c.Request
	c.Cycle = 7
	c.Request = func(ctx context.Context, i int) (Served, error) { seen = append(seen, i); return request(ctx, i) }
	got, err := Measure(t.Context(), []*Case{c}, &MeasureOptions{Repetitions: 2, Duration: 75 * time.Millisecond, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Requests != 28 || len(seen) != 29 || seen[1] != 0 || seen[14] != 13 || seen[15] != 0 {
		t.Errorf("%d requests, seen %v; want two cycles of 7 in each repetition", got[0].Requests, seen)
	}
}

func TestMeasureCountsErrors(t *testing.T) {
	clock := new(fakeClock)
	some := clock.fakeCase("some", 1, 10, func(n int) time.Duration {
		if n%2 == 1 {
			return -10 * time.Millisecond
		}
		return 10 * time.Millisecond
	})
	all := clock.fakeCase("all", 1, 10, constant(-10*time.Millisecond))
	got, err := Measure(t.Context(), []*Case{some, all}, &MeasureOptions{Repetitions: 2, Duration: 40 * time.Millisecond, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Requests != 4 || got[0].Errors != 4 || got[0].FirstError == nil || got[0].TokensPerSecond.Median != 500 {
		t.Errorf("half of them fail: %+v", got[0])
	}
	if got[1].Requests != 0 || got[1].Errors != 9 || got[1].TokensPerSecond.Median != 0 || got[1].Latency != (Latency{}) {
		t.Errorf("all of them fail: %+v", got[1])
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Measure(ctx, []*Case{all}, &MeasureOptions{Repetitions: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
	if _, err := Measure(t.Context(), nil, &MeasureOptions{}); err == nil {
		t.Error("no repetitions are no error")
	}
}

func TestPercentilesAreOfRequests(t *testing.T) {
	for _, c := range []struct {
		n                  int
		p50, p95, p99, max float64
	}{
		{1, 1, 1, 1, 1}, {2, 1, 2, 2, 2}, {3, 2, 3, 3, 3}, {99, 50, 95, 99, 99}, {100, 50, 95, 99, 100}, {101, 51, 96, 100, 101}, {1000, 500, 950, 990, 1000},
	} {
		times := make([]time.Duration, c.n)
		for i := range times {
			times[i] = time.Duration(i+1) * time.Second
		}
		rand.Shuffle(c.n, func(i, j int) { times[i], times[j] = times[j], times[i] })
		if got, want := newLatency(times), (Latency{c.p50, c.p95, c.p99, c.max}); got != want {
			t.Errorf("%d requests: %+v, want %+v", c.n, got, want)
		}
	}
}

func TestSamples(t *testing.T) {
	for _, c := range []struct {
		values            []float64
		median, low, high float64
	}{
		{[]float64{5}, 5, 5, 5},
		{[]float64{3, 1}, 2, 1.5, 2.5},
		{[]float64{5, 1, 4, 2, 3}, 3, 2, 4},
		{[]float64{4, 1, 2, 3}, 2.5, 1.75, 3.25},
	} {
		s := NewSamples(c.values)
		if s.Median != c.median || s.Low != c.low || s.High != c.high {
			t.Errorf("%v: %+v", c.values, s)
		}
		if want := (c.high - c.low) / 2 / c.median; math.Abs(s.Spread()-want) > 1e-12 {
			t.Errorf("%v: spread %v, want %v", c.values, s.Spread(), want)
		}
	}
}

func TestMeasureKernel(t *testing.T) {
	clock := new(fakeClock)
	calls := 0
	values, err := measureKernel(t.Context(), 1000, func() { calls++; clock.now += time.Microsecond }, &KernelOptions{Repetitions: 3, Duration: time.Millisecond, Clock: clock})
	if err != nil || len(values) != 3 {
		t.Fatal(values, err)
	}
	for _, v := range values {
		if !near(v, 1e9, 1e-6) {
			t.Errorf("%v a second, want 1e9", v)
		}
	}
	if calls < 3000 || calls > 10_000 {
		t.Errorf("%d calls of a microsecond for three milliseconds", calls)
	}
}
