package bench

import (
	"fmt"
	"math"
	"slices"
)

// DefaultTolerance is the smallest change that counts where CompareOptions do not
// say.
const DefaultTolerance = 0.05

// CompareOptions say what counts as a change.
type CompareOptions struct {
	Tolerance float64 // smaller changes never count, as a share; 0 means DefaultTolerance
}

// A Verdict is what a comparison found.
type Verdict string

// Verdicts.
const (
	Same   Verdict = "same" // no change beyond noise and tolerance
	Slower Verdict = "slower"
	Faster Verdict = "faster"
	Failed Verdict = "failed" // requests fail that did not
)

// A Change is how a case differs between two reports.
type Change struct {
	Model    string `json:"model"`
	Threads  int    `json:"threads"`
	Workload string `json:"workload"`
	Batch    int    `json:"batch"`
	Length   int    `json:"length"`

	Old     float64 `json:"old"`     // median of tokens per second
	New     float64 `json:"new"`     // the same
	Change  float64 `json:"change"`  // of the medians, as a share of the old one
	Machine float64 `json:"machine"` // how the speed of the machine itself changed meanwhile, as a share
	Noise   float64 `json:"noise"`   // changes up to this are not told from noise, as a share
	Verdict Verdict `json:"verdict"`
}

// A Comparison is what became of a report's cases in a later one.
type Comparison struct {
	Changes []Change `json:"changes"`
	OnlyOld []string `json:"only_old"` // cases that the other report lacks
	OnlyNew []string `json:"only_new"`
}

// name tells a case from the others of its report.
func (c *CaseSpeed) name() string {
	length := "text"
	if c.Workload != "text" {
		length = fmt.Sprintf("%d tokens", c.Length)
	}
	return fmt.Sprintf("%s, %d threads, %d x %s", c.Model, c.Threads, c.Batch, length)
}

// CompareSpeed compares the cases that two reports share. Reports without a case
// in common give an error.
//
// What is compared is the tokens per second of the repetitions. A case counts as
// slower where all of this holds, in logarithms:
//
//	the median fell by more than max(tolerance, 3.5 standard errors of the difference)
//	the upper quartile, which disturbances hardly touch, fell by at least half of that
//	the same two, relative to the speed of the machine itself: the yardstick of each report
//
// and as faster with signs changed.
func CompareSpeed(before, after *SpeedReport, o *CompareOptions) (*Comparison, error) {
	tolerance := DefaultTolerance
	if o != nil && o.Tolerance > 0 {
		tolerance = o.Tolerance
	}
	c := &Comparison{Changes: []Change{}, OnlyOld: []string{}, OnlyNew: []string{}}
	drift := machineDrift(before, after)
	later := map[string]*CaseSpeed{}
	for i := range after.Cases {
		later[after.Cases[i].name()] = &after.Cases[i]
	}
	for i := range before.Cases {
		old := &before.Cases[i]
		now := later[old.name()]
		if now == nil {
			c.OnlyOld = append(c.OnlyOld, old.name())
			continue
		}
		delete(later, old.name())
		c.Changes = append(c.Changes, compareCase(old, now, drift[old.Threads], tolerance))
	}
	for i := range after.Cases {
		if name := after.Cases[i].name(); later[name] != nil {
			c.OnlyNew = append(c.OnlyNew, name)
		}
	}
	if len(c.Changes) == 0 {
		return nil, fmt.Errorf("the reports have no case in common: the first has %s, the second %s; measure the same models and shapes",
			firstName(before), firstName(after))
	}
	return c, nil
}

func firstName(r *SpeedReport) string {
	if len(r.Cases) == 0 {
		return "none"
	}
	return fmt.Sprintf("%q", r.Cases[0].name())
}

// machineDrift returns how much faster the machine itself became, for each number
// of threads, in logarithms.
func machineDrift(before, after *SpeedReport) map[int]float64 {
	yardsticks := func(r *SpeedReport) map[int][]float64 {
		all := map[int][]float64{}
		for _, c := range r.Cases {
			for _, v := range c.Yardstick.Values {
				if v > 0 {
					all[c.Threads] = append(all[c.Threads], v)
				}
			}
		}
		return all
	}
	old, now := yardsticks(before), yardsticks(after)
	drift := map[int]float64{}
	for threads := range old {
		if len(now[threads]) > 0 {
			drift[threads] = math.Log(NewSamples(now[threads]).Median / NewSamples(old[threads]).Median)
		}
	}
	return drift
}

// standardErrors is how many of them a change has to be beyond. With a dozen
// cases and a dozen comparisons, fewer would be exceeded now and then.
const standardErrors = 3.5

func compareCase(old, now *CaseSpeed, drift, tolerance float64) Change {
	c := Change{
		Model: old.Model, Threads: old.Threads, Workload: old.Workload, Batch: old.Batch, Length: old.Length,
		Old: old.TokensPerSecond.Median, New: now.TokensPerSecond.Median, Machine: math.Expm1(drift), Verdict: Same,
	}
	if now.Errors > old.Errors || c.New <= 0 && c.Old > 0 {
		c.Verdict = Failed
		c.Change = -1
		if c.Old > 0 {
			c.Change = c.New/c.Old - 1
		}
		return c
	}
	if c.Old <= 0 {
		return c // it never worked
	}
	c.Change = c.New/c.Old - 1
	noise := max(-math.Log1p(-tolerance), standardErrors*math.Hypot(standardError(old.TokensPerSecond), standardError(now.TokensPerSecond)))
	c.Noise = -math.Expm1(-noise)
	median := math.Log(c.New / c.Old)
	quartile := math.Log(upper(now.TokensPerSecond) / upper(old.TokensPerSecond))
	beyond := func(sign float64) bool {
		return sign*median > noise && sign*quartile > noise/2 && sign*(median-drift) > noise && sign*(quartile-drift) > noise/2
	}
	switch {
	case beyond(-1):
		c.Verdict = Slower
	case beyond(1):
		c.Verdict = Faster
	}
	return c
}

// upper returns the upper quartile of s.
func upper(s Samples) float64 { return quantile(slices.Sorted(slices.Values(s.Values)), 0.75) }

// standardError returns that of the logarithm of the median of s. The deviation
// of the values is taken from their quartiles, as if they were normal, and
// counts for more where there are few.
func standardError(s Samples) float64 {
	n := float64(len(s.Values))
	if n < 2 {
		return math.Inf(1) // one value tells nothing about noise
	}
	logs := make([]float64, len(s.Values))
	for i, v := range s.Values {
		logs[i] = math.Log(v)
	}
	slices.Sort(logs)
	deviation := (quantile(logs, 0.75) - quantile(logs, 0.25)) / 1.349
	return 1.2533 * deviation / math.Sqrt(n) * (1 + 2/n)
}

// A RegressionError reports that models became slower.
type RegressionError struct {
	Cases []string // those that did
}

func (e *RegressionError) Error() string {
	what := "case is"
	if len(e.Cases) > 1 {
		what = "cases are"
	}
	return fmt.Sprintf("%d %s slower beyond noise, first %s; measure again to be sure, with more repetitions", len(e.Cases), what, e.Cases[0])
}

// Err returns a RegressionError where a case is slower beyond noise, or fails.
func (c *Comparison) Err() error {
	var e RegressionError
	for _, change := range c.Changes {
		if change.Verdict == Slower || change.Verdict == Failed {
			e.Cases = append(e.Cases, change.name())
		}
	}
	if len(e.Cases) == 0 {
		return nil
	}
	return &e
}

func (c *Change) name() string {
	return (&CaseSpeed{Model: c.Model, Threads: c.Threads, Workload: c.Workload, Batch: c.Batch, Length: c.Length}).name()
}
