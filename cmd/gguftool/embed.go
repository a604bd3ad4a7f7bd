package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/embedding"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/internal/texttable"
	"github.com/gguftool/gguftool/tokenizer"
)

type embedOptions struct {
	texts      textSource
	prompt     promptOptions
	vectors    vectorOptions
	pooling    string
	raw        bool
	dimensions int
	similarity bool
	truncate   bool
	context    int
	precision  string
	threads    int
	stats      bool
}

func newEmbed(set *settings) *cobra.Command {
	var o embedOptions
	cmd := &cobra.Command{
		Use:   "embed MODEL.gguf [TEXT...]",
		Short: "Compute the vectors of texts",
		Long: `Embed prints one vector for each text, of length 1 unless --raw is given. A
text that is longer than the model's context is an error, or is cut with
--truncate, which is reported.

` + textHelp + `

Formats of the output:
  text   a line of numbers for each text
  table  number of tokens, first numbers of the vector and beginning of the text
  json   one object with all vectors (docs/json.md)
  jsonl  one object a line
  npy    a NumPy array, one row for each text; into a pipe it comes at the end
  f32    32-bit floats and nothing else, little-endian

The file may have prompts, which go before a text: convert --extras stores those
of the checkpoint. A default prompt is used unless another or --no-prompt is
given.

The fastest instructions that the machine has are used. The environment variable
GGUFTOOL_CPU chooses others: scalar, neon, avx2 or avx512.`,
		Example: `  gguftool embed minilm.gguf "a quick brown fox" --json
  gguftool embed minilm.gguf --input texts.txt > vectors.txt
  gguftool embed minilm.gguf --input docs.jsonl --field body -o vectors.npy
  gguftool embed e5.gguf --prompt query "who wrote faust" --format table
  gguftool embed minilm.gguf --similarity cat dog carburettor
  cat texts.txt | gguftool embed minilm.gguf -`,
		Args: between(1, -1, "a model and texts"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, set, args[0], args[1:]) },
	}
	o.texts.addFlags(cmd)
	o.prompt.addFlags(cmd)
	o.vectors.addFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.pooling, "pooling", "default", "`KIND` of pooling: default (what the model says), mean, cls or last")
	f.BoolVar(&o.raw, "raw", false, "do not scale vectors to length 1")
	f.IntVar(&o.dimensions, "dimensions", 0, "keep the first `N` numbers of each vector, for models that are trained for it (Matryoshka)")
	f.BoolVar(&o.similarity, "similarity", false, "print the cosines of all pairs of texts instead of the vectors")
	f.BoolVar(&o.truncate, "truncate", false, "cut texts that are longer than the context")
	f.IntVar(&o.context, "ctx-size", 0, "take texts of up to `N` tokens instead of what the model says: fewer, or more where its positions can be stretched (nomic-bert)")
	f.StringVar(&o.precision, "precision", "auto", "`PRECISION` to compute in: f32, int8, or auto (the fastest that file and machine allow, see docs/embedding-models.md)")
	f.IntVarP(&o.threads, "threads", "t", 0, "`N` threads (default: one for each core)")
	f.BoolVar(&o.stats, "stats", false, "tell texts, tokens and speed in the end, as on a terminal")
	return cmd
}

func (o *embedOptions) run(cmd *cobra.Command, set *settings, path string, args []string) error {
	job, err := o.parse(cmd)
	if err != nil {
		return err
	}
	texts, count, err := o.texts.open(cmd, args)
	if err != nil {
		return err
	}
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := o.checkOutput(path); err != nil {
		return err
	}
	out, err := o.vectors.open(cmd)
	if err != nil {
		return err
	}
	defer out.abort()
	if job.prompt, err = o.prompt.choose(cmd, set, path, f.Metadata); err != nil {
		return err
	}
	if job.tokenizer, err = tokenizer.FromGGUF(f.Metadata); err != nil {
		return fault.InFile(err, path)
	}
	if job.model, err = infer.Load(f, &job.load); err != nil {
		return err
	}
	if job.dimensions, err = o.keptDimensions(cmd, job.model.Dimensions()); err != nil {
		return err
	}
	if !set.quiet {
		job.notePooling(cmd.ErrOrStderr(), f.Metadata)
	}
	head := vectorHead{filepath.Base(path), job.dimensions, job.prompt, job.encoding}
	if o.similarity {
		job.out = &similarities{w: out, json: job.format == formatJSON, head: head}
	} else if job.out, err = newVectorWriter(job.format, out, head); err != nil {
		return err
	}
	stderr := cmd.ErrOrStderr()
	toPeople := isTerminal(stderr) && !set.quiet
	bar := newCounter(stderr, toPeople && (o.vectors.toFile() || !isTerminal(cmd.OutOrStdout())), "embedding", count)
	defer bar.finish()
	if o.truncate {
		job.options.Truncated = func(text, from, to int) {
			if !set.quiet {
				bar.clear()
				fmt.Fprintf(stderr, "text %d: cut from %d to %d tokens\n", text, from, to)
			}
		}
	}
	for batch, err := range batches(cmd.Context(), texts) {
		if err != nil {
			return err
		}
		for part := range slices.Chunk(batch, job.step()) {
			if err := job.embed(cmd.Context(), part); err != nil {
				return err
			}
			bar.update(job.texts, fmt.Sprintf("embedding, %.0f tokens/s", job.speed()))
		}
	}
	if err := job.out.close(); err != nil {
		return err
	}
	if err := out.commit(); err != nil {
		return err
	}
	bar.finish()
	if toPeople || o.stats && !set.quiet {
		fmt.Fprintln(stderr, job.summary())
	}
	return nil
}

// An embedJob computes and prints the vectors of all texts.
type embedJob struct {
	load       infer.Options
	options    infer.EmbedOptions
	tokenizer  *tokenizer.Tokenizer
	model      *infer.Model
	prompt     string
	dimensions int // of the vectors that are printed
	format     vectorFormat
	encoding   embedding.Encoding
	out        vectorWriter

	texts, tokens int           // done
	busy          time.Duration // that this took, from text to vector
}

// parse turns flags into a job; everything wrong here is wrong usage.
func (o *embedOptions) parse(cmd *cobra.Command) (*embedJob, error) {
	var job embedJob
	var err error
	job.options.Raw = o.raw
	if job.options.Pooling, err = infer.ParsePooling(o.pooling); err != nil {
		return nil, usageError{err}
	}
	if job.load.Precision, err = infer.ParsePrecision(o.precision); err != nil {
		return nil, usagef("--precision: %w", err)
	}
	if job.load.Threads = o.threads; o.threads < 0 {
		return nil, usagef("--threads %d is negative", o.threads)
	}
	if job.load.Context = o.context; o.context < 0 {
		return nil, usagef("--ctx-size %d is negative", o.context)
	}
	if err := o.prompt.check(cmd); err != nil {
		return nil, err
	}
	if job.format, job.encoding, err = o.vectors.parse(cmd); err != nil {
		return nil, err
	}
	if !o.similarity {
		return &job, nil
	}
	if job.encoding != embedding.Float32 {
		return nil, usagef("--similarity compares the vectors as they are computed, without --output-type %s", job.encoding)
	}
	if job.format != formatText && job.format != formatTable && job.format != formatJSON {
		return nil, usagef("--similarity prints a table or JSON, not %s", job.format)
	}
	return &job, nil
}

// checkOutput refuses to replace what is read.
func (o *embedOptions) checkOutput(model string) error {
	if !o.vectors.toFile() {
		return nil
	}
	out, err := os.Stat(o.vectors.path)
	if err != nil || !out.Mode().IsRegular() {
		return nil
	}
	for _, path := range append([]string{model}, o.texts.inputs...) {
		if in, err := os.Stat(path); err == nil && os.SameFile(in, out) {
			return usagef("output %s is an input; choose another name", o.vectors.path)
		}
	}
	return nil
}

// keptDimensions returns the length of the vectors that are printed.
func (o *embedOptions) keptDimensions(cmd *cobra.Command, all int) (int, error) {
	if !cmd.Flags().Changed("dimensions") {
		return all, nil
	}
	if o.dimensions < 1 || o.dimensions > all {
		return 0, usagef("--dimensions %d: the vectors of this model have 1 to %d", o.dimensions, all)
	}
	return o.dimensions, nil
}

// notePooling tells how a decoder's tokens become a vector where neither its file nor
// the user says so, as it may well be no embedding model at all.
func (j *embedJob) notePooling(stderr io.Writer, md *gguf.Metadata) {
	if j.options.Pooling == infer.PoolingDefault && bench.PredictsTokens(md, j.model) {
		fmt.Fprintf(stderr, "note: the model predicts tokens and does not say how vectors are made; pooling is %q (--pooling chooses)\n", j.model.Pooling())
	}
}

// embed computes and prints the vectors of a batch.
func (j *embedJob) embed(ctx context.Context, batch []text) error {
	start := time.Now()
	inputs := make([]string, len(batch))
	for i, t := range batch {
		inputs[i] = j.prompt + t.text
	}
	j.options.First = j.texts
	vectors, tokens, err := j.model.EmbedTexts(ctx, j.tokenizer, inputs, &j.options)
	if long, ok := errors.AsType[*infer.TooLongError](err); ok {
		return fmt.Errorf("%s%w (--truncate)", batch[long.Text-j.texts].where(), err)
	}
	if empty, ok := errors.AsType[*infer.EmptyTextError](err); ok {
		return fmt.Errorf("%s%w: it is empty, and this model adds none of its own; leave it out", batch[empty.Text-j.texts].where(), err)
	}
	if err != nil {
		return err
	}
	j.busy += time.Since(start)
	for i, v := range vectors {
		if j.dimensions < len(v) {
			v = embedding.Truncate(v, j.dimensions, !j.options.Raw)
		}
		if err := j.out.write(embedded{index: j.texts, tokens: tokens[i], text: batch[i].text, vector: v}); err != nil {
			return err
		}
		j.texts++
		j.tokens += tokens[i]
	}
	return nil
}

// step returns how many texts to compute at a time, so that there is news about
// every second. They are no fewer than keep all threads busy.
func (j *embedJob) step() int {
	const least = 128
	if j.texts == 0 {
		return least
	}
	return max(least, int(float64(j.texts)/max(j.busy, time.Microsecond).Seconds()))
}

// speed returns the tokens in a second.
func (j *embedJob) speed() float64 {
	return float64(j.tokens) / max(j.busy, time.Microsecond).Seconds()
}

// summary tells what was done.
func (j *embedJob) summary() string {
	return fmt.Sprintf("texts: %s, tokens: %s, seconds: %.3f, tokens/s: %s, precision: %v", texttable.Grouped(int64(j.texts)),
		texttable.Grouped(int64(j.tokens)), j.busy.Seconds(), texttable.Grouped(int64(j.speed())), j.model.Precision())
}
