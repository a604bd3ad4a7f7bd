package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/inspect"
)

type inspectOptions struct {
	json bool
	full bool
}

func newInspect(set *settings) *cobra.Command {
	var o inspectOptions
	cmd := &cobra.Command{
		Use:   "inspect FILE.gguf...",
		Short: "Describe GGUF files, split and merge them",
		Long: `Inspect shows what GGUF files hold: the header, the keys (long values
shortened), the tensors with their types and sizes, and what they add up to. It
reads nothing but the head of a file, so that a file of 100 GB takes as long as
a small one. Any shard of a split model stands for the whole model.

With several files a damaged one is reported and the others are still shown.

The commands below write models in other files. A file of such a name is
described as ./split.`,
		Example: `  gguftool inspect minilm-q4_k_m.gguf
  gguftool inspect --json minilm-q4_k_m.gguf | jq '.totals.bits_per_weight'`,
		Args: between(1, -1, "at least one file"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON: an object, or with several files an array of them")
	cmd.Flags().BoolVar(&o.full, "full", false, "do not shorten names, values and arrays")
	cmd.AddCommand(newSplit(set), newMerge(set))
	return cmd
}

func (o *inspectOptions) run(cmd *cobra.Command, paths []string) error {
	out := bufio.NewWriter(cmd.OutOrStdout())
	var failed []error
	var objects [][]byte
	for _, path := range paths {
		report, err := describe(path)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if !o.json {
			if err := report.WriteText(out, inspect.Options{Full: o.full, Width: o.width(cmd)}); err != nil {
				return err
			}
			continue
		}
		object, err := report.JSON(o.full)
		if err != nil {
			return err
		}
		objects = append(objects, object)
	}
	if o.json && len(paths) > 1 {
		fmt.Fprintf(out, "[%s]\n", bytes.Join(objects, []byte(",\n")))
	} else if o.json && len(objects) == 1 {
		fmt.Fprintf(out, "%s\n", objects[0])
	}
	return errors.Join(append(failed, out.Flush())...)
}

func describe(path string) (*inspect.Report, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return inspect.Describe(f), nil
}

// width returns the columns of the terminal, or 0 where there is none.
func (o *inspectOptions) width(cmd *cobra.Command) int {
	if f, ok := cmd.OutOrStdout().(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil {
			return columns
		}
	}
	return 0
}
