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
		Repetitions: 3, Duration: 300 * time.Millisecond, Warmup: 15 * time.Millisecond, Clock: clock,
		Yardstick: func(threads int) Yardstick { return Yardstick{float64(100 + len(order)), float64(200 + len(order))} },
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
	if !slices.Equal(a.ThreadYardstick.Values, []float64{204, 205, 208}) {
		t.Errorf("yardstick of a thread %v", a.ThreadYardstick.Values)
	}
}

// A stall of half a second in one request of many shows in the maximum, and where
// more than a hundredth of requests stall, in p99. Had requests come at a steady
// rate, one stall is enough for that.
func TestStallShows(t *testing.T) {
	clock := new(fakeClock)
	// measure makes requests of 10 ms. Wrapped around them is what stalls each of
	// some number.
	measure := func(every, requests int) (closed, open Latency) {
		c := clock.fakeCase("a", 1, 10, constant(10*time.Millisecond))
		request, n := c.Request, 0
		c.Request = func(ctx context.Context, i int) (Served, error) {
			if n%every == every-1 {
				clock.now += 490 * time.Millisecond
			}
			n++
			return request(ctx, i)
		}
		// The first request warms up.
		stalls := requests / every
		o := &MeasureOptions{Repetitions: 1, Duration: time.Duration(10*(requests-stalls)+500*stalls) * time.Millisecond, Clock: clock}
		got, err := Measure(t.Context(), []*Case{c}, o)
		if err != nil {
			t.Fatal(err)
		}
		return got[0].Latency, got[0].OpenLatency
	}
	for _, c := range []struct {
		every, requests int
		closed          Latency
		open            Latency
	}{
		{40, 100, Latency{0.01, 0.01, 0.5, 0.5}, Latency{0.01, 0.46, 0.5, 0.5}},
		{60, 60, Latency{0.01, 0.01, 0.5, 0.5}, Latency{0.01, 0.45, 0.49, 0.5}},
		{300, 300, Latency{0.01, 0.01, 0.01, 0.5}, Latency{0.01, 0.33, 0.47, 0.5}},
		{1500, 1500, Latency{0.01, 0.01, 0.01, 0.5}, Latency{0.01, 0.01, 0.35, 0.5}},
	} {
		closed, open := measure(c.every, c.requests)
		if closed != c.closed {
			t.Errorf("a stall in each %d of %d requests: %+v, want %+v", c.every, c.requests, closed, c.closed)
		}
		if !near(open.P50, c.open.P50, 1e-9) || !near(open.P95, c.open.P95, 1e-9) || !near(open.P99, c.open.P99, 1e-9) || open.Max != c.open.Max {
			t.Errorf("a stall in each %d of %d requests at a steady rate: %+v, want %+v", c.every, c.requests, open, c.open)
		}
	}
}

// Requests of different sizes, which come again and again, are no stalls.
func TestOpenLatencyOfCycles(t *testing.T) {
	var times []time.Duration
	var places []int
	for i := range 100 {
		times = append(times, time.Duration(1+9*(i%5/4))*time.Millisecond)
		places = append(places, i%5)
	}
	if got, want := openLatency(times, places), newLatency(times); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	// The mean of all is 2.8 ms, and two requests would have come meanwhile.
	times[7] += 6 * time.Millisecond
	want := newLatency(append(slices.Clone(times), times[7]-2800*time.Microsecond, times[7]-5600*time.Microsecond))
	if got := openLatency(times, places); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := openLatency([]time.Duration{0, 0, time.Hour}, []int{0, 0, 0}); got.Max != 3600 {
		t.Errorf("an hour among nothing: %+v", got)
	}
}

// A case whose requests last long has few turns, all over the time of the others.
func TestMeasureLongRequests(t *testing.T) {
	clock := new(fakeClock)
	turns := map[string][]int{}
	count := func(c *Case) *Case {
		request, calls := c.Request, 0
		c.Request = func(ctx context.Context, i int) (Served, error) {
			if calls++; calls > 1 && i == 0 {
				turns[c.Model] = append(turns[c.Model], len(turns["short"]))
			}
			return request(ctx, i)
		}
		return c
	}
	cases := []*Case{
		count(clock.fakeCase("short", 1, 10, constant(10*time.Millisecond))),
		count(clock.fakeCase("long", 1, 10, constant(100*time.Millisecond))),
		count(clock.fakeCase("longest", 1, 10, constant(10*time.Second))),
	}
	if _, err := Measure(t.Context(), cases, &MeasureOptions{Repetitions: 40, Duration: 2 * time.Second, Clock: clock}); err != nil {
		t.Fatal(err)
	}
	if got := turns["longest"]; len(got) != 10 || got[0] > 2 || got[9] < 36 || got[5]-got[4] < 3 || got[5]-got[4] > 5 {
		t.Errorf("requests of 10 s in the rounds %v, want ten of them", got)
	}
	if s, l := len(turns["short"]), len(turns["long"]); s != 40 || l < 28 || l > 31 {
		t.Errorf("%d and %d turns, want 40 and about 30", s, l)
	}
}

// Models are loaded again at equal distances, and what follows is no part of the
// figures.
func TestMeasureRefresh(t *testing.T) {
	clock := new(fakeClock)
	fresh, requests := true, 0
	c := clock.fakeCase("a", 1, 10, func(int) time.Duration {
		requests++
		if fresh {
			fresh = false
			return time.Second
		}
		return 10 * time.Millisecond
	})
	var at []int
	o := &MeasureOptions{Repetitions: 10, Duration: time.Second, Clock: clock, Refreshes: 4, Refresh: func(context.Context) error {
		at = append(at, requests)
		fresh = true
		return nil
	}}
	got, err := Measure(t.Context(), []*Case{c}, o)
	if err != nil {
		t.Fatal(err)
	}
	// Each turn makes ten requests, and one that does not count begins each part.
	if want := []int{21, 42, 63, 84}; !slices.Equal(at, want) {
		t.Errorf("loaded again after %v requests, want %v", at, want)
	}
	if got[0].Requests != 100 || got[0].Latency.Max != 0.01 {
		t.Errorf("%d requests, the longest %v s", got[0].Requests, got[0].Latency.Max)
	}
	o.Refresh = func(context.Context) error { return errors.New("it is gone") }
	if _, err := Measure(t.Context(), []*Case{c}, o); err == nil || err.Error() != "it is gone" {
		t.Errorf("error %v", err)
	}
}

func TestMeasureWholeCycles(t *testing.T) {
	clock := new(fakeClock)
	var seen []int
	c := clock.fakeCase("a", 1, 0, constant(10*time.Millisecond))
	request := c.Request
	c.Cycle = 7
	c.Request = func(ctx context.Context, i int) (Served, error) { seen = append(seen, i); return request(ctx, i) }
	got, err := Measure(t.Context(), []*Case{c}, &MeasureOptions{Repetitions: 2, Duration: 150 * time.Millisecond, Clock: clock})
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
	got, err := Measure(t.Context(), []*Case{some, all}, &MeasureOptions{Repetitions: 2, Duration: 80 * time.Millisecond, Clock: clock})
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
