package main

import (
	"bufio"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/tokenizer"
)

type tokenizeOptions struct {
	texts   textSource
	json    bool
	special bool
}

func newTokenize() *cobra.Command {
	var o tokenizeOptions
	cmd := &cobra.Command{
		Use:   "tokenize MODEL.gguf [TEXT...]",
		Short: "Show the tokens that a model sees",
		Long: `Tokenize prints, for each text, the ids and the tokens that the model sees,
special tokens included.

` + textHelp,
		Example: `  gguftool tokenize minilm.gguf "a quick brown fox"
  gguftool tokenize minilm.gguf --json --input texts.txt`,
		Args: between(1, -1, "a model and texts"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0], args[1:]) },
	}
	o.texts.addFlags(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	cmd.Flags().BoolVar(&o.special, "special", true, "add the special tokens that the model expects")
	return cmd
}

// tokenized is one item of the JSON output.
type tokenized struct {
	Index  int      `json:"index"`
	IDs    []int32  `json:"ids"`
	Tokens []string `json:"tokens"`
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
			item := tokenized{Index: index, IDs: tok.Encode(t.text, o.special), Tokens: []string{}}
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
		if item.Index > 0 {
			fmt.Fprintln(w)
		}
		for i, id := range item.IDs {
			fmt.Fprintf(w, "%6d  %q\n", id, item.Tokens[i])
		}
		return nil
	}, w.Flush, nil
}
