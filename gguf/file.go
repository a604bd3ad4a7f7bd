package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/internal/mmap"
)

// A File is an open model: one GGUF file, or all shards of a split one. It may
// be read by several goroutines at once.
type File struct {
	Path      string
	Version   uint32
	ByteOrder binary.ByteOrder
	Alignment int64
	Metadata  *Metadata // of the first shard
	Tensors   []*Tensor // in file order, shard after shard
	Shards    []Shard   // one for a file that is not split

	byName map[string]*Tensor
}

// A Shard is one of the files that a model is stored in.
type Shard struct {
	Path     string
	Size     int64 // bytes of the file
	DataAt   int64 // offset at which tensor data begins
	Metadata *Metadata

	mapped *mmap.Map
}

// A Tensor is an entry of the tensor table. Its sizes are checked: they neither
// overflow nor reach outside the file. A dimension may be 0, as in llama.cpp.
type Tensor struct {
	Name   string
	Type   Type
	Shape  []int64 // fastest dimension first, as in the file: Shape[0] is the length of a row
	Offset int64   // of the data in its shard, from the start of the file
	Size   int64   // bytes; where the layout of Type is not known, those up to the next tensor
	Shard  int     // index into File.Shards
}

// Info returns what a Writer needs to write a tensor like t.
func (t *Tensor) Info() TensorInfo {
	return TensorInfo{Name: t.Name, Type: t.Type, Shape: t.Shape, Size: t.Size}
}

// RowLen returns the elements of one row, Shape[0].
func (t *Tensor) RowLen() int64 { return t.Shape[0] }

// Dimensions returns Shape without ones at its end, which llama.cpp neither counts
// as dimensions nor writes.
func (t *Tensor) Dimensions() []int64 {
	shape := t.Shape
	for len(shape) > 1 && shape[len(shape)-1] == 1 {
		shape = shape[:len(shape)-1]
	}
	return shape
}

// Rows returns the number of rows, the product of all dimensions but the first.
func (t *Tensor) Rows() int64 { return product(t.Shape[1:]) }

// Elements returns the number of elements.
func (t *Tensor) Elements() int64 { return product(t.Shape) }

func product(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return n
}

// align rounds n up to a multiple of a.
func align(n, a int64) int64 { return (n + a - 1) / a * a }

// Open maps the model at path and validates it. When path is a shard
// (name-00001-of-00003.gguf), any of them, its siblings are opened with it.
//
// Errors about the content are *FormatError or *UnsupportedError. The file must
// not be truncated while it is open: reading its data would end the process.
func Open(path string) (*File, error) {
	f := &File{Path: path}
	if err := f.open(path); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// add maps the file at path as the next shard.
func (f *File) add(path string) (*header, error) {
	m, err := mmap.Open(path)
	if err != nil {
		return nil, err
	}
	h, err := parse(path, m.Bytes())
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	for _, t := range h.tensors {
		t.Shard = len(f.Shards)
	}
	f.Tensors = append(f.Tensors, h.tensors...)
	f.Shards = append(f.Shards, Shard{Path: path, Size: int64(len(m.Bytes())), DataAt: h.dataAt, Metadata: h.metadata, mapped: m})
	return h, nil
}

// Close unmaps the file. Data handed out before must not be used afterwards;
// metadata stays valid.
func (f *File) Close() error {
	var errs []error
	for _, s := range f.Shards {
		errs = append(errs, s.mapped.Close())
	}
	return errors.Join(errs...)
}

// Tensor returns the tensor called name, or nil.
func (f *File) Tensor(name string) *Tensor { return f.byName[name] }

// Data returns rows from ≤ row < to of t in little-endian order. In a
// little-endian file the result is the mapped file itself and must not be
// written to; otherwise it is converted into buf, which grows as needed.
//
// A type whose layout, or whose big-endian layout, is not known gives an
// *UnsupportedError.
func (f *File) Data(t *Tensor, from, to int64, buf []byte) ([]byte, error) {
	rows := t.Rows()
	if from < 0 || from > to || to > rows {
		return nil, fmt.Errorf("tensor %q has %d rows, not rows %d to %d", t.Name, rows, from, to)
	}
	size, ok := t.Type.Size(t.RowLen())
	if !ok {
		return nil, f.unsupported(t, "the layout of %s is not known", "use the program that wrote the file")
	}
	p := f.Stored(t)[from*size : to*size]
	if f.ByteOrder == binary.LittleEndian {
		return p, nil
	}
	if t.Type.row().swap == nil {
		return nil, f.unsupported(t, "the big-endian layout of %s is not defined", "write the file in little-endian order where it was made")
	}
	buf = append(buf[:0], p...)
	swap(t.Type, buf)
	return buf, nil
}

// Load returns what Data returns, for a single pass over it: bytes that are read
// into buf, which grows as needed, or the mapped file, which must not be written
// to. That is faster than Data for rows that are not in memory for another reason.
func (f *File) Load(t *Tensor, from, to int64, buf *[]byte) ([]byte, error) {
	if f.ByteOrder != binary.LittleEndian {
		data, err := f.Data(t, from, to, *buf)
		*buf = data
		return data, err
	}
	data, err := f.Data(t, from, to, nil)
	if err != nil {
		return nil, err
	}
	size, _ := t.Type.Size(t.RowLen())
	return f.Shards[t.Shard].mapped.Load(t.Offset+from*size, int64(len(data)), buf), nil
}

// Head returns what stands before the tensor data in shard i: keys and tensor
// table with their padding. It must not be written to.
func (f *File) Head(i int) []byte {
	s := &f.Shards[i]
	return s.mapped.Bytes()[:min(s.DataAt, s.Size)]
}

// Stored returns all bytes of t as the file has them, in its byte order. They
// must not be written to.
func (f *File) Stored(t *Tensor) []byte {
	return f.Shards[t.Shard].mapped.Bytes()[t.Offset : t.Offset+t.Size]
}

// Fetch brings rows from ≤ row < to of t, bytes that Data returns, into memory, so
// that reading them does not wait for the disk. It may itself take its time.
func (f *File) Fetch(t *Tensor, from, to int64) {
	if size, ok := t.Type.Size(t.RowLen()); ok && 0 <= from && from < to && to <= t.Rows() {
		f.Shards[t.Shard].mapped.Fetch(t.Offset+from*size, (to-from)*size)
	}
}

// DontNeed tells the system that rows from ≤ row < to of t, bytes that Data
// returned, will not be read again soon, so that they need not stay in memory.
func (f *File) DontNeed(t *Tensor, from, to int64) {
	if size, ok := t.Type.Size(t.RowLen()); ok && 0 <= from && from < to && to <= t.Rows() {
		f.Shards[t.Shard].mapped.DontNeed(t.Offset+from*size, (to-from)*size)
	}
}

func (f *File) unsupported(t *Tensor, problem, hint string) error {
	return fault.Unsupported(f.Shards[t.Shard].Path, fmt.Sprintf("tensor %q", t.Name), hint, problem, t.Type)
}

// swap changes the byte order of whole blocks of t in place.
func swap(t Type, p []byte) {
	r := t.row()
	for ; len(p) >= r.bytes; p = p[r.bytes:] {
		for _, f := range r.swap {
			slices.Reverse(p[f.offset : f.offset+f.width])
		}
	}
}
