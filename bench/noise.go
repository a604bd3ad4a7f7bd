package bench

import (
	"math"
	"slices"
)

// How many standard errors a change has to be beyond. A report has dozens of
// cases, each with several figures, and is compared again and again: with fewer,
// one of them would be beyond now and then. Models are few.
const (
	caseErrors  = 4
	modelErrors = 3
	partErrors  = 3.5
)

// Memory does not lie at the same addresses in two processes, and what lies beside
// each other in a cache differs. These are the deviations, in logarithms, that
// remain however long is measured: of a case, and of all cases of a model.
const (
	caseFloor  = 0.01
	modelFloor = 0.008

	// Of processor time, by the share of the processors that others took: they take
	// the caches too.
	crowdFloor = 0.016
)

// An estimate is a change of a figure, with what is known about its noise. All but
// the figures themselves are logarithms.
type estimate struct {
	old, new     float64
	drift        float64 // what the machine itself became faster
	err          float64 // standard error of the change
	waits        bool    // whether threads burn time while others have the processors
	lessIsBetter bool
}

// known reports whether there is something to compare.
func (e *estimate) known() bool {
	return e.old > 0 && e.new > 0 && !math.IsInf(e.old, 0) && !math.IsInf(e.new, 0)
}

// figure decides about a change. It counts where it is beyond noise as it is, and
// also with regard to what the machine itself did.
func (e *estimate) figure(name string, noise float64) FigureChange {
	change := math.Log(e.new) - math.Log(e.old)
	f := FigureChange{Figure: name, Old: e.old, New: e.new, Change: share(change), Noise: -share(-noise), Verdict: Same}
	better := 1.0
	if e.lessIsBetter {
		better, f.Noise = -1, share(min(noise, mostNoise))
	}
	switch up, corrected := better*change, better*(change-e.drift); {
	case up < -noise && corrected < -noise:
		f.Verdict = Slower
	case up > noise && corrected > noise:
		f.Verdict = Faster
	}
	return f
}

// mostNoise stands for figures of which nothing can be told: a thousandfold.
const mostNoise = 6.9

// share returns a change in logarithms as a share, which stays printable.
func share(log float64) float64 { return math.Expm1(max(-50, min(log, 50))) }

// A machineChange is what is known of the machine itself while two reports were
// measured with a number of threads.
type machineChange struct {
	threads            int
	drift              float64 // how much faster it became, in logarithms
	crowdOld, crowdNew float64 // share of the processors that other programs took
}

// crowd returns the error that the programs of others mean for wall clocks.
func (m machineChange) crowd() float64 { return math.Hypot(m.crowdOld, m.crowdNew) }

// crowded reports whether so much was taken that wall clocks tell nothing.
func (m machineChange) crowded() bool { return max(m.crowdOld, m.crowdNew) > mostCrowd }

// waiting reports whether it was crowded and several threads waited for each other,
// now more, now less, without sleeping: then processor time tells little of a
// single case.
func (m machineChange) waiting() bool { return m.crowded() && m.threads > 1 }

// cpuError returns the error of processor time that all cases share.
func (m machineChange) cpuError() float64 { return crowdFloor * m.crowd() }

const mostCrowd = 0.15

// withUse returns m with regard to how much of its threads' time a case had
// processors. A program may have reasons of its own to wait, so that counts only
// where there were others at all.
func (m machineChange) withUse(old, now *CaseSpeed) machineChange {
	const usual = 0.9
	use := func(crowd float64, c *CaseSpeed) float64 {
		if crowd == 0 || c.Seconds <= 0 || c.CPUSeconds <= 0 {
			return crowd
		}
		return max(crowd, 1-c.CPUSeconds/c.Seconds/float64(max(1, c.Threads))/usual)
	}
	m.crowdOld, m.crowdNew = use(m.crowdOld, old), use(m.crowdNew, now)
	return m
}

// machineChanges returns what the yardsticks tell, for each number of threads.
func machineChanges(before, after *SpeedReport) map[int]machineChange {
	type yardstick struct{ best, mean float64 }
	read := func(r *SpeedReport) map[int]yardstick {
		all, one := map[int][]float64{}, map[int][]float64{}
		for _, c := range r.Cases {
			all[c.Threads] = append(all[c.Threads], c.Yardstick.Values...)
			one[c.Threads] = append(one[c.Threads], c.ThreadYardstick.Values...)
		}
		read := map[int]yardstick{}
		for threads, v := range all {
			if len(v) > 0 {
				var sum float64
				for _, x := range v {
					sum += x
				}
				read[threads] = yardstick{max(maximum(v), maximum(append(one[threads], 0))), sum / float64(len(v))}
			}
		}
		return read
	}
	// What a program gets when there is no other: several threads have to be begun.
	crowd := func(threads int, y yardstick) float64 {
		alone := 0.9
		if threads > 1 {
			alone = 0.8
		}
		return max(0, 1-y.mean/(alone*y.best))
	}
	old, now := read(before), read(after)
	all := map[int]machineChange{}
	for threads, o := range old {
		if n, ok := now[threads]; ok {
			all[threads] = machineChange{threads, math.Log(n.best) - math.Log(o.best), crowd(threads, o), crowd(threads, n)}
		}
	}
	return all
}

// best returns the logarithm of the best repetition, and its standard error.
//
// What disturbs a repetition makes it slower, hardly ever faster, so the best of
// many is nearest to what the program does when nothing else runs. How near it is
// shows in how close others come to it: the distance to the upper quartile by the
// root of the number of repetitions follows the deviation among runs, of noise
// that is one-sided as of noise that is normal.
func best(s Samples) (log, err float64) {
	n := len(s.Values)
	if n == 0 {
		return 0, math.Inf(1)
	}
	sorted := slices.Sorted(slices.Values(s.Values))
	log = math.Log(sorted[n-1])
	if n == 1 {
		return log, math.Inf(1) // one value tells nothing about noise
	}
	spread := log - math.Log(quantile(sorted, 0.75))
	return log, math.Hypot(caseFloor, 2.2/math.Sqrt(float64(n))*spread)
}

// wallRate compares the tokens per second of two cases.
func wallRate(old, now *CaseSpeed, m machineChange) estimate {
	a, errA := best(old.TokensPerSecond)
	b, errB := best(now.TokensPerSecond)
	if len(old.TokensPerSecond.Values) == 0 || len(now.TokensPerSecond.Values) == 0 {
		return estimate{}
	}
	return estimate{old: math.Exp(a), new: math.Exp(b), drift: m.drift, err: math.Hypot(errA, errB)}
}

// cpuRate compares the tokens per second of processor time. What others do with
// the processors is hardly in it.
func cpuRate(old, now *CaseSpeed, m machineChange) estimate {
	a, errA := best(old.TokensPerCPUSecond)
	b, errB := best(now.TokensPerCPUSecond)
	if len(old.TokensPerCPUSecond.Values) == 0 || len(now.TokensPerCPUSecond.Values) == 0 {
		return estimate{}
	}
	return estimate{old: math.Exp(a), new: math.Exp(b), drift: m.drift, err: math.Hypot(errA, errB),
		waits: m.waiting() && math.Max(medianGap(old.TokensPerCPUSecond), medianGap(now.TokensPerCPUSecond)) > waitingGap}
}

// waitingGap is how far, in logarithms, the median repetition is at most from the
// best where threads do not burn time: those that wait for another, which has no
// processor for a while, stay awake.
const waitingGap = 0.2

func medianGap(s Samples) float64 { return math.Log(maximum(s.Values)) - math.Log(s.Median) }

// pools gather the cases of a model.
type pools struct{ wall, cpu pool }

// A pool is the mean change of cases, each with the weight of its certainty.
type pool struct {
	cases                       int
	weights, old, change, drift float64
	crowd                       float64 // the error that all cases share
}

func (p *pool) add(e estimate, crowd float64) {
	if e.waits || math.IsInf(e.err, 0) || math.IsNaN(e.err) {
		return
	}
	w := 1 / (e.err * e.err)
	p.cases++
	p.weights += w
	p.old += w * math.Log(e.old)
	p.change += w * (math.Log(e.new) - math.Log(e.old))
	p.drift += w * e.drift
	p.crowd = max(p.crowd, crowd)
}

func (p *pool) estimate() estimate {
	old := p.old / p.weights
	err := math.Sqrt(1/p.weights + 2*modelFloor*modelFloor + p.crowd*p.crowd)
	return estimate{old: math.Exp(old), new: math.Exp(old + p.change/p.weights), drift: p.drift / p.weights, err: err}
}

// loadTime compares the fastest loads. The distance of the median tells how much
// they were disturbed.
func loadTime(old, now Samples) estimate {
	if len(old.Values) < 2 || len(now.Values) < 2 {
		return estimate{}
	}
	a, b := slices.Min(old.Values), slices.Min(now.Values)
	return estimate{old: a, new: b, err: math.Hypot(math.Log(old.Median)-math.Log(a), math.Log(now.Median)-math.Log(b)), lessIsBetter: true}
}

// disturbance returns how much a percentile of latencies was disturbed: how it
// differs among parts of the run, and how far the usual repetition is from the best.
func (c *CaseSpeed) disturbance(of func(Latency) float64) float64 {
	d := deviation(c.LatencyParts, of)
	if len(c.TokensPerSecond.Values) > 0 {
		d = math.Hypot(d, medianGap(c.TokensPerSecond))
	}
	return d
}

// deviation returns that of the logarithm of a figure among parts of a run.
func deviation(parts []Latency, of func(Latency) float64) float64 {
	var sum, squares, n float64
	for _, p := range parts {
		if of(p) > 0 {
			log := math.Log(of(p))
			sum += log
			squares += log * log
			n++
		}
	}
	if n < 2 {
		return math.Inf(1)
	}
	return math.Sqrt(max(0, squares-sum*sum/n) / (n - 1))
}
