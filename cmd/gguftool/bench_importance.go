package main

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/calibrate"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/imatrix"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/tokenizer"
)

// autoImportance stands for importance that is measured.
const autoImportance = "auto"

// measureImportance returns the importance file of the model in the file reference,
// measured as 'gguftool imatrix' does without options.
func (o *fidelityOptions) measureImportance(cmd *cobra.Command, set *settings, w *bench.Workshop, reference string) (string, error) {
	basis := fmt.Sprintf("%x, prompt %t", sha256.Sum256([]byte(calibrate.BuiltIn())), !o.library.NoPrompt)
	return w.Importance(cmd.Context(), reference, basis, func() (*imatrix.File, error) {
		return measureImportance(cmd, set, reference, o.library.Threads, o.library.NoPrompt)
	})
}

// measureImportance runs a GGUF model as 'gguftool imatrix' does without options, or
// with --no-prompt.
func measureImportance(cmd *cobra.Command, set *settings, path string, threads int, noPrompt bool) (*imatrix.File, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	tok, err := tokenizer.FromGGUF(f.Metadata)
	if err != nil {
		return nil, fault.InFile(err, path)
	}
	model, err := infer.Load(f, &infer.Options{Threads: threads, Precision: infer.PrecisionF32})
	if err != nil {
		return nil, err
	}
	o := imatrixOptions{texts: calibrationTexts{split: splitLine}, threads: threads, prompt: promptOptions{none: noPrompt}}
	job := &imatrixJob{imatrixOptions: &o, model: path, share: [2]int{1, 1}}
	in, datasets, err := job.inputs(cmd, set, f, model, tok)
	if err != nil {
		return nil, err
	}
	return measureInputs(cmd, set, f, model, in, &calibrate.Options{Weighing: job.weighing, Datasets: datasets})
}

// measureInputs measures importance on inputs and shows how far that is.
func measureInputs(cmd *cobra.Command, set *settings, f *gguf.File, m *infer.Model, in *calibrate.Inputs, o *calibrate.Options) (*imatrix.File, error) {
	stderr, what := cmd.ErrOrStderr(), "measuring importance of "+filepath.Base(f.Path)
	bar := newCounter(stderr, isTerminal(stderr) && !set.quiet, what, len(in.IDs))
	defer bar.finish()
	o.Progress = func(r *calibrate.Result) { bar.update(r.Done, what) }
	result, err := calibrate.Measure(cmd.Context(), f, m, in, o)
	if err != nil {
		return nil, err
	}
	return result.File, nil
}
