package imatrix

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// Keys and suffixes of the newer format.
const (
	keyDatasets   = "imatrix.datasets"
	keyChunkCount = "imatrix.chunk_count"
	keyChunkSize  = "imatrix.chunk_size"

	suffixSums   = ".in_sum2"
	suffixCounts = ".counts"
)

// readGGUF reads the newer format.
func readGGUF(path string) (file *File, err error) {
	g, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()

	f := &File{Path: path, Entries: make(map[string]*Entry)}
	var ok bool
	if f.Datasets, ok = gguf.Array[string](g.Metadata, keyDatasets); !ok {
		return nil, keyError(path, keyDatasets, "an array of strings")
	}
	if f.Chunks, ok = count(g.Metadata, keyChunkCount); !ok {
		return nil, keyError(path, keyChunkCount, "a count")
	}
	if f.ChunkSize, ok = count(g.Metadata, keyChunkSize); !ok {
		return nil, keyError(path, keyChunkSize, "a count")
	}
	for _, t := range g.Tensors {
		name, isSums := strings.CutSuffix(t.Name, suffixSums)
		if weight, isCounts := strings.CutSuffix(t.Name, suffixCounts); isCounts && g.Tensor(weight+suffixSums) == nil {
			return nil, tensorError(path, t, "there is no %s%s to go with it", weight, suffixSums)
		}
		if !isSums {
			continue
		}
		if f.Entries[name], err = readEntry(g, name); err != nil {
			return nil, err
		}
	}
	if len(f.Entries) == 0 {
		return nil, fault.Malformed(path, "", "it holds no measurements")
	}
	if v, ok := g.Metadata.Lookup(keyWeighing); ok {
		name, _ := v.Text()
		if f.Weighing, err = ParseWeighing(name); err != nil {
			return nil, keyError(path, keyWeighing, "tokens or vectors")
		}
	}
	if f.State, err = readState(g); err != nil {
		return nil, err
	}
	return f, nil
}

func count(md *gguf.Metadata, key string) (int, bool) {
	n, ok := md.Int(key)
	return int(n), ok && n >= 0 && n <= math.MaxInt32
}

func readEntry(g *gguf.File, name string) (*Entry, error) {
	sums, counts := g.Tensor(name+suffixSums), g.Tensor(name+suffixCounts)
	if counts == nil {
		return nil, tensorError(g.Path, sums, "there is no %s%s to go with it", name, suffixCounts)
	}
	e := new(Entry)
	var err error
	if e.SumSquares, err = readF32(g, sums); err != nil {
		return nil, err
	}
	rows, err := readF32(g, counts)
	if err != nil {
		return nil, err
	}
	if len(e.SumSquares) == 0 || len(rows) == 0 || len(e.SumSquares)%len(rows) != 0 {
		return nil, tensorError(g.Path, counts, "%d counts for %d sums", len(rows), len(e.SumSquares))
	}
	e.Counts = make([]int64, len(rows))
	for i, n := range rows {
		if !(n >= 0 && n < 1<<62) {
			return nil, tensorError(g.Path, counts, "count %d is %v", i, n)
		}
		e.Counts[i] = int64(math.Round(float64(n)))
	}
	if exact := g.Tensor(name + suffixExact); exact != nil {
		if e.exact, err = readExact(g, exact, e.SumSquares); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// readExact reads the sums in float64, which are those in float32 when rounded.
func readExact(g *gguf.File, t *gguf.Tensor, rounded []float32) ([]float64, error) {
	if t.Type != gguf.TypeF64 || t.Elements() != int64(len(rounded)) {
		return nil, tensorError(g.Path, t, "is %d numbers of type %s, not %d of F64", t.Elements(), t.Type, len(rounded))
	}
	data, err := g.Data(t, 0, t.Rows(), nil)
	if err != nil {
		return nil, err
	}
	sums := make([]float64, len(rounded))
	for i := range sums {
		sums[i] = math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:]))
		if math.Float32bits(float32(sums[i])) != math.Float32bits(rounded[i]) {
			return nil, tensorError(g.Path, t, "sum %d is %v, and %v in %s", i, sums[i], rounded[i], strings.TrimSuffix(t.Name, suffixExact)+suffixSums)
		}
	}
	return sums, nil
}

func readF32(g *gguf.File, t *gguf.Tensor) ([]float32, error) {
	if t.Type != gguf.TypeF32 {
		return nil, tensorError(g.Path, t, "is %s, not F32", t.Type)
	}
	data, err := g.Data(t, 0, t.Rows(), nil)
	if err != nil {
		return nil, err
	}
	return decodeF32(data), nil
}

func keyError(path, key, want string) error {
	e := fault.Malformed(path, fmt.Sprintf("key %q", key), "must be %s", want)
	e.Hint = "it is no importance file"
	return e
}

func tensorError(path string, t *gguf.Tensor, format string, args ...any) error {
	return fault.Malformed(path, fmt.Sprintf("tensor %q", t.Name), format, args...)
}
