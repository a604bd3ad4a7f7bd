package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gguftool/gguftool/internal/fault"
)

// A noisy machine disturbs measurements as a shared one does.
type noisyMachine struct {
	rng *rand.Rand
	// drift is the deviation of the speed of a whole run, jitter that of a
	// repetition, bursts the share of repetitions that lose up to half their time.
	drift, jitter, bursts float64
}

// run returns the report of a run with cases that are speed times as fast as usual.
func (m noisyMachine) run(repetitions int, speed ...float64) *SpeedReport {
	r := &SpeedReport{Schema: SpeedSchema}
	whole := math.Exp(m.drift * m.rng.NormFloat64())
	for i, s := range speed {
		var values, yardsticks []float64
		for range repetitions {
			now := whole * math.Exp(m.jitter*m.rng.NormFloat64())
			if m.rng.Float64() < m.bursts {
				now *= 1 - 0.5*m.rng.Float64()
			}
			values = append(values, 1000*s*now)
			yardsticks = append(yardsticks, 5e9*whole*math.Exp(m.jitter*m.rng.NormFloat64()))
		}
		r.Cases = append(r.Cases, CaseSpeed{Model: "m", Threads: 1, Workload: "synthetic", Batch: 1, Length: i + 1,
			TokensPerSecond: NewSamples(values), Yardstick: NewSamples(yardsticks)})
	}
	return r
}

func regressed(t *testing.T, before, after *SpeedReport) (cases int) {
	t.Helper()
	c, err := CompareSpeed(before, after, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range c.Changes {
		if change.Verdict == Slower {
			cases++
		}
	}
	if (c.Err() != nil) != (cases > 0) {
		t.Errorf("%d cases are slower, error %v", cases, c.Err())
	}
	return cases
}

// Ten runs of the same stay quiet, each of which is compared with all before it,
// on machines of all kinds of noise; and a slowdown of 10 % is found where the
// noise allows to.
func TestCompareOnNoisyMachines(t *testing.T) {
	const reruns, repetitions = 10, 10
	same := []float64{1, 1, 1, 1, 1, 1}
	for _, noise := range []struct {
		name                  string
		drift, jitter, bursts float64
		finds                 float64 // share of slowdowns, with ten repetitions
	}{
		{"quiet", 0.001, 0.005, 0, 1},
		{"usual", 0.01, 0.02, 0.1, 0.8},
		{"shared", 0.1, 0.02, 0.2, 0.6}, // whole runs differ by more than the slowdown
		{"crowded", 0.3, 0.1, 0.5, 0},
	} {
		t.Run(noise.name, func(t *testing.T) {
			m := noisyMachine{rand.New(rand.NewPCG(1, 2)), noise.drift, noise.jitter, noise.bursts}
			alarms, found, tries := 0, 0, 0
			for range 20 {
				var runs []*SpeedReport
				for range reruns {
					runs = append(runs, m.run(repetitions, same...))
				}
				for i := range runs {
					for k := range i {
						alarms += regressed(t, runs[k], runs[i])
					}
				}
				// The machine is as fast as before in this one, within its jitter.
				still := m
				still.drift = 0
				for range 10 {
					before := still.run(repetitions, same...)
					after := still.run(repetitions, 1, 1, 0.9, 1, 1, 1)
					c, err := CompareSpeed(before, after, nil)
					if err != nil {
						t.Fatal(err)
					}
					tries++
					if c.Changes[2].Verdict == Slower {
						found++
					}
				}
			}
			comparisons := 20 * reruns * (reruns - 1) / 2 * len(same)
			if alarms*2000 > comparisons {
				t.Errorf("%d false alarms in %d comparisons", alarms, comparisons)
			}
			if float64(found) < noise.finds*float64(tries) {
				t.Errorf("a slowdown of 10 %% was found %d times of %d", found, tries)
			}
			t.Logf("%d false alarms in %d, %d of %d found", alarms, comparisons, found, tries)
		})
	}
}

// A slowdown of the machine is none of the model, but a model that becomes slower
// on a machine that became faster is not excused either way.
func TestCompareWithMachine(t *testing.T) {
	report := func(speed, machine float64) *SpeedReport {
		m := noisyMachine{rng: rand.New(rand.NewPCG(3, 4)), jitter: 0.002}
		r := m.run(10, speed)
		for i := range r.Cases {
			y := r.Cases[i].Yardstick.Values
			for k := range y {
				y[k] *= machine
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
		if v := got.Changes[0]; v.Verdict != c.want || math.Abs(v.Machine-(c.machine-1)) > 0.01 || math.Abs(v.Change-(c.speed-1)) > 0.01 {
			t.Errorf("speed %v, machine %v: %+v, want %s", c.speed, c.machine, v, c.want)
		}
	}
	if got, _ := CompareSpeed(report(1, 1), report(0.97, 1), &CompareOptions{Tolerance: 0.02}); got.Changes[0].Verdict != Slower {
		t.Errorf("3 %% slower with a tolerance of 2 %%: %+v", got.Changes[0])
	}
}

// What a model of fake requests gives, from Measure to the verdict.
func TestCompareFindsInjectedDelay(t *testing.T) {
	measure := func(delay float64) *SpeedReport {
		clock := new(fakeClock)
		rng := rand.New(rand.NewPCG(5, 6))
		c := clock.fakeCase("m", 1, 100, func(int) (d time.Duration) {
			return time.Duration(1e6 * (1 + 0.05*rng.Float64()) * (1 + delay))
		})
		got, err := Measure(t.Context(), []*Case{c}, &MeasureOptions{Repetitions: 10, Duration: 50 * time.Millisecond, Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		return &SpeedReport{Schema: SpeedSchema, Cases: []CaseSpeed{got[0].report(nil)}}
	}
	if n := regressed(t, measure(0), measure(0.111)); n != 1 {
		t.Error("a delay of 11 % is not found")
	}
	if n := regressed(t, measure(0), measure(0.01)); n != 0 {
		t.Error("a delay of 1 % raises an alarm")
	}
}

func TestCompareCases(t *testing.T) {
	m := noisyMachine{rng: rand.New(rand.NewPCG(7, 8)), jitter: 0.001}
	before, after := m.run(5, 1, 1, 1), m.run(5, 1, 1, 1)
	before.Cases[0].Model = "gone"
	after.Cases[0].Model = "new"
	after.Cases[1].Errors = 2
	c, err := CompareSpeed(before, after, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Changes) != 2 || c.Changes[0].Verdict != Failed || c.Changes[1].Verdict != Same {
		t.Errorf("changes %+v", c.Changes)
	}
	if len(c.OnlyOld) != 1 || len(c.OnlyNew) != 1 || !strings.HasPrefix(c.OnlyOld[0], "gone") || !strings.HasPrefix(c.OnlyNew[0], "new") {
		t.Errorf("only in one: %q, %q", c.OnlyOld, c.OnlyNew)
	}
	if e, ok := errors.AsType[*RegressionError](c.Err()); !ok || len(e.Cases) != 1 {
		t.Errorf("error %v", c.Err())
	}
	if _, err := CompareSpeed(&SpeedReport{}, after, nil); err == nil {
		t.Error("reports without a case in common give no error")
	}
	// One repetition tells nothing about noise.
	if c, err := CompareSpeed(m.run(1, 1), m.run(1, 0.5), nil); err != nil || c.Changes[0].Verdict != Same {
		t.Errorf("single repetitions: %+v, %v", c, err)
	}
}

func TestReadSpeedReport(t *testing.T) {
	m := noisyMachine{rng: rand.New(rand.NewPCG(9, 9)), jitter: 0.1}
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
		{"wrong type", `{"schema":"gguftool/bench-speed/1","cases":7}`, "is damaged", false},
		{"negative", `{"schema":"gguftool/bench-speed/1","cases":[{"model":"m","tokens_per_second":{"values":[1,-1]}}]}`, "case 0, m, 0 threads", false},
		{"zero", `{"schema":"gguftool/bench-speed/1","cases":[{"tokens_per_second":{"values":[0]}}]}`, "no speed", false},
		{"median of nothing", `{"schema":"gguftool/bench-speed/1","cases":[{"tokens_per_second":{"median":1}}]}`, "median of no values", false},
		{"twice", `{"schema":"gguftool/bench-speed/1","cases":[{"model":"m"},{"model":"m"}]}`, "is there twice", false},
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
	m := noisyMachine{rng: rand.New(rand.NewPCG(9, 9)), jitter: 0.1}
	data, err := json.Marshal(m.run(3, 1, 2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"schema":"gguftool/bench-speed/1","cases":[{"tokens_per_second":{"values":[1e308,5e-324]},"yardstick":{"values":[0,-1,1e308]}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ReadSpeedReport("r.json", bytes.NewReader(data))
		if err != nil {
			return
		}
		if c, err := CompareSpeed(r, r, nil); err == nil {
			if _, err := json.Marshal(c); err != nil {
				t.Errorf("comparison cannot be printed: %v", err)
			}
			if c.Err() != nil && !strings.Contains(c.Err().Error(), "slower") {
				t.Error(c.Err())
			}
		}
	})
}
