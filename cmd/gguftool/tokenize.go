package main

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/tokenizer"
)

type tokenizeOptions struct {
	texts   textSource
	json    bool
	special bool
	decode  bool
}

func newTokenize() *cobra.Command {
	var o tokenizeOptions
	cmd := &cobra.Command{
		Use:   "tokenize MODEL.gguf [TEXT...]",
		Short: "Show the tokens that a model sees",
		Long: `Tokenize prints, for each text, the ids and the tokens that the model sees,
special tokens included. With --decode texts are ids, separated by spaces or
commas, and it prints the text that they stand for, a line each.

` + textHelp,
		Example: `  gguftool tokenize minilm.gguf "a quick brown fox"
  gguftool tokenize minilm.gguf --json --input texts.txt
  gguftool tokenize smollm2.gguf --decode "[3555, 314]"`,
		Args: between(1, -1, "a model and texts"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0], args[1:]) },
	}
	o.texts.addFlags(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	cmd.Flags().BoolVar(&o.special, "special", true, "add the special tokens that the model expects; with --decode: show them")
	cmd.Flags().BoolVar(&o.decode, "decode", false, "print the texts of ids")
	return cmd
}

// tokenized is one item of the JSON output.
type tokenized struct {
	Index  int      `json:"index"`
	IDs    []int32  `json:"ids"`
	Tokens []string `json:"tokens"`
	Text   *string  `json:"text,omitempty"` // of --decode
}

func (o *tokenizeOptions) run(cmd *cobra.Command, model string, args []string) error {
	texts, _, err := o.texts.open(cmd, args)
	if err != nil {
		return err
	}
	f, err := gguf.Open(model)
	if err != nil {
		return err
	}
	defer f.Close()
	tok, err := tokenizer.FromGGUF(f.Metadata)
	if err != nil {
		return fault.InFile(err, model)
	}
	emit, done, err := o.printer(cmd)
	if err != nil {
		return err
	}
	index := 0
	for batch, err := range batches(cmd.Context(), texts) {
		if err != nil {
			return err
		}
		for _, t := range batch {
			item := tokenized{Index: index, Tokens: []string{}}
			if o.decode {
				if item.IDs, err = parseIDs(t.text, tok.Size()); err != nil {
					return fmt.Errorf("%s%w", t.where(), err)
				}
				text := tok.Decode(item.IDs, !o.special)
				item.Text = &text
			} else {
				item.IDs = tok.Encode(t.text, o.special)
			}
			for _, id := range item.IDs {
				item.Tokens = append(item.Tokens, tok.Token(id))
			}
			if err := emit(item); err != nil {
				return err
			}
			index++
		}
	}
	return done()
}

// parseIDs reads ids of a vocabulary, as in "1, 2" or "[1 2]".
func parseIDs(text string, size int) ([]int32, error) {
	ids := []int32{}
	for _, field := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '[' || r == ']' || unicode.IsSpace(r) }) {
		id, err := strconv.ParseInt(field, 10, 32)
		if err != nil || id < 0 || int(id) >= size {
			return nil, fmt.Errorf("%q is no id; the model has %d tokens", field, size)
		}
		ids = append(ids, int32(id))
	}
	return ids, nil
}

// printer returns how to print one item, and how to end.
func (o *tokenizeOptions) printer(cmd *cobra.Command) (emit func(tokenized) error, done func() error, err error) {
	if o.json {
		lw, err := newListWriter(cmd.OutOrStdout(), "data")
		if err != nil {
			return nil, nil, err
		}
		return func(item tokenized) error { return lw.add(item) }, lw.close, nil
	}
	w := bufio.NewWriter(cmd.OutOrStdout())
	return func(item tokenized) error {
		if item.Text != nil {
			fmt.Fprintln(w, *item.Text)
			return nil
		}
		if item.Index > 0 {
			fmt.Fprintln(w)
		}
		for i, id := range item.IDs {
			fmt.Fprintf(w, "%6d  %q\n", id, item.Tokens[i])
		}
		return nil
	}, w.Flush, nil
}
