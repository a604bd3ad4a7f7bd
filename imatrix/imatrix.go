// Package imatrix measures, stores and merges importance: how much each input
// column of each weight matters, which is the mean square of the activations
// that the column was multiplied with. Quantizers weigh their errors with it.
//
// A Collector sums up the inputs of matrix products that it is shown, text by
// text. It does not know how a forward pass works.
//
// llama.cpp has two formats for them, and Read tells them apart. Both are
// little-endian. The newer one is GGUF with the keys imatrix.datasets,
// imatrix.chunk_count and imatrix.chunk_size, and two tensors for each weight:
//
//	NAME.in_sum2  F32 (columns, matrices)  sums of squares
//	NAME.counts   F32 (1, matrices)        rows that were summed up
//
// where a stack of experts has one matrix for each. The older one, ".dat", is
//
//	entries i32
//	entry:   name length i32 | name | calls i32 | values i32 | f32 each
//	trailer: chunks i32 | dataset length i32 | dataset      (may be absent)
//
// and holds the mean squares times calls, experts one after the other.
package imatrix

import (
	"bytes"
	"maps"
	"os"
	"strings"
)

// A File is a set of measurements.
type File struct {
	Path      string            // that it was read from
	Entries   map[string]*Entry // by the name of the weight
	Datasets  []string          // texts that were measured on
	Chunks    int               // of text
	ChunkSize int               // tokens in a chunk, or 1 text; 0 in the older format, which does not say it
	Weighing  Weighing          // how much each row of a text counts; the older format does not say it
	State     *State            // of a measurement that is not complete, or nil
}

// An Entry is the measurement of one weight.
type Entry struct {
	SumSquares []float32 // (matrices, columns)
	Counts     []int64   // (matrices) rows in the sums; one for all matrices in a file of the older format, where it is chunks

	exact []float64 // the sums before they were rounded, or nil
}

// Read reads the importance file at path. Errors about the content are
// *fault.FormatError or *fault.UnsupportedError.
func Read(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	magic := make([]byte, 4)
	if n, _ := f.ReadAt(magic, 0); bytes.Equal(magic[:n], []byte("GGUF")) {
		return readGGUF(path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseLegacy(path, data)
}

// Select drops the entries whose names contain a part in exclude and, unless
// include is empty, those whose names contain none of its parts.
func (f *File) Select(include, exclude []string) {
	maps.DeleteFunc(f.Entries, func(name string, _ *Entry) bool {
		return containsAny(name, exclude) || len(include) > 0 && !containsAny(name, include)
	})
}

func containsAny(s string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

// Importance returns the mean square of every column of every weight by name,
// (matrices, columns). A matrix that saw nothing, an expert that was never
// chosen, has ones.
func (f *File) Importance() map[string][]float32 {
	all := make(map[string][]float32, len(f.Entries))
	for name, e := range f.Entries {
		all[name] = e.means()
	}
	return all
}

func (e *Entry) means() []float32 {
	means := make([]float32, len(e.SumSquares))
	columns := len(e.SumSquares) / len(e.Counts)
	for i, sum := range e.SumSquares {
		if n := e.Counts[i/columns]; n > 0 {
			means[i] = sum / float32(n)
		} else {
			means[i] = 1
		}
	}
	return means
}
