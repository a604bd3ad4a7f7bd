package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/atomicfile"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/internal/texttable"
	"github.com/gguftool/gguftool/modelfile"
	"github.com/gguftool/gguftool/modelfile/fit"
)

type modelfileInitOptions struct {
	output  outputOptions
	from    string
	context int
	threads int
	tune    bool
	json    bool
}

func newModelfileInit(set *settings) *cobra.Command {
	var o modelfileInitOptions
	cmd := &cobra.Command{
		Use:   "init MODEL.gguf",
		Short: "Write a Modelfile that suits a model",
		Long: `Init reads the metadata of a model and writes a Modelfile for it.

Embedding models get the context that they were made for, and batches that hold a
whole text. Models that predict tokens get a context whose cache takes a gigabyte at
most, the texts that end an answer, the sampling that the file recommends, and a
template.

The template of the model is run, not only looked at: a template for Ollama is made
from what it puts between messages, and taken when both give the same prompts on
several conversations. If none does, that is said, and no TEMPLATE is written.

--tune measures with how many threads, and for models that predict tokens in what
batches, this machine reads texts fastest. Otherwise threads are left to Ollama.`,
		Example: `  gguftool modelfile init smollm2-q4_k_m.gguf
  gguftool modelfile init minilm-q4_k_m.gguf -o - --tune
  gguftool modelfile init model.gguf --num-ctx 16384 -o models/Modelfile`,
		Args: exactly(1, "a model"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, set, args[0]) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.output.path, "output", "o", "Modelfile", "write to `FILE`, - for standard output")
	f.BoolVar(&o.output.force, "force", false, "replace an existing output")
	f.StringVar(&o.from, "from", "", "`NAME` of the model for FROM (default: its path, seen from the Modelfile)")
	f.IntVarP(&o.context, "num-ctx", "c", 0, "a context of `N` tokens")
	f.IntVarP(&o.threads, "threads", "t", 0, "have Ollama use `N` threads")
	f.BoolVar(&o.tune, "tune", false, "choose threads and batch by measuring on this machine")
	f.BoolVar(&o.json, "json", false, "print as JSON what was written")
	return cmd
}

func (o *modelfileInitOptions) run(cmd *cobra.Command, set *settings, model string) error {
	const most = 1<<31 - 1
	switch {
	case o.context < 0 || o.context > most:
		return usagef("--num-ctx %d is no number of tokens", o.context)
	case o.threads < 0 || o.threads > most:
		return usagef("--threads %d is no number of threads", o.threads)
	case o.threads > 0 && o.tune:
		return usagef("--tune chooses the threads; leave out --threads")
	case o.json && !o.output.toFile():
		return usagef("--json and the Modelfile cannot both go to standard output")
	}
	if o.output.toFile() {
		if err := atomicfile.RefuseInputs([]string{o.output.path}, []string{model}); err != nil {
			return usageError{err}
		}
	}
	f, err := gguf.Open(model)
	if err != nil {
		return err
	}
	defer f.Close()
	// Whether it may be written is found out before measuring.
	out, err := o.output.open(cmd)
	if err != nil {
		return err
	}
	defer out.abort()
	options := fit.Options{From: o.from, Context: o.context, Threads: o.threads}
	if options.From == "" {
		if options.From, err = fromPath(model, o.output.path, o.output.toFile()); err != nil {
			return err
		}
	}
	if o.tune {
		if options.Tuned, err = o.measure(cmd, set, model); err != nil {
			return err
		}
	}
	fitted, err := fit.Model(f, &options)
	if err != nil {
		return fault.InFile(err, model)
	}
	text, err := modelfile.Format(fitted.File)
	if err != nil {
		return err
	}
	if _, err := out.Write(text); err != nil {
		return err
	}
	if err := out.commit(); err != nil {
		return err
	}
	return o.report(cmd, set, fitted, options.Tuned)
}

// fromPath returns the path of the model as a Modelfile in the folder of output
// names it. Ollama takes what begins with a dot for a path.
func fromPath(model, output string, toFile bool) (string, error) {
	if filepath.IsAbs(model) {
		return model, nil
	}
	folder := "."
	if toFile {
		folder = filepath.Dir(output)
	}
	from, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	to, err := filepath.Abs(model)
	if err != nil {
		return "", err
	}
	path, err := filepath.Rel(from, to)
	if err != nil { // on another drive
		return to, nil
	}
	if path = filepath.ToSlash(path); !strings.HasPrefix(path, "../") {
		path = "./" + path
	}
	return path, nil
}

// measure runs the model with several settings and tells what it found.
func (o *modelfileInitOptions) measure(cmd *cobra.Command, set *settings, model string) (*fit.Tuned, error) {
	stderr := cmd.ErrOrStderr()
	stage := newCounter(stderr, !set.quiet && isTerminal(stderr), "measuring", -1)
	tuned, err := fit.Tune(cmd.Context(), model, &fit.TuneOptions{
		Duration: 200 * time.Millisecond, Repetitions: 5,
		Stage: func(what string) { stage.update(0, what) },
	})
	stage.finish()
	if err != nil {
		return nil, err
	}
	if !set.quiet {
		tell(stderr, "num_thread", tuned.ThreadRuns, tuned.Threads)
		tell(stderr, "num_batch", tuned.BatchRuns, tuned.Batch)
	}
	return tuned, nil
}

func tell(w io.Writer, name string, runs []fit.Run, chosen int) {
	for _, r := range runs {
		mark := ""
		if r.Value == chosen {
			mark = "  ← chosen"
		}
		fmt.Fprintf(w, "gguftool: %s %d: %s tokens/s%s\n", name, r.Value, texttable.Grouped(int64(r.TokensPerSecond)), mark)
	}
}

// report says what was written and what to know about it.
func (o *modelfileInitOptions) report(cmd *cobra.Command, set *settings, fitted *fit.Fitted, tuned *fit.Tuned) error {
	if o.json {
		notes := fitted.Notes
		if notes == nil {
			notes = []string{}
		}
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetEscapeHTML(false)
		return enc.Encode(struct {
			Path     string             `json:"path"`
			Template fit.TemplateStatus `json:"template"`
			Family   string             `json:"family,omitempty"`
			Notes    []string           `json:"notes"`
			Tuned    *fit.Tuned         `json:"tuned,omitempty"`
		}{o.output.path, fitted.Template, fitted.Family, notes, tuned})
	}
	if set.quiet {
		return nil
	}
	stderr := cmd.ErrOrStderr()
	for _, n := range fitted.Notes {
		fmt.Fprintln(stderr, "gguftool:", texttable.Safe(n))
	}
	if fitted.Template == fit.TemplateRecognized {
		family := ""
		if fitted.Family != "" {
			family = " (" + fitted.Family + ")"
		}
		fmt.Fprintf(stderr, "gguftool: the chat template%s is recognized\n", family)
	}
	if o.output.toFile() {
		fmt.Fprintln(stderr, "wrote", o.output.path)
	}
	return nil
}
