// Package npy writes matrices as NumPy's array files, version 1.0 of the format:
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
//
//	0-5    93 'N' 'U' 'M' 'P' 'Y'
//	6-7    01 00                    version
//	8-9    76 00                    length of what follows up to the data, little-endian
//	10-127 {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, blanks, a line end
//	128-   the rows, one after the other
//
// The number of rows stands in front of them, and is known when all are written.
// As numpy.save does, the header leaves room for any number of rows, so that it
// can be written once more at the end.
package npy

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// headerAlign is what the length of the header is a multiple of, so that a
// memory map of the data is aligned.
const headerAlign = 64

// rowDigits is how many characters the number of rows may have: those of the
// largest 64-bit integer, and one as numpy has it.
const rowDigits = 21

// A Type is how a number is stored, in NumPy's notation.
type Type string

// The types.
const (
	Float32 Type = "<f4" // little-endian
	Int8    Type = "|i1"
	Uint8   Type = "|u1"
)

// A Destination can be appended to and corrected.
type Destination interface {
	io.Writer
	io.WriterAt
}

// A Writer writes one matrix.
type Writer struct {
	dst     Destination
	w       *bufio.Writer
	typ     Type
	columns int
	rows    int64
}

// NewWriter begins a matrix with rows of the given number of columns at the
// start of dst, which must be empty.
func NewWriter(dst Destination, typ Type, columns int) (*Writer, error) {
	w := &Writer{dst: dst, w: bufio.NewWriterSize(dst, 1<<16), typ: typ, columns: columns}
	_, err := w.w.Write(header(typ, 0, columns))
	return w, err
}

// WriteRow appends a row, given as the bytes of its numbers.
func (w *Writer) WriteRow(row []byte) error {
	w.rows++
	_, err := w.w.Write(row)
	return err
}

// Close completes the matrix. It does not close the destination.
func (w *Writer) Close() error {
	if err := w.w.Flush(); err != nil {
		return err
	}
	_, err := w.dst.WriteAt(header(w.typ, w.rows, w.columns), 0)
	return err
}

// header returns the same bytes as numpy.save. Their number does not depend on
// rows.
func header(typ Type, rows int64, columns int) []byte {
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d), }", typ, rows, columns)
	dict += strings.Repeat(" ", rowDigits-len(strconv.FormatInt(rows, 10)))
	const prefix = 10
	size := prefix + len(dict) + len("\n")
	blanks := (headerAlign - size%headerAlign) % headerAlign
	length := len(dict) + blanks + len("\n")
	head := []byte{0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, byte(length), byte(length >> 8)}
	head = append(head, dict...)
	head = append(head, strings.Repeat(" ", blanks)...)
	return append(head, '\n')
}
