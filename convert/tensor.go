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
func (t *Tensor) Rows() int64 { return t.source.Rows() }

// A Buffer is memory that Data and Floats work in, for one goroutine at a time.
// The zero value is ready to use.
type Buffer struct {
	raw    []byte
	floats []float32
	out    []byte
}

// Data returns rows from ≤ row < to as they are written, in little-endian
// order. The result is valid until the next use of b; it must not be written
// to, as it may be the mapped checkpoint.
func (t *Tensor) Data(from, to int64, b *Buffer) ([]byte, error) {
	if t.stored() {
		return t.source.Data(from, to, &b.raw), nil
	}
	size, _ := t.Type.Size((to - from) * t.RowLen())
	b.out = slices.Grow(b.out[:0], int(size))[:size]
	if t.Type == gguf.TypeF32 {
		if floats, ok := block.ViewF32(b.out); ok {
			t.source.DType.Floats(floats, t.source.Data(from, to, &b.raw))
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
	raw := t.source.Data(from, to, &b.raw)
	if t.source.DType == checkpoint.F32 {
		if floats, ok := block.ViewF32(raw); ok {
			return floats
		}
	}
	n := int((to - from) * t.RowLen())
	b.floats = slices.Grow(b.floats[:0], n)[:n]
	t.source.DType.Floats(b.floats, raw)
	return b.floats
}

// Done says that rows from ≤ row < to will not be read again.
func (t *Tensor) Done(from, to int64) { t.source.Done(from, to) }

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
