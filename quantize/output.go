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

// create makes the outputs and writes everything but tensor data.
func (s *stream) create(jobs []Job) error {
	for _, job := range jobs {
		out := &output{plan: job.Plan, paths: job.Plan.Outputs(job.Out)}
		s.outputs = append(s.outputs, out)
		if err := out.create(s.options.Overwrite); err != nil {
			return err
		}
		if s.options.Verify {
			if err := out.checkReadable(); err != nil {
				return err
			}
		}
	}
	return nil
}

// abort removes what is not committed.
func (s *stream) abort() {
	for _, out := range s.outputs {
		for _, f := range out.files {
			f.Abort()
		}
	}
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

// commit puts all outputs on the disk and then gives the files their names: all
// of them or none. It fails when data is missing.
func (s *stream) commit() error {
	var files atomicfile.Group
	for _, out := range s.outputs {
		for _, f := range out.files {
			if f.stream != nil {
				if err := f.stream.Close(); err != nil {
					return err
				}
			}
			files = append(files, f.File)
		}
	}
	return files.Commit(s.options.Overwrite)
}

func remove(paths []string) error {
	var errs []error
	for _, path := range paths {
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}
