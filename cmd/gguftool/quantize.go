package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/imatrix"
	"github.com/gguftool/gguftool/quantize"
)

type quantizeOptions struct {
	library quantize.Options
	run     quantize.RunOptions

	imatrix       string
	include       []string
	exclude       []string
	outputType    string
	embeddingType string
	tensorTypes   overrideList
	overrides     []string
	dryRun        bool
	json          bool
}

func newQuantize(set *settings) *cobra.Command {
	var o quantizeOptions
	cmd := &cobra.Command{
		Use:   "quantize TYPE IN.gguf [OUT.gguf]",
		Short: "Quantize a GGUF model",
		Long: `Quantize writes a model with fewer bits for each weight. TYPE names the mixture,
as in Q4_K_M, or is its number; the tensors that each type makes, and the bytes,
are those of llama-quantize. The table on standard output says what every tensor
became and why.

Without OUT.gguf the output is named after the input and the type, beside the
input.

Types: ` + strings.Join(typeNames(), " ") + `.
Those of the IQ1 and IQ2 formats, IQ3_XXS, IQ3_XS and Q2_K_S need an importance file.`,
		Example: `  gguftool quantize Q4_K_M minilm-f32.gguf minilm-q4_k_m.gguf
  gguftool quantize Q4_K_M --imatrix imatrix.gguf minilm-f32.gguf
  gguftool quantize Q4_K_M --tensor-type ffn_down=q6_k --dry-run minilm-f32.gguf`,
		Args: between(2, 3, "a type, an input and perhaps an output"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.execute(cmd, set, args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.imatrix, "imatrix", "", "weigh errors with the importance in `FILE`, GGUF or .dat")
	f.StringArrayVar(&o.include, "include-weights", nil, "use importance only of weights whose names contain `PART` (repeatable)")
	f.StringArrayVar(&o.exclude, "exclude-weights", nil, "use no importance of weights whose names contain `PART` (repeatable)")
	f.BoolVar(&o.library.Pure, "pure", false, "no mixture: every tensor gets the same type")
	f.BoolVar(&o.library.LeaveOutputTensor, "leave-output-tensor", false, "keep the type of output.weight")
	f.StringVar(&o.outputType, "output-tensor-type", "", "`TYPE` of output.weight, and of tied token embeddings")
	f.StringVar(&o.embeddingType, "token-embedding-type", "", "`TYPE` of the token embeddings")
	f.Var(overrideFlag{&o.tensorTypes, "REGEX=TYPE"}, "tensor-type", "`REGEX=TYPE` of tensors by name; the first match counts (repeatable)")
	f.Var(overrideFlag{&o.tensorTypes, "FILE"}, "tensor-type-file", "read such pairs from `FILE`, separated by blanks or line ends")
	f.BoolVar(&o.library.AllowRequantize, "allow-requantize", false, "quantize tensors that are quantized already")
	f.BoolVar(&o.library.NoFallback, "no-fallback", false, "refuse when rows do not fit the type, instead of choosing another")
	f.StringArrayVar(&o.overrides, "override-kv", nil, "`KEY=TYPE:VALUE` to set in the output, TYPE int, float, bool or str (repeatable)")
	f.BoolVar(&o.library.KeepSplit, "keep-split", false, "write as many shards as the input has")
	f.BoolVar(&o.dryRun, "dry-run", false, "show what every tensor would become and write nothing")
	f.BoolVar(&o.json, "json", false, "print the table as JSON")
	f.BoolVar(&o.run.Overwrite, "force", false, "replace an existing output")
	f.IntVarP(&o.run.Threads, "threads", "t", 0, "`N` threads (default: as many as there are processors)")
	f.IntVar(&o.run.Threads, "nthreads", 0, "`N` threads, as --threads")
	return cmd
}

func typeNames() []string {
	var names []string
	for _, t := range quantize.FileTypes() {
		names = append(names, t.String())
	}
	return append(names, "COPY")
}

func (o *quantizeOptions) execute(cmd *cobra.Command, set *settings, args []string) error {
	if err := o.parse(args); err != nil {
		return err
	}
	f, err := gguf.Open(args[1])
	if err != nil {
		return err
	}
	defer f.Close()
	if err := o.readImportance(cmd.ErrOrStderr()); err != nil {
		return err
	}
	plan, err := quantize.NewPlan(f, &o.library)
	if err != nil {
		return err
	}
	out := ""
	if len(args) == 3 {
		out = args[2]
	} else {
		out = outputName(args[1], args[0])
	}
	if o.dryRun {
		if err := plan.Check(); err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "gguftool: this would be refused:", err)
		}
	} else {
		update, finish := newProgress(cmd.ErrOrStderr(), set, "quantizing")
		o.run.Progress = func(p quantize.Progress) { update(p.Done, p.Total) }
		err := plan.Run(cmd.Context(), out, &o.run)
		finish()
		if err != nil {
			return err
		}
	}
	report := newQuantizeReport(plan, args[1], out, o.dryRun)
	switch {
	case o.json:
		return report.writeJSON(cmd.OutOrStdout())
	case set.quiet && !o.dryRun:
		return nil
	}
	return report.writeText(cmd.OutOrStdout())
}

// parse turns flags into options of the library; everything wrong here is wrong
// usage.
func (o *quantizeOptions) parse(args []string) error {
	var err error
	if o.library.FileType, o.library.Copy, err = quantize.ParseTarget(args[0]); err != nil {
		last := len(args) - 1
		if _, _, swapped := quantize.ParseTarget(args[last]); swapped == nil {
			return usagef("the type comes first: gguftool quantize %s %s", args[last], strings.Join(args[:last], " "))
		}
		return usageError{err}
	}
	if len(o.include) > 0 && len(o.exclude) > 0 {
		return usagef("--include-weights and --exclude-weights cannot be used together")
	}
	if o.imatrix == "" && len(o.include)+len(o.exclude) > 0 {
		return usagef("--include-weights and --exclude-weights select from --imatrix, which is missing")
	}
	if o.run.Threads < 0 {
		return usagef("--threads %d is negative", o.run.Threads)
	}
	if o.library.OutputTensorType, err = parseTensorType("output-tensor-type", o.outputType); err != nil {
		return err
	}
	if o.library.TokenEmbeddingType, err = parseTensorType("token-embedding-type", o.embeddingType); err != nil {
		return err
	}
	if o.library.Overrides, err = o.tensorTypes.parse(); err != nil {
		return err
	}
	for _, s := range o.overrides {
		kv, err := quantize.ParseKVOverride(s)
		if err != nil {
			return usagef("--override-kv: %w", err)
		}
		o.library.KVOverrides = append(o.library.KVOverrides, kv)
	}
	return nil
}

// An overrideList holds --tensor-type and --tensor-type-file in the order of the
// command line, as the first match counts.
type overrideList []struct{ kind, text string }

// An overrideFlag appends to an overrideList.
type overrideFlag struct {
	list *overrideList
	kind string
}

func (f overrideFlag) String() string { return "" }
func (f overrideFlag) Type() string   { return f.kind }

func (f overrideFlag) Set(text string) error {
	*f.list = append(*f.list, struct{ kind, text string }{f.kind, text})
	return nil
}

func (l overrideList) parse() ([]quantize.Override, error) {
	var all []quantize.Override
	for _, o := range l {
		if o.kind == "FILE" {
			text, err := os.ReadFile(o.text)
			if err != nil {
				return nil, err
			}
			overrides, err := quantize.ParseOverrides(string(text))
			if err != nil {
				return nil, usagef("%s: %w", o.text, err)
			}
			all = append(all, overrides...)
			continue
		}
		override, err := quantize.ParseOverride(o.text)
		if err != nil {
			return nil, usagef("--tensor-type: %w", err)
		}
		all = append(all, override)
	}
	return all, nil
}

func parseTensorType(flag, name string) (*gguf.Type, error) {
	if name == "" {
		return nil, nil
	}
	t, err := gguf.ParseType(name)
	if err != nil {
		return nil, usagef("--%s: %w", flag, err)
	}
	return &t, nil
}

// readImportance hands the importance matrix to the library.
func (o *quantizeOptions) readImportance(stderr io.Writer) error {
	if o.imatrix == "" {
		return nil
	}
	m, err := imatrix.Read(o.imatrix)
	if err != nil {
		return err
	}
	m.Select(o.include, o.exclude)
	if len(m.Entries) == 0 {
		fmt.Fprintf(stderr, "note: nothing of %s is used: no weight is selected\n", o.imatrix)
	}
	o.library.Importance = m.Importance()
	o.library.ImportanceInfo = quantize.ImportanceInfo{File: o.imatrix, Datasets: m.Datasets, Chunks: m.Chunks}
	return nil
}

// typeSuffix matches the type at the end of a model's name, as in minilm-f32.
var typeSuffix = regexp.MustCompile(`(?i)[-._](f32|f16|bf16|i?q[1-8]_[0-9a-z_]+|tq[12]_0|mxfp4(_moe)?)$`)

// outputName names the output after the input and the type, beside the input.
func outputName(in, fileType string) string {
	dir, name := filepath.Split(in)
	if prefix, _, _, ok := gguf.ParseShardPath(name); ok {
		name = prefix
	}
	name = typeSuffix.ReplaceAllString(strings.TrimSuffix(name, ".gguf"), "")
	if t, isCopy, err := quantize.ParseTarget(fileType); err == nil && !isCopy {
		fileType = t.String()
	}
	return filepath.Join(dir, name+"-"+strings.ToUpper(fileType)+".gguf")
}
