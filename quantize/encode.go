package quantize

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/kernels/block"
	"github.com/gguftool/gguftool/kernels/vec"
)

// A chunk is some rows of a tensor.
type chunk struct {
	tensor   *Tensor
	from, to int64 // rows
}

// A converter turns chunks into the bytes of the output. It is for one chunk at
// a time; its memory is used again for the next.
type converter struct {
	out []byte // of the chunk; may be the mapped file

	encoded []byte    // backs out, unless that is the mapped file
	swapped []byte    // little-endian source of a big-endian file
	rows    []float32 // decoded source
}

// convert sets v.out.
func (v *converter) convert(ctx context.Context, f *gguf.File, c chunk) error {
	t := c.tensor
	if _, _, known := t.From.Block(); !known && f.ByteOrder == binary.LittleEndian {
		v.out = f.Stored(t.source) // copied whole, as its layout is not known
		return nil
	}
	src, err := f.Data(t.source, c.from, c.to, v.swapped)
	if err != nil {
		return err
	}
	if f.ByteOrder != binary.LittleEndian {
		v.swapped = src
	}
	if t.From == t.To {
		v.out = src
		return v.validate(f, c, src)
	}
	return v.encode(ctx, f, c, v.decode(t.From, src))
}

// encodeLen is about how many elements are encoded between two looks at whether
// to go on: a fraction of a second of the slowest format.
const encodeLen = 1 << 16

// encode encodes rows, (rows, columns) of a chunk.
func (v *converter) encode(ctx context.Context, f *gguf.File, c chunk, rows []float32) error {
	t := c.tensor
	codec, _ := block.Lookup(t.To)
	columns := t.Shape[0]
	size, _ := t.To.Size(columns)
	v.encoded = grow(v.encoded, int((c.to-c.from)*size))
	v.out = v.encoded
	out := v.out
	for row := c.from; row < c.to; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(max(1, encodeLen/max(1, columns)), c.to-row)
		importance, same := t.rowImportance(row)
		n = min(n, same)
		if err := codec.EncodeRows(out[:n*size], rows[:n*columns], int(columns), importance); err != nil {
			bad := err.(*block.RowError)
			values := rows[int64(bad.Row)*columns:][:columns]
			if column := vec.NotFinite(values); column >= 0 {
				return damaged(f, t, row+int64(bad.Row), column, values[column])
			}
			return fault.Unsupported(shardPath(f, t), quoteTensor(t.Name), "give it another type with --tensor-type", "row %d: %v", row+int64(bad.Row), bad.Err)
		}
		out, rows, row = out[n*size:], rows[n*columns:], row+n
	}
	return nil
}

// validate refuses rows that are copied when they hold what is no number.
func (v *converter) validate(f *gguf.File, c chunk, src []byte) error {
	t := c.tensor
	codec, ok := block.Lookup(t.From)
	if !ok {
		return nil
	}
	err := codec.Validate(src)
	if err == nil {
		return nil
	}
	rows, columns := v.decode(t.From, src), int(t.Shape[0])
	if i := vec.NotFinite(rows); i >= 0 {
		return damaged(f, t, c.from+int64(i/columns), i%columns, rows[i])
	}
	return fault.Malformed(shardPath(f, t), quoteTensor(t.Name), "%v, counted from row %d", err, c.from)
}

// rowImportance returns the importance for row i, that of the expert it is in,
// and how many rows from i on share it.
func (t *Tensor) rowImportance(i int64) (importance []float32, same int64) {
	if t.importance == nil {
		return nil, math.MaxInt64
	}
	columns := t.Shape[0]
	expert := i / t.Shape[1] % experts(t.Shape)
	return t.importance[expert*columns:][:columns], t.Shape[1] - i%t.Shape[1]
}

// decode returns whole rows as float32, valid until the next call.
func (v *converter) decode(from gguf.Type, src []byte) []float32 {
	if from == gguf.TypeF32 {
		if rows, ok := block.ViewF32(src); ok {
			return rows
		}
	}
	codec, _ := block.Lookup(from)
	elements, size, _ := from.Block()
	v.rows = grow(v.rows, len(src)/size*elements)
	codec.Decode(v.rows, src)
	return v.rows
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		s = make([]T, n)
	}
	return s[:n]
}

func damaged(f *gguf.File, t *Tensor, row int64, column int, value float32) error {
	e := fault.Malformed(shardPath(f, t), quoteTensor(t.Name), "row %d, column %d is %v", row, column, value)
	e.Hint = "no model has such a weight; get the model again"
	return e
}

func shardPath(f *gguf.File, t *Tensor) string { return f.Shards[t.source.Shard].Path }
