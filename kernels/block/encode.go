package block

import (
	"fmt"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/vec"
)

// A RowError says which of several rows cannot be encoded.
type RowError struct {
	Row int // from 0
	Err error
}

func (e *RowError) Error() string { return fmt.Sprintf("row %d: %v", e.Row, e.Err) }

func (e *RowError) Unwrap() error { return e.Err }

// Weighs reports whether the bytes that EncodeRows writes depend on importance.
func (c *Codec) Weighs() bool {
	switch c.Type {
	case gguf.TypeQ8_0, gguf.TypeTQ1_0, gguf.TypeTQ2_0, gguf.TypeMXFP4, gguf.TypeNVFP4, gguf.TypeQ1_0, gguf.TypeQ2_0:
		return false
	}
	return c.elements > 1
}

// EncodeRow writes one row of a tensor, as EncodeRows does. Its errors do not
// name a row.
func (c *Codec) EncodeRow(dst []byte, row, importance []float32) error {
	if err := c.EncodeRows(dst, row, len(row), importance); err != nil {
		return err.(*RowError).Err
	}
	return nil
}

// EncodeRows writes consecutive rows of a tensor, all of the same number of
// columns, to dst, which must have the exact size; it panics on other lengths.
// importance is nil or holds a weight for each column, as an importance matrix
// has it; Q8_0 and the plain formats make no use of it, and some need it, see
// NeedsImportance.
//
// Values that are not finite are refused with an error that names the first of
// them, and so are rows whose scales overflow a float16: a *RowError.
//
// Blocks of different rows may be encoded together, but never influence each
// other: the bytes are those of row by row.
func (c *Codec) EncodeRows(dst []byte, rows []float32, columns int, importance []float32) error {
	c.check(len(rows), len(dst))
	if len(rows) == 0 {
		return nil
	}
	if columns <= 0 || columns%c.elements != 0 || len(rows)%columns != 0 {
		panic(fmt.Sprintf("block: rows of %d columns in %d values of %s", columns, len(rows), c.Type))
	}
	if importance != nil && len(importance) != columns {
		panic(fmt.Sprintf("block: %d importance weights for a row of %d", len(importance), columns))
	}
	if importance == nil && c.needsImportance {
		return &RowError{0, fmt.Errorf("%s needs importance", c.Type)}
	}
	if i := vec.NotFinite(rows); i >= 0 {
		return &RowError{i / columns, notFinite("value", rows[i/columns*columns:], i%columns)}
	}
	if i := vec.NotFinite(importance); i >= 0 {
		return &RowError{0, notFinite("importance", importance, i)}
	}
	if c.elements == 1 {
		c.encode(dst, rows, nil, 0)
		if c.Type == gguf.TypeF32 {
			return nil // the same finite values
		}
	} else {
		c.encodeBlocks(&batch{dst, rows, columns, importance, nil})
	}
	size := columns / c.elements * c.bytes
	for row := 0; row < len(dst)/size; row++ {
		if err := c.Validate(dst[row*size:][:size]); err != nil {
			return &RowError{row, err}
		}
	}
	return nil
}

func notFinite(what string, x []float32, i int) error {
	return fmt.Errorf("%s %d is %v; only finite numbers can be stored", what, i, x[i])
}

// A batch is consecutive blocks of rows to encode.
type batch struct {
	dst        []byte
	x          []float32 // whole rows
	columns    int       // of a row
	importance []float32 // nil, or a weight for each column
	variances  []float32 // the mean square of each row, for formats with wholeRow and with importance
}

// encodeBlocks encodes all blocks, several at once where the machine can.
func (c *Codec) encodeBlocks(b *batch) {
	c.setVariances(b)
	first := 0
	if lanes := laneEncoders[c.Type]; lanes != nil {
		first = lanes(b)
	}
	c.encodeFrom(b, first)
}

// setVariances computes the mean squares of rows, if the format needs them.
func (c *Codec) setVariances(b *batch) {
	if b.importance != nil && c.wholeRow {
		b.variances = make([]float32, len(b.x)/b.columns)
		sumsOfSquares(b.variances, b.x, b.columns)
		for i := range b.variances {
			b.variances[i] /= float32(b.columns)
		}
	}
}

// encodeFrom encodes the blocks of a batch from one on, each by itself.
func (c *Codec) encodeFrom(b *batch, first int) {
	n := c.elements
	for i := first; i < len(b.x)/n; i++ {
		var (
			w        []float32
			variance float32
			column   = i * n % b.columns
		)
		if b.importance != nil {
			w = b.importance[column : column+n : column+n]
		}
		if b.variances != nil {
			variance = b.variances[i*n/b.columns]
		}
		c.encode(b.dst[i*c.bytes:(i+1)*c.bytes:(i+1)*c.bytes], b.x[i*n:(i+1)*n:(i+1)*n], w, variance)
	}
}

// laneEncoders encode blocks of some formats with vector instructions, each
// block or sub-block in a lane of its own, where every operation happens in the
// order of the plain encoder, so that the bytes are the same. They encode as many
// of the first blocks of a batch as they take at once and return how many.
var laneEncoders = newLaneEncoders()

// sumsOfSquares does what sumsOfRows does, several rows at once where it can.
var sumsOfSquares = newSumsOfSquares()
