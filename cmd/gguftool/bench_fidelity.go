package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/bench/report"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/internal/texttable"
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
	html       htmlOptions
	precision  string

	search  searchOptions
	library bench.FidelityOptions
	targets []gguf.FileType
}

func newFidelity(set *settings) *cobra.Command {
	var o fidelityOptions
	cmd := &cobra.Command{
		Use:   "fidelity REFERENCE.gguf OTHER.gguf... | MODEL_DIR|hf://MODEL|F32.gguf... --types TYPE,...",
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
checkpoints and GGUF files of F32, F16 or BF16 may be given, each of which is a
reference; files of other types belong to the one before them. --imatrix auto weighs
errors with importance that is measured on the text that is built in, as 'gguftool
imatrix' does, and kept in the cache too.

The corpus of --beir may be searched in more than one way, each on top of the one
before: in chunks (--chunk-tokens), with the scores of a second model added
(--hybrid), and with what was found put in order by another model (--rerank). These
models make vectors, as the first one does; models that read a query and a text
together (cross-encoders) are not supported.

` + checkpointHelp + `

What follows ± is half the interval in which the figure would lie with 95 %
confidence, had other texts of the same kind been taken.`,
		Example: `  gguftool bench fidelity minilm-f32.gguf minilm-q4_k_m.gguf minilm-q8_0.gguf
  gguftool bench fidelity ./all-MiniLM-L6-v2 --types Q2_K,Q3_K_M,Q4_K_M,Q5_K_S,Q6_K,Q8_0
  gguftool bench fidelity minilm-f32.gguf minilm-q4_k_m.gguf --sts sts.tsv --beir ./scifact -o markdown
  gguftool bench fidelity ./all-MiniLM-L6-v2 ./bge-small --types Q2_K,Q4_K_M --imatrix auto
  gguftool bench fidelity minilm-f32.gguf minilm-q4_k_m.gguf --beir ./scifact --chunk-tokens 128 --chunk-overlap 32 --hybrid bge.gguf --hybrid-weight 0.3,0.5
  gguftool bench fidelity minilm-f32.gguf minilm-q4_k_m.gguf --min-cosine 0.99
  gguftool bench fidelity ./all-MiniLM-L6-v2 --types Q4_K_M,Q6_K,Q8_0 --html report.html
  gguftool bench fidelity smollm2-f32.gguf smollm2-q4_k_m.gguf --text wiki.test.raw --chunks 20 --json`,
		Args: between(1, -1, "a reference, and files or --types"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, set, args) },
	}
	o.format.addFlags(cmd)
	o.html.addFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.text, "text", "", "`FILE` with the texts, one a line, or - for standard input (default: compiled in)")
	f.StringArrayVar(&o.pairs, "sts", nil, "`FILE` with two texts and their similarity on each line, separated by tabs (repeatable)")
	f.StringVar(&o.retrieval, "beir", "", "`FOLDER` with queries, a corpus and what answers what, in the layout of BEIR")
	f.IntVar(&o.queries, "queries", 0, "take the first `N` queries of --beir and as large a part of its corpus only, to save time")
	f.StringVar(&o.dimensions, "dimensions", "", "also compare vectors that are cut to each of these `LENGTHS`, as in 64,128 (Matryoshka)")
	f.BoolVar(&o.library.NoPrompt, "no-prompt", false, "put nothing before texts")
	f.IntVarP(&o.library.Windows.ContextSize, "ctx-size", "c", 256, "of models that predict tokens: `N` tokens in a window, at most the context of the model")
	f.IntVar(&o.library.Windows.Chunks, "chunks", 0, "of models that predict tokens: compute the first `N` windows only")
	f.StringVar(&o.types, "types", "", "make and measure files of these `TYPES`, separated by commas")
	f.StringVar(&o.imatrix, "imatrix", "", "weigh errors with the importance in `FILE` when files are made; auto measures it")
	f.StringVar(&o.cache, "cache", "", "`FOLDER` in which files are made (default: gguftool in the user's folder of caches)")
	o.search.addFlags(cmd)
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
	if err := o.html.create(); err != nil {
		return err
	}
	defer o.html.abort()
	if err := o.findSearchModels(cmd, set); err != nil {
		return err
	}
	all := fidelityReport{Schema: bench.FidelitySchema, Version: versionString()}
	for i, m := range models { // all of them first, so that mistakes are found soon
		if models[i], err = o.makeFiles(cmd, set, m); err != nil {
			return err
		}
	}
	for _, m := range models {
		measured, err := o.measure(cmd, set, m)
		if err != nil {
			return err
		}
		all.Models = append(all.Models, measured)
	}
	if err := o.format.print(cmd.OutOrStdout(), &all); err != nil {
		return err
	}
	if err := o.html.write(cmd, set, func() *report.Page { return o.page(all.Models) }); err != nil {
		return err
	}
	if o.minCosine == 0 {
		return nil
	}
	var failures []error
	for _, m := range all.Models {
		failures = append(failures, m.CheckCosine(o.minCosine))
	}
	return errors.Join(failures...)
}

// measure compares the files of a model, and shows how far it is.
func (o *fidelityOptions) measure(cmd *cobra.Command, set *settings, m fidelityModel) (*bench.Fidelity, error) {
	stderr := cmd.ErrOrStderr()
	show := !set.quiet && isTerminal(stderr)
	bar, shown := new(counter), ""
	defer func() { bar.finish() }()
	library := o.library
	library.Progress = func(path string, done, total int) {
		if path != shown {
			bar.finish()
			bar, shown = newCounter(stderr, show, "", total), path
		}
		bar.update(done, "measuring "+filepath.Base(path))
	}
	if !set.quiet {
		library.Note = func(message string) { fmt.Fprintf(stderr, "gguftool: %s\n", texttable.Safe(message)) }
	}
	return bench.MeasureFidelity(cmd.Context(), m.reference, m.others, &library)
}

// page is the report in HTML.
func (o *fidelityOptions) page(models []*bench.Fidelity) *report.Page {
	p := report.Fidelity(models)
	machine := bench.ThisMachine()
	text := "built in"
	switch {
	case o.text != "":
		text = filepath.Base(o.text)
	case o.library.Retrieval != nil:
		text = "the corpus of " + o.library.Retrieval.Name
	}
	p.Facts = append(report.MachineFacts(&machine), report.Fact{Name: "Text", Value: texttable.Safe(text)})
	return p
}

// parse checks flags and arguments; everything wrong here is wrong usage.
func (o *fidelityOptions) parse(cmd *cobra.Command, args []string) ([]fidelityModel, error) {
	flags := cmd.Flags()
	var err error
	if o.library.Precision, err = infer.ParsePrecision(o.precision); err != nil {
		return nil, usagef("--precision: %w", err)
	}
	if err := errors.Join(o.format.check(), o.html.check()); err != nil {
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
	case o.types == "" && (o.imatrix != "" || o.cache != "" && !o.search.makesFiles()):
		return nil, usagef("--imatrix and --cache are about files that are made; name them with --types")
	}
	if err := o.search.check(cmd, o.retrieval != ""); err != nil {
		return nil, err
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

// group divides the arguments among models: the first is a reference, each
// checkpoint, and where files are made each GGUF file that is not quantized.
func (o *fidelityOptions) group(args []string) ([]fidelityModel, error) {
	var models []fidelityModel
	for i, arg := range args {
		if i == 0 || isCheckpoint(arg) || len(o.targets) > 0 && holdsFloats(arg) {
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

// holdsFloats reports whether path is a GGUF file that is not quantized. What cannot
// be read is an error when it is opened to be measured.
func holdsFloats(path string) bool {
	f, err := gguf.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	n, ok := f.Metadata.Int(gguf.KeyFileType)
	return ok && slices.Contains([]gguf.FileType{gguf.FileF32, gguf.FileF16, gguf.FileBF16}, gguf.FileType(n))
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
	w, err := o.workshop()
	if err != nil {
		return m, err
	}
	if m.reference, err = asFile(cmd, set, w, m.reference); err != nil {
		return m, err
	}
	if len(o.targets) == 0 {
		return m, nil
	}
	importance := o.imatrix
	if importance == autoImportance {
		if importance, err = o.measureImportance(cmd, set, w, m.reference); err != nil {
			return m, err
		}
	}
	update, finish := newProgress(cmd.ErrOrStderr(), set, "quantizing")
	defer finish()
	w.Progress = func(p quantize.Progress) { update(p.Done, p.Total) }
	made, err := w.Quantized(cmd.Context(), m.reference, o.targets, importance)
	m.others = append(made, m.others...)
	return m, err
}

// workshop returns what makes files, in the cache that was named.
func (o *fidelityOptions) workshop() (*bench.Workshop, error) {
	folder := o.cache
	if folder == "" {
		caches, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("find the folder of caches: %w; name one with --cache", err)
		}
		folder = filepath.Join(caches, "gguftool")
	}
	return &bench.Workshop{Folder: folder, Version: versionString(), Threads: o.library.Threads}, nil
}

// asFile returns the F32 file that w makes of a checkpoint, and a file as it is.
func asFile(cmd *cobra.Command, set *settings, w *bench.Workshop, arg string) (string, error) {
	if !isCheckpoint(arg) {
		return arg, suggestHub(arg)
	}
	from, err := findCheckpoint(cmd, set, arg, true)
	if err != nil {
		return "", err
	}
	return w.Reference(cmd.Context(), from.dir, from.name)
}
