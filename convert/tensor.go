package convert

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/convert/internal/checkpoint"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/kernels/block"
	"github.com/gguftool/gguftool/kernels/vec"
)

// tensorType returns the type that a tensor has in a file of a type.
func tensorType(name string, shape []int64, fileType gguf.FileType) gguf.Type {
	if len(shape) < 2 || strings.HasSuffix(name, "_norm.weight") || !strings.HasSuffix(name, ".weight") ||
		name == "position_embd.weight" || name == "token_types.weight" {
		return gguf.TypeF32
	}
	switch fileType {
	case gguf.FileF32:
		return gguf.TypeF32
	case gguf.FileBF16:
		return gguf.TypeBF16
	case gguf.FileQ8_0:
		if _, ok := gguf.TypeQ8_0.Size(shape[0]); ok {
			return gguf.TypeQ8_0
		}
	}
	return gguf.TypeF16
}

// RowLen returns the elements of one row.
func (t *Tensor) RowLen() int64 { return t.source.RowLen() }

// Rows returns the number of rows.
func (t *Tensor) Rows() int64 {
	rows := int64(1)
	for _, d := range t.Shape[min(1, len(t.Shape)):] {
		rows *= d
	}
	return rows
}

// A change is made to the numbers of a tensor or to the order of its rows.
type change uint8

const (
	asIs change = iota
	// pairsTogether puts the two rows of each pair that rope turns side by side.
	// In the source, the first ones of a head stand before its second ones:
	//
	//	source  a0 a1 a2 a3 b0 b1 b2 b3
	//	result  a0 b0 a1 b1 a2 b2 a3 b3
	//
	// In a vector, elements take the place of rows.
	pairsTogether
	// plusOne adds one to each number.
	plusOne
)

// A Buffer is memory that Data and Floats work in, for one goroutine at a time.
// The zero value is ready to use.
type Buffer struct {
	raw     []byte
	ordered []byte
	floats  []float32
	out     []byte
}

// Data returns rows from ≤ row < to as they are written, in little-endian
// order. The result is valid until the next use of b; it must not be written
// to, as it may be the mapped checkpoint.
func (t *Tensor) Data(from, to int64, b *Buffer) ([]byte, error) {
	if t.stored() {
		return t.load(from, to, &b.raw, &b.out), nil
	}
	size, _ := t.Type.Size((to - from) * t.RowLen())
	b.out = slices.Grow(b.out[:0], int(size))[:size]
	if t.Type == gguf.TypeF32 && t.change != plusOne {
		if floats, ok := block.ViewF32(b.out); ok {
			t.source.DType.Floats(floats, t.load(from, to, &b.raw, &b.ordered))
			return b.out, nil
		}
	}
	floats := t.Floats(from, to, b)
	switch t.Type {
	case gguf.TypeF32:
		for i, f := range floats {
			binary.LittleEndian.PutUint32(b.out[4*i:], math.Float32bits(f))
		}
	case gguf.TypeF16:
		encodeHalfs(b.out, floats)
	case gguf.TypeBF16:
		vec.ToBF16(b.out, floats)
	default:
		return b.out, t.encodeRows(floats, from, b.out)
	}
	return b.out, nil
}

// encodeRows encodes whole rows, the first of which is number from, to dst.
func (t *Tensor) encodeRows(floats []float32, from int64, dst []byte) error {
	codec, ok := block.Lookup(t.Type)
	if !ok {
		return fmt.Errorf("no encoder for %s", t.Type)
	}
	n := t.RowLen()
	size, _ := t.Type.Size(n)
	for row := from; len(floats) > 0; row++ {
		if err := codec.EncodeRow(dst[:size], floats[:n], nil); err != nil {
			e := fault.Malformed(t.source.File, fmt.Sprintf("tensor %q, row %d", t.Source, row), "%v", err)
			e.Hint = "get the model again, or convert it to a type without blocks"
			return e
		}
		floats, dst = floats[n:], dst[size:]
	}
	return nil
}

// Floats returns rows from ≤ row < to as numbers, valid until the next use of b.
// They must not be written to, as they may be the mapped checkpoint.
func (t *Tensor) Floats(from, to int64, b *Buffer) []float32 {
	raw := t.load(from, to, &b.raw, &b.ordered)
	if t.source.DType == checkpoint.F32 && t.change != plusOne {
		if floats, ok := block.ViewF32(raw); ok {
			return floats
		}
	}
	n := int((to - from) * t.RowLen())
	b.floats = slices.Grow(b.floats[:0], n)[:n]
	t.source.DType.Floats(b.floats, raw)
	if t.change == plusOne {
		addOne(b.floats, t.source.DType)
	}
	return b.floats
}

// addOne adds one to numbers that were read from a type. As in torch, the sum of a
// half and one is a half.
func addOne(floats []float32, from checkpoint.DType) {
	for i := range floats {
		floats[i]++
		if from == checkpoint.F16 {
			floats[i] = block.F16ToF32(block.F32ToF16(floats[i]))
		}
	}
}

// load returns the bytes of rows as the checkpoint has them, in the order of the
// result: the mapped checkpoint, or bytes that are read into raw or put in order in
// ordered.
func (t *Tensor) load(from, to int64, raw, ordered *[]byte) []byte {
	if t.change != pairsTogether {
		return t.source.Data(from+t.skipped, to+t.skipped, raw)
	}
	size := t.source.DType.Size()
	if len(t.Shape) == 1 { // all of it or nothing, and what is a row otherwise is an element
		data := t.source.Data(from, to, raw)
		*ordered = slices.Grow((*ordered)[:0], len(data))
		for i := range int64(len(data)) / size {
			at := t.pairRow(i) * size
			*ordered = append(*ordered, data[at:at+size]...)
		}
		return *ordered
	}
	first, last := t.heads(from, to)
	size *= t.RowLen()
	data := t.source.Data(first, last, raw)
	*ordered = slices.Grow((*ordered)[:0], int((to-from)*size))
	for row := from; row < to; row++ {
		at := (t.pairRow(row) - first) * size
		*ordered = append(*ordered, data[at:at+size]...)
	}
	return *ordered
}

// pairRow returns which row of the source becomes a row of the result.
func (t *Tensor) pairRow(row int64) int64 {
	in := row % t.headSize
	return row - in + in%2*(t.headSize/2) + in/2
}

// heads returns the rows of the source that hold the heads of rows from ≤ row < to.
func (t *Tensor) heads(from, to int64) (first, last int64) {
	if t.change != pairsTogether || len(t.Shape) == 1 || from == to {
		return from + t.skipped, to + t.skipped
	}
	return from - from%t.headSize, (to + t.headSize - 1) / t.headSize * t.headSize
}

// stored reports whether the checkpoint has the numbers of t as they are written.
func (t *Tensor) stored() bool {
	from := t.source.DType
	return t.change != plusOne &&
		(from == checkpoint.F32 && t.Type == gguf.TypeF32 || from == checkpoint.F16 && t.Type == gguf.TypeF16)
}

// fetch brings what rows from ≤ row < to are made of into memory.
func (t *Tensor) fetch(from, to int64) { t.source.Fetch(t.heads(from, to)) }

// Done says that rows from ≤ row < to will not be read again, nor those before
// them.
func (t *Tensor) Done(from, to int64) {
	first, last := t.heads(from, to)
	if last > to+t.skipped { // the rest of the last head is still to come
		last -= t.headSize
	}
	t.source.Done(first, max(first, last))
}

// encodeHalfs writes the IEEE halfs nearest to floats. As in numpy, what is too
// large becomes infinity and a NaN keeps the upper bits of its payload.
func encodeHalfs(dst []byte, floats []float32) {
	for i, f := range floats {
		h := block.F32ToF16(f)
		if f != f {
			bits := math.Float32bits(f)
			h = uint16(bits>>16&0x8000) | 0x7c00 | max(uint16(bits>>13&0x3ff), 1)
		}
		binary.LittleEndian.PutUint16(dst[2*i:], h)
	}
}
