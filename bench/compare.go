package bench

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// CompareSchema names the form of a Comparison. It changes when that does.
const CompareSchema = "gguftool/bench-compare/1"

// DefaultTolerance is the smallest change of speed that counts where
// CompareOptions do not say.
const DefaultTolerance = 0.05

// CompareOptions say what counts as a change.
type CompareOptions struct {
	// Tolerance is the change of speed, as a share, up to which none counts; 0
	// means DefaultTolerance. It is twice as large for memory and for the median of
	// latencies, and five times for their percentiles and for loading.
	Tolerance float64
}

// A Verdict is what a comparison found.
type Verdict string

// Verdicts.
const (
	Same    Verdict = "same" // no change beyond noise and tolerance
	Slower  Verdict = "slower"
	Faster  Verdict = "faster"
	Larger  Verdict = "larger" // of memory
	Smaller Verdict = "smaller"
	Failed  Verdict = "failed" // requests fail that did not
)

// isRegression reports whether something became worse.
func (v Verdict) isRegression() bool { return v == Slower || v == Larger || v == Failed }

// A FigureChange is how one figure differs between two reports.
type FigureChange struct {
	Figure  string  `json:"figure"` // its name in a SpeedReport
	Old     float64 `json:"old"`    // of rates, the best repetition; of loading, the fastest time
	New     float64 `json:"new"`
	Change  float64 `json:"change"` // as a share of Old
	Noise   float64 `json:"noise"`  // changes for the worse up to this are not told from noise, or do not count
	Verdict Verdict `json:"verdict"`
}

// A CaseChange is how a case differs between two reports.
type CaseChange struct {
	Model    string         `json:"model"`
	Threads  int            `json:"threads"`
	Workload string         `json:"workload"`
	Batch    int            `json:"batch"`
	Length   int            `json:"length"`
	Machine  float64        `json:"machine"` // how the speed of the machine itself changed meanwhile, as a share
	Figures  []FigureChange `json:"figures"` // tokens_per_second is the first
	Verdict  Verdict        `json:"verdict"` // the worst of all figures
}

// A ModelChange is how a model differs between two reports: its loading, its memory
// and the speed of all its cases together, in which a small change shows more
// clearly than in one of them.
type ModelChange struct {
	Model   string         `json:"model"`
	Figures []FigureChange `json:"figures"`
	Verdict Verdict        `json:"verdict"`
}

// A Comparison is what became of a report's models and cases in a later one.
type Comparison struct {
	Schema  string        `json:"schema"`
	Notes   []string      `json:"notes"` // what makes the reports hard to compare
	Models  []ModelChange `json:"models"`
	Cases   []CaseChange  `json:"cases"`
	OnlyOld []string      `json:"only_old"` // cases that the other report lacks
	OnlyNew []string      `json:"only_new"`
}

// name tells a case from the others of its report.
func (c *CaseSpeed) name() string {
	return caseName(c.Model, c.Workload, c.Threads, c.Batch, c.Length)
}

// CompareSpeed compares the models and cases that two reports share. Reports
// without a case in common give an error. How it decides is told in
// docs/bench.md.
func CompareSpeed(before, after *SpeedReport, o *CompareOptions) (*Comparison, error) {
	tolerance := DefaultTolerance
	if o != nil && o.Tolerance > 0 {
		tolerance = o.Tolerance
	}
	c := &Comparison{Schema: CompareSchema, Notes: differences(before, after), Models: []ModelChange{}, Cases: []CaseChange{}, OnlyOld: []string{}, OnlyNew: []string{}}
	machines, crowded := machineChanges(before, after), false
	for _, threads := range slices.Sorted(maps.Keys(machines)) {
		m := machines[threads]
		crowded = crowded || m.crowded()
		for i, crowd := range []float64{m.crowdOld, m.crowdNew} {
			if crowd > mostCrowd {
				c.Notes = append(c.Notes, fmt.Sprintf("other programs took much of the processors while the %s report was measured, with %s: its times tell nothing, only its processor time does",
					[]string{"old", "new"}[i], countThreads(threads)))
			}
		}
	}
	later := map[string]*CaseSpeed{}
	for i := range after.Cases {
		later[after.Cases[i].name()] = &after.Cases[i]
	}
	pooled := map[string]*pools{}
	for i := range before.Cases {
		old := &before.Cases[i]
		now := later[old.name()]
		if now == nil {
			c.OnlyOld = append(c.OnlyOld, old.name())
			continue
		}
		delete(later, old.name())
		if pooled[old.Model] == nil {
			pooled[old.Model] = new(pools)
		}
		c.Cases = append(c.Cases, compareCase(old, now, machines[old.Threads], tolerance, pooled[old.Model]))
	}
	for i := range after.Cases {
		if name := after.Cases[i].name(); later[name] != nil {
			c.OnlyNew = append(c.OnlyNew, name)
		}
	}
	if len(c.Cases) == 0 {
		return nil, fmt.Errorf("the reports have no case in common: the first has %s, the second %s; measure the same models and shapes",
			firstName(before), firstName(after))
	}
	for i := range before.Models {
		old := &before.Models[i]
		for k := range after.Models {
			if now := &after.Models[k]; now.Name == old.Name && pooled[old.Name] != nil {
				c.Models = append(c.Models, compareModel(old, now, tolerance, crowded, pooled[old.Name]))
			}
		}
	}
	return c, nil
}

func firstName(r *SpeedReport) string {
	if len(r.Cases) == 0 {
		return "none"
	}
	return fmt.Sprintf("%q", r.Cases[0].name())
}

// differences tells where and how two reports were measured differently.
func differences(before, after *SpeedReport) []string {
	notes := []string{}
	differ := func(what string, old, now any) {
		if old != now {
			notes = append(notes, fmt.Sprintf("%s: %v in the old report, %v in the new one", what, old, now))
		}
	}
	place := func(m Machine) string {
		return fmt.Sprintf("%s/%s with %d processors, %d cores and %s", m.OS, m.Architecture, m.Processors, m.Cores, m.Path)
	}
	differ("another machine", place(before.Machine), place(after.Machine))
	if place(before.Machine) == place(after.Machine) && !slices.Equal(before.Machine.Features, after.Machine.Features) {
		notes = append(notes, "another machine: its processor has other features")
	}
	differ("another time of measuring, in seconds of a case", before.Settings.DurationSeconds, after.Settings.DurationSeconds)
	differ("another number of repetitions", before.Settings.Repetitions, after.Settings.Repetitions)
	differ("other texts", before.Settings.Text, after.Settings.Text)
	for i := range before.Models {
		for k := range after.Models {
			if old, now := &before.Models[i], &after.Models[k]; old.Name == now.Name {
				differ("another precision of "+old.Name, old.Precision, now.Precision)
				differ("other bytes of "+old.Name, old.FileBytes, now.FileBytes)
			}
		}
	}
	return notes
}

func compareCase(old, now *CaseSpeed, m machineChange, tolerance float64, all *pools) CaseChange {
	m = m.withUse(old, now)
	c := CaseChange{
		Model: old.Model, Threads: old.Threads, Workload: old.Workload, Batch: old.Batch, Length: old.Length,
		Machine: share(m.drift), Figures: []FigureChange{}, Verdict: Same,
	}
	add := func(name string, e estimate, crowd float64, p *pool) {
		if !e.known() {
			return
		}
		noise := max(-math.Log1p(-tolerance), caseErrors*math.Hypot(e.err, crowd))
		if m.waiting() {
			noise = math.Inf(1)
		}
		c.Figures = append(c.Figures, e.figure(name, noise))
		p.add(e, crowd)
	}
	add("tokens_per_second", wallRate(old, now, m), m.crowd(), &all.wall)
	add("tokens_per_cpu_second", cpuRate(old, now, m), m.cpuError(), &all.cpu)
	c.Figures = append(c.Figures, compareLatency(old, now, m, tolerance)...)
	c.Verdict = worst(c.Figures)
	if now.Errors > old.Errors || len(now.TokensPerSecond.Values) == 0 && len(old.TokensPerSecond.Values) > 0 {
		c.Verdict = Failed
	}
	return c
}

// compareLatency compares the percentiles of requests of which there are enough.
func compareLatency(old, now *CaseSpeed, m machineChange, tolerance float64) (all []FigureChange) {
	requests := min(old.Requests, now.Requests)
	for _, p := range []struct {
		name     string
		of       func(Latency) float64
		requests int // that it needs
		factor   float64
	}{
		{"latency_p50", func(l Latency) float64 { return l.P50 }, 10, 2},
		{"latency_p95", func(l Latency) float64 { return l.P95 }, 100, 5},
		{"latency_p99", func(l Latency) float64 { return l.P99 }, 500, 5},
	} {
		if requests < p.requests || !(p.of(old.Latency) > 0 && p.of(now.Latency) > 0) {
			continue
		}
		e := estimate{old: p.of(old.Latency), new: p.of(now.Latency), drift: -m.drift, err: math.Hypot(old.disturbance(p.of), now.disturbance(p.of)), lessIsBetter: true}
		if !e.known() || math.IsInf(e.err, 0) {
			continue
		}
		noise := max(math.Log1p(p.factor*tolerance), partErrors*math.Hypot(e.err, m.crowd()))
		if m.crowded() {
			noise = math.Inf(1)
		}
		all = append(all, e.figure(p.name, noise))
	}
	return all
}

func compareModel(old, now *ModelSpeed, tolerance float64, crowded bool, cases *pools) ModelChange {
	c := ModelChange{Model: old.Name, Figures: []FigureChange{}}
	for _, p := range []struct {
		name string
		pool *pool
	}{{"tokens_per_second", &cases.wall}, {"tokens_per_cpu_second", &cases.cpu}} {
		if p.pool.cases > 1 {
			e := p.pool.estimate()
			c.Figures = append(c.Figures, e.figure(p.name, max(-math.Log1p(-tolerance), modelErrors*e.err)))
		}
	}
	c.Figures = append(c.Figures, compareLoading(old, now, tolerance, crowded)...)
	for _, m := range []struct {
		name     string
		old, new int64
	}{{"resident_bytes", old.ResidentBytes, now.ResidentBytes}, {"peak_bytes", old.PeakBytes, now.PeakBytes}} {
		e := estimate{old: float64(m.old), new: float64(m.new), lessIsBetter: true}
		if !e.known() {
			continue
		}
		// When memory that is free is collected is a matter of chance.
		const chance = 8 << 20
		f := e.figure(m.name, math.Log1p(max(2*tolerance, chance/e.old)))
		switch f.Verdict {
		case Slower:
			f.Verdict = Larger
		case Faster:
			f.Verdict = Smaller
		}
		c.Figures = append(c.Figures, f)
	}
	c.Verdict = worst(c.Figures)
	return c
}

// compareLoading compares the fastest loads. A few of them, at one moment, may all be
// disturbed: only where processor time became more too, a longer time counts.
func compareLoading(old, now *ModelSpeed, tolerance float64, crowded bool) []FigureChange {
	wall, processors := loadTime(old.LoadSeconds, now.LoadSeconds), loadTime(old.LoadCPU, now.LoadCPU)
	if !wall.known() {
		return nil
	}
	noise := func(e estimate) float64 {
		if crowded {
			return math.Inf(1)
		}
		return max(math.Log1p(5*tolerance), partErrors*e.err)
	}
	figures := []FigureChange{wall.figure("load_seconds", noise(wall))}
	if processors.known() {
		figures = append(figures, processors.figure("load_cpu_seconds", noise(processors)))
		if figures[0].Verdict != figures[1].Verdict {
			figures[0].Verdict, figures[1].Verdict = Same, Same
		}
	}
	if math.Abs(wall.new-wall.old) < 0.01 {
		for i := range figures {
			figures[i].Verdict = Same // a hundredth of a second is no matter, whatever share it is
		}
	}
	return figures
}

// worst returns the verdict of several figures: a regression where there is one,
// the first of them, or else what changed first.
func worst(figures []FigureChange) Verdict {
	verdict := Same
	for _, f := range figures {
		if f.Verdict.isRegression() && !verdict.isRegression() || verdict == Same {
			verdict = f.Verdict
		}
	}
	return verdict
}

// A RegressionError reports that models became worse.
type RegressionError struct {
	Found []string // what did, and how much
}

func (e *RegressionError) Error() string {
	more := ""
	if n := len(e.Found) - 1; n > 0 {
		more = fmt.Sprintf(", and %d more", n)
	}
	return fmt.Sprintf("a regression beyond noise: %s%s; measure again to be sure, for a longer --duration", e.Found[0], more)
}

// Err returns a RegressionError where something became worse beyond noise, or
// fails.
func (c *Comparison) Err() error {
	var e RegressionError
	add := func(name string, verdict Verdict, figures []FigureChange) {
		if verdict == Failed {
			e.Found = append(e.Found, name+" fails")
			return
		}
		for _, f := range figures {
			if f.Verdict.isRegression() {
				e.Found = append(e.Found, fmt.Sprintf("%s: %s %+.1f %%", name, f.Figure, 100*f.Change))
				return
			}
		}
	}
	for _, m := range c.Models {
		add(m.Model, m.Verdict, m.Figures)
	}
	for i := range c.Cases {
		add(c.Cases[i].name(), c.Cases[i].Verdict, c.Cases[i].Figures)
	}
	if len(e.Found) == 0 {
		return nil
	}
	return &e
}

func (c *CaseChange) name() string {
	return caseName(c.Model, c.Workload, c.Threads, c.Batch, c.Length)
}

func caseName(model, workload string, threads, batch, length int) string {
	what := "text"
	if workload != "text" {
		what = fmt.Sprintf("%d tokens", length)
	}
	return fmt.Sprintf("%s, %s, %d x %s", model, countThreads(threads), batch, what)
}

func countThreads(n int) string {
	if n == 1 {
		return "1 thread"
	}
	return fmt.Sprintf("%d threads", n)
}
