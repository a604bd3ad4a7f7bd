package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/hub"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/internal/texttable"
	"github.com/gguftool/gguftool/modelfile"
	"github.com/gguftool/gguftool/modelfile/fit"
	"github.com/gguftool/gguftool/ollama"
)

type modelfileBuildOptions struct {
	store         storeOptions
	made          fidelityOptions // what makes files and measures them
	file          string
	name          string
	quantize      string
	maxDivergence float64
	export        modelfileExportOptions
	archive       string
	force, json   bool
}

func newModelfileBuild(set *settings) *cobra.Command {
	var o modelfileBuildOptions
	cmd := &cobra.Command{
		Use:   "build [MODEL_DIR|hf://MODEL|F32.gguf] --name NAME[:TAG] --quantize TYPE",
		Short: "Go the whole way from a checkpoint to a checked model in Ollama's store",
		Long: `Build converts a checkpoint, measures importance, quantizes, measures what that cost,
and makes a model of the result and a Modelfile in Ollama's store: what a job of
continuous integration does, in one command.

The model is the argument, or what FROM of the Modelfile names; it takes the place of
FROM. Without --file, and without a Modelfile in this folder, one is written as
'gguftool modelfile init' does it.

What quantizing cost is measured against the F32 file, on the texts of --text or on
those that are built in: the mean cosine of vectors, or the mean KL divergence of the
predictions of models that predict tokens. Below --min-cosine, or above
--max-divergence, the program ends with code 5, and nothing gets into the store.

The files that are made stay in a cache, so that what did not change is not made
again: --cache names its folder, which jobs can keep. The same inputs make the same
model.

` + checkpointHelp + "\n\n" + storeHelp,
		Example: `  gguftool modelfile build ./model --name my-embed:q4 --quantize Q4_K_M --imatrix auto --min-cosine 0.99
  gguftool modelfile build -f Modelfile --name chat:q5 --quantize Q5_K_M --max-divergence 0.02
  gguftool modelfile build hf://BAAI/bge-small-en-v1.5 --name bge --quantize Q8_0 --export bge.tar.zst`,
		Args: between(0, 1, "at most one model"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, set, args) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.file, "file", "f", "", "read the Modelfile `FILE`; - is standard input (default: Modelfile, if there is one)")
	f.StringVar(&o.name, "name", "", "`NAME` of the model in the store")
	f.StringVar(&o.quantize, "quantize", "", "quantize to `TYPE`, as in Q4_K_M")
	f.StringVar(&o.made.imatrix, "imatrix", "", "weigh errors with the importance in `FILE`, or auto: measure it first")
	f.StringVar(&o.made.text, "text", "", "measure what quantizing cost on the lines of `FILE`")
	f.Float64Var(&o.made.minCosine, "min-cosine", 0, "end with code 5 when the mean cosine of vectors is below `COSINE`")
	f.Float64Var(&o.maxDivergence, "max-divergence", 0, "end with code 5 when the mean KL divergence of predictions is above `NATS`")
	f.StringVar(&o.archive, "export", "", "also pack the model into `FILE` (.tar.zst), as 'gguftool modelfile export' does")
	f.StringVar(&o.made.cache, "cache", "", "`FOLDER` of files that are made (default: gguftool in the user's folder of caches)")
	f.IntVarP(&o.made.library.Threads, "threads", "t", 0, "`N` threads (default: one for each core)")
	f.BoolVar(&o.force, "force", false, "replace a model of that name, and an existing archive")
	f.BoolVar(&o.json, "json", false, "print what was made and measured as JSON")
	o.store.addFlags(cmd)
	return cmd
}

// A buildReport is what build prints: the members of its JSON.
type buildReport struct {
	Source    string             `json:"source"`
	Modelfile string             `json:"modelfile"` // path, or "" where it was written for the model
	Reference bench.FileFidelity `json:"reference"`
	File      bench.FileFidelity `json:"file"`
	Model     *modelReport       `json:"model"`
	Archive   string             `json:"archive,omitempty"`
	Seconds   map[string]float64 `json:"seconds"` // of each step: make, measure, create, export
	started   time.Time
}

// step ends a step of the work.
func (r *buildReport) step(name string) {
	r.Seconds[name] = time.Since(r.started).Seconds()
	r.started = time.Now()
}

func (o *modelfileBuildOptions) run(cmd *cobra.Command, set *settings, args []string) error {
	name, err := o.parse(cmd)
	if err != nil {
		return err
	}
	file, dir, err := o.readModelfile(cmd)
	if err != nil {
		return err
	}
	source, err := buildSource(args, file, dir)
	if err != nil {
		return err
	}
	store, err := o.store.open()
	if err != nil {
		return err
	}
	r := &buildReport{Source: source, Seconds: map[string]float64{}, started: time.Now()}
	if file != nil {
		r.Modelfile = o.file
	}
	m, err := o.made.makeFiles(cmd, set, fidelityModel{reference: source})
	if err != nil {
		return err
	}
	r.step("make")
	if err := o.measure(cmd, set, m, r); err != nil {
		return err
	}
	r.step("measure")
	model, err := o.create(cmd, set, store, name, file, dir, m.others[0])
	if err != nil {
		return err
	}
	r.Model = newModelReport(store, model)
	r.step("create")
	if o.archive != "" {
		if err := o.pack(cmd, set, store, model.Name); err != nil {
			return err
		}
		r.Archive = o.archive
		r.step("export")
	}
	if o.json {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
	}
	if set.quiet {
		return nil
	}
	return r.print(cmd.OutOrStdout(), model)
}

// parse checks flags; everything wrong here is wrong usage.
func (o *modelfileBuildOptions) parse(cmd *cobra.Command) (name ollama.Name, err error) {
	flags := cmd.Flags()
	switch {
	case o.name == "":
		return name, usagef("say how the model is called in the store, as in --name my-embed:q4")
	case o.quantize == "":
		return name, usagef("say what is made of the model, as in --quantize Q4_K_M; 'gguftool modelfile create' takes it as it is")
	case o.made.library.Threads < 0:
		return name, usagef("--threads %d is negative", o.made.library.Threads)
	case flags.Changed("min-cosine") && !(o.made.minCosine > -1 && o.made.minCosine <= 1):
		return name, usagef("--min-cosine %v is no cosine above -1 and up to 1", o.made.minCosine)
	case flags.Changed("max-divergence") && !(o.maxDivergence > 0 && o.maxDivergence < 1e9):
		return name, usagef("--max-divergence %v is no number of nats above 0", o.maxDivergence)
	}
	targets, err := parseTargets(o.quantize)
	if err != nil {
		return name, usagef("--quantize: %w", err)
	}
	if len(targets) != 1 || targets[0].copy {
		return name, usagef("--quantize %s is not one type that something can be made of", o.quantize)
	}
	o.made.targets = []gguf.FileType{targets[0].fileType}
	o.made.library.Windows.ContextSize = bench.DefaultContextSize
	if o.archive != "" {
		if form, err := formOf(o.archive); err != nil || form != formArchive || o.archive == "-" {
			return name, usagef("--export %s: the name of an archive ends in .tar.zst", o.archive)
		}
	}
	names, err := parseModelNames([]string{o.name})
	if err != nil {
		return name, err
	}
	return names[0], o.made.read(cmd.InOrStdin())
}

// readModelfile returns the Modelfile and the folder that its paths begin at, or nil
// where one is to be written for the model.
func (o *modelfileBuildOptions) readModelfile(cmd *cobra.Command) (*modelfile.File, string, error) {
	path := o.file
	if path == "" {
		path = "Modelfile"
	}
	file, err := readModelfile(cmd, path)
	if o.file == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, ".", nil
	}
	o.file = path
	if path == "-" {
		return file, ".", err
	}
	return file, filepath.Dir(path), err
}

// buildSource returns what the model is made of.
func buildSource(args []string, file *modelfile.File, dir string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	if file == nil {
		return "", usagef("say what the model is made of: a folder, hf://org/name, an F32 file, or a Modelfile whose FROM names it (-f)")
	}
	from := file.Values(modelfile.From)
	if len(from) == 0 {
		return "", usagef("the Modelfile has no FROM; say what the model is made of")
	}
	if hub.IsSource(from[0]) {
		return from[0], nil
	}
	return ollama.ExpandPath(from[0], dir)
}

// measure finds out what quantizing cost, and whether it is allowed.
func (o *modelfileBuildOptions) measure(cmd *cobra.Command, set *settings, m fidelityModel, r *buildReport) error {
	f, err := gguf.Open(m.reference)
	if err != nil {
		return err
	}
	if n, ok := f.Metadata.Int(f.Metadata.Architecture() + ".context_length"); ok && n >= bench.MinContextSize {
		o.made.library.Windows.ContextSize = int(min(n, bench.DefaultContextSize))
	}
	if err := f.Close(); err != nil {
		return err
	}
	measured, err := o.made.measure(cmd, set, m)
	if err != nil {
		return err
	}
	r.Reference, r.File = measured.Reference, measured.Files[0]
	if o.made.minCosine != 0 {
		err = measured.CheckCosine(o.made.minCosine)
	}
	if o.maxDivergence != 0 {
		err = errors.Join(err, measured.CheckDivergence(o.maxDivergence))
	}
	return err
}

// create puts the quantized file into the store, with what the Modelfile says.
func (o *modelfileBuildOptions) create(cmd *cobra.Command, set *settings, store *ollama.Store, name ollama.Name, file *modelfile.File, dir, quantized string) (*ollama.Model, error) {
	quantized, err := filepath.Abs(quantized)
	if err != nil {
		return nil, err
	}
	if file == nil {
		if file, err = o.fitted(cmd, set, quantized); err != nil {
			return nil, err
		}
	} else {
		takePlace(file, quantized)
	}
	bars := progressBars{w: cmd.ErrOrStderr(), set: set}
	defer bars.finish()
	model, err := store.Create(cmd.Context(), name, file, &ollama.CreateOptions{Dir: dir, Replace: o.force, Progress: bars.update})
	if err != nil && o.file != "" {
		return nil, fault.InFile(err, o.file)
	}
	return model, err
}

// takePlace lets the first FROM of a Modelfile name another path.
func takePlace(file *modelfile.File, path string) {
	for i := range file.Instructions {
		if in := &file.Instructions[i]; in.Keyword == modelfile.From {
			in.Value = path
			return
		}
	}
	file.Add(modelfile.From, "", path)
}

// fitted returns a Modelfile that suits the model.
func (o *modelfileBuildOptions) fitted(cmd *cobra.Command, set *settings, path string) (*modelfile.File, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fitted, err := fit.Model(f, &fit.Options{From: path})
	if err != nil {
		return nil, fault.InFile(err, path)
	}
	if !set.quiet {
		for _, n := range fitted.Notes {
			fmt.Fprintln(cmd.ErrOrStderr(), "gguftool:", texttable.Safe(n))
		}
	}
	return fitted.File, nil
}

// pack writes the archive.
func (o *modelfileBuildOptions) pack(cmd *cobra.Command, set *settings, store *ollama.Store, name ollama.Name) error {
	update, finish := newProgress(cmd.ErrOrStderr(), set, "packing")
	defer finish()
	o.export.form, o.export.output.force = formArchive, o.force
	return o.export.write(cmd, store, name, o.archive, update)
}

func (r *buildReport) print(w io.Writer, model *ollama.Model) error {
	cost := ""
	switch f := &r.File; {
	case len(f.Vectors) > 0:
		v := f.Vectors[0]
		cost = fmt.Sprintf("mean cosine %.6f, worst %.6f, of %d texts", 1-v.Loss.Value, 1-v.Worst, v.Texts)
	case f.Logits != nil:
		cost = fmt.Sprintf("mean KL divergence %.6f, perplexity %.4f for %.4f", f.Logits.KL.Value, f.Logits.Perplexity, f.Logits.Reference)
	}
	fmt.Fprintf(w, "%s: %s, %s bytes, %.2f bits per weight, %.1f times smaller\n", r.Source, r.File.Type, texttable.Grouped(r.File.Bytes), r.File.BitsPerWeight, r.File.Reduction)
	fmt.Fprintf(w, "against F32: %s\n", cost)
	if r.Archive != "" {
		fmt.Fprintf(w, "wrote %s\n", texttable.Safe(r.Archive))
	}
	return printModel(w, model)
}
