package fit

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/cpu"
)

// Tuned is what was measured on this machine and chosen by that.
type Tuned struct {
	Threads    int   `json:"threads"`
	ThreadRuns []Run `json:"thread_runs"`
	Batch      int   `json:"batch,omitempty"` // 0 for models whose texts are computed at once
	BatchRuns  []Run `json:"batch_runs,omitempty"`
}

// A Run is the speed at one value of a setting.
type Run struct {
	Value           int     `json:"value"`
	TokensPerSecond float64 `json:"tokens_per_second"`
}

// TuneOptions say how long to measure, and who is told.
type TuneOptions struct {
	Duration    time.Duration // of a repetition
	Repetitions int
	Stage       func(what string) // may be nil
}

// near is the share of the best speed from which on a smaller value is as good:
// differences below are within what repetitions of a run differ by.
const near = 0.97

// Tune measures how fast the model at path computes texts with several numbers of
// threads, and if it predicts tokens, how fast it reads a prompt in batches of
// several sizes. It runs the model in this program's own way; which setting is
// best is mostly the machine's matter.
func Tune(ctx context.Context, path string, o *TuneOptions) (*Tuned, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	decoder := !isEmbedding(f.Metadata)
	most, ok := f.Metadata.Int(f.Metadata.Architecture() + ".context_length")
	f.Close()
	if !ok || most < 1 {
		most = 512
	}
	length := int(min(most, 128))
	t := &Tuned{}
	if t.ThreadRuns, err = measure(ctx, path, o, threadCounts(), []int{length}, func(c *bench.CaseSpeed) int { return c.Threads }); err != nil {
		return nil, err
	}
	t.Threads = choose(t.ThreadRuns)
	if !decoder {
		return t, nil
	}
	var batches []int
	for _, n := range []int{64, 128, 256, 512, 1024} {
		if int64(n) <= most {
			batches = append(batches, n)
		}
	}
	if len(batches) == 0 {
		return t, nil
	}
	if t.BatchRuns, err = measure(ctx, path, o, []int{t.Threads}, batches, func(c *bench.CaseSpeed) int { return c.Length }); err != nil {
		return nil, err
	}
	t.Batch = choose(t.BatchRuns)
	return t, nil
}

// threadCounts are powers of two, the cores and the processors.
func threadCounts() []int {
	processors := runtime.GOMAXPROCS(0)
	counts := []int{min(cpu.PhysicalCores(), processors), processors}
	for n := 1; n < processors; n *= 2 {
		counts = append(counts, n)
	}
	slices.Sort(counts)
	return slices.Compact(counts)
}

func measure(ctx context.Context, path string, o *TuneOptions, threads, lengths []int, value func(*bench.CaseSpeed) int) ([]Run, error) {
	report, err := bench.MeasureSpeed(ctx, []bench.ModelFile{{Name: path, Path: path}}, &bench.SpeedOptions{
		Threads: threads, Batches: []int{1}, Lengths: lengths, Loads: 1, Stage: o.Stage,
		Measure: bench.MeasureOptions{Repetitions: o.Repetitions, Duration: o.Duration, Warmup: o.Duration / 2},
	})
	if err != nil {
		return nil, err
	}
	var runs []Run
	for i := range report.Cases {
		c := &report.Cases[i]
		if c.Errors > 0 {
			return nil, errors.New(c.FirstError)
		}
		runs = append(runs, Run{value(c), c.TokensPerSecond.Median})
	}
	return runs, nil
}

// choose returns the smallest value that is near the best.
func choose(runs []Run) int {
	best := math.Inf(-1)
	for _, r := range runs {
		best = max(best, r.TokensPerSecond)
	}
	chosen := math.MaxInt
	for _, r := range runs {
		if r.TokensPerSecond >= near*best {
			chosen = min(chosen, r.Value)
		}
	}
	return chosen
}
