package gguf

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/gguftool/gguftool/internal/fault"
)

// A Layout is a file before its data: checked, with the place of everything in
// it, so that tensors can be written in any order and by several goroutines.
//
//	Head                                     keys and tensor table, padded
//	tensor 0    at Offsets[0] = len(Head)    Tensors[0].Size bytes, padded with zeros
//	tensor 1    at Offsets[1]
//	...                                      up to Size
type Layout struct {
	Head      []byte
	Tensors   []TensorInfo // each with its Size
	Offsets   []int64      // of the data of each tensor, from the start of the file
	Alignment int64
	Size      int64 // of the whole file

	order binary.ByteOrder
}

// NewLayout lays out the file with these keys and tensors, which are in the
// order of the file. It refuses what Open would refuse. opts may be nil.
func NewLayout(md *Metadata, tensors []TensorInfo, opts *WriterOptions) (*Layout, error) {
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
	keysOnly := opts != nil && opts.KeysOnly
	if keysOnly && len(tensors) > 0 {
		return nil, fmt.Errorf("a file of keys only cannot have %d tensors", len(tensors))
	}
	l := &Layout{Alignment: DefaultAlignment, order: e.order}
	if v, ok := md.Lookup(KeyAlignment); ok {
		a, problem := alignment(v)
		if problem != "" {
			return nil, fmt.Errorf("key %q: %s", KeyAlignment, problem)
		}
		l.Alignment = a
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
		if err := l.add(&t); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		e.tensor(t, offset)
		l.Offsets = append(l.Offsets, offset)
		if t.Size > math.MaxInt64-offset-2*maxAlignment {
			return nil, fmt.Errorf("tensor %q: the file would be larger than 2^63 bytes", t.Name)
		}
		offset += align(t.Size, l.Alignment)
	}
	if len(e.b) > maxHead {
		return nil, fmt.Errorf("keys and tensor table take %d bytes, more than the %d that are read again", len(e.b), maxHead)
	}
	if !keysOnly {
		e.b = append(e.b, make([]byte, align(int64(len(e.b)), l.Alignment)-int64(len(e.b)))...)
	}
	dataAt := int64(len(e.b))
	if offset > math.MaxInt64-dataAt {
		return nil, fmt.Errorf("the file would be larger than 2^63 bytes")
	}
	for i := range l.Offsets {
		l.Offsets[i] += dataAt
	}
	l.Head = e.b
	l.Size = dataAt + offset
	return l, nil
}

// add checks t, sets its size and takes it into the layout.
func (l *Layout) add(t *TensorInfo) error {
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
	if l.order == binary.BigEndian && r.swap == nil {
		return fault.Unsupported("", "", "write the file in little-endian order", "the big-endian layout of %s is not defined", t.Type)
	}
	l.Tensors = append(l.Tensors, *t)
	return nil
}
