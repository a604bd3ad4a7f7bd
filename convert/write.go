package convert

import (
	"bufio"
	"context"
	"errors"
	"io"
	"iter"

	"github.com/gguftool/gguftool/internal/atomicfile"
	"github.com/gguftool/gguftool/internal/ordered"
)

// A Report tells what Run did, or what it would do.
type Report struct {
	*Model
	Outputs    []Output
	Parameters int64 // numbers in all tensors
	Bytes      int64 // of all outputs
}

// Run converts the checkpoint at path, as Open takes it, to the file out, or where
// Options.Split sets limits to shards that are named after it. All of them appear
// whole, or none does. opts may be nil.
//
// In the name of out, {ftype} and {FTYPE} stand for the type of the file in lower
// and upper case. Where out is empty, the file is called Model.FileName and is in
// the current folder; where it is a folder, it is in that.
//
// The Model of the report is closed: its tensors can be listed and not read.
func Run(ctx context.Context, path, out string, opts *Options) (report *Report, err error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	m, err := Open(path, opts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()

	report = &Report{Model: m, Parameters: m.parameters()}
	if report.Outputs, err = m.plan(m.outputPath(out), o); err != nil {
		return nil, err
	}
	for _, out := range report.Outputs {
		report.Bytes += out.Bytes
	}
	if !o.DryRun {
		err = m.write(ctx, report.Outputs, report.Bytes, o)
	}
	if err != nil {
		return nil, err
	}
	return report, nil
}

// write writes all outputs, of size bytes together.
func (m *Model) write(ctx context.Context, outputs []Output, size int64, o Options) error {
	paths := make([]string, len(outputs))
	for i, out := range outputs {
		paths[i] = out.Path
	}
	if err := atomicfile.RefuseInputs(paths, m.inputs()); err != nil {
		return err
	}
	files, err := atomicfile.CreateGroup(paths, o.Overwrite)
	if err != nil {
		return err
	}
	defer files.Abort()
	if err := files[0].Expect(size); err != nil {
		return err
	}
	var done, total int64
	for _, t := range m.Tensors {
		total += t.Size
	}
	progress := func(n int) {
		done += int64(n)
		if o.Progress != nil {
			o.Progress(done, total)
		}
	}
	for i, out := range outputs {
		if err := out.write(ctx, files[i], o.Threads, progress); err != nil {
			return err
		}
		if err := files[i].Sync(); err != nil {
			return err
		}
	}
	return files.Commit(o.Overwrite)
}

// write streams the file to f and calls progress with every number of bytes of
// tensor data that it has written.
func (out *Output) write(ctx context.Context, f io.Writer, threads int, progress func(n int)) error {
	buffered := bufio.NewWriterSize(f, 1<<20)
	w, err := out.layout.NewWriter(buffered)
	if err != nil {
		return err
	}
	err = stream(ctx, threads, out.Tensors, func(data []byte) error {
		if _, err := w.Write(data); err != nil {
			return err
		}
		progress(len(data))
		return nil
	})
	if err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return buffered.Flush()
}

// chunkLen is about how many elements a chunk has: a megabyte of float32.
const chunkLen = 1 << 18

// A chunk is some rows of a tensor.
type chunk struct {
	tensor   *Tensor
	from, to int64
}

// converted is what becomes of a chunk, and the memory for it.
type converted struct {
	buffer Buffer
	data   []byte
}

// stream converts tensors on several goroutines and hands their bytes to sink
// chunk by chunk in the order of the file. Neither chunks nor what becomes of
// them depend on threads.
func stream(ctx context.Context, threads int, tensors []*Tensor, sink func(data []byte) error) error {
	return ordered.Run(ctx, threads, chunks(tensors),
		func(_ context.Context, c chunk, r *converted) (err error) {
			r.data, err = c.tensor.Data(c.from, c.to, &r.buffer)
			return err
		},
		func(c chunk, r *converted) error {
			if err := sink(r.data); err != nil {
				return err
			}
			c.tensor.Done(c.from, c.to)
			return nil
		})
}

// chunks yields the rows of tensors in order.
func chunks(tensors []*Tensor) iter.Seq[chunk] {
	return func(yield func(chunk) bool) {
		for _, t := range tensors {
			step := max(1, chunkLen/max(1, t.RowLen()))
			for from := int64(0); from < t.Rows(); from += step {
				if !yield(chunk{t, from, min(from+step, t.Rows())}) {
					return
				}
			}
		}
	}
}
