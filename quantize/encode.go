package quantize

import (
	"math"
	"sync"

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

// A converter holds what a chunk becomes. It is for one chunk at a time; its
// memory is used again for the next.
type converter struct {
	read    []byte   // of a chunk that is copied, unless that is mapped
	results []result // one for each encoding of the chunk
}

// A result is a chunk in one encoding.
type result struct {
	out       []byte // may be the mapped file
	encoded   []byte // backs out of what is not copied
	late      []int  // plans that it is still to be written for
	deviation Deviation
	digest    digest
}

// A piece is so many rows of a chunk that the processor's cache holds them while
// they are read, decoded and encoded in every way.
type piece struct {
	source *Source
	chunk  // its rows

	src  []byte    // rows as the source has them
	rows []float32 // src decoded, or nil as long as nothing needs it

	read    []byte    // backs src, unless that is mapped
	decoded []float32 // backs rows, unless that is src
	reread  []float32 // a row of the output
}

// pieces holds the memory of pieces. Workers get back what they used last, which
// is still in the cache.
var pieces = sync.Pool{New: func() any { return new(piece) }}

// pieceLen is about how many elements a piece has: a quarter megabyte of float32,
// and a fraction of a second of work in the slowest format.
const pieceLen = 1 << 16

// load reads the rows of c, into buf where they are not mapped.
func (p *piece) load(s *Source, c chunk, buf *[]byte) (err error) {
	p.source, p.chunk, p.rows = s, c, nil
	p.src, err = s.Rows.Data(c.source, c.from, c.to, buf)
	return err
}

// encode writes the rows to out as t stores them.
func (p *piece) encode(t *Tensor, out []byte) error {
	codec, _ := block.Lookup(t.To)
	columns := t.Shape[0]
	size, _ := t.To.Size(columns)
	rows := p.floats()
	for row := p.from; row < p.to; {
		importance, same := t.rowImportance(row)
		n := min(same, p.to-row)
		if err := codec.EncodeRows(out[:n*size], rows[:n*columns], int(columns), importance); err != nil {
			bad := err.(*block.RowError)
			values := rows[int64(bad.Row)*columns:][:columns]
			if column := vec.NotFinite(values); column >= 0 {
				return p.damaged(row+int64(bad.Row), column, values[column])
			}
			return fault.Unsupported(p.source.file(p.chunk.source), quoteTensor(t.Name), "give it another type with --tensor-type",
				"row %d: %v", row+int64(bad.Row), bad.Err)
		}
		out, rows, row = out[n*size:], rows[n*columns:], row+n
	}
	return nil
}

// validate refuses rows that are copied when they hold what is no number.
func (p *piece) validate() error {
	c := p.chunk
	codec, ok := block.Lookup(c.source.Type)
	if !ok {
		return nil
	}
	err := codec.Validate(p.src)
	if err == nil {
		return nil
	}
	rows, columns := p.floats(), int(c.source.Shape[0])
	if i := vec.NotFinite(rows); i >= 0 {
		return p.damaged(c.from+int64(i/columns), i%columns, rows[i])
	}
	return fault.Malformed(p.source.file(c.source), quoteTensor(c.source.Name), "%v, counted from row %d", err, c.from)
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

// floats returns the rows as numbers, which are decoded once.
func (p *piece) floats() []float32 {
	if p.rows != nil {
		return p.rows
	}
	from := p.chunk.source.Type
	if from == gguf.TypeF32 {
		if rows, ok := block.ViewF32(p.src); ok {
			p.rows = rows
			return rows
		}
	}
	codec, _ := block.Lookup(from)
	elements, size, _ := from.Block()
	p.decoded = grow(p.decoded, len(p.src)/size*elements)
	codec.Decode(p.decoded, p.src)
	p.rows = p.decoded
	return p.rows
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		s = make([]T, n)
	}
	return s[:n]
}

func (p *piece) damaged(row int64, column int, value float32) error {
	e := fault.Malformed(p.source.file(p.chunk.source), quoteTensor(p.chunk.source.Name), "row %d, column %d is %v", row, column, value)
	e.Hint = "no model has such a weight; get the model again"
	return e
}
