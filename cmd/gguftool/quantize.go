package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/convert"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/imatrix"
	"github.com/gguftool/gguftool/internal/texttable"
	"github.com/gguftool/gguftool/quantize"
)

type quantizeOptions struct {
	library quantize.Options
	run     quantize.RunOptions
	convert convert.Options // of a checkpoint
	isAuto  bool
	auto    autoOptions // of types that are chosen tensor by tensor

	targets       []quantizeTarget
	imatrix       string
	include       []string
	exclude       []string
	outputType    string
	embeddingType string
	tensorTypes   overrideList
	overrides     []string
	pruneLayers   string
	dryRun        bool
	json          bool
}

// A quantizeTarget is a type that the model is to be quantized to.
type quantizeTarget struct {
	name     string // as it stands in names of files
	fileType gguf.FileType
	copy     bool
}

func newQuantize(set *settings) *cobra.Command {
	var o quantizeOptions
	cmd := &cobra.Command{
		Use:   "quantize TYPE[,TYPE...]|AUTO IN.gguf|MODEL_DIR|hf://MODEL [OUT.gguf]",
		Short: "Quantize a GGUF model or a checkpoint",
		Long: `Quantize writes a model with fewer bits for each weight. TYPE names the mixture,
as in Q4_K_M, or is its number; the tensors that each type makes, and the bytes,
are those of llama-quantize. The table on standard output says what every tensor
became and why.

Several types, separated by commas, are made in one run that reads the input
once. {type} in OUT.gguf stands for the type, so that each gets its own file; all
of them appear, or none.

The input may be a Hugging Face checkpoint. It is converted on the way, without a
file in between, to the bytes that quantizing the file of 'gguftool convert' (F32)
gives.

` + checkpointHelp + `

Without OUT.gguf the output is named after the input and the type, beside the
input; that of a checkpoint is named after the model, in the current folder.

--measure also tells the error of what was written against the input: RMSE, the
root of the mean squared difference of the weights, the same as a part of their
own root mean square, and with --imatrix weighted by importance. The fast formats
take up to half as long again with it, so it is off unless it is asked for.

--prune-layers leaves layers out and moves the others up, with the keys that have
an element for each layer. A model that tells layers apart by their number, such
as every fourth one, is refused where a layer would become one of another kind.

AUTO chooses a type for every tensor by what it costs, measured on texts: a file
of a size (--target-size, --target-bpw, --target-like), or the smallest with a loss
(--max-loss). The loss is 1 - cosine of the vectors of models that make them, and
the KL divergence of the predictions of others. All options about types, such as
--tensor-type, still hold. Without --imatrix, importance is measured first, on the
texts that take no other part; --imatrix none does without. --state keeps what is
measured, and --part shares the work; name the states of all parts to choose by
them. docs/allocate.md tells how types are chosen.

Types: ` + strings.Join(typeNames(), " ") + `.
Those of the IQ1 and IQ2 formats, IQ3_XXS, IQ3_XS and Q2_K_S need an importance file.`,
		Example: `  gguftool quantize Q4_K_M minilm-f32.gguf minilm-q4_k_m.gguf
  gguftool quantize Q4_K_M --imatrix imatrix.gguf minilm-f32.gguf
  gguftool quantize Q4_K_M,Q6_K,Q8_0 minilm-f32.gguf minilm-{type}.gguf
  gguftool quantize Q4_K_M ./all-MiniLM-L6-v2 minilm-q4_k_m.gguf
  gguftool quantize Q4_K_M hf://BAAI/bge-small-en-v1.5
  gguftool quantize Q4_K_M --tensor-type ffn_down=q6_k --dry-run minilm-f32.gguf
  gguftool quantize AUTO --target-like Q4_K_M --text corpus.txt minilm-f32.gguf
  gguftool quantize AUTO --max-loss 0.001 --state auto.state ./all-MiniLM-L6-v2 minilm.gguf
  gguftool quantize AUTO --part 1/4 --state part1.state smollm2-f32.gguf
  gguftool quantize AUTO --target-size 80MB --state part1.state --state part2.state smollm2-f32.gguf`,
		Args: between(2, 3, "a type, an input and perhaps an output"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.execute(cmd, set, args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.imatrix, "imatrix", "", "weigh errors with the importance in `FILE`, GGUF or .dat; AUTO also takes auto (measure it, the default) and none")
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
	f.StringVar(&o.pruneLayers, "prune-layers", "", "leave out `LAYERS`, as in 0,2,5-7; the others move up")
	f.StringVar(&o.convert.Name, "model-name", "", "of a checkpoint: `NAME` of the model instead of the one found there")
	f.StringVar(&o.convert.MetadataFile, "metadata", "", "of a checkpoint: take keys from the JSON `FILE` instead, as convert does")
	f.BoolVar(&o.convert.Extras, "extras", false, "of a checkpoint: also store what llama.cpp's converter leaves out: longest text, prompts, normalization")
	f.BoolVar(&o.convert.DropModules, "drop-modules", false, "of a checkpoint: leave out sentence-transformers modules behind pooling, such as Dense; vectors will differ")
	f.BoolVar(&o.run.Measure, "measure", false, "compare what is written with the input and print the error of each type")
	f.BoolVar(&o.run.Verify, "verify", false, "read the output again and compare it with what was written; nothing stays where it differs (exit code 5)")
	f.BoolVar(&o.dryRun, "dry-run", false, "show what every tensor would become and write nothing")
	f.BoolVar(&o.json, "json", false, "print the table as JSON")
	f.BoolVar(&o.run.Overwrite, "force", false, "replace an existing output")
	f.IntVarP(&o.run.Threads, "threads", "t", 0, "`N` threads (default: as many as there are processors)")
	f.IntVar(&o.run.Threads, "nthreads", 0, "`N` threads, as --threads")
	o.auto.addFlags(cmd)
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
	if err := o.parse(cmd, args); err != nil {
		return err
	}
	if o.isAuto {
		return o.executeAuto(cmd, set, args)
	}
	// The heap is a few megabytes, mostly the header's: not worth collecting often.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	in, err := o.open(cmd, set, args[1])
	if err != nil {
		return err
	}
	defer in.close()
	stderr := cmd.ErrOrStderr()
	if err := o.readImportance(stderr); err != nil {
		return err
	}
	out := in.outputName()
	if len(args) == 3 {
		out = args[2]
	}
	jobs, err := o.plan(in.source, out)
	if err != nil {
		return err
	}
	if in.model != nil && !o.json && !set.quiet {
		printConvertNotes(stderr, in.model)
	}

	var results []quantize.Result
	start := time.Now()
	if !o.dryRun {
		if results, err = o.carryOut(cmd.Context(), stderr, set, jobs); err != nil {
			return err
		}
		if set.quiet && !o.json {
			return nil
		}
	}
	elapsed := time.Since(start)
	var reports quantizeReports
	for i, job := range jobs {
		r, err := newQuantizeReport(job, args[1], o.dryRun)
		if err != nil {
			return err
		}
		if in.model != nil {
			r.Notes = in.model.Notes
		}
		if o.dryRun {
			r.refuse(stderr, job.Plan.Check())
		} else {
			r.Seconds = elapsed.Seconds()
			r.Verified = o.run.Verify
			r.measured(results[i].Deviations)
		}
		reports = append(reports, r)
	}
	if o.json {
		return reports.writeJSON(cmd.OutOrStdout())
	}
	if err := reports.writeText(cmd.OutOrStdout()); err != nil {
		return err
	}
	if o.imatrix == "" && !set.quiet {
		suggestImportance(stderr, in, jobs)
	}
	return nil
}

// suggestImportance tells of types that would lose much less with importance.
func suggestImportance(stderr io.Writer, in *quantizeInput, jobs []quantize.Job) {
	var types []string
	for _, job := range jobs {
		if job.Plan.GainsFromImportance() && job.Plan.Check() == nil {
			types = append(types, job.Plan.FileType.String())
		}
	}
	if len(types) == 0 {
		return
	}
	verb, model := "loses", in.path
	if len(types) > 1 {
		verb = "lose"
	}
	if in.model != nil {
		model = in.model.FileName // that convert would write
	}
	fmt.Fprintf(stderr, "note: %s %s less with importance: gguftool imatrix %s -o imatrix.gguf, then --imatrix imatrix.gguf\n",
		strings.Join(types, ", "), verb, texttable.Safe(model))
}

// plan makes a job of every type; out is the path of the output, with {type} in
// it where there are several.
func (o *quantizeOptions) plan(source *quantize.Source, out string) ([]quantize.Job, error) {
	var jobs []quantize.Job
	for _, t := range o.targets {
		library := o.library
		library.FileType, library.Copy = t.fileType, t.copy
		plan, err := source.Plan(&library)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, quantize.Job{Plan: plan, Out: strings.ReplaceAll(out, typeField, t.name)})
	}
	return jobs, nil
}

func (o *quantizeOptions) carryOut(ctx context.Context, stderr io.Writer, set *settings, jobs []quantize.Job) ([]quantize.Result, error) {
	update, finish := newProgress(stderr, set, "quantizing")
	defer finish()
	o.run.Progress = func(p quantize.Progress) { update(p.Done, p.Total) }
	return quantize.Run(ctx, jobs, &o.run)
}

// A quantizeInput is the model that is read.
type quantizeInput struct {
	path   string
	source *quantize.Source
	file   *gguf.File     // or nil
	model  *convert.Model // of a checkpoint, or nil
	close  func() error
}

// open opens a GGUF file, or a checkpoint as if it were the F32 file that
// convert makes of it.
func (o *quantizeOptions) open(cmd *cobra.Command, set *settings, path string) (*quantizeInput, error) {
	if !isCheckpoint(path) {
		if c := o.convert; c.Name != "" || c.MetadataFile != "" || c.Extras || c.DropModules {
			return nil, usagef("--model-name, --metadata, --extras and --drop-modules are for a checkpoint, and %s is none", path)
		}
		if err := suggestHub(path); err != nil {
			return nil, err
		}
		_, err := os.Stat(path)
		if ext := filepath.Ext(path); err == nil && (ext == ".bin" || ext == ".json") {
			return nil, usagef("%s is a file of a checkpoint; name its folder, %s", path, filepath.Dir(path))
		}
		f, err := gguf.Open(path)
		if err != nil {
			return nil, err
		}
		return &quantizeInput{path, quantize.FileSource(f), f, nil, f.Close}, nil
	}
	if o.library.KeepSplit {
		return nil, usagef("--keep-split keeps the shards of a GGUF model, and %s is a checkpoint", path)
	}
	from, err := findCheckpoint(cmd, set, path, true)
	if err != nil {
		return nil, err
	}
	o.convert.FolderName = from.name
	m, err := convert.Open(from.dir, &o.convert)
	if err != nil {
		return nil, err
	}
	v := m.View()
	source := &quantize.Source{Path: path, Files: v.Files, Metadata: m.Metadata, Tensors: v.Tensors, Rows: v}
	return &quantizeInput{path, source, nil, m, m.Close}, nil
}

// parse turns flags into options of the library; everything wrong here is wrong
// usage.
func (o *quantizeOptions) parse(cmd *cobra.Command, args []string) error {
	var err error
	if o.isAuto = strings.EqualFold(args[0], autoName); o.isAuto {
		err = o.auto.parse(cmd, o, args)
	} else {
		err = o.auto.refuse(cmd, args[0])
	}
	if err != nil {
		return err
	}
	if o.isAuto {
		// The types are chosen later.
	} else if o.targets, err = parseTargets(args[0]); err != nil {
		last := len(args) - 1
		if _, swapped := parseTargets(args[last]); swapped == nil {
			return usagef("the type comes first: gguftool quantize %s %s", args[last], strings.Join(args[:last], " "))
		}
		return usageError{err}
	}
	if len(o.targets) > 1 && len(args) == 3 && !strings.Contains(args[2], typeField) {
		return usagef("the output %s is one name for %d types; put %s where the type belongs, as in %s",
			args[2], len(o.targets), typeField, strings.TrimSuffix(args[2], ".gguf")+"-"+typeField+".gguf")
	}
	if o.dryRun && (o.run.Measure || o.run.Verify) {
		return usagef("--dry-run writes nothing that --measure or --verify could look at")
	}
	if len(o.include) > 0 && len(o.exclude) > 0 {
		return usagef("--include-weights and --exclude-weights cannot be used together")
	}
	if o.isAuto && o.imatrix == "" {
		o.imatrix = imatrixAuto
	}
	if (o.imatrix == "" || o.isAuto && o.imatrix == imatrixNone) && len(o.include)+len(o.exclude) > 0 {
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
	if o.pruneLayers != "" {
		if o.library.PruneLayers, err = quantize.ParseLayers(o.pruneLayers); err != nil {
			return usagef("--prune-layers: %w", err)
		}
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

// parseTargets reads types that are separated by commas.
func parseTargets(list string) ([]quantizeTarget, error) {
	var targets []quantizeTarget
	for name := range strings.SplitSeq(list, ",") {
		t := quantizeTarget{name: "COPY"}
		var err error
		if t.fileType, t.copy, err = quantize.ParseTarget(name); err != nil {
			return nil, err
		}
		if !t.copy {
			t.name = t.fileType.String()
		}
		if slices.Contains(targets, t) {
			return nil, fmt.Errorf("the type %s is named twice in %s", t.name, list)
		}
		targets = append(targets, t)
	}
	return targets, nil
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
	o.useImportance(o.imatrix, m, stderr)
	return nil
}

// useImportance hands importance, of which name tells where it is from, to the
// library.
func (o *quantizeOptions) useImportance(name string, m *imatrix.File, stderr io.Writer) {
	m.Select(o.include, o.exclude)
	if len(m.Entries) == 0 {
		fmt.Fprintf(stderr, "note: nothing of %s is used: no weight is selected\n", name)
	}
	o.library.Importance = m.Importance()
	o.library.ImportanceInfo = quantize.ImportanceInfo{File: name, Datasets: m.Datasets, Chunks: m.Chunks}
}

// typeSuffix matches the type at the end of a model's name, as in minilm-f32.
var typeSuffix = regexp.MustCompile(`(?i)[-._](f32|f16|bf16|i?q[1-8]_[0-9a-z_]+|tq[12]_0|mxfp4(_moe)?)$`)

// typeField stands for the type in the name of an output.
const typeField = "{type}"

// outputName names the output after the input and the type, beside the input; or
// after the model of a checkpoint, in the current folder.
func (in *quantizeInput) outputName() string {
	path := in.path
	if in.model != nil {
		path = in.model.FileName
	}
	name := typeSuffix.ReplaceAllString(modelName(path), "")
	return filepath.Join(filepath.Dir(path), name+"-"+typeField+".gguf")
}
