package imatrix

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/gguftool/gguftool/gguf"
)

// WriteGGUF writes f in the newer format: for equal numbers, the bytes that
// llama-imatrix writes. Entries stand in the order of their names. A file of the
// older format, which has no chunk size, is given one by Merge first.
func (f *File) WriteGGUF(w io.Writer) error {
	if f.ChunkSize < 1 {
		return fmt.Errorf("write an importance file: the size of a chunk is not known; merging gives it one")
	}
	var tensors []gguf.TensorInfo
	var data bytes.Buffer
	add := func(name string, t gguf.Type, rowLen, rows int, values any) {
		shape := []int64{int64(rowLen)}
		if rows > 1 {
			shape = append(shape, int64(rows))
		}
		tensors = append(tensors, gguf.TensorInfo{Name: name, Type: t, Shape: shape})
		binary.Write(&data, binary.LittleEndian, values) // of fixed size, into memory: does not fail
	}
	for _, name := range slices.Sorted(maps.Keys(f.Entries)) {
		e := f.Entries[name]
		if err := e.check(name); err != nil {
			return err
		}
		counts := make([]float32, len(e.Counts))
		for i, n := range e.Counts {
			counts[i] = float32(n)
		}
		add(name+suffixSums, gguf.TypeF32, e.columns(), len(counts), e.SumSquares)
		add(name+suffixCounts, gguf.TypeF32, 1, len(counts), counts)
		if f.State != nil && len(e.exact) > 0 {
			add(name+suffixExact, gguf.TypeF64, e.columns(), len(counts), e.exact)
		}
	}
	md := new(gguf.Metadata)
	md.Set("general.type", gguf.ValueOf("imatrix"))
	md.Set(keyDatasets, gguf.ArrayOf(append([]string{}, f.Datasets...)))
	md.Set(keyChunkCount, gguf.ValueOf(uint32(min(f.Chunks, math.MaxInt32))))
	md.Set(keyChunkSize, gguf.ValueOf(uint32(f.ChunkSize)))
	if f.Weighing != ByTokens {
		md.Set(keyWeighing, gguf.ValueOf(f.Weighing.String()))
	}
	f.State.set(md)
	gw, err := gguf.NewWriter(w, md, tensors, nil)
	if err != nil {
		return fmt.Errorf("write an importance file: %w", err)
	}
	// The writer pads between tensors; their data comes in one piece.
	if _, err := gw.Write(data.Bytes()); err != nil {
		return err
	}
	return gw.Close()
}

// WriteLegacy writes f in the older format, as llama-imatrix does: mean squares
// times the chunks of the entry, ones for matrices that saw nothing, and no
// entries of which that holds for all matrices. Of several datasets it has room
// for the last.
func (f *File) WriteLegacy(w io.Writer) error {
	var entries int32
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(f.Entries)) {
		e := f.Entries[name]
		if err := e.check(name); err != nil {
			return err
		}
		most := slices.Max(e.Counts)
		if most < 1 {
			continue
		}
		if len(e.SumSquares) > math.MaxInt32 {
			return fmt.Errorf("write an importance file: %q has %d values, more than the .dat format can hold", name, len(e.SumSquares))
		}
		entries++
		calls, values := most, e.SumSquares
		if f.ChunkSize > 0 { // else both are in chunks already
			chunk := int64(f.ChunkSize)
			calls = (most + chunk - 1) / chunk
			values = e.perCall(float32(calls))
		}
		appendText(&b, name)
		appendInt(&b, calls)
		appendInt(&b, int64(len(values)))
		binary.Write(&b, binary.LittleEndian, values)
	}
	appendInt(&b, int64(f.Chunks))
	dataset := ""
	if n := len(f.Datasets); n > 0 {
		dataset = f.Datasets[n-1]
	}
	appendText(&b, dataset)
	if err := binary.Write(w, binary.LittleEndian, entries); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

func appendInt(b *bytes.Buffer, n int64) {
	binary.Write(b, binary.LittleEndian, int32(min(n, math.MaxInt32)))
}

func appendText(b *bytes.Buffer, s string) {
	appendInt(b, int64(len(s)))
	b.WriteString(s)
}

// perCall returns the mean squares times calls, rounded as llama-imatrix rounds.
func (e *Entry) perCall(calls float32) []float32 {
	values := make([]float32, len(e.SumSquares))
	for i, v := range e.SumSquares {
		count := float32(e.Counts[i/e.columns()])
		if count == 0 {
			v, count = 1, 1
		}
		values[i] = float32(v/count) * calls
	}
	return values
}

func (e *Entry) columns() int { return len(e.SumSquares) / len(e.Counts) }

// check finds what would make a file that cannot be read.
func (e *Entry) check(name string) error {
	if len(e.Counts) == 0 || len(e.SumSquares) == 0 || len(e.SumSquares)%len(e.Counts) != 0 {
		return fmt.Errorf("write an importance file: %q has %d sums and %d counts", name, len(e.SumSquares), len(e.Counts))
	}
	return nil
}
