package convert

import (
	"bufio"
	"context"
	"errors"
	"io"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/atomicfile"
	"github.com/gguftool/gguftool/internal/ordered"
)

// A Report tells what Run did.
type Report struct {
	*Model
	Path       string // of the file
	Parameters int64  // numbers in all tensors
	Bytes      int64  // of the file
}

// Run converts the checkpoint in the folder dir to the file out, which appears
// whole or not at all; where out is empty it is called Model.FileName, in the
// current folder. opts may be nil. The Model of the report is closed: its tensors
// can be listed and not read.
func Run(ctx context.Context, dir, out string, opts *Options) (report *Report, err error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	m, err := Open(dir, opts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()

	if out == "" {
		out = m.FileName
	}
	report = &Report{Model: m, Path: out, Parameters: m.parameters()}
	infos := make([]gguf.TensorInfo, len(m.Tensors))
	for i, t := range m.Tensors {
		infos[i] = t.TensorInfo
	}
	if report.Bytes, err = gguf.FileSize(m.Metadata, infos, nil); err != nil {
		return nil, err
	}
	f, err := atomicfile.Create(out, o.Overwrite)
	if err != nil {
		return nil, err
	}
	defer f.Abort()
	if err := f.Expect(report.Bytes); err != nil {
		return nil, err
	}
	if err := m.write(ctx, f, infos, o); err != nil {
		return nil, err
	}
	return report, f.Commit(o.Overwrite)
}

// write streams the file to f.
func (m *Model) write(ctx context.Context, f io.Writer, infos []gguf.TensorInfo, o Options) error {
	buffered := bufio.NewWriterSize(f, 1<<20)
	w, err := gguf.NewWriter(buffered, m.Metadata, infos, nil)
	if err != nil {
		return err
	}
	var done, total int64
	for _, t := range infos {
		total += t.Size
	}
	err = m.stream(ctx, o.Threads, func(data []byte) error {
		if _, err := w.Write(data); err != nil {
			return err
		}
		done += int64(len(data))
		if o.Progress != nil {
			o.Progress(done, total)
		}
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

// stream converts all tensors on several goroutines and hands their bytes to
// sink chunk by chunk in the order of the file. Neither chunks nor what becomes
// of them depend on threads.
func (m *Model) stream(ctx context.Context, threads int, sink func(data []byte) error) error {
	return ordered.Run(ctx, threads, m.chunks,
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

// chunks yields the rows of all tensors in the order of the file.
func (m *Model) chunks(yield func(chunk) bool) {
	for _, t := range m.Tensors {
		step := max(1, chunkLen/max(1, t.RowLen()))
		for from := int64(0); from < t.Rows(); from += step {
			if !yield(chunk{t, from, min(from+step, t.Rows())}) {
				return
			}
		}
	}
}
