package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gguftool/gguftool/internal/fault"
)

// A noisyMachine disturbs measurements as a shared one does: what disturbs takes
// time, it gives none.
type noisyMachine struct {
	rng *rand.Rand

	drift    float64 // deviation of the speed of a whole run
	floor    float64 // deviation of a case in a run, which no repetition escapes
	slowed   float64 // part of the repetitions that are disturbed a little: caches, memory
	loss     float64 // the most that they lose
	taken    float64 // part of the processors that others take
	spinning bool    // whether waiting for a thread without processor burns time
}

// run returns the report of a run with cases that are speed times as fast as usual.
func (m noisyMachine) run(repetitions int, speed ...float64) *SpeedReport {
	r := &SpeedReport{Schema: SpeedSchema, Settings: Settings{Repetitions: repetitions}, Models: []ModelSpeed{{Name: "m"}}}
	whole := math.Exp(m.drift * m.rng.NormFloat64())
	for i, s := range speed {
		var rates, cpu, yardsticks, ones []float64
		own := math.Exp(m.floor * m.rng.NormFloat64())
		for range repetitions {
			now := whole * own
			if m.rng.Float64() < m.slowed {
				now *= 1 - m.loss*m.rng.Float64()
			}
			free := 1 - m.taken*(0.8+0.4*m.rng.Float64())
			burnt := 1.0
			if m.spinning && i%2 == 1 {
				burnt = 1 - m.taken*m.rng.Float64()
			}
			rates = append(rates, 1000*s*now*free*burnt)
			cpu = append(cpu, 500*s*now*burnt)
			yardsticks = append(yardsticks, 5e9*whole*(1-m.taken)*(1-0.1*m.rng.Float64()))
			ones = append(ones, 5e9*whole*(1-0.05*m.rng.Float64()))
		}
		r.Cases = append(r.Cases, CaseSpeed{Model: "m", Threads: 1, Workload: "synthetic", Batch: 1, Length: i + 1,
			TokensPerSecond: NewSamples(rates), TokensPerCPUSecond: NewSamples(cpu), Yardstick: NewSamples(yardsticks), ThreadYardstick: NewSamples(ones)})
	}
	return r
}

// regressed reports whether the exit code of a comparison would be that of a
// regression.
func regressed(t *testing.T, before, after *SpeedReport) bool {
	t.Helper()
	c, err := CompareSpeed(before, after, nil)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, change := range c.Cases {
		found = found || change.Verdict == Slower
	}
	for _, change := range c.Models {
		found = found || change.Verdict == Slower
	}
	if (c.Err() != nil) != found {
		t.Errorf("something is slower: %v, error %v", found, c.Err())
	}
	return found
}

// Ten runs of the same stay quiet, each of which is compared with all before it,
// on machines of all kinds of noise; and a slowdown of 10 % of all cases is found,
// and of one of them where the noise allows to.
func TestCompareOnNoisyMachines(t *testing.T) {
	const reruns = 10
	same, slow, one := []float64{1, 1, 1, 1, 1, 1}, []float64{0.9, 0.9, 0.9, 0.9, 0.9, 0.9}, []float64{1, 1, 0.9, 1, 1, 1}
	for _, noise := range []struct {
		name        string
		machine     noisyMachine
		repetitions int
		finds, one  float64 // share of slowdowns of all cases, and of one
	}{
		{"quiet", noisyMachine{floor: 0.001, slowed: 0.5, loss: 0.01}, 40, 1, 1},
		{"usual", noisyMachine{drift: 0.005, floor: 0.01, slowed: 0.8, loss: 0.1}, 40, 0.99, 0.9},
		{"few repetitions", noisyMachine{drift: 0.005, floor: 0.01, slowed: 0.8, loss: 0.1}, 10, 0.97, 0.6},
		{"shared", noisyMachine{drift: 0.005, floor: 0.01, slowed: 0.95, loss: 0.5}, 40, 0.8, 0},
		{"slower at times", noisyMachine{drift: 0.1, floor: 0.005, slowed: 0.5, loss: 0.02}, 40, 0.3, 0.3},
		{"crowded", noisyMachine{floor: 0.01, slowed: 0.9, loss: 0.03, taken: 0.5}, 40, 0.9, 0},
		{"crowded, with threads that wait", noisyMachine{floor: 0.01, slowed: 0.9, loss: 0.03, taken: 0.5, spinning: true}, 40, 0.6, 0},
	} {
		t.Run(noise.name, func(t *testing.T) {
			m := noise.machine
			m.rng = rand.New(rand.NewPCG(1, 2))
			alarms, found, foundOne, tries := 0, 0, 0, 0
			for range 20 {
				var runs []*SpeedReport
				for range reruns {
					runs = append(runs, m.run(noise.repetitions, same...))
				}
				for i := range runs {
					for k := range i {
						if regressed(t, runs[k], runs[i]) {
							alarms++
						}
					}
					tries++
					if regressed(t, runs[i], m.run(noise.repetitions, slow...)) {
						found++
					}
					if regressed(t, runs[i], m.run(noise.repetitions, one...)) {
						foundOne++
					}
				}
			}
			comparisons := 20 * reruns * (reruns - 1) / 2
			if alarms*200 > comparisons {
				t.Errorf("%d false alarms in %d comparisons", alarms, comparisons)
			}
			if float64(found) < noise.finds*float64(tries) || float64(foundOne) < noise.one*float64(tries) {
				t.Errorf("a slowdown of 10 %% was found %d times of %d, of one case %d times", found, tries, foundOne)
			}
			t.Logf("%d false alarms in %d, %d of %d found, %d of one case", alarms, comparisons, found, tries, foundOne)
		})
	}
}

// A slowdown of the machine is none of the model, but a model that becomes slower
// on a machine that became faster is not excused either way.
func TestCompareWithMachine(t *testing.T) {
	report := func(speed, machine float64) *SpeedReport {
		m := noisyMachine{rng: rand.New(rand.NewPCG(3, 4)), slowed: 0.5, loss: 0.01}
		r := m.run(10, speed)
		for i := range r.Cases {
			for k := range r.Cases[i].Yardstick.Values {
				r.Cases[i].Yardstick.Values[k] *= machine
				r.Cases[i].ThreadYardstick.Values[k] *= machine
			}
		}
		return r
	}
	for _, c := range []struct {
		speed, machine float64
		want           Verdict
	}{
		{1, 1, Same}, {0.97, 1, Same}, {0.9, 1, Slower}, {1.12, 1, Faster},
		{0.7, 0.7, Same}, {0.7, 0.9, Slower}, {0.9, 1.3, Slower}, {1.5, 1.5, Same}, {1.5, 1.1, Faster},
	} {
		got, err := CompareSpeed(report(1, 1), report(c.speed, c.machine), nil)
		if err != nil {
			t.Fatal(err)
		}
		v := got.Cases[0]
		if v.Verdict != c.want || math.Abs(v.Machine-(c.machine-1)) > 0.01 || math.Abs(v.Figures[0].Change-(c.speed-1)) > 0.01 {
			t.Errorf("speed %v, machine %v: %+v, want %s", c.speed, c.machine, v, c.want)
		}
	}
	small := &CompareOptions{Tolerance: 0.02}
	if got, _ := CompareSpeed(report(1, 1), report(0.92, 1), small); got.Cases[0].Verdict != Slower {
		t.Errorf("8 %% slower with a tolerance of 2 %%: %+v", got.Cases[0])
	}
}

// plant returns a case whose requests do a share more work than those of c.
func plant(clock *fakeClock, c *Case, more float64) *Case {
	slow := *c
	slow.Request = func(ctx context.Context, i int) (Served, error) {
		start := *clock
		served, err := c.Request(ctx, i)
		clock.now += time.Duration(more * float64(clock.now-start.now))
		clock.cpu += time.Duration(more * float64(clock.cpu-start.cpu))
		return served, err
	}
	return &slow
}

// What requests give that were wrapped to do more, from Measure to the verdict.
func TestCompareFindsPlantedSlowdown(t *testing.T) {
	measure := func(more float64) *SpeedReport {
		clock := new(fakeClock)
		rng := rand.New(rand.NewPCG(5, 6))
		c := clock.fakeCase("m", 1, 100, func(int) (d time.Duration) {
			return time.Duration(1e6 * (1 + 0.05*rng.Float64()))
		})
		got, err := Measure(t.Context(), []*Case{plant(clock, c, more)}, &MeasureOptions{Repetitions: 10, Duration: 500 * time.Millisecond, Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		return &SpeedReport{Schema: SpeedSchema, Cases: []CaseSpeed{got[0].report(nil)}}
	}
	if !regressed(t, measure(0), measure(0.111)) {
		t.Error("11 % more work is not found")
	}
	if regressed(t, measure(0), measure(0.01)) {
		t.Error("1 % more work raises an alarm")
	}
}

// Where only the wall clock tells, as of a program that waits, it is believed when
// no other took the processors.
func TestCompareWaiting(t *testing.T) {
	slower := func(taken float64) bool {
		m := noisyMachine{rng: rand.New(rand.NewPCG(1, 1)), slowed: 0.5, loss: 0.01}
		before := m.run(20, 1, 1)
		m.taken = taken
		after := m.run(20, 1, 1)
		if taken == 0 {
			for i := range after.Cases {
				v := after.Cases[i].TokensPerSecond.Values
				for k := range v {
					v[k] *= 0.8
				}
			}
		}
		return regressed(t, before, after)
	}
	if !slower(0) {
		t.Error("a program that waits a fifth of the time is not found")
	}
	if slower(0.2) {
		t.Error("a fifth of the processors that others take is found")
	}
}

func TestCompareCases(t *testing.T) {
	m := noisyMachine{rng: rand.New(rand.NewPCG(7, 8)), slowed: 1, loss: 0.003}
	before, after := m.run(5, 1, 1, 1), m.run(5, 1, 1, 1)
	before.Cases[0].Model = "gone"
	after.Cases[0].Model = "new"
	after.Cases[1].Errors = 2
	c, err := CompareSpeed(before, after, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Cases) != 2 || c.Cases[0].Verdict != Failed || c.Cases[1].Verdict != Same {
		t.Errorf("cases %+v", c.Cases)
	}
	if len(c.OnlyOld) != 1 || len(c.OnlyNew) != 1 || !strings.HasPrefix(c.OnlyOld[0], "gone") || !strings.HasPrefix(c.OnlyNew[0], "new") {
		t.Errorf("only in one: %q, %q", c.OnlyOld, c.OnlyNew)
	}
	if e, ok := errors.AsType[*RegressionError](c.Err()); !ok || len(e.Found) != 1 || !strings.Contains(e.Error(), "fails") {
		t.Errorf("error %v", c.Err())
	}
	if _, err := CompareSpeed(&SpeedReport{}, after, nil); err == nil {
		t.Error("reports without a case in common give no error")
	}
	// One repetition tells nothing about noise.
	if c, err := CompareSpeed(m.run(1, 1), m.run(1, 0.5), nil); err != nil || c.Cases[0].Verdict != Same {
		t.Errorf("single repetitions: %+v, %v", c, err)
	}
}

// Latencies, loading and memory have noise of their own.
func TestCompareOtherFigures(t *testing.T) {
	latency := func() (all []Latency) {
		for _, f := range []float64{1, 1.02, 0.98, 1.01, 0.99} {
			all = append(all, Latency{0.01 * f, 0.02 * f, 0.03 * f, 1})
		}
		return all
	}
	report := func(change func(r *SpeedReport)) *SpeedReport {
		r := noisyMachine{rng: rand.New(rand.NewPCG(7, 8)), slowed: 0.5, loss: 0.01}.run(20, 1)
		r.Cases[0].Requests = 1000
		r.Cases[0].LatencyParts = latency()
		r.Cases[0].Latency = Latency{0.01, 0.02, 0.03, 1}
		r.Models[0] = ModelSpeed{Name: "m", LoadSeconds: NewSamples([]float64{0.1, 0.11, 0.102}), LoadCPU: NewSamples([]float64{0.1, 0.11, 0.102}), ResidentBytes: 100e6, PeakBytes: 200e6}
		if change != nil {
			change(r)
		}
		return r
	}
	load := func(seconds ...float64) func(r *SpeedReport) {
		return func(r *SpeedReport) {
			r.Models[0].LoadSeconds, r.Models[0].LoadCPU = NewSamples(seconds), NewSamples(seconds)
		}
	}
	for _, c := range []struct {
		name   string
		change func(r *SpeedReport)
		figure string // that is worse, or ""
	}{
		{"nothing", nil, ""},
		{"p50 a little", func(r *SpeedReport) { r.Cases[0].Latency.P50 = 0.0105 }, ""},
		{"p50", func(r *SpeedReport) { r.Cases[0].Latency.P50 = 0.012 }, "latency_p50"},
		{"p95 a little", func(r *SpeedReport) { r.Cases[0].Latency.P95 = 0.024 }, ""},
		{"p95", func(r *SpeedReport) { r.Cases[0].Latency.P95 = 0.03 }, "latency_p95"},
		{"p99", func(r *SpeedReport) { r.Cases[0].Latency.P99 = 0.06 }, "latency_p99"},
		{"p99 of few", func(r *SpeedReport) { r.Cases[0].Latency.P99, r.Cases[0].Requests = 0.06, 200 }, ""},
		{"p95 of noise", func(r *SpeedReport) { r.Cases[0].Latency.P95, r.Cases[0].LatencyParts[2].P95 = 0.03, 0.05 }, ""},
		{"loading a little", load(0.12, 0.121, 0.13), ""},
		{"loading", load(0.2, 0.21, 0.2), "load_cpu_seconds load_seconds"},
		{"loading that waits", func(r *SpeedReport) { r.Models[0].LoadSeconds = NewSamples([]float64{0.2, 0.21, 0.2}) }, ""},
		{"loading, disturbed", load(0.2, 0.5, 0.31), ""},
		{"memory a little", func(r *SpeedReport) { r.Models[0].ResidentBytes = 108e6 }, ""},
		{"memory", func(r *SpeedReport) { r.Models[0].ResidentBytes = 115e6 }, "resident_bytes"},
		{"peak", func(r *SpeedReport) { r.Models[0].PeakBytes = 230e6 }, "peak_bytes"},
		{"peak unknown", func(r *SpeedReport) { r.Models[0].PeakBytes = 0 }, ""},
	} {
		got, err := CompareSpeed(report(nil), report(c.change), nil)
		if err != nil {
			t.Fatal(err)
		}
		var worse []string
		for _, f := range append(slices.Clone(got.Cases[0].Figures), got.Models[0].Figures...) {
			if f.Verdict.isRegression() {
				worse = append(worse, f.Figure)
			}
		}
		slices.Sort(worse)
		if strings.Join(worse, " ") != c.figure || (got.Err() != nil) != (c.figure != "") {
			t.Errorf("%s: worse are %q, error %v, want %q", c.name, worse, got.Err(), c.figure)
		}
		back, err := CompareSpeed(report(c.change), report(nil), nil)
		if err != nil || back.Err() != nil {
			t.Errorf("%s, the other way: %v, %v", c.name, err, back.Err())
		}
	}
}

// What makes reports hard to compare is told.
func TestCompareTellsDifferences(t *testing.T) {
	report := func() *SpeedReport {
		r := noisyMachine{rng: rand.New(rand.NewPCG(7, 8)), slowed: 0.5, loss: 0.01}.run(20, 1)
		r.Machine = Machine{OS: "linux", Processors: 2, Features: []string{"avx2"}}
		return r
	}
	for want, change := range map[string]func(r *SpeedReport){
		"":                             func(r *SpeedReport) {},
		"another machine: linux/":      func(r *SpeedReport) { r.Machine.Processors = 4 },
		"another machine: its process": func(r *SpeedReport) { r.Machine.Features = nil },
		"seconds of a case: 0 in the old report, 1 in": func(r *SpeedReport) { r.Settings.DurationSeconds = 1 },
		"repetitions: 20 in the old report, 10 in":     func(r *SpeedReport) { r.Settings.Repetitions = 10 },
		"other texts: ":            func(r *SpeedReport) { r.Settings.Text = "mine" },
		"another precision of m: ": func(r *SpeedReport) { r.Models[0].Precision = "int8" },
		"other bytes of m: ":       func(r *SpeedReport) { r.Models[0].FileBytes = 7 },
		"while the new report was measured, with 1 thread:": func(r *SpeedReport) {
			for i := range r.Cases[0].Yardstick.Values[1:] {
				r.Cases[0].Yardstick.Values[1+i] /= 2
			}
		},
	} {
		now := report()
		change(now)
		c, err := CompareSpeed(report(), now, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(c.Notes, "\n"); !strings.Contains(got, want) || (len(c.Notes) > 0) != (want != "") {
			t.Errorf("notes %q, want %q", got, want)
		}
	}
}

func TestReadSpeedReport(t *testing.T) {
	m := noisyMachine{rng: rand.New(rand.NewPCG(9, 9)), slowed: 1, loss: 0.1}
	report := m.run(3, 1, 2)
	data, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ReadSpeedReport("r.json", bytes.NewReader(data))
	if err != nil || len(back.Cases) != 2 || back.Cases[1].TokensPerSecond.Median != report.Cases[1].TokensPerSecond.Median {
		t.Fatalf("%+v, %v", back, err)
	}
	text := string(data)
	for _, c := range []struct {
		name, text, want string
		unsupported      bool
	}{
		{"empty", "", "is no report", false},
		{"text", "tokens per second", "is no report", false},
		{"cut", text[:len(text)/2], "is no report", false},
		{"no object", "[1]", "is no report", false},
		{"another", `{"cases":[]}`, "has no schema", false},
		{"future", `{"schema":"gguftool/bench-speed/9"}`, `"gguftool/bench-speed/9"`, true},
		{"wrong type", `{"schema":"gguftool/bench-speed/2","cases":7}`, "is damaged", false},
		{"no time", `{"schema":"gguftool/bench-speed/2","models":[{"name":"m","load_seconds":{"values":[0]}}]}`, "model 0, m: 0 is no speed or time", false},
		{"lines", "{\"model\":\"m\"}\n{\"model\":\"m\"}", "is no report", false},
		{"negative", `{"schema":"gguftool/bench-speed/2","cases":[{"model":"m","tokens_per_second":{"values":[1,-1]}}]}`, "case 0, m, 0 threads", false},
		{"zero", `{"schema":"gguftool/bench-speed/2","cases":[{"tokens_per_second":{"values":[0]}}]}`, "no speed", false},
		{"median of nothing", `{"schema":"gguftool/bench-speed/2","cases":[{"tokens_per_second":{"median":1}}]}`, "median of no values", false},
		{"twice", `{"schema":"gguftool/bench-speed/2","cases":[{"model":"m"},{"model":"m"}]}`, "is there twice", false},
	} {
		_, err := ReadSpeedReport("r.json", strings.NewReader(c.text))
		_, malformed := errors.AsType[*fault.FormatError](err)
		_, unsupported := errors.AsType[*fault.UnsupportedError](err)
		if err == nil || !strings.Contains(err.Error(), c.want) || malformed == c.unsupported || unsupported != c.unsupported {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func FuzzReadSpeedReport(f *testing.F) {
	m := noisyMachine{rng: rand.New(rand.NewPCG(9, 9)), slowed: 1, loss: 0.1}
	data, err := json.Marshal(m.run(3, 1, 2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"schema":"gguftool/bench-speed/2","cases":[{"tokens_per_second":{"values":[1e308,5e-324]},"yardstick":{"values":[0,-1,1e308]}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ReadSpeedReport("r.json", bytes.NewReader(data))
		if err != nil {
			return
		}
		if c, err := CompareSpeed(r, r, nil); err == nil {
			if _, err := json.Marshal(c); err != nil {
				t.Errorf("comparison cannot be printed: %v", err)
			}
			if c.Err() != nil && !strings.Contains(c.Err().Error(), "regression") {
				t.Error(c.Err())
			}
		}
	})
}
