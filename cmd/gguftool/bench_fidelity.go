package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/quantize"
)

type fidelityOptions struct {
	text       string
	pairs      []string
	retrieval  string
	queries    int
	dimensions string
	types      string
	imatrix    string
	cache      string
	minCosine  float64
	format     reportFormat
	precision  string

	library bench.FidelityOptions
	targets []gguf.FileType
}

func newFidelity(set *settings) *cobra.Command {
	var o fidelityOptions
	cmd := &cobra.Command{
		Use:   "fidelity REFERENCE.gguf OTHER.gguf... | MODEL_DIR|hf://MODEL... --types TYPE,...",
		Short: "Tell what quantization cost",
		Long: `Fidelity compares files of one model with a reference, the first of them, which is
computed in f32. What the figures mean, and how they are computed, is in
docs/fidelity.md.

Of models that make vectors, the vectors of texts are compared: those of --text,
one a line; or those that are to be found with --beir; or texts that are compiled
in. --sts and --beir also tell how well each file does on labelled texts. Prompts
that the reference has for queries and documents, or its default prompt, go before
texts.

Of models that predict tokens, the predictions for one text are compared, in
windows as in 'gguftool bench perplexity'.

With --types the files are made: of a checkpoint, whose F32 file is the reference,
or of a GGUF file. They are kept in a cache and found there the next time. Several
checkpoints may be given; files that follow one belong to it.

` + checkpointHelp + `

What follows ± is half the interval in which the figure would lie with 95 %
confidence, had other texts of the same kind been taken.`,
		Example: `  gguftool bench fidelity minilm-f32.gguf minilm-q4_k_m.gguf minilm-q8_0.gguf
  gguftool bench fidelity ./all-MiniLM-L6-v2 --types Q2_K,Q3_K_M,Q4_K_M,Q5_K_S,Q6_K,Q8_0
  gguftool bench fidelity minilm-f32.gguf minilm-q4_k_m.gguf --sts sts.tsv --beir ./scifact -o markdown
  gguftool bench fidelity minilm-f32.gguf minilm-q4_k_m.gguf --min-cosine 0.99
  gguftool bench fidelity smollm2-f32.gguf smollm2-q4_k_m.gguf --text wiki.test.raw --chunks 20 --json`,
		Args: between(1, -1, "a reference, and files or --types"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, set, args) },
	}
	o.format.addFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.text, "text", "", "`FILE` with the texts, one a line, or - for standard input (default: compiled in)")
	f.StringArrayVar(&o.pairs, "sts", nil, "`FILE` with two texts and their similarity on each line, separated by tabs (repeatable)")
	f.StringVar(&o.retrieval, "beir", "", "`FOLDER` with queries, a corpus and what answers what, in the layout of BEIR")
	f.IntVar(&o.queries, "queries", 0, "take the first `N` queries of --beir and as large a part of its corpus only, to save time")
	f.StringVar(&o.dimensions, "dimensions", "", "also compare vectors that are cut to each of these `LENGTHS`, as in 64,128 (Matryoshka)")
	f.BoolVar(&o.library.NoPrompt, "no-prompt", false, "put nothing before texts")
	f.IntVarP(&o.library.Windows.ContextSize, "ctx-size", "c", 256, "of models that predict tokens: `N` tokens in a window")
	f.IntVar(&o.library.Windows.Chunks, "chunks", 0, "of models that predict tokens: compute the first `N` windows only")
	f.StringVar(&o.types, "types", "", "make and measure files of these `TYPES`, separated by commas")
	f.StringVar(&o.imatrix, "imatrix", "", "weigh errors with the importance in `FILE` when files are made")
	f.StringVar(&o.cache, "cache", "", "`FOLDER` in which files are made (default: gguftool in the user's folder of caches)")
	f.Float64Var(&o.minCosine, "min-cosine", 0, "exit with code 5 where the mean cosine of a file is below `X`")
	f.StringVar(&o.precision, "precision", "auto", "`PRECISION` to compute the files in: f32, int8, or auto (the fastest that file and machine allow)")
	f.IntVarP(&o.library.Threads, "threads", "t", 0, "`N` threads (default: one for each core)")
	return cmd
}

// A fidelityModel is a reference and what is compared with it.
type fidelityModel struct {
	reference string // a GGUF file or a checkpoint
	others    []string
}

func (o *fidelityOptions) run(cmd *cobra.Command, set *settings, args []string) error {
	models, err := o.parse(cmd, args)
	if err != nil {
		return err
	}
	if err := o.read(cmd.InOrStdin()); err != nil {
		return err
	}
	stderr := cmd.ErrOrStderr()
	show := !set.quiet && isTerminal(stderr)
	var report fidelityReport
	for _, m := range models {
		if m, err = o.makeFiles(cmd, set, m); err != nil {
			return err
		}
		var bar *counter
		var shown string
		o.library.Progress = func(path string, done, total int) {
			if path != shown {
				bar.finish()
				bar, shown = newCounter(stderr, show, "", total), path
			}
			bar.update(done, "measuring "+filepath.Base(path))
		}
		bar = new(counter)
		measured, err := bench.MeasureFidelity(cmd.Context(), m.reference, m.others, &o.library)
		bar.finish()
		if err != nil {
			return err
		}
		report.Models = append(report.Models, measured)
	}
	if err := o.format.print(cmd.OutOrStdout(), &report); err != nil {
		return err
	}
	if o.minCosine == 0 {
		return nil
	}
	var failures []error
	for _, m := range report.Models {
		failures = append(failures, m.CheckCosine(o.minCosine))
	}
	return errors.Join(failures...)
}

// parse checks flags and arguments; everything wrong here is wrong usage.
func (o *fidelityOptions) parse(cmd *cobra.Command, args []string) ([]fidelityModel, error) {
	flags := cmd.Flags()
	var err error
	if o.library.Precision, err = infer.ParsePrecision(o.precision); err != nil {
		return nil, usagef("--precision: %w", err)
	}
	if err := o.format.check(); err != nil {
		return nil, err
	}
	switch {
	case o.library.Threads < 0:
		return nil, usagef("--threads %d is negative", o.library.Threads)
	case o.library.Windows.ContextSize < bench.MinContextSize:
		return nil, usagef("--ctx-size %d is less than %d", o.library.Windows.ContextSize, bench.MinContextSize)
	case flags.Changed("chunks") && o.library.Windows.Chunks < 1:
		return nil, usagef("--chunks %d is less than 1", o.library.Windows.Chunks)
	case flags.Changed("queries") && o.queries < 1:
		return nil, usagef("--queries %d is less than 1", o.queries)
	case o.queries > 0 && o.retrieval == "":
		return nil, usagef("--queries is about --beir, which is missing")
	case flags.Changed("min-cosine") && !(o.minCosine > -1 && o.minCosine <= 1):
		return nil, usagef("--min-cosine %v is no cosine above -1 and up to 1", o.minCosine)
	case o.types == "" && (o.imatrix != "" || o.cache != ""):
		return nil, usagef("--imatrix and --cache are about files that are made; name them with --types")
	}
	for field := range strings.SplitSeq(o.dimensions, ",") {
		if o.dimensions == "" {
			break
		}
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 {
			return nil, usagef("--dimensions: %q is no length", field)
		}
		o.library.Dimensions = append(o.library.Dimensions, n)
	}
	if o.types != "" {
		targets, err := parseTargets(o.types)
		if err != nil {
			return nil, usagef("--types: %w", err)
		}
		for _, t := range targets {
			if t.copy {
				return nil, usagef("--types: COPY changes nothing that could be measured")
			}
			o.targets = append(o.targets, t.fileType)
		}
	}
	return o.group(args)
}

// group divides the arguments among models: the first, and each checkpoint, is a
// reference.
func (o *fidelityOptions) group(args []string) ([]fidelityModel, error) {
	var models []fidelityModel
	for i, arg := range args {
		if i == 0 || isCheckpoint(arg) {
			models = append(models, fidelityModel{reference: arg})
			continue
		}
		last := &models[len(models)-1]
		last.others = append(last.others, arg)
	}
	for _, m := range models {
		if len(m.others) == 0 && len(o.targets) == 0 {
			return nil, usagef("there is nothing to compare with %s; name other files, or types to make with --types", m.reference)
		}
	}
	return models, nil
}

// read reads what models are measured on.
func (o *fidelityOptions) read(stdin io.Reader) error {
	if o.text != "" {
		data, err := readWhole(stdin, o.text)
		if err != nil {
			return err
		}
		if o.library.Texts = bench.Lines(string(data)); len(o.library.Texts) == 0 {
			return fmt.Errorf("there is no text in %s", o.text)
		}
	}
	for _, path := range o.pairs {
		p, err := bench.ReadPairs(path)
		if err != nil {
			return err
		}
		o.library.Pairs = append(o.library.Pairs, bench.NamedPairs{Name: filepath.Base(path), Pairs: p})
	}
	if o.retrieval != "" {
		s, err := bench.ReadBEIR(o.retrieval)
		if err != nil {
			return err
		}
		if o.queries > 0 {
			s = s.First(o.queries)
		}
		o.library.Retrieval = &bench.NamedSet{Name: filepath.Base(filepath.Clean(o.retrieval)), RetrievalSet: s}
	}
	return nil
}

// makeFiles makes the files of a model that are to be made.
func (o *fidelityOptions) makeFiles(cmd *cobra.Command, set *settings, m fidelityModel) (fidelityModel, error) {
	if !isCheckpoint(m.reference) {
		if err := suggestHub(m.reference); err != nil {
			return m, err
		}
		if len(o.targets) == 0 {
			return m, nil
		}
	}
	folder := o.cache
	if folder == "" {
		caches, err := os.UserCacheDir()
		if err != nil {
			return m, fmt.Errorf("find the folder of caches: %w; name one with --cache", err)
		}
		folder = filepath.Join(caches, "gguftool")
	}
	w := &bench.Workshop{Folder: folder, Version: versionString(), Threads: o.library.Threads}
	if isCheckpoint(m.reference) {
		from, err := findCheckpoint(cmd, set, m.reference, true)
		if err != nil {
			return m, err
		}
		if m.reference, err = w.Reference(cmd.Context(), from.dir, from.name); err != nil {
			return m, err
		}
	}
	if len(o.targets) == 0 {
		return m, nil
	}
	update, finish := newProgress(cmd.ErrOrStderr(), set, "quantizing")
	defer finish()
	w.Progress = func(p quantize.Progress) { update(p.Done, p.Total) }
	made, err := w.Quantized(cmd.Context(), m.reference, o.targets, o.imatrix)
	m.others = append(made, m.others...)
	return m, err
}
