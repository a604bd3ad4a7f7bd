package inspect

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/atomicfile"
)

// A Rewrite is a model that is to be stored in other files, with the same
// weights. Planning one reads no tensor data, so it is also the answer to "what
// would happen?".
type Rewrite struct {
	Outputs []Output // in the order of the tensors

	source *gguf.File
}

// An Output is one file of a Rewrite.
type Output struct {
	Path    string
	Tensors []*gguf.Tensor // of the source, in the order of the file
	Size    int64          // bytes of the file

	layout *gguf.Layout
}

// RunOptions say how a Rewrite is carried out. They never change the output.
type RunOptions struct {
	Overwrite bool                    // replace files that exist
	Progress  func(done, total int64) // bytes of the outputs
}

// output lays out a file. It keeps the byte order of the source.
func (r *Rewrite) output(path string, md *gguf.Metadata, tensors []*gguf.Tensor) (Output, error) {
	infos := make([]gguf.TensorInfo, len(tensors))
	for i, t := range tensors {
		infos[i] = t.Info()
		infos[i].Shape = t.Dimensions()
	}
	layout, err := gguf.NewLayout(md, infos, &gguf.WriterOptions{ByteOrder: r.source.ByteOrder})
	if err != nil {
		return Output{}, fmt.Errorf("%s: %w", r.source.Path, err)
	}
	return Output{path, tensors, layout.Size, layout}, nil
}

// Run writes the outputs. All of them appear or none does; of several shards the
// first, without which no program opens the others, appears last. Inputs are
// never written to. When ctx ends, Run returns within a fraction of a second.
// Memory does not grow with the model beyond its keys and tensor table.
func (r *Rewrite) Run(ctx context.Context, o *RunOptions) error {
	if o == nil {
		o = new(RunOptions)
	}
	var inputs, paths []string
	for _, s := range r.source.Shards {
		inputs = append(inputs, s.Path)
	}
	var total int64
	for _, out := range r.Outputs {
		paths = append(paths, out.Path)
		total += out.Size
	}
	if err := atomicfile.RefuseInputs(paths, inputs); err != nil {
		return err
	}
	group, err := atomicfile.CreateGroup(paths, o.Overwrite)
	if err != nil {
		return err
	}
	defer group.Abort()
	if err := group[0].Expect(total); err != nil {
		return err
	}
	var done int64
	for i := range r.Outputs {
		w := &meteredFile{File: group[i], ctx: ctx}
		if o.Progress != nil {
			w.progress = func(n int64) { o.Progress(done+n, total) }
		}
		if err := r.Outputs[i].write(w, r.source); err != nil {
			return err
		}
		if err := w.Sync(); err != nil {
			return err
		}
		done += r.Outputs[i].Size
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return group.Commit(o.Overwrite)
}

// copyLen is about how many bytes are copied at once.
const copyLen = 4 << 20

func (out *Output) write(w *meteredFile, source *gguf.File) error {
	writer, err := out.layout.NewWriter(w)
	if err != nil {
		return err
	}
	var buf []byte
	for _, t := range out.Tensors {
		rows, step := t.Rows(), int64(1)
		if size, ok := t.Type.Size(t.RowLen()); ok {
			step = max(1, copyLen/max(1, size))
		} else if source.ByteOrder == binary.LittleEndian {
			// The layout of the type is not known, so its bytes are copied as they are.
			if err := copyBytes(writer, source.Stored(t)); err != nil {
				return err
			}
			continue
		}
		for from := int64(0); from < rows; from += step {
			to := min(from+step, rows)
			source.Fetch(t, from, to)
			data, err := source.Data(t, from, to, buf)
			if err != nil {
				return err
			}
			if source.ByteOrder != binary.LittleEndian {
				buf = data
			}
			if err := copyBytes(writer, data); err != nil {
				return err
			}
			source.DontNeed(t, from, to)
		}
	}
	return writer.Close()
}

// copyBytes writes p in parts, so that a long row can be interrupted.
func copyBytes(w *gguf.Writer, p []byte) error {
	for len(p) > 0 {
		n := min(len(p), copyLen)
		if _, err := w.Write(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// A meteredFile counts what is written to a file, lets the disk work meanwhile,
// and fails when its context ends.
type meteredFile struct {
	*atomicfile.File
	ctx      context.Context
	written  int64
	progress func(written int64)
}

func (w *meteredFile) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.File.Write(p)
	w.written += int64(n)
	w.Settled(w.written)
	if w.progress != nil {
		w.progress(w.written)
	}
	return n, err
}
