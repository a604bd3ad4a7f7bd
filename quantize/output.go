package quantize

import (
	"errors"
	"os"
	"sync"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/atomicfile"
)

// An output is what one plan writes: a file, or several shards.
type output struct {
	plan    *Plan
	paths   []string
	files   []*outputFile
	places  []place // of each tensor of the plan
	digests []digest
}

// An outputFile is a shard that is being written.
type outputFile struct {
	*atomicfile.File
	layout *gguf.Layout
	busy   sync.Mutex   // held by whoever writes at a place
	stream *gguf.Writer // writes in order what cannot be written at a place, such as a pipe; else nil
}

// A place is where a tensor goes.
type place struct {
	file    *outputFile
	offset  int64 // in the file
	row     int64 // bytes of a row; 0 where the tensor is one chunk
	padding int64 // bytes of zeros behind the tensor
}

// create lays the output out at path and writes everything but tensor data.
func (p *Plan) create(path string, overwrite bool) (*output, error) {
	out := &output{plan: p, paths: p.Outputs(path)}
	err := out.create(overwrite)
	if err != nil {
		out.abort()
		return nil, err
	}
	return out, nil
}

func (out *output) create(overwrite bool) error {
	tables := out.plan.tables()
	for i, path := range out.paths {
		layout, err := gguf.NewLayout(out.plan.shardMetadata(i), tables[i], nil)
		if err != nil {
			return err
		}
		f, err := atomicfile.Create(path, overwrite)
		if err != nil {
			return err
		}
		file := &outputFile{File: f, layout: layout}
		out.files = append(out.files, file)
		if err := f.Expect(layout.Size); err != nil {
			return err
		}
		if f.Replaceable() {
			_, err = f.WriteAt(layout.Head, 0)
		} else {
			file.stream, err = layout.NewWriter(f)
		}
		if err != nil {
			return err
		}
	}
	next := make([]int, len(out.files)) // tensor of each file
	for i := range out.plan.Tensors {
		t := &out.plan.Tensors[i]
		file := out.files[t.shard]
		k := next[t.shard]
		next[t.shard]++
		at, end := file.layout.Offsets[k], file.layout.Size
		if k+1 < len(file.layout.Offsets) {
			end = file.layout.Offsets[k+1]
		}
		size, _ := t.To.Size(t.Shape[0])
		out.places = append(out.places, place{file, at, size, end - at - t.BytesAfter})
	}
	return nil
}

// writeEarly writes a chunk to its place and reports whether it did. It does not
// where the file takes bytes in order only, or where another goroutine is
// writing to it: systems let one at a time, and the caller has better things to
// do than to wait.
func (out *output) writeEarly(c chunk, data []byte) (written bool, err error) {
	p := &out.places[c.tensor]
	if p.file.stream != nil || !p.file.busy.TryLock() {
		return false, nil
	}
	defer p.file.busy.Unlock()
	return true, p.write(c, data)
}

// write writes a chunk that is not written yet. It is called in the order of
// chunks.
func (out *output) write(c chunk, data []byte) error {
	p := &out.places[c.tensor]
	if p.file.stream != nil {
		_, err := p.file.stream.Write(data)
		return err
	}
	p.file.busy.Lock()
	defer p.file.busy.Unlock()
	return p.write(c, data)
}

// settle is called for chunks in their order when they are written.
func (out *output) settle(c chunk, data []byte) {
	p := &out.places[c.tensor]
	p.file.Settled(p.offset + c.from*p.row + int64(len(data)))
}

// write writes a chunk to its place, and the padding behind the tensor's last.
func (p *place) write(c chunk, data []byte) error {
	at := p.offset + c.from*p.row
	if _, err := p.file.WriteAt(data, at); err != nil {
		return err
	}
	at += int64(len(data))
	for left := p.padding; c.to == c.source.Rows() && left > 0; {
		n, err := p.file.WriteAt(zeros[:min(left, int64(len(zeros)))], at)
		if err != nil {
			return err
		}
		left, at = left-int64(n), at+int64(n)
	}
	return nil
}

var zeros [1 << 12]byte

// complete fails when data is missing, and puts everything on the disk.
func (out *output) complete() error {
	for _, f := range out.files {
		if f.stream != nil {
			if err := f.stream.Close(); err != nil {
				return err
			}
		}
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return nil
}

func (out *output) abort() {
	for _, f := range out.files {
		f.Abort()
	}
}

// commit gives the files of all outputs their names, the last first, and takes
// the names back when that fails in between. What was overwritten is lost then.
func commit(outputs []*output, overwrite bool) error {
	var published []string
	for i := len(outputs) - 1; i >= 0; i-- {
		out := outputs[i]
		for k := len(out.files) - 1; k >= 0; k-- {
			if err := out.files[k].Commit(overwrite); err != nil {
				return errors.Join(err, remove(published))
			}
			if out.files[k].Replaceable() {
				published = append(published, out.paths[k])
			}
		}
	}
	return nil
}

func remove(paths []string) error {
	var errs []error
	for _, path := range paths {
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}
