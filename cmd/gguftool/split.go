package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/inspect"
	"github.com/gguftool/gguftool/internal/texttable"
)

// rewriteOptions are the flags of verbs that store a model in other files.
type rewriteOptions struct {
	run    inspect.RunOptions
	dryRun bool
	json   bool
}

func (o *rewriteOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.dryRun, "dry-run", false, "show what would be written and write nothing")
	f.BoolVar(&o.json, "json", false, "print what was written as JSON")
	f.BoolVar(&o.run.Overwrite, "force", false, "replace existing outputs")
}

type splitOptions struct {
	rewriteOptions
	library inspect.SplitOptions
	maxSize string
}

func newSplit(set *settings) *cobra.Command {
	var o splitOptions
	cmd := &cobra.Command{
		Use:   "split IN.gguf OUT-PREFIX",
		Short: "Store a model in several files",
		Long: `Split stores a model in shards: OUT-PREFIX-00001-of-00003.gguf and so on. Names
and bytes are those of llama-gguf-split. All keys are in the first shard; programs
that are given it find the others. The input is left as it is.

A shard ends when it has --max-tensors tensors, or before its tensors would take
more than --max-size bytes; keys and tensor table come on top of them. A tensor
that is larger than that gets a shard of its own.

A model that is in shards already, of which IN.gguf is any, is divided anew. Where
OUT-PREFIX is a folder, the shards are named after the input.`,
		Example: `  gguftool inspect split model-q4_k_m.gguf model-q4_k_m --max-size 2G
  gguftool inspect split model-q4_k_m.gguf model-q4_k_m --max-tensors 64 --dry-run`,
		Args: exactly(2, "an input and the beginning of the names of its outputs"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.execute(cmd, set, args[0], args[1]) },
	}
	f := cmd.Flags()
	f.IntVar(&o.library.MaxTensors, "max-tensors", inspect.DefaultMaxTensors, "`N` tensors in a shard")
	f.StringVar(&o.maxSize, "max-size", "", "`SIZE` of the tensors in a shard, as in 500K, 500M or 2G; K is 1000 bytes")
	f.BoolVar(&o.library.NoTensorsFirst, "no-tensor-first-split", false, "leave the first shard, which has the keys, without tensors")
	o.addFlags(cmd)
	return cmd
}

func (o *splitOptions) execute(cmd *cobra.Command, set *settings, in, prefix string) error {
	counted := cmd.Flags().Changed("max-tensors")
	switch {
	case counted && o.maxSize != "":
		return usagef("--max-tensors and --max-size cannot be used together")
	case o.library.MaxTensors < 1:
		return usagef("--max-tensors %d is less than 1", o.library.MaxTensors)
	case o.maxSize != "":
		var err error
		if o.library.MaxSize, err = parseSize(o.maxSize); err != nil {
			return usagef("--max-size: %w", err)
		}
		o.library.MaxTensors = 0
	}
	if isFolder(prefix) {
		prefix = filepath.Join(prefix, modelName(in))
	}
	return o.rewrite(cmd, set, "splitting", in, func(f *gguf.File) (*inspect.Rewrite, error) {
		return inspect.Split(f, prefix, &o.library)
	})
}

// isFolder reports whether path is a folder or is written like one.
func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir() || path != "" && os.IsPathSeparator(path[len(path)-1])
}

// modelName returns the name of a model's file without folder, number of the
// shard and ending.
func modelName(path string) string {
	name := filepath.Base(path)
	if prefix, _, _, ok := gguf.ParseShardPath(name); ok {
		name = prefix
	}
	return strings.TrimSuffix(name, ".gguf")
}

// parseSize reads a number of bytes with a unit: K, M or G, powers of 1000.
func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "KMGkmgBb")
	unit := strings.TrimSuffix(strings.ToUpper(s[len(digits):]), "B")
	factor, known := map[string]int64{"K": 1e3, "M": 1e6, "G": 1e9}[unit]
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case !known || err != nil:
		return 0, fmt.Errorf("%q is not a whole number with K, M or G behind it, as in 500M", s)
	case n < 1 || n > math.MaxInt64/factor:
		return 0, fmt.Errorf("%q is not between 1K and %dG", s, math.MaxInt64/int64(1e9))
	}
	return n * factor, nil
}

type mergeOptions struct {
	rewriteOptions
	library inspect.MergeOptions
}

func newMerge(set *settings) *cobra.Command {
	var o mergeOptions
	cmd := &cobra.Command{
		Use:   "merge SHARD.gguf... OUT.gguf",
		Short: "Store the shards of a model in one file",
		Long: `Merge puts the shards of a model together again. One of them is enough: the others
are found by its name. The bytes are those of llama-gguf-split, which keeps the
keys of the shards and sets split.count to 0. With --drop-split-keys they go, and
the output is the file that was split. The inputs are left as they are.`,
		Example: `  gguftool inspect merge model-00001-of-00003.gguf model.gguf
  gguftool inspect merge model-*-of-00003.gguf model.gguf --drop-split-keys`,
		Args: between(2, -1, "a shard and an output"),
		RunE: func(cmd *cobra.Command, args []string) error {
			last := len(args) - 1
			return o.execute(cmd, set, args[:last], args[last])
		},
	}
	cmd.Flags().BoolVar(&o.library.DropSplitKeys, "drop-split-keys", false, "leave out split.no, split.tensors.count and split.count")
	o.addFlags(cmd)
	return cmd
}

func (o *mergeOptions) execute(cmd *cobra.Command, set *settings, in []string, out string) error {
	return o.rewrite(cmd, set, "merging", in[0], func(f *gguf.File) (*inspect.Rewrite, error) {
		for _, path := range in[1:] {
			if err := checkShard(f, path); err != nil {
				return nil, err
			}
		}
		return inspect.Merge(f, out, &o.library)
	})
}

// checkShard refuses a file that is no shard of f.
func checkShard(f *gguf.File, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	for _, s := range f.Shards {
		if shard, err := os.Stat(s.Path); err == nil && os.SameFile(info, shard) {
			return nil
		}
	}
	return usagef("%s is no shard of the model that %s belongs to; merge joins shards of one model, and the output comes last", path, f.Path)
}

// rewrite plans what becomes of the model at path in, does it and reports it.
func (o *rewriteOptions) rewrite(cmd *cobra.Command, set *settings, what, in string, plan func(f *gguf.File) (*inspect.Rewrite, error)) error {
	f, err := gguf.Open(in)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := plan(f)
	if err != nil {
		return err
	}
	if !o.dryRun {
		update, finish := newProgress(cmd.ErrOrStderr(), set, what)
		o.run.Progress = update
		err := r.Run(cmd.Context(), &o.run)
		finish()
		if err != nil {
			return err
		}
	}
	report := newRewriteReport(r, in, o.dryRun)
	switch {
	case o.json:
		return json.NewEncoder(cmd.OutOrStdout()).Encode(report)
	case set.quiet && !o.dryRun:
		return nil
	}
	return report.writeText(cmd.OutOrStdout())
}

// A rewriteReport tells which files a model was stored in.
type rewriteReport struct {
	Input   string         `json:"input"`
	DryRun  bool           `json:"dry_run"`
	Tensors int            `json:"tensors"`
	Bytes   int64          `json:"bytes"` // of all outputs
	Outputs []outputReport `json:"outputs"`
}

type outputReport struct {
	Path    string `json:"path"`
	Tensors int    `json:"tensors"`
	Bytes   int64  `json:"bytes"`
}

func newRewriteReport(r *inspect.Rewrite, in string, dryRun bool) *rewriteReport {
	report := &rewriteReport{Input: in, DryRun: dryRun}
	for _, out := range r.Outputs {
		report.Outputs = append(report.Outputs, outputReport{out.Path, len(out.Tensors), out.Size})
		report.Tensors += len(out.Tensors)
		report.Bytes += out.Size
	}
	return report
}

func (r *rewriteReport) writeText(w io.Writer) error {
	var b strings.Builder
	table := texttable.New("file", "tensors>", "bytes>")
	for _, out := range r.Outputs {
		table.Row(texttable.Safe(out.Path), strconv.Itoa(out.Tensors), texttable.Grouped(out.Bytes))
	}
	if err := table.Write(&b, "Outputs"); err != nil {
		return err
	}
	verb := "wrote"
	if r.DryRun {
		verb = "would write"
	}
	fmt.Fprintf(&b, "\n%s %d tensors in %d files, %s bytes\n", verb, r.Tensors, len(r.Outputs), texttable.Grouped(r.Bytes))
	_, err := io.WriteString(w, strings.TrimLeft(b.String(), "\n"))
	return err
}
