package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/calibrate"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/imatrix"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/internal/atomicfile"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/tokenizer"
)

type imatrixOptions struct {
	texts          calibrationTexts
	prompt         promptOptions
	mode, weigh    string
	context        int
	chunks, chunk  int
	parseSpecial   bool
	processOutput  bool
	perplexity     bool
	noPerplexity   bool
	output, format string
	force, resume  bool
	part           string
	saveEvery      int
	threads        int
	json           bool
}

func newImatrix(set *settings) *cobra.Command {
	var o imatrixOptions
	cmd := &cobra.Command{
		Use:   "imatrix MODEL.gguf [--text FILE...]",
		Short: "Measure which columns of weights matter (importance matrix)",
		Long: `Imatrix runs a model on texts and measures for each column of its weights the
mean square of what the column is multiplied with. Quantize --imatrix weighs its
errors with it. The file is one of llama.cpp, which its programs read too.

Models are measured as they are used. Embedding models see whole texts with their
special tokens, behind a prompt where there is one; a text that is longer than
the context is cut. Each token is weighed by its share in the vector of its text
(--weigh tokens takes all tokens alike). Models that predict tokens see windows of
--ctx-size tokens of all the text, each begun with the model's BOS token, to the
same numbers as llama-imatrix, and tell their perplexity. --mode chooses another
way.

Texts come from the files of --text ("-" is standard input), of which --split says
what a text is: each line, each paragraph between empty lines, or the whole file.
Files that end in .jsonl or .ndjson have JSON lines: objects whose field "text" is
the text (--field names another), or strings. Without --text, a text in many
languages that is built in is used; texts like those that the model will see are
better.

What is done is saved as the work goes on, and when it is interrupted; --resume
goes on from there. --part 3/16 measures a sixteenth of all texts or windows; the
files of all parts are merged to that of the whole (imatrix merge).`,
		Example: `  gguftool imatrix minilm-f32.gguf
  gguftool imatrix minilm-f32.gguf --text queries.txt --text docs.jsonl --field body
  gguftool imatrix smollm2-f32.gguf --text book.txt --chunks 100 -o smollm2.gguf
  gguftool imatrix e5.gguf --text passages.txt --prompt passage --part 1/4 -o part1.gguf`,
		Args: exactly(1, "a model"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, set, args[0]) },
	}
	o.texts.addFlags(cmd)
	o.prompt.addFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.mode, "mode", "auto", "`MODE`: texts, windows, or auto (as the model is used)")
	f.StringVar(&o.weigh, "weigh", "", "what rows are weighed by: `WHAT` is tokens, all alike, or vectors, their share in that of the text (default: vectors for embedding models)")
	f.IntVarP(&o.context, "ctx-size", "c", 0, "windows of `N` tokens (default 512), or texts of up to N (default: the model's context)")
	f.IntVar(&o.chunks, "chunks", 0, "only the first `N` windows or texts (default: all)")
	f.IntVar(&o.chunk, "chunk", 0, "leave out the first `N` windows")
	f.BoolVar(&o.parseSpecial, "parse-special", false, "take special tokens that are written out in windows for what they are")
	f.BoolVar(&o.processOutput, "process-output", false, "measure the weights that make logits too: output.weight, or token_embd.weight of models that use it for both")
	f.BoolVar(&o.perplexity, "ppl", true, "compute the perplexity of windows")
	f.BoolVar(&o.noPerplexity, "no-ppl", false, "do not compute the perplexity, which takes time")
	f.StringVarP(&o.output, "output", "o", "", "write to `FILE` (default: beside the model, named after it)")
	f.StringVar(&o.format, "format", "", "`FORMAT` of the output: gguf or dat, the older one of llama.cpp (default: dat for .dat, else gguf)")
	f.BoolVar(&o.force, "force", false, "replace an existing output")
	f.BoolVar(&o.resume, "resume", false, "go on from the output of a run that was interrupted")
	f.StringVar(&o.part, "part", "", "measure share `K/N` of the windows or texts, as in 3/16")
	f.IntVar(&o.saveEvery, "save-every", 0, "save what is done after each `N` windows or texts (default: 10 windows, 1000 texts)")
	f.IntVarP(&o.threads, "threads", "t", 0, "`N` threads (default: one for each core)")
	f.BoolVar(&o.json, "json", false, "print JSON")
	cmd.AddCommand(newImatrixShow(set), newImatrixMerge(set), newImatrixConvert(set))
	return cmd
}

// An imatrixJob is a command line that makes sense, as far as it can be told
// without the model.
type imatrixJob struct {
	*imatrixOptions
	mode        calibrate.Mode
	weighing    imatrix.Weighing
	share       [2]int // of shares
	legacy      bool
	overwrite   bool // what is saved, once there is something
	model, path string
	stderr      io.Writer
	quiet       bool
}

func (o *imatrixOptions) run(cmd *cobra.Command, set *settings, path string) error {
	job, err := o.parse(cmd, path)
	if err != nil {
		return err
	}
	job.stderr, job.quiet = cmd.ErrOrStderr(), set.quiet
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	before, err := job.claimOutput()
	if err != nil {
		return err
	}
	load := infer.Options{Threads: o.threads, Precision: infer.PrecisionF32, Context: o.context}
	tok, err := tokenizer.FromGGUF(f.Metadata)
	if err != nil {
		return fault.InFile(err, path)
	}
	m, err := infer.Load(f, &load)
	if err != nil {
		return err
	}
	in, datasets, err := job.inputs(cmd, set, f, m, tok)
	if err != nil {
		return err
	}
	return job.measure(cmd, f, m, in, datasets, before)
}

// parse turns flags into a job; everything wrong here is wrong usage.
func (o *imatrixOptions) parse(cmd *cobra.Command, model string) (*imatrixJob, error) {
	job := &imatrixJob{imatrixOptions: o, model: model, share: [2]int{1, 1}}
	var err error
	if job.mode, err = calibrate.ParseMode(o.mode); err != nil {
		return nil, usagef("--mode: %w", err)
	}
	if o.weigh != "" {
		if job.weighing, err = imatrix.ParseWeighing(o.weigh); err != nil {
			return nil, usagef("--weigh: %w", err)
		}
	}
	for _, n := range []struct {
		name  string
		value int
	}{{"ctx-size", o.context}, {"chunks", o.chunks}, {"chunk", o.chunk}, {"save-every", o.saveEvery}, {"threads", o.threads}} {
		if n.value < 0 {
			return nil, usagef("--%s %d is negative", n.name, n.value)
		}
	}
	if o.noPerplexity {
		if o.perplexity && cmd.Flags().Changed("ppl") {
			return nil, usagef("--ppl and --no-ppl cannot be used together")
		}
		o.perplexity = false
	}
	if err := o.prompt.check(cmd); err != nil {
		return nil, err
	}
	if err := o.texts.check(cmd); err != nil {
		return nil, err
	}
	if o.part != "" {
		if job.share, err = parsePart(o.part); err != nil {
			return nil, usagef("--part: %w", err)
		}
	}
	if job.path = o.output; job.path == "" {
		job.path = filepath.Join(filepath.Dir(model), typeSuffix.ReplaceAllString(modelName(model), "")+"-imatrix.gguf")
	}
	if job.path == "-" {
		return nil, usagef("importance goes to a file that it can be saved to as the work goes on, not to standard output")
	}
	if job.legacy, err = isLegacyFormat(o.format, job.path); err != nil {
		return nil, err
	}
	if o.resume && job.legacy {
		return nil, usagef("--resume needs an output in the format gguf: .dat files do not say where they stand")
	}
	if o.resume && o.force {
		return nil, usagef("--resume goes on from the output, and --force replaces it: choose one of them")
	}
	return job, nil
}

// isLegacyFormat returns whether an importance file is written in the older format.
func isLegacyFormat(format, path string) (bool, error) {
	switch format {
	case "":
		return strings.EqualFold(filepath.Ext(path), ".dat"), nil
	case "gguf", "dat":
		return format == "dat", nil
	}
	return false, usagef("--format: unknown format %q; choose one of gguf, dat", format)
}

// parsePart reads a share, as in 3/16.
func parsePart(s string) (share [2]int, err error) {
	left, right, ok := strings.Cut(s, "/")
	k, err1 := strconv.Atoi(left)
	n, err2 := strconv.Atoi(right)
	if !ok || err1 != nil || err2 != nil || k < 1 || k > n {
		return share, fmt.Errorf("%q is no share such as 3/16, from 1/16 to 16/16", s)
	}
	return [2]int{k, n}, nil
}

// claimOutput finds out before any work whether the output may be written, and
// returns what is to be resumed, or nil.
func (job *imatrixJob) claimOutput() (before *imatrix.File, err error) {
	inputs := append([]string{job.model}, job.texts.named()...)
	if err := atomicfile.RefuseInputs([]string{job.path}, inputs); err != nil {
		return nil, usageError{err}
	}
	if job.resume {
		before, err = imatrix.Read(job.path)
		if err == nil && before.State == nil {
			return nil, fmt.Errorf("%s does not say where it stands: it is complete, or another program wrote it; --force measures anew", job.path)
		}
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			job.overwrite = true
			return before, err
		}
	}
	out, err := atomicfile.Create(job.path, job.force)
	if err != nil {
		return nil, err
	}
	out.Abort()
	job.overwrite = job.force
	return nil, nil
}

// inputs returns what the model is shown, and the names of where it comes from.
func (job *imatrixJob) inputs(cmd *cobra.Command, set *settings, f *gguf.File, m *infer.Model, tok *tokenizer.Tokenizer) (*calibrate.Inputs, []string, error) {
	if job.mode == calibrate.Auto {
		job.mode = calibrate.ModeOf(f.Metadata, m)
	}
	if err := job.checkMode(cmd, m); err != nil {
		return nil, nil, err
	}
	if job.weigh == "" && calibrate.ModeOf(f.Metadata, m) == calibrate.Texts {
		job.weighing = job.mode.Weighing()
	}
	texts, datasets, err := job.texts.read(cmd, job.mode)
	if err != nil {
		return nil, nil, err
	}
	var in *calibrate.Inputs
	if job.mode == calibrate.Texts {
		prompt, err := job.prompt.choose(cmd, set, f.Path, f.Metadata)
		if err != nil {
			return nil, nil, err
		}
		in = calibrate.WholeTexts(tok, prompt, texts, job.threads)
	} else if in, err = job.windows(tok, strings.Join(texts, "\n")); err != nil {
		return nil, nil, err
	}
	if job.chunks > 0 {
		in.First(job.chunks)
	}
	in.Part(job.share[0], job.share[1])
	if len(in.IDs) == 0 {
		return nil, nil, fmt.Errorf("there is no text to measure on: %s", job.nothing())
	}
	return in, datasets, nil
}

func (job *imatrixJob) nothing() string {
	if job.share[1] > 1 {
		return fmt.Sprintf("all texts or windows are in other parts than %s", job.part)
	}
	return "the files have nothing but blank lines"
}

// checkMode finds options that have no meaning in the mode.
func (job *imatrixJob) checkMode(cmd *cobra.Command, m *infer.Model) error {
	about, wrong := "windows", []string{"chunk", "parse-special", "process-output", "ppl"}
	if job.mode == calibrate.Windows {
		if job.weighing == imatrix.ByVectors {
			return usagef("--weigh vectors is about whole texts, and the model is shown windows; --mode chooses")
		}
		about, wrong = "whole texts", []string{"prompt", "prompt-text", "no-prompt", "split"}
		if job.perplexity && !m.HasLogits() {
			return fault.Unsupported(job.model, "", "--no-ppl measures importance alone", "the model predicts no tokens, so it has no perplexity")
		}
	}
	for _, name := range wrong {
		if cmd.Flags().Changed(name) {
			return usagef("--%s is about %s, and the model is shown %v; --mode chooses", name, about, job.mode)
		}
	}
	return nil
}

// windows cuts a text into windows.
func (job *imatrixJob) windows(tok *tokenizer.Tokenizer, text string) (*calibrate.Inputs, error) {
	size := job.context
	if size == 0 {
		size = imatrix.DefaultChunkSize
	}
	return calibrate.TextWindows(tok, text, size, job.chunk, job.parseSpecial)
}

// measure measures, saves and tells.
func (job *imatrixJob) measure(cmd *cobra.Command, f *gguf.File, m *infer.Model, in *calibrate.Inputs, datasets []string, before *imatrix.File) error {
	bar := newCounter(job.stderr, isTerminal(job.stderr) && !job.quiet, "measuring", len(in.IDs))
	defer bar.finish()
	windows := in.Mode == calibrate.Windows
	o := &calibrate.Options{
		Perplexity: windows && job.perplexity, Head: windows && job.processOutput, Weighing: job.weighing,
		Datasets: datasets, Resume: before, Save: job.save, SaveEvery: job.saveEvery,
		Progress: func(r *calibrate.Result) { bar.update(r.Done, doing(r)) },
	}
	if o.SaveEvery == 0 {
		if o.SaveEvery = 1000; windows {
			o.SaveEvery = 10
		}
	}
	start := time.Now()
	result, err := calibrate.Measure(cmd.Context(), f, m, in, o)
	took := time.Since(start)
	if result == nil {
		return err
	}
	if saved := job.save(result.File); saved != nil {
		return errors.Join(err, saved)
	}
	bar.finish()
	if err != nil {
		return job.stopped(cmd, result, err)
	}
	report := imatrixReport{
		Model: job.model, Output: job.path, Mode: in.Mode.String(), Weighing: job.weighing.String(), Inputs: result.Done, Tokens: result.Tokens,
		Weights: len(result.File.Entries), Datasets: datasets, Seconds: took.Seconds(), Part: job.part,
	}
	if !windows {
		report.Cut = in.Cut(m.ContextLength())
	}
	if result.Perplexity.Chunks > 0 {
		report.Perplexity = &imatrixPerplexity{result.Perplexity.Value(), result.Perplexity.StandardError(), result.Perplexity.Tokens}
	}
	if job.json {
		return report.json(cmd.OutOrStdout())
	}
	return report.text(cmd.OutOrStdout())
}

// doing says what goes on, for a progress bar.
func doing(r *calibrate.Result) string {
	if r.Perplexity.Chunks > 0 {
		return fmt.Sprintf("measuring, perplexity %.4f", r.Perplexity.Value())
	}
	return "measuring"
}

// save writes the output, whole or not at all.
func (job *imatrixJob) save(f *imatrix.File) error {
	out, err := atomicfile.Create(job.path, job.overwrite)
	if err != nil {
		return err
	}
	defer out.Abort()
	encode := f.WriteGGUF
	if job.legacy {
		encode = f.WriteLegacy
	}
	if err := encode(out); err != nil {
		return err
	}
	if err := out.Commit(job.overwrite); err != nil {
		return err
	}
	job.overwrite = true // it is ours now
	return nil
}

// stopped says what is kept of a measurement that did not end well.
func (job *imatrixJob) stopped(cmd *cobra.Command, r *calibrate.Result, err error) error {
	next := "; --resume goes on from there"
	if job.legacy {
		next = ""
	}
	kept := fmt.Sprintf("%s holds the first %d of %d %v%s", job.path, r.Done, r.Total, job.mode, next)
	if cmd.Context().Err() != nil {
		return fmt.Errorf("interrupted; %s", kept)
	}
	fmt.Fprintln(job.stderr, "note:", kept)
	return err
}
