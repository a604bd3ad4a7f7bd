package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/tokenizer"
)

// batchTexts bounds the texts that are held at a time. It is many, so that texts
// of all lengths keep all threads busy.
const batchTexts = 1024

type embedOptions struct {
	texts    textSource
	json     bool
	pooling  string
	raw      bool
	truncate bool
	threads  int
}

func newEmbed(set *settings) *cobra.Command {
	var o embedOptions
	cmd := &cobra.Command{
		Use:   "embed MODEL.gguf [TEXT...]",
		Short: "Compute the vectors of texts",
		Long: `Embed prints one vector for each text, of length 1 unless --raw is given. A
text that is longer than the model's context is an error, or is cut with
--truncate, which is reported.

Without --json a vector is a line of numbers.

The fastest instructions that the machine has are used. The environment variable
GGUFTOOL_CPU chooses others: scalar, neon, avx2 or avx512.

` + textHelp,
		Example: `  gguftool embed minilm.gguf "a quick brown fox" --json
  gguftool embed minilm.gguf --input texts.txt > vectors.txt
  cat texts.txt | gguftool embed minilm.gguf -`,
		Args: between(1, -1, "a model and texts"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, set, args[0], args[1:]) },
	}
	o.texts.addFlags(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.StringVar(&o.pooling, "pooling", "default", "`KIND` of pooling: default (what the model says), mean, cls or last")
	f.BoolVar(&o.raw, "raw", false, "do not scale vectors to length 1")
	f.BoolVar(&o.truncate, "truncate", false, "cut texts that are longer than the context")
	f.IntVarP(&o.threads, "threads", "t", 0, "`N` threads (default: one for each core)")
	return cmd
}

func (o *embedOptions) run(cmd *cobra.Command, set *settings, path string, args []string) error {
	pooling, err := infer.ParsePooling(o.pooling)
	if err != nil {
		return usageError{err}
	}
	if o.threads < 0 {
		return usagef("--threads %d is negative", o.threads)
	}
	texts, closeTexts, err := o.texts.open(cmd, args)
	if err != nil {
		return err
	}
	defer closeTexts()
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	tok, err := tokenizer.FromGGUF(f.Metadata)
	if err != nil {
		return fault.InFile(err, path)
	}
	model, err := infer.Load(f, &infer.Options{Threads: o.threads})
	if err != nil {
		return err
	}
	print, done, err := o.printer(cmd.OutOrStdout(), filepath.Base(path), model.Dimensions())
	if err != nil {
		return err
	}
	eo := &infer.EmbedOptions{Pooling: pooling, Raw: o.raw}
	if o.truncate {
		eo.Truncated = func(text, from, to int) {
			if !set.quiet {
				fmt.Fprintf(cmd.ErrOrStderr(), "text %d: cut from %d to %d tokens\n", text, from, to)
			}
		}
	}
	for batch, err := range batches(texts, batchTexts) {
		if err != nil {
			return err
		}
		if err := embedBatch(cmd.Context(), model, tok, batch, eo, print); err != nil {
			return err
		}
		eo.First += len(batch)
	}
	return done()
}

// embedded is one item of the JSON output.
type embedded struct {
	Index     int       `json:"index"`
	Tokens    int       `json:"tokens"`
	Embedding []float32 `json:"embedding"`
}

func embedBatch(ctx context.Context, model *infer.Model, tok *tokenizer.Tokenizer, batch []string, eo *infer.EmbedOptions, print func(embedded) error) error {
	vectors, tokens, err := model.EmbedTexts(ctx, tok, batch, eo)
	if _, ok := errors.AsType[*infer.TooLongError](err); ok {
		return fmt.Errorf("%w (--truncate)", err)
	}
	if err != nil {
		return err
	}
	for i, v := range vectors {
		if err := print(embedded{Index: eo.First + i, Tokens: tokens[i], Embedding: v}); err != nil {
			return err
		}
	}
	return nil
}

// printer returns how to print one vector, and how to end.
func (o *embedOptions) printer(out io.Writer, model string, dimensions int) (print func(embedded) error, done func() error, err error) {
	if o.json {
		lw, err := newListWriter(out, "data", member{"model", model}, member{"dimensions", dimensions})
		if err != nil {
			return nil, nil, err
		}
		return func(e embedded) error { return lw.add(e) }, lw.close, nil
	}
	w := bufio.NewWriterSize(out, 1<<16)
	var line []byte
	return func(e embedded) error {
		line = line[:0]
		for i, x := range e.Embedding {
			if i > 0 {
				line = append(line, ' ')
			}
			line = strconv.AppendFloat(line, float64(x), 'g', -1, 32)
		}
		_, err := w.Write(append(line, '\n'))
		return err
	}, w.Flush, nil
}

// batches cuts a sequence of texts into slices of at most size.
func batches(texts iter.Seq2[string, error], size int) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		var batch []string
		for text, err := range texts {
			if err != nil {
				yield(nil, err)
				return
			}
			if batch = append(batch, text); len(batch) == size {
				if !yield(batch, nil) {
					return
				}
				batch = nil
			}
		}
		if len(batch) > 0 {
			yield(batch, nil)
		}
	}
}
