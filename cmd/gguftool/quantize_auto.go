package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/allocate"
	"github.com/gguftool/gguftool/convert"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/atomicfile"
	"github.com/gguftool/gguftool/quantize"
)

// autoName stands in the place of a type for types that are chosen tensor by tensor.
const autoName = "AUTO"

// autoOptions are those of quantize AUTO.
type autoOptions struct {
	size, like string
	bits, loss float64
	types      string
	portable   bool
	texts      calibrationTexts
	prompt     promptOptions
	states     []string
	part       string
	recipe     string
	html       htmlOptions

	target  autoTarget
	allowed []gguf.Type
	share   [2]int
}

// An autoTarget is what is wanted of the file, in the words of the user.
type autoTarget struct {
	text  string
	bytes int64
	like  gguf.FileType
	set   string // the flag
}

// autoFlags are the names of flags that mean nothing without AUTO.
var autoFlags = []string{
	"target-size", "target-bpw", "target-like", "max-loss", "types", "portable", "text", "split", "input-format", "field",
	"prompt", "prompt-text", "no-prompt", "state", "part", "recipe", "html",
}

// autoTargets are the flags of which AUTO needs one.
var autoTargets = []string{"target-size", "target-bpw", "target-like", "max-loss"}

func (a *autoOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.size, "target-size", "", "AUTO: a file of at most `SIZE`, as in 20MB (K, M, G are powers of 1000; KiB, MiB, GiB of 1024)")
	f.Float64Var(&a.bits, "target-bpw", 0, "AUTO: at most `N` bits for each weight, of all tensors together")
	f.StringVar(&a.like, "target-like", "", "AUTO: a file of at most the size that `TYPE` gives, as in Q4_K_M")
	f.Float64Var(&a.loss, "max-loss", 0, "AUTO: the smallest file whose loss is at most `X`")
	f.StringVar(&a.types, "types", "", "AUTO: choose among these `TYPES` of tensors, separated by commas (default: all that pay)")
	f.BoolVar(&a.portable, "portable", false, "AUTO: only types that programs of 2023 read: no IQ types, none of 2025")
	a.texts.addFlags(cmd)
	f.Lookup("text").Usage = "AUTO: choose by the loss on the text in `FILE` (repeatable; - for standard input; default: a text that is built in)"
	a.prompt.addFlags(cmd)
	for _, name := range []string{"split", "input-format", "field", "prompt", "prompt-text", "no-prompt"} {
		f.Lookup(name).Usage = "AUTO: " + f.Lookup(name).Usage
	}
	f.StringArrayVar(&a.states, "state", nil, "AUTO: keep in `FILE` what is measured, and go on from there (repeatable: the others are read too)")
	f.StringVar(&a.part, "part", "", "AUTO: measure share `K/N` of the tensors into --state and write no model, as in 3/16")
	f.StringVar(&a.recipe, "recipe", "", "AUTO: write the choice to `FILE` as --tensor-type-file reads it, ours and that of llama-quantize")
	f.StringVar(&a.html.path, "html", "", "AUTO: also write a page with the curve of size against loss to `FILE`, complete in itself")
}

// refuse finds flags of AUTO where the type is another.
func (a *autoOptions) refuse(cmd *cobra.Command, kind string) error {
	for _, name := range autoFlags {
		if cmd.Flags().Changed(name) {
			return usagef("--%s is about types that are chosen tensor by tensor: gguftool quantize %s, not %s", name, autoName, kind)
		}
	}
	return nil
}

// parse reads the flags of AUTO; everything wrong here is wrong usage.
func (a *autoOptions) parse(cmd *cobra.Command, o *quantizeOptions, args []string) error {
	f := cmd.Flags()
	for _, name := range []string{"pure", "prune-layers", "no-fallback"} {
		if f.Changed(name) {
			return usagef("--%s is about mixtures, and %s chooses types tensor by tensor", name, autoName)
		}
	}
	var set []string
	for _, name := range autoTargets {
		if f.Changed(name) {
			set = append(set, "--"+name)
		}
	}
	if a.part != "" {
		var err error
		if a.share, err = parsePart(a.part); err != nil {
			return usagef("--part: %w", err)
		}
		switch {
		case len(a.states) != 1:
			return usagef("--part measures into one file; name it with --state")
		case len(args) == 3:
			return usagef("--part measures and writes no model: leave out %s", args[2])
		case o.dryRun || a.recipe != "" || a.html.path != "":
			return usagef("--part chooses nothing that --dry-run, --recipe or --html could show")
		}
	} else if len(set) != 1 {
		return usagef("%s needs one of --%s; given: %s", autoName, strings.Join(autoTargets, ", --"), cmp.Or(strings.Join(set, " "), "none"))
	}
	if err := a.parseTarget(strings.Join(set, "")); err != nil {
		return err
	}
	if a.types != "" && a.portable {
		return usagef("--types names the types, so --portable has nothing to choose; leave out one of them")
	}
	a.allowed = allocate.Types(a.portable)
	if a.types != "" {
		a.allowed = nil
		for name := range strings.SplitSeq(a.types, ",") {
			t, err := gguf.ParseType(name)
			if err != nil {
				return usagef("--types: %w", err)
			}
			if _, _, ok := t.Block(); !ok || !quantize.StoresWeights(t) {
				return usagef("--types: weights are not stored as %s", t)
			}
			a.allowed = append(a.allowed, t)
		}
	}
	a.html.force = o.run.Overwrite && a.html.path != ""
	return errors.Join(a.html.check(), a.prompt.check(cmd), a.texts.check(cmd))
}

func (a *autoOptions) parseTarget(flag string) (err error) {
	a.target.set = flag
	switch flag {
	case "--target-size":
		a.target.text = "at most " + a.size
		if a.target.bytes, err = parseFileSize(a.size); err != nil {
			return usagef("--target-size: %w", err)
		}
	case "--target-bpw":
		a.target.text = fmt.Sprintf("at most %g bits per weight", a.bits)
		if !(a.bits > 0 && a.bits <= 32) {
			return usagef("--target-bpw %g is not above 0 and at most 32", a.bits)
		}
	case "--target-like":
		a.target.text = "at most the size of " + a.like
		if a.target.like, _, err = quantize.ParseTarget(a.like); err != nil {
			return usagef("--target-like: %w", err)
		}
	case "--max-loss":
		a.target.text = fmt.Sprintf("loss of at most %g", a.loss)
		if !(a.loss > 0 && a.loss < 1e9) {
			return usagef("--max-loss %g is not above 0", a.loss)
		}
	}
	return nil
}

// parseFileSize reads a number of bytes, with a unit or without: powers of 1000,
// or of 1024 where there is an i in it.
func parseFileSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "KMGkmgBbi")
	unit := strings.TrimSuffix(strings.ToUpper(s[len(digits):]), "B")
	factor, known := map[string]float64{"": 1, "K": 1e3, "M": 1e6, "G": 1e9, "KI": 1 << 10, "MI": 1 << 20, "GI": 1 << 30}[unit]
	n, err := strconv.ParseFloat(digits, 64)
	if !known || err != nil || !(n*factor >= 1 && n*factor < 1e18) {
		return 0, fmt.Errorf("%q is no size such as 20MB, 1.5G or 900KiB", s)
	}
	return int64(n * factor), nil
}

// An autoJob is a choice of types that is made.
type autoJob struct {
	*autoOptions
	o   *quantizeOptions
	cmd *cobra.Command
	set *settings
	in  *quantizeInput
	out string

	file    *gguf.File // that is measured
	problem *allocate.Problem
	state   *autoState
	unit    string
}

// executeAuto carries out quantize AUTO.
func (o *quantizeOptions) executeAuto(cmd *cobra.Command, set *settings, args []string) (err error) {
	in, err := o.open(cmd, set, args[1])
	if err != nil {
		return err
	}
	defer func() { in.close() }()
	out := strings.ReplaceAll(in.outputName(), typeField, autoName)
	if len(args) == 3 {
		out = strings.ReplaceAll(args[2], typeField, autoName)
	}
	job := &autoJob{autoOptions: &o.auto, o: o, cmd: cmd, set: set, in: in, out: out}
	if err := job.claim(); err != nil {
		return err
	}
	if err := job.html.create(); err != nil {
		return err
	}
	defer job.html.abort()
	remove, err := job.measurable()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	return job.run()
}

// claim finds out before any work whether outputs may be written.
func (job *autoJob) claim() error {
	outputs := append([]string{}, job.states...)
	claim := func(path string, force bool) error {
		f, err := atomicfile.Create(path, force)
		if err == nil {
			f.Abort()
		}
		return err
	}
	if job.html.path != "" {
		outputs = append(outputs, job.html.path)
	}
	if job.recipe != "" {
		outputs = append(outputs, job.recipe)
		if err := claim(job.recipe, job.o.run.Overwrite); err != nil {
			return err
		}
	}
	if job.part == "" && !job.o.dryRun {
		outputs = append(outputs, job.out)
		if err := claim(job.out, job.o.run.Overwrite); err != nil {
			return err
		}
	}
	inputs := append([]string{job.o.imatrix}, append(job.in.source.Files, job.texts.named()...)...)
	if err := atomicfile.RefuseInputs(outputs, inputs); err != nil {
		return usageError{err}
	}
	taken := make(map[string]bool)
	for _, path := range outputs {
		if taken[filepath.Clean(path)] {
			return usagef("%s is named twice; give every output a name of its own", path)
		}
		taken[filepath.Clean(path)] = true
	}
	return nil
}

// measurable opens the model as a file that can be run. That of a checkpoint is
// written beside the output for as long as that takes.
func (job *autoJob) measurable() (remove func() error, err error) {
	remove = func() error { return nil }
	if job.in.model == nil {
		job.file = job.in.file
		return remove, nil
	}
	if !job.set.quiet && !job.o.json {
		printConvertNotes(job.cmd.ErrOrStderr(), job.in.model)
	}
	dir, err := os.MkdirTemp(filepath.Dir(job.out), ".gguftool-*")
	if err != nil {
		return remove, err
	}
	remove = func() error { return os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			err = errors.Join(err, remove())
		}
	}()
	path := filepath.Join(dir, "f32.gguf")
	c := job.o.convert
	c.FileType, c.Threads = gguf.FileF32, job.o.run.Threads
	if _, err := convert.Run(job.cmd.Context(), job.in.source.Path, path, &c); err != nil {
		return remove, err
	}
	if job.file, err = gguf.Open(path); err != nil {
		return remove, err
	}
	remove = func() error { return errors.Join(job.file.Close(), os.RemoveAll(dir)) }
	return remove, nil
}

// run measures, chooses, writes and tells.
func (job *autoJob) run() error {
	ev, texts, err := job.evaluator()
	if err != nil {
		return err
	}
	job.unit = ev.Unit()
	if job.problem, err = allocate.NewProblem(job.in.source, &job.o.library, job.allowed, job.types != "", ev.Tensors()); err != nil {
		return err
	}
	sample := allocate.DefaultSample(ev.Texts(), ev.Unit() == allocate.UnitKL)
	if job.state, err = job.openState(job.work(texts, sample)); err != nil {
		return err
	}
	o := &allocate.Options{Sample: sample, State: job.state.State}
	if o.Target, err = job.bounds(); err != nil {
		return err
	}
	ctx := job.cmd.Context()
	if job.part != "" {
		return job.measurePart(ctx, ev, o)
	}
	result, plan, err := job.choose(ctx, ev, o)
	if err != nil {
		return err
	}
	return job.write(ctx, result, plan)
}

// bounds returns the target in the terms of the search.
func (job *autoJob) bounds() (t allocate.Target, err error) {
	switch job.target.set {
	case "--target-size":
		t.Bytes = job.target.bytes
	case "--target-bpw":
		t.Bytes = job.problem.SizeOf(job.bits)
	case "--target-like":
		t.Bytes, err = job.problem.SizeLike(job.target.like)
	case "--max-loss":
		t.MaxLoss = job.loss
	}
	return t, err
}

func (job *autoJob) measurePart(ctx context.Context, ev allocate.Evaluator, o *allocate.Options) error {
	bar := job.follow(o)
	err := allocate.Part(ctx, ev, job.problem, o, job.share[0], job.share[1])
	bar.finish()
	if err := errors.Join(err, job.state.close()); err != nil {
		return job.interrupted(err)
	}
	_, err = fmt.Fprintf(job.cmd.OutOrStdout(), "%s: part %s, %d of %d tensors measured\n",
		job.states[0], job.part, job.state.Measured(), len(job.problem.Weights))
	return err
}

// choose searches for types and plans with them.
func (job *autoJob) choose(ctx context.Context, ev allocate.Evaluator, o *allocate.Options) (*allocate.Result, *quantize.Plan, error) {
	bar := job.follow(o)
	result, err := allocate.Search(ctx, ev, job.problem, o)
	bar.finish()
	if err := errors.Join(err, job.state.close()); err != nil {
		return nil, nil, job.interrupted(err)
	}
	key, err := job.key(result)
	if err != nil {
		return nil, nil, err
	}
	plan, err := job.problem.Plan(result.Types(), key)
	return result, plan, err
}

// follow shows how far a search is.
func (job *autoJob) follow(o *allocate.Options) *stages {
	stderr := job.cmd.ErrOrStderr()
	bars := &stages{w: stderr, show: isTerminal(stderr) && !job.set.quiet}
	o.Progress = func(p allocate.Progress) { bars.update(p.Stage, p.Done, p.Total) }
	return bars
}

// interrupted says what is kept of a search that did not end well.
func (job *autoJob) interrupted(err error) error {
	if job.cmd.Context().Err() == nil {
		return err
	}
	if len(job.states) == 0 {
		return err
	}
	return fmt.Errorf("interrupted; %s holds what was measured, and the same command goes on from there", job.states[0])
}

// write writes the model and the recipe, and tells of the choice.
func (job *autoJob) write(ctx context.Context, result *allocate.Result, plan *quantize.Plan) error {
	jobs := []quantize.Job{{Plan: plan, Out: job.out}}
	stderr := job.cmd.ErrOrStderr()
	report, err := newQuantizeReport(jobs[0], job.in.path, job.o.dryRun)
	if err != nil {
		return err
	}
	if job.in.model != nil {
		report.Notes = job.in.model.Notes
	}
	report.chosen(job, result)
	if job.o.dryRun {
		report.refuse(stderr, plan.Check())
	} else {
		results, err := job.o.carryOut(ctx, stderr, job.set, jobs)
		if err != nil {
			return err
		}
		report.Verified = job.o.run.Verify
		report.measured(results[0].Deviations)
	}
	if job.recipe != "" {
		if err := writeWhole(job.recipe, allocate.Recipe(plan), job.o.run.Overwrite); err != nil {
			return err
		}
	}
	if err := job.html.write(job.cmd, job.set, report.page); err != nil {
		return err
	}
	switch {
	case job.o.json:
		return quantizeReports{report}.writeJSON(job.cmd.OutOrStdout())
	case job.set.quiet && !job.o.dryRun:
		return nil
	}
	return quantizeReports{report}.writeText(job.cmd.OutOrStdout())
}

// writeWhole writes a file that appears whole or not at all.
func writeWhole(path, text string, overwrite bool) error {
	f, err := atomicfile.Create(path, overwrite)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write([]byte(text)); err != nil {
		return err
	}
	return f.Commit(overwrite)
}
