package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/internal/texttable"
	"github.com/gguftool/gguftool/tokenizer"
)

type perplexityOptions struct {
	text      string
	library   bench.PerplexityOptions
	each      bool
	json      bool
	precision string
	threads   int
}

func newPerplexity(set *settings) *cobra.Command {
	var o perplexityOptions
	cmd := &cobra.Command{
		Use:   "perplexity MODEL.gguf --text FILE",
		Short: "Tell how well a model predicts a text",
		Long: `Perplexity is the exponential of the mean negative log-likelihood of the tokens of
a text: the lower, the better the model predicts it. A model that guesses evenly
among all tokens has as much as there are tokens. Compare figures of one text and
one vocabulary only.

It is computed as llama-perplexity does, to the same figures: the whole text is
tokenized at once, without the line break at its end, and cut into chunks of
--ctx-size tokens, whose first is replaced by the BOS token where the model wants
one. Each is computed by itself, and the tokens of its second half are those that
are predicted. What follows +/- is the standard error.

Unlike there, special tokens that are written out in the text become what they
are.`,
		Example: `  gguftool bench perplexity smollm2-q4_k_m.gguf --text wiki.test.raw
  gguftool bench perplexity smollm2-q4_k_m.gguf --text wiki.test.raw --ctx-size 2048 --chunks 20 --json`,
		Args: exactly(1, "one model"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, set, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.text, "text", "", "`FILE` with the text, or - for standard input")
	f.IntVarP(&o.library.ContextSize, "ctx-size", "c", bench.DefaultContextSize, "`N` tokens in a chunk")
	f.IntVar(&o.library.Chunks, "chunks", 0, "compute the first `N` chunks only")
	f.BoolVar(&o.each, "each", false, "print the perplexity so far after each chunk")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.StringVar(&o.precision, "precision", "auto", "`PRECISION` to compute in: f32, int8, or auto (the fastest that file and machine allow)")
	f.IntVarP(&o.threads, "threads", "t", 0, "`N` threads (default: one for each core)")
	return cmd
}

// perplexityReport is the JSON output.
type perplexityReport struct {
	Schema        string    `json:"schema"`
	Version       string    `json:"version"` // of the program
	Model         string    `json:"model"`
	Text          string    `json:"text"`
	Precision     string    `json:"precision"`
	TextTokens    int       `json:"text_tokens"`
	ContextSize   int       `json:"context_size"`
	Chunks        int       `json:"chunks"`
	Tokens        int       `json:"tokens"`
	NLL           float64   `json:"nll"`
	Perplexity    float64   `json:"perplexity"`
	StandardError float64   `json:"standard_error"`
	Running       []float64 `json:"running"`
	Seconds       float64   `json:"seconds"`
}

func (o *perplexityOptions) run(cmd *cobra.Command, set *settings, path string) error {
	load, err := o.parse(cmd)
	if err != nil {
		return err
	}
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	tok, err := tokenizer.FromGGUF(f.Metadata)
	if err != nil {
		return fault.InFile(err, path)
	}
	text, err := o.read(cmd.InOrStdin())
	if err != nil {
		return err
	}
	model, err := infer.Load(f, load)
	if err != nil {
		return err
	}
	switch limit := model.ContextLength(); {
	case !model.HasLogits():
		return fault.Unsupported(path, "", "perplexity needs a decoder", "models of architecture %q predict no tokens", f.Metadata.Architecture())
	case o.library.ContextSize > limit:
		return usagef("--ctx-size %d is more than the context of the model, %d tokens", o.library.ContextSize, limit)
	}
	o.library.Prefix, _ = tok.Template()
	ids := tok.AppendEncode(append([]int32{}, o.library.Prefix...), text, false)

	stdout, stderr := cmd.OutOrStdout(), cmd.ErrOrStderr()
	report := perplexityReport{
		Schema: bench.PerplexitySchema, Version: versionString(),
		Model: filepath.Base(path), Text: filepath.Base(o.text), Precision: model.Precision().String(),
		TextTokens: len(ids), ContextSize: o.library.ContextSize, Running: []float64{},
	}
	toPeople := isTerminal(stderr) && !set.quiet
	bar := newCounter(stderr, toPeople && !(o.each && isTerminal(stdout)), "chunk", bench.PerplexityChunks(len(ids), &o.library))
	defer bar.finish()
	var lost error // what printing said
	o.library.Progress = func(p bench.Perplexity, chunks int) {
		report.Running = append(report.Running, p.Value())
		if o.each && lost == nil {
			_, lost = fmt.Fprintf(stdout, "%*d  %.4f\n", len(fmt.Sprint(chunks)), p.Chunks, p.Value())
		}
		bar.update(p.Chunks, fmt.Sprintf("perplexity %.4f, chunk", p.Value()))
	}
	start := time.Now()
	p, err := bench.MeasurePerplexity(cmd.Context(), model, ids, &o.library)
	bar.finish()
	if err != nil {
		return err
	}
	if lost != nil {
		return lost
	}
	report.Chunks, report.Tokens = p.Chunks, p.Tokens
	report.NLL, report.Perplexity, report.StandardError = p.NLL(), p.Value(), p.StandardError()
	report.Seconds = time.Since(start).Seconds()
	if toPeople {
		computed := p.Chunks * o.library.ContextSize
		fmt.Fprintf(stderr, "tokens: %s, seconds: %.3f, tokens/s: %s, precision: %v\n", texttable.Grouped(int64(computed)),
			report.Seconds, texttable.Grouped(int64(float64(computed)/report.Seconds)), model.Precision())
	}
	return o.print(stdout, &report)
}

// parse checks the flags; everything wrong here is wrong usage.
func (o *perplexityOptions) parse(cmd *cobra.Command) (*infer.Options, error) {
	precision, err := infer.ParsePrecision(o.precision)
	switch {
	case err != nil:
		return nil, usagef("--precision: %w", err)
	case o.text == "":
		return nil, usagef("name the text with --text FILE; see '%s --help'", cmd.CommandPath())
	case o.each && o.json:
		return nil, usagef("--each and --json cannot be used together; the JSON has the figures of each chunk")
	case o.library.ContextSize < bench.MinContextSize:
		return nil, usagef("--ctx-size %d is less than %d", o.library.ContextSize, bench.MinContextSize)
	case cmd.Flags().Changed("chunks") && o.library.Chunks < 1:
		return nil, usagef("--chunks %d is less than 1", o.library.Chunks)
	case o.threads < 0:
		return nil, usagef("--threads %d is negative", o.threads)
	}
	return &infer.Options{Threads: o.threads, Precision: precision}, nil
}

// read returns the text without the line break at its end.
func (o *perplexityOptions) read(stdin io.Reader) (string, error) {
	data, err := readWhole(stdin, o.text)
	return strings.TrimSuffix(string(data), "\n"), err
}

func (o *perplexityOptions) print(w io.Writer, r *perplexityReport) error {
	if o.json {
		return json.NewEncoder(w).Encode(r)
	}
	_, err := fmt.Fprintf(w, "perplexity %.4f +/- %.4f (%s tokens predicted, %s chunks of %d)\n", r.Perplexity, r.StandardError,
		texttable.Grouped(int64(r.Tokens)), texttable.Grouped(int64(r.Chunks)), r.ContextSize)
	return err
}
