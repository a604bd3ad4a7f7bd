package imatrix

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gguftool/gguftool/internal/fault"
)

// DefaultChunkSize is the tokens of a chunk where nothing else is said, as in
// llama-imatrix.
const DefaultChunkSize = 512

// Merge adds measurements, as llama-imatrix does with several files: sums of
// squares and counts of equal weights are added, in float64, weights that only
// some files have are taken from these, and the datasets of all are listed.
//
// chunkSize is the tokens of a chunk of the result, and of files of the older
// format, which do not say it: their sums and counts are per chunk. 0 means what
// the first file that says it has, else DefaultChunkSize. The number of chunks
// of the result is that of whole chunks in the largest count.
//
// Files that have different shapes for a weight, as those of different models,
// give a FormatError. What is weighed by vectors is merged with its like only: a
// row of it is a text. In a file of the older format, which says nothing of that, a
// chunk is what it is in the others.
func Merge(chunkSize int, files ...*File) (*File, error) {
	if i := slices.IndexFunc(files, func(f *File) bool { return f.ChunkSize > 0 }); i >= 0 && (chunkSize == 0 || files[i].Weighing == ByVectors) {
		chunkSize = files[i].ChunkSize
	}
	if chunkSize == 0 {
		chunkSize = DefaultChunkSize
	}
	var first *File // of those that say their weighing
	totals := map[string]*total{}
	datasets := []string{}
	for _, f := range files {
		if f.ChunkSize > 0 && first == nil {
			first = f
		} else if f.ChunkSize > 0 && f.Weighing != first.Weighing {
			return nil, fmt.Errorf("%s is weighed by %v and %s by %v: their sums cannot be added; measure one of them again with --weigh",
				first.Path, first.Weighing, f.Path, f.Weighing)
		}
		unit := 1
		if f.ChunkSize == 0 {
			unit = chunkSize
		}
		for _, name := range slices.Sorted(maps.Keys(f.Entries)) {
			e := f.Entries[name]
			if err := e.check(name); err != nil {
				return nil, err
			}
			t := totals[name]
			if t == nil {
				t = newTotal(len(e.Counts), e.columns())
				totals[name] = t
			}
			if err := t.addEntry(e, unit); err != nil {
				return nil, fault.Malformed(f.Path, fmt.Sprintf("weight %q", name), "%v; is it of another model?", err)
			}
		}
		datasets = append(datasets, f.Datasets...)
	}
	merged := fileOf(totals, datasets, chunkSize)
	if first != nil {
		merged.Weighing = first.Weighing
	}
	return merged, nil
}

// fileOf returns the file of totals by the names of weights.
func fileOf(totals map[string]*total, datasets []string, chunkSize int) *File {
	f := &File{Entries: make(map[string]*Entry, len(totals)), Datasets: datasets, ChunkSize: chunkSize}
	var most int64
	for name, t := range totals {
		e := t.entry()
		f.Entries[name] = e
		most = max(most, slices.Max(e.Counts))
	}
	f.Chunks = int(most / int64(chunkSize))
	return f
}

// A total is the measurement of one input, before it is rounded.
type total struct {
	sums   []float64 // (matrices, columns)
	counts []int64   // (matrices)
}

func newTotal(matrices, columns int) *total {
	return &total{make([]float64, matrices*columns), make([]int64, matrices)}
}

// addEntry adds e, whose sums and counts are in units of that many tokens.
func (t *total) addEntry(e *Entry, unit int) error {
	if len(e.SumSquares) != len(t.sums) {
		return fmt.Errorf("it has %d sums, and %d in a file before", len(e.SumSquares), len(t.sums))
	}
	counts := e.Counts
	switch {
	case len(counts) == 1: // stands for all matrices
		counts = slices.Repeat(counts, len(t.counts))
	case len(t.counts) == 1:
		t.counts = slices.Repeat(t.counts, len(counts))
	}
	if len(counts) != len(t.counts) {
		return fmt.Errorf("it has %d matrices, and %d in a file before", len(counts), len(t.counts))
	}
	for i, v := range e.SumSquares {
		t.sums[i] += float64(v) * float64(unit)
	}
	for i, n := range counts {
		t.counts[i] += n * int64(unit)
	}
	return nil
}

// entry returns what a file holds of t.
func (t *total) entry() *Entry {
	e := &Entry{SumSquares: make([]float32, len(t.sums)), Counts: slices.Clone(t.counts), exact: slices.Clone(t.sums)}
	for i, v := range t.sums {
		e.SumSquares[i] = float32(v)
	}
	return e
}
