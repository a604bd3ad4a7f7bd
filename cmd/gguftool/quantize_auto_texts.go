package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"

	"github.com/gguftool/gguftool/allocate"
	"github.com/gguftool/gguftool/calibrate"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/tokenizer"
)

// Values of --imatrix that are no files, for AUTO.
const (
	imatrixAuto = "auto"
	imatrixNone = "none"
)

// autoWindow is how many tokens the windows have that decoders are measured on.
const autoWindow = 128

// autoTexts is what a model is measured on.
type autoTexts struct {
	sample   *calibrate.Inputs // in the order in which they are used
	rest     *calibrate.Inputs // what importance is measured on
	datasets []string
	digest   string
}

// importanceInputs bounds the texts, or windows, that importance is measured on
// when that is not done beforehand.
var importanceInputs = map[calibrate.Mode]int{calibrate.Texts: 1024, calibrate.Windows: 128}

// sampleInputs bounds those that losses are measured on.
var sampleInputs = map[calibrate.Mode]int{calibrate.Texts: 512, calibrate.Windows: 32}

// readTexts reads texts, brings them into an order that is always the same and has
// nothing to do with theirs, and divides them between losses and importance.
func (job *autoJob) readTexts(m *infer.Model) (*autoTexts, error) {
	mode := calibrate.ModeOf(job.file.Metadata, m)
	texts, datasets, err := job.texts.read(job.cmd, mode)
	if err != nil {
		return nil, err
	}
	tok, err := tokenizer.FromGGUF(job.file.Metadata)
	if err != nil {
		return nil, fault.InFile(err, job.file.Path)
	}
	var in *calibrate.Inputs
	if mode == calibrate.Texts {
		prompt, err := job.prompt.choose(job.cmd, job.set, job.in.path, job.file.Metadata)
		if err != nil {
			return nil, err
		}
		shuffle(texts)
		in = calibrate.WholeTexts(tok, prompt, texts[:min(len(texts), sampleInputs[mode]+importanceInputs[mode])], job.o.run.Threads)
	} else if in, err = job.windows(tok, strings.Join(texts, "\n"), m.ContextLength()); err != nil {
		return nil, err
	}
	if len(in.IDs) == 0 {
		return nil, fmt.Errorf("there is no text to choose types by: the files have nothing but blank lines")
	}
	t := &autoTexts{datasets: datasets, sample: in, rest: in}
	if n := sampleInputs[mode]; len(in.IDs) >= 2*n {
		t.sample, t.rest = in.Order(numbers(0, n)), in.Order(numbers(n, len(in.IDs)))
	}
	h := sha256.New()
	for _, ids := range in.IDs {
		fmt.Fprintln(h, ids)
	}
	t.digest = hex.EncodeToString(h.Sum(nil)[:16])
	return t, nil
}

// windows cuts a text into windows.
func (job *autoJob) windows(tok *tokenizer.Tokenizer, text string, context int) (*calibrate.Inputs, error) {
	in, err := calibrate.TextWindows(tok, text, min(autoWindow, context), 0, false)
	if err != nil {
		return nil, err
	}
	return in.Order(shuffled(len(in.IDs))), nil
}

// numbers returns the numbers from ≤ i < to.
func numbers(from, to int) (all []int) {
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

// shuffled returns an order of n things that is the same on every machine.
func shuffled(n int) []int { return rand.New(rand.NewPCG(9, uint64(n))).Perm(n) }

func shuffle(texts []string) {
	before := append([]string{}, texts...)
	for i, from := range shuffled(len(texts)) {
		texts[i] = before[from]
	}
}

// measureImportance measures importance as 'gguftool imatrix' does.
func (job *autoJob) measureImportance(m *infer.Model, t *autoTexts) error {
	in := t.rest
	if n := importanceInputs[in.Mode]; len(in.IDs) > n {
		in = in.Order(numbers(0, n))
	}
	measured, err := measureInputs(job.cmd, job.set, job.file, m, in, &calibrate.Options{Weighing: in.Mode.Weighing(), Datasets: t.datasets})
	if err != nil {
		return err
	}
	job.o.useImportance(imatrixAuto, measured, job.cmd.ErrOrStderr())
	return nil
}

// evaluator returns what measures losses, and the digest of the texts that it
// measures them on. Of a model that cannot be run it is the error of the weights.
func (job *autoJob) evaluator() (allocate.Evaluator, string, error) {
	stderr := job.cmd.ErrOrStderr()
	m, err := infer.Load(job.file, &infer.Options{Threads: job.o.run.Threads, Precision: infer.PrecisionF32})
	var unsupported *fault.UnsupportedError
	if errors.As(err, &unsupported) {
		fmt.Fprintf(stderr, "note: the model cannot be run (%v), so types are chosen by the error of weights, not by what the model answers\n", err)
		if err := job.givenImportance(stderr); err != nil {
			return nil, "", err
		}
		ev, err := allocate.NewWeightError(job.file, job.o.library.Importance, job.o.run.Threads)
		return ev, "", err
	}
	if err != nil {
		return nil, "", err
	}
	t, err := job.readTexts(m)
	if err != nil {
		return nil, "", err
	}
	if job.o.imatrix == imatrixAuto {
		err = job.measureImportance(m, t)
	} else {
		err = job.givenImportance(stderr)
	}
	if err != nil {
		return nil, "", err
	}
	ev, err := allocate.NewModelLoss(job.file, t.sample, job.o.library.Importance, job.o.run.Threads)
	return ev, t.digest, err
}

// givenImportance reads the importance that is in a file.
func (job *autoJob) givenImportance(stderr io.Writer) error {
	if job.o.imatrix == imatrixAuto || job.o.imatrix == imatrixNone {
		return nil
	}
	return job.o.readImportance(stderr)
}
