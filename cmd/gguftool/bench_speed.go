package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/bench/report"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/internal/texttable"
)

type speedOptions struct {
	threads     []int
	batches     []int
	lengths     []string
	duration    time.Duration
	warmup      time.Duration
	repetitions int
	loads       int
	text        string
	precision   string
	roofline    bool
	format      reportFormat
	html        htmlOptions
}

func newSpeed(set *settings) *cobra.Command {
	var o speedOptions
	cmd := &cobra.Command{
		Use:   "bench [MODEL.gguf...]",
		Short: "Measure models",
		Long: `Bench measures how fast models compute vectors and how much memory they take; its
subcommands compare two such reports, measure kernels, and tell how good a model is
at what it was made for.

A request is a call with --batch texts of --length tokens each: random tokens, or
with the length "text" real texts, which are tokenized first. For every number of
threads, batch and length the table has tokens and texts per second, the latency of
requests (p50, p95, p99, max), processor time, and the share of what the machine
can multiply and of what it can read from memory, both measured at the start.

Each case is measured for --duration, divided into --repetitions that take turns
with those of other cases and models, so that all meet the same disturbances. Shown
are the median of the repetitions, with half the distance of the quartiles as ±.
Without a model there is a built-in one of the shape of all-MiniLM-L6-v2 with random
weights. What the figures mean is in docs/bench.md.`,
		Example: `  gguftool bench
  gguftool bench minilm-f32.gguf minilm-q4_k_m.gguf minilm-q8_0.gguf
  gguftool bench model.gguf --threads 1,2,4 --batch 1,8,64 --length 16,128,text -o markdown
  gguftool bench minilm-f32.gguf minilm-q4_k_m.gguf --html report.html
  gguftool bench model.gguf -o json >before.json`,
		Args: cobra.ArbitraryArgs,

		SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, args []string) error {
			if name := commandName(args); name != "" {
				return unknownCommand(cmd, name)
			}
			return o.run(cmd, set, args)
		},
	}
	f := cmd.Flags()
	f.IntSliceVarP(&o.threads, "threads", "t", []int{0}, "numbers of threads; 0 is one for each core")
	f.IntSliceVarP(&o.batches, "batch", "b", []int{1, 16}, "numbers of texts in a request")
	f.StringSliceVarP(&o.lengths, "length", "l", []string{"16", "128", "text"}, "numbers of tokens of random texts; \"text\" is real text")
	f.StringVar(&o.text, "text", "", "`FILE` with real texts, one a line, - for standard input (default: 36 that are built in)")
	f.DurationVarP(&o.duration, "duration", "d", 2*time.Second, "`TIME` that each case is measured, all its repetitions together")
	f.IntVarP(&o.repetitions, "repetitions", "r", 40, "divide that time into `N` repetitions, or 10 at least where requests last longer")
	f.DurationVar(&o.warmup, "warmup", 100*time.Millisecond, "`TIME` of requests that do not count, before the first repetition")
	f.IntVar(&o.loads, "loads", 5, "load each model `N` times to measure that")
	f.StringVar(&o.precision, "precision", "auto", "`PRECISION` to compute in: f32, int8, or auto (the fastest that file and machine allow)")
	f.BoolVar(&o.roofline, "roofline", true, "measure what the machine can do at most")
	o.format.addFlags(cmd)
	o.html.addFlags(cmd)
	return cmd
}

// commandName returns what looks like the name of a command and not like that of
// a file.
func commandName(args []string) string {
	if len(args) == 0 || strings.ContainsAny(args[0], `./\`) {
		return ""
	}
	if _, err := os.Stat(args[0]); errors.Is(err, fs.ErrNotExist) {
		return args[0]
	}
	return ""
}

func (o *speedOptions) run(cmd *cobra.Command, set *settings, args []string) error {
	library, err := o.parse(cmd)
	if err != nil {
		return err
	}
	if o.text != "" {
		if library.Texts, err = readTexts(cmd, o.text); err != nil {
			return err
		}
		library.TextName = filepath.Base(o.text)
	}
	if err := o.html.create(); err != nil {
		return err
	}
	defer o.html.abort()
	models, remove, err := o.models(args, library.Precision)
	defer remove()
	if err != nil {
		return err
	}
	stderr := cmd.ErrOrStderr()
	if most := slices.Max(o.threads); most > runtime.GOMAXPROCS(0) {
		library.Note = nil
		if !set.quiet {
			fmt.Fprintf(stderr, "gguftool: %d threads are more than the %d processors: they will wait for each other\n", most, runtime.GOMAXPROCS(0))
		}
		runtime.GOMAXPROCS(most)
	}
	show := !set.quiet && isTerminal(stderr)
	bar := new(counter)
	library.Note = func(message string) {
		if !set.quiet {
			bar.clear()
			fmt.Fprintln(stderr, "gguftool:", message)
		}
	}
	stage := newCounter(stderr, show, "", -1)
	library.Stage = func(what string) { stage.update(0, what) }
	library.Measure.Progress = func(done, total int, c *bench.Case, rate float64) {
		if stage != nil {
			stage.finish()
			stage, bar = nil, newCounter(stderr, show, "", total)
		}
		what := texttable.Safe(c.String())
		if rate > 0 {
			what += fmt.Sprintf(": %s tokens/s", texttable.Grouped(int64(rate)))
		}
		bar.update(done, what)
	}
	measured, err := bench.MeasureSpeed(cmd.Context(), models, library)
	if stage != nil {
		stage.finish()
	}
	bar.finish()
	if err != nil {
		return err
	}
	measured.Version = cmd.Root().Version
	if err := o.format.print(cmd.OutOrStdout(), speedOutput{measured}); err != nil {
		return err
	}
	if err := o.html.write(cmd, set, func() *report.Page { return report.Speed(measured) }); err != nil {
		return err
	}
	for _, c := range measured.Cases {
		if c.Errors > 0 {
			return fmt.Errorf("%s: %d requests of %d texts failed; the first: %s", c.Model, c.Errors, c.Batch, c.FirstError)
		}
	}
	return nil
}

// parse checks the flags; everything wrong here is wrong usage.
func (o *speedOptions) parse(cmd *cobra.Command) (*bench.SpeedOptions, error) {
	precision, err := infer.ParsePrecision(o.precision)
	if err != nil {
		return nil, usagef("--precision: %w", err)
	}
	if err := errors.Join(o.format.check(), o.html.check()); err != nil {
		return nil, err
	}
	library := &bench.SpeedOptions{
		Threads: distinct(o.threads), Batches: distinct(o.batches), Precision: precision, Loads: o.loads, Ceilings: o.roofline,
		Measure: bench.MeasureOptions{Repetitions: o.repetitions, Duration: o.duration, Warmup: o.warmup},
	}
	const mostThreads, mostBatch, mostLength = 1 << 10, 1 << 16, 1 << 20
	for _, l := range o.lengths {
		n, err := strconv.Atoi(l)
		switch {
		case l == "text":
			n = 0
		case err != nil || n < 1 || n > mostLength:
			return nil, usagef("--length %s: a length is a number of tokens from 1 to %d, or text", l, mostLength)
		}
		library.Lengths = append(library.Lengths, n)
	}
	library.Lengths = distinct(library.Lengths)
	switch {
	case len(o.threads) == 0 || slices.Min(o.threads) < 0 || slices.Max(o.threads) > mostThreads:
		return nil, usagef("--threads takes numbers from 0 to %d", mostThreads)
	case len(o.batches) == 0 || slices.Min(o.batches) < 1 || slices.Max(o.batches) > mostBatch:
		return nil, usagef("--batch takes numbers from 1 to %d", mostBatch)
	case len(o.lengths) == 0:
		return nil, usagef("--length takes numbers of tokens, or text")
	case slices.Max(o.batches)*slices.Max(library.Lengths) > mostLength:
		return nil, usagef("--batch %d with --length %d is more than %d tokens in a request", slices.Max(o.batches), slices.Max(library.Lengths), mostLength)
	case o.duration <= 0 || o.warmup < 0:
		return nil, usagef("--duration must be more than 0, and --warmup not less")
	case o.repetitions < 1 || o.loads < 1:
		return nil, usagef("--repetitions and --loads must be at least 1")
	}
	return library, nil
}

// distinct returns the numbers of list in order, each once.
func distinct(list []int) (once []int) {
	for _, n := range list {
		if !slices.Contains(once, n) {
			once = append(once, n)
		}
	}
	return once
}

// models returns what is to be measured, under names that differ: that of the
// file, where two are the same the path, and where these are the same, numbers.
// Without any it makes the built-in one, which remove takes away.
func (o *speedOptions) models(args []string, precision infer.Precision) (models []bench.ModelFile, remove func(), err error) {
	remove = func() {}
	if len(args) == 0 {
		dir, err := os.MkdirTemp("", "gguftool-bench-*")
		if err != nil {
			return nil, remove, err
		}
		weights := gguf.TypeF32
		if precision == infer.PrecisionInt8 {
			weights = gguf.TypeQ8_0
		}
		path := filepath.Join(dir, "model.gguf")
		return []bench.ModelFile{{Name: bench.SyntheticName(weights), Path: path}}, func() { os.RemoveAll(dir) }, bench.WriteSyntheticModel(path, weights)
	}
	bases := map[string]int{}
	for _, path := range args {
		bases[filepath.Base(path)]++
	}
	taken := map[string]int{}
	for _, path := range args {
		name := filepath.Base(path)
		if bases[name] > 1 {
			name = path
		}
		taken[name]++
		if n := taken[name]; n > 1 {
			name = fmt.Sprintf("%s (%d)", name, n)
		}
		models = append(models, bench.ModelFile{Name: name, Path: path})
	}
	return models, remove, nil
}

// readTexts returns the lines of a file that are not empty.
func readTexts(cmd *cobra.Command, name string) ([]string, error) {
	var source textSource
	source.format = inputLines
	var texts []string
	for t, err := range source.read(cmd.InOrStdin(), []string{name}) {
		if err != nil {
			return nil, err
		}
		if strings.TrimSpace(t.text) != "" {
			texts = append(texts, t.text)
		}
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("%s has no text; give a file with a text in each line", name)
	}
	return texts, nil
}
