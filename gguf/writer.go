package gguf

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/gguftool/gguftool/internal/fault"
)

// WriterOptions change what NewWriter writes. The zero value means version 3,
// little-endian; alignment comes from general.alignment.
type WriterOptions struct {
	Version   uint32
	ByteOrder binary.ByteOrder
}

// A TensorInfo describes a tensor that is to be written.
type TensorInfo struct {
	Name  string
	Type  Type
	Shape []int64 // fastest dimension first
	Size  int64   // bytes; needed only where the layout of Type is not known
}

// A Writer streams a GGUF file: header and tensor table first, then the data of
// each tensor in the order of the table, each padded to the alignment.
type Writer struct {
	w    io.Writer
	plan *plan
	at   int    // tensor being written
	left int64  // its bytes that are still missing
	buf  []byte // big-endian: bytes of a block that is not complete yet
}

// A plan is a file before its data: checked, encoded and laid out.
type plan struct {
	head      []byte
	tensors   []TensorInfo // with Size
	alignment int64
	order     binary.ByteOrder
	size      int64 // of the whole file
}

// FileSize returns the bytes of the file that NewWriter and its data would make.
func FileSize(md *Metadata, tensors []TensorInfo, opts *WriterOptions) (int64, error) {
	p, err := newPlan(md, tensors, opts)
	if err != nil {
		return 0, err
	}
	return p.size, nil
}

// NewWriter writes everything before the tensor data to w. It refuses what Open
// would refuse.
func NewWriter(w io.Writer, md *Metadata, tensors []TensorInfo, opts *WriterOptions) (*Writer, error) {
	p, err := newPlan(md, tensors, opts)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(p.head); err != nil {
		return nil, err
	}
	p.head = nil
	gw := &Writer{w: w, plan: p, at: -1}
	if err := gw.next(); err != nil {
		return nil, err
	}
	return gw, nil
}

func newPlan(md *Metadata, tensors []TensorInfo, opts *WriterOptions) (*plan, error) {
	e := &encoder{order: binary.LittleEndian}
	version := uint32(3)
	if opts != nil {
		if opts.Version != 0 {
			version = opts.Version
		}
		if opts.ByteOrder != nil {
			e.order = opts.ByteOrder
		}
	}
	if version != 3 && (version != 2 || e.order == binary.BigEndian) {
		return nil, fmt.Errorf("GGUF version %d in %s order cannot be written; use version 3", version, e.order)
	}
	p := &plan{alignment: DefaultAlignment, order: e.order}
	if v, ok := md.Lookup(KeyAlignment); ok {
		a, problem := alignment(v)
		if problem != "" {
			return nil, fmt.Errorf("key %q: %s", KeyAlignment, problem)
		}
		p.alignment = a
	}

	e.b = append(e.b, "GGUF"...)
	e.uint32(version)
	e.uint64(uint64(len(tensors)))
	e.uint64(uint64(md.Len()))
	for k, v := range md.All() {
		if err := e.pair(k, v); err != nil {
			return nil, fmt.Errorf("key %.80q: %w", k, err)
		}
	}
	offset := int64(0)
	seen := make(map[string]bool, len(tensors))
	for _, t := range tensors {
		if seen[t.Name] {
			return nil, fmt.Errorf("tensor %q: occurs twice", t.Name)
		}
		seen[t.Name] = true
		if err := p.add(&t); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		e.tensor(t, offset)
		if t.Size > math.MaxInt64-offset-2*maxAlignment {
			return nil, fmt.Errorf("tensor %q: the file would be larger than 2^63 bytes", t.Name)
		}
		offset += align(t.Size, p.alignment)
	}
	if len(e.b) > maxHead {
		return nil, fmt.Errorf("keys and tensor table take %d bytes, more than the %d that are read again", len(e.b), maxHead)
	}
	e.b = append(e.b, make([]byte, align(int64(len(e.b)), p.alignment)-int64(len(e.b)))...)
	if offset > math.MaxInt64-int64(len(e.b)) {
		return nil, fmt.Errorf("the file would be larger than 2^63 bytes")
	}
	p.head = e.b
	p.size = int64(len(e.b)) + offset
	return p, nil
}

// add checks t, sets its size and takes it into the plan.
func (p *plan) add(t *TensorInfo) error {
	if problem := checkIdentifier(t.Name, maxName); problem != "" {
		return fmt.Errorf("name %s", problem)
	}
	if n := len(t.Shape); n < 1 || n > maxDims {
		return fmt.Errorf("has %d dimensions, not 1 to %d", n, maxDims)
	}
	r := t.Type.row()
	if r == nil {
		return fmt.Errorf("%s is not known", t.Type)
	}
	size, problem := sizeOf(t.Type, t.Shape)
	switch {
	case problem != "":
		return fmt.Errorf("%s", problem)
	case size == unknownSize && (t.Size < 0 || t.Size == 0 && product(t.Shape) > 0):
		return fmt.Errorf("%s has a layout that is not known, so its size must be given", t.Type)
	case size == unknownSize:
	case t.Size != 0 && t.Size != size:
		return fmt.Errorf("has %d bytes, not %d", size, t.Size)
	default:
		t.Size = size
	}
	if p.order == binary.BigEndian && r.swap == nil {
		return fault.Unsupported("", "", "write the file in little-endian order", "the big-endian layout of %s is not defined", t.Type)
	}
	p.tensors = append(p.tensors, *t)
	return nil
}

// Write appends little-endian bytes to the data of the current tensor; when the
// tensor is complete it pads and goes on to the next. Data of several tensors
// may be written at once.
func (w *Writer) Write(p []byte) (int, error) {
	done := 0
	for len(p) > 0 {
		if w.at == len(w.plan.tensors) {
			return done, fmt.Errorf("%d bytes more than the tensors hold", len(p))
		}
		n := int(min(int64(len(p)), w.left))
		if err := w.put(p[:n]); err != nil {
			return done, err
		}
		done += n
		p = p[n:]
		w.left -= int64(n)
		if w.left == 0 {
			if err := w.next(); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// put writes bytes of the current tensor in the byte order of the file.
func (w *Writer) put(p []byte) error {
	if w.plan.order == binary.LittleEndian {
		_, err := w.w.Write(p)
		return err
	}
	t := w.plan.tensors[w.at].Type
	w.buf = append(w.buf, p...)
	whole := len(w.buf) / t.row().bytes * t.row().bytes
	swap(t, w.buf[:whole])
	_, err := w.w.Write(w.buf[:whole])
	w.buf = append(w.buf[:0], w.buf[whole:]...)
	return err
}

// next pads the current tensor and goes on to the next one that has bytes.
func (w *Writer) next() error {
	for {
		if w.at >= 0 {
			size := w.plan.tensors[w.at].Size
			if err := w.pad(align(size, w.plan.alignment) - size); err != nil {
				return err
			}
		}
		w.at++
		if w.at == len(w.plan.tensors) {
			return nil
		}
		if w.left = w.plan.tensors[w.at].Size; w.left > 0 {
			return nil
		}
	}
}

var zeros [4096]byte

func (w *Writer) pad(n int64) error {
	for n > 0 {
		m, err := w.w.Write(zeros[:min(n, int64(len(zeros)))])
		if err != nil {
			return err
		}
		n -= int64(m)
	}
	return nil
}

// Close fails when data of any tensor is missing. It does not close the
// underlying writer.
func (w *Writer) Close() error {
	if w.at < len(w.plan.tensors) {
		t := w.plan.tensors[w.at]
		return fmt.Errorf("tensor %q: %d of its %d bytes were not written", t.Name, w.left, t.Size)
	}
	return nil
}
