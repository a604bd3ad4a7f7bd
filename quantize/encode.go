package quantize

import (
	"context"
	"math"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/kernels/block"
	"github.com/gguftool/gguftool/kernels/vec"
)

// A chunk is some rows of a tensor.
type chunk struct {
	tensor   int          // its place in the order of the output
	source   *gguf.Tensor // of the input
	from, to int64        // rows
}

// A converter turns chunks into the bytes of the output. It is for one chunk at
// a time; its memory is used again for the next.
type converter struct {
	source *Source
	chunk  chunk

	read []byte    // backs src, unless that is mapped
	src  []byte    // rows as the source has them
	rows []float32 // src decoded, or nil as long as nothing needs it

	decoded []float32 // backs rows, unless that is mapped
	reread  []float32 // a row of the output
	results []result  // one for each encoding of the chunk
}

// A result is a chunk in one encoding.
type result struct {
	out       []byte // may be the mapped file
	encoded   []byte // backs out, unless that is the mapped file
	late      []int  // plans that it is still to be written for
	deviation Deviation
	digest    digest
}

// load reads a chunk.
func (v *converter) load(s *Source, c chunk) (err error) {
	v.source, v.chunk, v.rows = s, c, nil
	v.src, err = s.Rows.Data(c.source, c.from, c.to, &v.read)
	return err
}

// encode sets r.out to the chunk as t stores it.
func (v *converter) encode(ctx context.Context, t *Tensor, r *result) error {
	if t.From == t.To {
		r.out = v.src
		return v.validate()
	}
	codec, _ := block.Lookup(t.To)
	c, columns := v.chunk, t.Shape[0]
	size, _ := t.To.Size(columns)
	r.encoded = grow(r.encoded, int((c.to-c.from)*size))
	r.out = r.encoded
	rows, out := v.floats(), r.out
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
				return v.damaged(row+int64(bad.Row), column, values[column])
			}
			return fault.Unsupported(v.source.file(c.source), quoteTensor(t.Name), "give it another type with --tensor-type",
				"row %d: %v", row+int64(bad.Row), bad.Err)
		}
		out, rows, row = out[n*size:], rows[n*columns:], row+n
	}
	return nil
}

// encodeLen is about how many elements are encoded between two looks at whether
// to go on: a fraction of a second of the slowest format.
const encodeLen = 1 << 16

// validate refuses rows that are copied when they hold what is no number.
func (v *converter) validate() error {
	c := v.chunk
	codec, ok := block.Lookup(c.source.Type)
	if !ok {
		return nil
	}
	err := codec.Validate(v.src)
	if err == nil {
		return nil
	}
	rows, columns := v.floats(), int(c.source.Shape[0])
	if i := vec.NotFinite(rows); i >= 0 {
		return v.damaged(c.from+int64(i/columns), i%columns, rows[i])
	}
	return fault.Malformed(v.source.file(c.source), quoteTensor(c.source.Name), "%v, counted from row %d", err, c.from)
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

// floats returns the rows as numbers, which the converter decodes once.
func (v *converter) floats() []float32 {
	if v.rows != nil {
		return v.rows
	}
	from := v.chunk.source.Type
	if from == gguf.TypeF32 {
		if rows, ok := block.ViewF32(v.src); ok {
			v.rows = rows
			return rows
		}
	}
	codec, _ := block.Lookup(from)
	elements, size, _ := from.Block()
	v.decoded = grow(v.decoded, len(v.src)/size*elements)
	codec.Decode(v.decoded, v.src)
	v.rows = v.decoded
	return v.rows
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		s = make([]T, n)
	}
	return s[:n]
}

func (v *converter) damaged(row int64, column int, value float32) error {
	e := fault.Malformed(v.source.file(v.chunk.source), quoteTensor(v.chunk.source.Name), "row %d, column %d is %v", row, column, value)
	e.Hint = "no model has such a weight; get the model again"
	return e
}
