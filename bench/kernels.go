package bench

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// KernelSchema names the form of a KernelReport. It changes when that does.
const KernelSchema = "gguftool/bench-kernels/1"

// A KernelReport is how fast kernels are on the paths of a machine, on one thread.
// As JSON it has the form of docs/json.md.
type KernelReport struct {
	Schema  string       `json:"schema"`
	Version string       `json:"version"` // of the program
	Machine Machine      `json:"machine"`
	Paths   []PathReport `json:"paths"`
}

// A PathReport is the part of one path.
type PathReport struct {
	Path      string        `json:"path"`
	FloatLoop string        `json:"float_loop"` // what the ceilings of arithmetic are measured with
	ByteLoop  string        `json:"byte_loop"`
	Ceilings  Ceilings      `json:"ceilings"`
	Kernels   []KernelSpeed `json:"kernels"`
}

// A KernelSpeed is how fast a kernel is.
type KernelSpeed struct {
	Package string  `json:"package"` // gemm, vec or block
	Kernel  string  `json:"kernel"`
	Format  string  `json:"format,omitempty"` // tensor type
	Shape   string  `json:"shape"`
	Unit    string  `json:"unit"`  // operations/s or bytes/s
	Speed   Samples `json:"speed"` // with a value for each repetition
	Share   float64 `json:"share"` // of the fastest repetition in the ceiling
}

// Units of KernelSpeed.
const (
	operationsPerSecond = "operations/s"
	bytesPerSecond      = "bytes/s"
)

// A kernel is one that is to be measured.
type kernel struct {
	pkg, name, format, shape string

	work    float64 // operations or bytes of a call
	ceiling func(c *Ceilings) float64
	unit    string
	prepare func() (run func(), err error)
}

func (k *kernel) String() string { return fmt.Sprintf("%s %s %s", k.pkg, k.name, k.format) }

// Ceilings of kernels.
func floatCeiling(c *Ceilings) float64 { return c.FloatOperations }
func byteCeiling(c *Ceilings) float64  { return c.ByteOperations }
func cacheCeiling(c *Ceilings) float64 { return c.CacheBytes }

// KernelOptions say which kernels are measured, and how.
type KernelOptions struct {
	Filter      *regexp.Regexp // those whose "package name FORMAT" it matches; nil: all
	Repetitions int            // of each, at least 1
	Duration    time.Duration  // of a repetition

	Clock Clock // nil: that of the system

	// Progress, when set, is told which kernel comes next.
	Progress func(done, total int, kernel string)
}

// MeasureKernels measures kernels on the path of this process. Kernels work on
// data that stays in the first caches, and one after the other.
func MeasureKernels(ctx context.Context, o *KernelOptions) (*KernelReport, error) {
	if _, err := cpu.Chosen(); err != nil {
		return nil, err
	}
	var chosen []kernel
	for _, list := range [][]kernel{gemmKernels(), vecKernels(), blockKernels()} {
		for _, k := range list {
			if o.Filter == nil || o.Filter.MatchString(k.String()) {
				chosen = append(chosen, k)
			}
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no kernel matches %q; without it, all are listed", o.Filter)
	}
	machine := ThisMachine()
	p := PathReport{Path: machine.Path, FloatLoop: machine.FloatLoop, ByteLoop: machine.ByteLoop, Ceilings: MeasureCeilings([]int{1})[0]}
	for i := range chosen {
		k := &chosen[i]
		if o.Progress != nil {
			o.Progress(i, len(chosen), k.String())
		}
		run, err := k.prepare()
		if err != nil {
			return nil, fmt.Errorf("%v: %w", k, err)
		}
		values, err := measureKernel(ctx, k.work, run, o)
		if err != nil {
			return nil, err
		}
		s := KernelSpeed{Package: k.pkg, Kernel: k.name, Format: k.format, Shape: k.shape, Unit: k.unit, Speed: NewSamples(values)}
		if c := k.ceiling(&p.Ceilings); c > 0 {
			s.Share = maximum(values) / c
		}
		p.Kernels = append(p.Kernels, s)
	}
	return &KernelReport{Schema: KernelSchema, Machine: machine, Paths: []PathReport{p}}, nil
}

// measureKernel returns the speed of each repetition.
func measureKernel(ctx context.Context, work float64, run func(), o *KernelOptions) ([]float64, error) {
	clock := o.Clock
	if clock == nil {
		clock = systemClock{}
	}
	calls := 1 // between looks at the clock
	var values []float64
	for len(values) < max(1, o.Repetitions) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		start := clock.Now()
		for range calls {
			run()
		}
		took := clock.Now() - start
		if took < o.Duration && calls < 1<<40 {
			// What was short of time is no repetition: it found out how many calls
			// make one, and warmed up.
			more := int(float64(calls) * 1.2 * float64(o.Duration) / float64(max(took, 1)))
			calls = min(max(calls+1, more), 100*calls)
			continue
		}
		values = append(values, work*float64(calls)/max(took.Seconds(), 1e-9))
	}
	return values, nil
}

func maximum(values []float64) float64 {
	most := values[0]
	for _, v := range values {
		most = max(most, v)
	}
	return most
}
