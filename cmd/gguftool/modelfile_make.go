package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/convert"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/inspect"
	"github.com/gguftool/gguftool/internal/atomicfile"
	"github.com/gguftool/gguftool/ollama"
	"github.com/gguftool/gguftool/quantize"
)

// A modelMaker makes the one GGUF file that a package needs of whatever FROM
// names: a checkpoint, shards, or a model that is to be quantized.
type modelMaker struct {
	cmd *cobra.Command
	set *settings

	quantize  string // type, or "" for none
	imatrix   string // file, autoImportance or ""
	requant   bool
	threads   int
	target    quantizeTarget
	quantized bool // a type is asked for
}

func (m *modelMaker) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&m.quantize, "quantize", "", "quantize the model to `TYPE`, as in Q4_K_M")
	f.StringVar(&m.imatrix, "imatrix", "", "weigh the errors of --quantize with the importance in `FILE`, or auto: measure it first")
	f.BoolVar(&m.requant, "allow-requantize", false, "let --quantize take a model that is quantized already")
	f.IntVarP(&m.threads, "threads", "t", 0, "`N` threads (default: as many as there are processors)")
}

// parse checks the flags; everything wrong here is wrong usage.
func (m *modelMaker) parse() error {
	if m.threads < 0 {
		return usagef("--threads %d is negative", m.threads)
	}
	if m.quantize == "" {
		if m.imatrix != "" || m.requant {
			return usagef("--imatrix and --allow-requantize are for --quantize, which is missing")
		}
		return nil
	}
	targets, err := parseTargets(m.quantize)
	if err != nil {
		return usagef("--quantize: %w", err)
	}
	if len(targets) > 1 {
		return usagef("--quantize %s names %d types, and a model has one", m.quantize, len(targets))
	}
	m.target, m.quantized = targets[0], true
	return nil
}

// make is ollama.CreateOptions.Make.
func (m *modelMaker) make(ctx context.Context, from, to string) (made bool, err error) {
	if isCheckpoint(from) {
		if !m.quantized {
			return true, m.convert(ctx, from, to, gguf.FileGuessed)
		}
		return true, m.quantizeTo(ctx, from, to)
	}
	f, err := gguf.Open(from)
	if err != nil {
		return false, err
	}
	defer f.Close()
	current, labelled := f.Metadata.Int(gguf.KeyFileType)
	switch {
	case ollama.Describe(f).MediaType != ollama.TypeModel:
		return false, nil // what sees or adapts stays as it is
	case m.quantized && !m.target.copy && !(labelled && gguf.FileType(current) == m.target.fileType && len(f.Shards) == 1):
		return true, m.quantizeTo(ctx, from, to)
	case len(f.Shards) > 1:
		r, err := inspect.Merge(f, to, &inspect.MergeOptions{DropSplitKeys: true})
		if err != nil {
			return false, err
		}
		update, finish := newProgress(m.cmd.ErrOrStderr(), m.set, "merging")
		defer finish()
		return true, r.Run(ctx, &inspect.RunOptions{Progress: update})
	}
	return false, nil
}

// convert makes a GGUF file of a checkpoint.
func (m *modelMaker) convert(ctx context.Context, from, to string, t gguf.FileType) error {
	update, finish := newProgress(m.cmd.ErrOrStderr(), m.set, "converting")
	defer finish()
	report, err := convert.Run(ctx, from, to, &convert.Options{FileType: t, Threads: m.threads, Progress: update})
	finish()
	if err == nil && !m.set.quiet {
		printConvertNotes(m.cmd.ErrOrStderr(), report.Model)
	}
	return err
}

// quantizeTo makes the quantized file.
func (m *modelMaker) quantizeTo(ctx context.Context, from, to string) error {
	o := quantizeOptions{
		targets: []quantizeTarget{m.target},
		library: quantize.Options{AllowRequantize: m.requant},
		run:     quantize.RunOptions{Threads: m.threads},
	}
	if m.imatrix == autoImportance {
		if isCheckpoint(from) {
			// The model that is run must be in GGUF.
			float := atomicfile.TempName(filepath.Dir(to))
			defer os.Remove(float)
			if err := m.convert(ctx, from, float, gguf.FileF32); err != nil {
				return err
			}
			from = float
		}
		measured, err := measureImportance(m.cmd, m.set, from, m.threads, false)
		if err != nil {
			return err
		}
		o.library.Importance = measured.Importance()
		o.library.ImportanceInfo = quantize.ImportanceInfo{File: autoImportance, Datasets: measured.Datasets, Chunks: measured.Chunks}
	} else {
		o.imatrix = m.imatrix
		if err := o.readImportance(m.cmd.ErrOrStderr()); err != nil {
			return err
		}
	}
	in, err := o.open(m.cmd, m.set, from)
	if err != nil {
		return err
	}
	defer in.close()
	jobs, err := o.plan(in.source, to)
	if err != nil {
		return err
	}
	if in.model != nil && !m.set.quiet {
		printConvertNotes(m.cmd.ErrOrStderr(), in.model)
	}
	_, err = o.carryOut(ctx, m.cmd.ErrOrStderr(), m.set, jobs)
	return err
}
