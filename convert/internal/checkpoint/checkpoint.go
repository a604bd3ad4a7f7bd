// Package checkpoint reads the weights of a Hugging Face checkpoint: one or
// several safetensors files, or PyTorch files saved as archives.
//
// Open maps the files and validates everything but the numbers: after it, each
// tensor lies inside its file, and its size is checked against its shape. No
// tensor is read before its rows are asked for.
package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/internal/mmap"
)

// A Checkpoint holds the tensors of all files of a model.
type Checkpoint struct {
	Tensors []*Tensor // file after file, in the order in which a file is read

	maps []*mmap.Map
}

// A Tensor is an array of a checkpoint.
type Tensor struct {
	Name  string
	DType DType
	Shape []int64 // slowest dimension first, as PyTorch prints it
	File  string  // path of the file that holds it

	scaling *scaling // where the elements are products; nil, and then the rest of the fields count
	file    *mmap.Map
	data    []byte  // of file
	offset  int64   // of the first element in data
	strides []int64 // in elements; nil where rows follow each other
}

// A layout is a way to store weights in a folder.
type layout struct {
	prefix, suffix string // of the files' names
	index          string
	parse          func(data []byte) ([]*Tensor, error) // of a file
}

// layouts are in the order of preference.
var layouts = []layout{
	{"model", ".safetensors", "model.safetensors.index.json", parseSafetensors},
	{"pytorch_model", ".bin", "pytorch_model.bin.index.json", parseTorch},
}

// Open opens the weights in the folder dir.
//
// Safetensors are preferred to PyTorch files. Where there is an index file, it
// names the files and must agree with them on which tensor is where; otherwise
// all files that are named like weights are read.
//
// Without weights the error wraps fs.ErrNotExist.
func Open(dir string) (*Checkpoint, error) {
	for _, l := range layouts {
		files, index, err := l.find(dir)
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			continue
		}
		return l.open(dir, files, index)
	}
	return nil, fmt.Errorf("%s has no weights, neither model.safetensors nor shards of it nor pytorch_model.bin: %w", dir, fs.ErrNotExist)
}

// OpenFile opens the weights in one file, whatever other weights its folder has;
// or all files of the index beside it, where that names the file.
func OpenFile(path string) (*Checkpoint, error) {
	dir, name := filepath.Dir(path), filepath.Base(path)
	l := layouts[0]
	for _, other := range layouts {
		if strings.HasSuffix(name, other.suffix) {
			l = other
		}
	}
	index, err := readIndex(filepath.Join(dir, l.index))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	files := slices.Compact(slices.Sorted(maps.Values(index)))
	if !slices.Contains(files, name) {
		files, index = []string{name}, nil
	}
	return l.open(dir, files, index)
}

// IsWeights reports whether path is a file that is named like one of weights.
func IsWeights(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && slices.ContainsFunc(layouts, func(l layout) bool { return strings.HasSuffix(path, l.suffix) })
}

// open opens files of dir.
func (l layout) open(dir string, files []string, index map[string]string) (*Checkpoint, error) {
	c := new(Checkpoint)
	if err := c.read(dir, l, files, index); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// find returns the names of the files, sorted, and the tensors that the index
// expects; index is nil where there is none.
func (l layout) find(dir string) (files []string, index map[string]string, err error) {
	index, err = readIndex(filepath.Join(dir, l.index))
	switch {
	case err == nil:
		for _, file := range index {
			files = append(files, file)
		}
		slices.Sort(files)
		return slices.Compact(files), index, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), l.prefix) && strings.HasSuffix(e.Name(), l.suffix) {
			files = append(files, e.Name())
		}
	}
	return files, nil, nil
}

func (c *Checkpoint) read(dir string, l layout, files []string, index map[string]string) error {
	for _, name := range files {
		path := filepath.Join(dir, name)
		err := c.openFile(path, l.parse)
		if index != nil && errors.Is(err, fs.ErrNotExist) {
			return missingFile(filepath.Join(dir, l.index), name)
		}
		if err != nil {
			return err
		}
	}
	seen := make(map[string]*Tensor, len(c.Tensors))
	for _, t := range c.Tensors {
		if first, ok := seen[t.Name]; ok {
			e := fault.Malformed(t.File, quote(t.Name), "%s has this tensor too", filepath.Base(first.File))
			e.Hint = "keep only the files of one version of the model"
			return e
		}
		seen[t.Name] = t
	}
	if index == nil {
		return nil
	}
	return compareIndex(filepath.Join(dir, l.index), index, seen)
}

// openFile maps a file for as long as c is open and adds its tensors.
func (c *Checkpoint) openFile(path string, parse func(data []byte) ([]*Tensor, error)) error {
	file, err := mmap.Open(path)
	if err != nil {
		return err
	}
	file.Sequential()
	c.maps = append(c.maps, file)
	tensors, err := parse(file.Bytes())
	for _, t := range tensors {
		t.File = path
		t.file = file
	}
	c.Tensors = append(c.Tensors, tensors...)
	return fault.InFile(err, path)
}

// Close unmaps the files. Bytes handed out before must not be used afterwards.
func (c *Checkpoint) Close() error {
	var errs []error
	for _, m := range c.maps {
		errs = append(errs, m.Close())
	}
	c.maps = nil
	return errors.Join(errs...)
}

// FromFloats returns a vector that is in no file; path names what it was made from.
func FromFloats(name, path string, floats []float32) *Tensor {
	data := make([]byte, 0, 4*len(floats))
	for _, f := range floats {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(f))
	}
	return &Tensor{Name: name, DType: F32, Shape: []int64{int64(len(floats))}, File: path, data: data}
}

// RowLen returns the elements of one row, those of the last dimension.
func (t *Tensor) RowLen() int64 {
	if len(t.Shape) == 0 {
		return 1
	}
	return t.Shape[len(t.Shape)-1]
}

// Rows returns the number of rows.
func (t *Tensor) Rows() int64 {
	n := int64(1)
	for _, d := range t.Shape[:max(len(t.Shape)-1, 0)] {
		n *= d
	}
	return n
}

// Elements returns the number of elements.
func (t *Tensor) Elements() int64 { return t.Rows() * t.RowLen() }

// Data returns the little-endian bytes of rows from ≤ row < to. They are read into
// buf, which grows as needed, or are the mapped file, which must not be written
// to. Where the tensor is stored in another order than its rows (a transposed
// view), they are gathered in buf; where it is a product (ApplyScales), it is
// computed there.
func (t *Tensor) Data(from, to int64, buf *[]byte) []byte {
	if t.scaling != nil {
		return t.scaling.data(from, to, buf)
	}
	rowBytes := t.RowLen() * t.DType.Size()
	if t.strides == nil {
		if t.file == nil { // what was parsed from memory
			return t.data[t.offset+from*rowBytes : t.offset+to*rowBytes]
		}
		return t.file.Load(t.offset+from*rowBytes, (to-from)*rowBytes, buf)
	}
	size, stride := t.DType.Size(), t.strides[len(t.strides)-1]
	gathered := slices.Grow((*buf)[:0], int((to-from)*rowBytes))
	for row := from; row < to; row++ {
		at := t.offset + t.rowOffset(row)*size
		for range t.RowLen() {
			gathered = append(gathered, t.data[at:at+size]...)
			at += stride * size
		}
	}
	*buf = gathered
	return gathered
}

// rowOffset returns where row begins, in elements from the first.
func (t *Tensor) rowOffset(row int64) int64 {
	var at int64
	for i := len(t.Shape) - 2; i >= 0; i-- {
		at += row % t.Shape[i] * t.strides[i]
		row /= t.Shape[i]
	}
	return at
}

// Fetch brings rows from ≤ row < to into memory, which may take its time, so that
// reading them does not wait for the disk. It does nothing for tensors whose rows
// are gathered from all over.
func (t *Tensor) Fetch(from, to int64) {
	if t.scaling != nil {
		t.scaling.codes.Fetch(from, to)
		return
	}
	if t.strides == nil && t.file != nil && from < to {
		rowBytes := t.RowLen() * t.DType.Size()
		t.file.Fetch(t.offset+from*rowBytes, (to-from)*rowBytes)
	}
}

// Done says that rows from ≤ row < to will not be read again, so that the
// system can have their memory back.
func (t *Tensor) Done(from, to int64) {
	if t.scaling != nil {
		t.scaling.codes.Done(from, to)
		return
	}
	if t.strides == nil && t.file != nil {
		rowBytes := t.RowLen() * t.DType.Size()
		t.file.DontNeed(t.offset+from*rowBytes, (to-from)*rowBytes)
	}
}

// elements returns the product of shape; ok is false when a dimension is
// negative or the product overflows.
func elements(shape []int64) (n int64, ok bool) {
	n = 1
	for _, d := range shape {
		if d < 0 || d > 0 && n > math.MaxInt64/d {
			return 0, false
		}
		n *= d
	}
	return n, true
}

func quote(name string) string { return fmt.Sprintf("tensor %q", name) }
