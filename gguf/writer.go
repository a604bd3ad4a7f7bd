package gguf

import (
	"encoding/binary"
	"fmt"
	"io"
)

// WriterOptions change what NewWriter writes. The zero value means version 3,
// little-endian; alignment comes from general.alignment.
type WriterOptions struct {
	Version   uint32
	ByteOrder binary.ByteOrder
	KeysOnly  bool // the file has no tensors and ends after its keys, without padding
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
	plan *Layout
	at   int    // tensor being written
	left int64  // its bytes that are still missing
	buf  []byte // big-endian: bytes of a block that is not complete yet
}

// FileSize returns the bytes of the file that NewWriter and its data would make.
func FileSize(md *Metadata, tensors []TensorInfo, opts *WriterOptions) (int64, error) {
	l, err := NewLayout(md, tensors, opts)
	if err != nil {
		return 0, err
	}
	return l.Size, nil
}

// NewWriter writes everything before the tensor data to w. It refuses what Open
// would refuse.
func NewWriter(w io.Writer, md *Metadata, tensors []TensorInfo, opts *WriterOptions) (*Writer, error) {
	l, err := NewLayout(md, tensors, opts)
	if err != nil {
		return nil, err
	}
	return l.NewWriter(w)
}

// NewWriter writes the head to w and returns what writes the data.
func (l *Layout) NewWriter(w io.Writer) (*Writer, error) {
	if _, err := w.Write(l.Head); err != nil {
		return nil, err
	}
	gw := &Writer{w: w, plan: l, at: -1}
	if err := gw.next(); err != nil {
		return nil, err
	}
	return gw, nil
}

// Write appends little-endian bytes to the data of the current tensor; when the
// tensor is complete it pads and goes on to the next. Data of several tensors
// may be written at once.
func (w *Writer) Write(p []byte) (int, error) {
	done := 0
	for len(p) > 0 {
		if w.at == len(w.plan.Tensors) {
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
	t := w.plan.Tensors[w.at].Type
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
			size := w.plan.Tensors[w.at].Size
			if err := w.pad(align(size, w.plan.Alignment) - size); err != nil {
				return err
			}
		}
		w.at++
		if w.at == len(w.plan.Tensors) {
			return nil
		}
		if w.left = w.plan.Tensors[w.at].Size; w.left > 0 {
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
	if w.at < len(w.plan.Tensors) {
		t := w.plan.Tensors[w.at]
		return fmt.Errorf("tensor %q: %d of its %d bytes were not written", t.Name, w.left, t.Size)
	}
	return nil
}
