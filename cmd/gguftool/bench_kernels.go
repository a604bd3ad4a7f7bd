package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/kernels/cpu"
)

type kernelsOptions struct {
	paths       []string
	filter      string
	duration    time.Duration
	repetitions int
	format      reportFormat
}

func newKernels(set *settings) *cobra.Command {
	var o kernelsOptions
	cmd := &cobra.Command{
		Use:   "kernels",
		Short: "Measure the kernels on each instruction set",
		Long: `Kernels measures what models are computed and quantized with, on one thread, for
each instruction set of this machine: the matrix products of package gemm in
operations per second (a multiplication and an addition are two), the functions of
package vec and the encoding and decoding of each format in bytes per second that
are read and written.

The share is that of the fastest repetition in what the machine can do: multiply,
measured with a loop of the same instructions that needs no memory, or copy, in the
first cache. Scalar kernels are measured against plain Go.`,
		Example: `  gguftool bench kernels
  gguftool bench kernels --filter '^gemm' --instructions avx2,avx512 -o markdown
  gguftool bench kernels --filter 'Q4_K' -o json`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, set) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.paths, "instructions", nil, "only these: "+strings.Join(allPaths(), ", ")+" (default: all that the machine has)")
	f.StringVar(&o.filter, "filter", "", "only kernels whose package, name and format match `REGEXP`")
	f.DurationVarP(&o.duration, "duration", "d", 10*time.Millisecond, "`TIME` of a repetition, at least")
	f.IntVarP(&o.repetitions, "repetitions", "r", 5, "repeat each kernel `N` times")
	o.format.addFlags(cmd)
	return cmd
}

func allPaths() (names []string) {
	for _, p := range []cpu.Path{cpu.Scalar, cpu.NEON, cpu.AVX2, cpu.AVX512} {
		names = append(names, p.String())
	}
	return names
}

func (o *kernelsOptions) run(cmd *cobra.Command, set *settings) error {
	filter, err := regexp.Compile(o.filter)
	if err != nil {
		return usagef("--filter: %w", err)
	}
	if err := o.format.check(); err != nil {
		return err
	}
	if o.duration <= 0 || o.repetitions < 1 {
		return usagef("--duration must be more than 0, and --repetitions at least 1")
	}
	paths, err := o.choose()
	if err != nil {
		return err
	}
	stderr := cmd.ErrOrStderr()
	show := !set.quiet && isTerminal(stderr)
	var report *bench.KernelReport
	if here, err := cpu.Chosen(); err == nil && len(paths) == 1 && paths[0] == here.String() {
		bar := new(counter)
		defer func() { bar.finish() }()
		report, err = bench.MeasureKernels(cmd.Context(), &bench.KernelOptions{
			Filter: filter, Repetitions: o.repetitions, Duration: o.duration,
			Progress: func(done, total int, kernel string) {
				if done == 0 {
					bar = newCounter(stderr, show, "", total)
				}
				bar.update(done, here.String()+": "+kernel)
			},
		})
		bar.finish()
		if err != nil {
			return err
		}
		report.Version = cmd.Root().Version
	} else if report, err = o.children(cmd, set, paths); err != nil {
		return err
	}
	return o.format.print(cmd.OutOrStdout(), kernelsOutput{report})
}

// choose returns the paths to be measured.
func (o *kernelsOptions) choose() ([]string, error) {
	var have []string
	for _, p := range cpu.Paths() {
		have = append(have, p.String())
	}
	if len(o.paths) == 0 {
		return have, nil
	}
	var chosen []string
	for _, name := range o.paths {
		switch {
		case !slices.Contains(allPaths(), name):
			return nil, usagef("--instructions: unknown %q; choose among %s", name, strings.Join(have, ", "))
		case !slices.Contains(have, name):
			return nil, fmt.Errorf("this machine does not have %s; it has %s", name, strings.Join(have, ", "))
		case !slices.Contains(chosen, name):
			chosen = append(chosen, name)
		}
	}
	return chosen, nil
}

// children measures each path in a process of its own: kernels choose their path
// when the process begins.
func (o *kernelsOptions) children(cmd *cobra.Command, set *settings, paths []string) (*bench.KernelReport, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var all *bench.KernelReport
	for _, path := range paths {
		args := []string{"bench", "kernels", "--instructions", path, "--filter", o.filter, "--duration", o.duration.String(),
			"--repetitions", fmt.Sprint(o.repetitions), "--output", "json"}
		if set.quiet {
			args = append(args, "--quiet")
		}
		child := exec.CommandContext(cmd.Context(), self, args...)
		child.Args[0] = os.Args[0]
		child.Env = append(os.Environ(), cpu.PathVariable+"="+path)
		var out bytes.Buffer
		child.Stdout, child.Stderr = &out, cmd.ErrOrStderr()
		if err := child.Run(); err != nil {
			if cmd.Context().Err() != nil {
				return nil, cmd.Context().Err()
			}
			return nil, fmt.Errorf("measuring %s in a process of its own: %w", path, err)
		}
		report := new(bench.KernelReport)
		if err := json.Unmarshal(out.Bytes(), report); err != nil {
			return nil, fmt.Errorf("measuring %s in a process of its own: %w", path, err)
		}
		if all == nil {
			all = report
		} else {
			all.Paths = append(all.Paths, report.Paths...)
		}
	}
	return all, nil
}

// kernelsOutput prints a report of kernels.
type kernelsOutput struct{ *bench.KernelReport }

func (r kernelsOutput) whole() any { return r.KernelReport }

// A kernelLine is a kernel as a JSON line.
type kernelLine struct {
	Path string `json:"path"`
	bench.KernelSpeed
}

func (r kernelsOutput) items() (all []any) {
	for _, p := range r.Paths {
		for _, k := range p.Kernels {
			all = append(all, kernelLine{p.Path, k})
		}
	}
	return all
}

func (r kernelsOutput) tables() (all []figureTable) {
	for _, p := range r.Paths {
		t := figureTable{title: "Kernels on " + p.Path, columns: []string{"package", "kernel", "format", "shape>", "Gop/s>", "GB/s>", "±>", "share>"}}
		for _, k := range p.Kernels {
			operations, bytes := significant(k.Speed.Median/1e9), ""
			if k.Unit == "bytes/s" {
				operations, bytes = "", operations
			}
			t.row(k.Package, k.Kernel, k.Format, k.Shape, operations, bytes, percentage(k.Speed.Spread()), percentage(k.Share))
		}
		c := p.Ceilings
		t.notes = []string{fmt.Sprintf("ceilings: f32 %s Gop/s (%s), int8 %s Gop/s (%s), cache %s GB/s, memory %s GB/s", significant(c.FloatOperations/1e9), p.FloatLoop,
			significant(c.ByteOperations/1e9), p.ByteLoop, significant(c.CacheBytes/1e9), significant(c.MemoryBytes/1e9))}
		all = append(all, t)
	}
	return all
}

func (r kernelsOutput) records() figureTable {
	t := figureTable{columns: []string{"path", "package", "kernel", "format", "shape", "unit", "speed", "low", "high", "share"}}
	for _, p := range r.Paths {
		for _, k := range p.Kernels {
			t.row(p.Path, k.Package, k.Kernel, k.Format, k.Shape, k.Unit, exact(k.Speed.Median), exact(k.Speed.Low), exact(k.Speed.High), exact(k.Share))
		}
	}
	return t
}
