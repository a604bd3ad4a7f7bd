// Package inspect describes GGUF files: the header, the metadata, the tensors,
// and what they add up to. It reads nothing but the head of a file, which
// gguf.Open has read and checked already, so its time does not depend on the
// size of the model.
//
// A Report is printed as text for people and as JSON for programs; the schema of
// the JSON is docs/inspect.schema.json. Both are safe to print: names and values
// come from files of unknown origin, so whatever a terminal could take for a
// command is escaped.
package inspect

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/block"
)

// A Report describes one model: a GGUF file, or all shards of a split one.
type Report struct {
	Path      string      `json:"path"`
	Version   uint32      `json:"version"`
	ByteOrder string      `json:"byte_order"` // "little" or "big"
	Alignment int64       `json:"alignment"`  // bytes
	Size      int64       `json:"size"`       // bytes of all shards
	Shards    []Shard     `json:"shards"`     // one for a file that is not split
	Model     Model       `json:"model"`
	Totals    Totals      `json:"totals"`
	Types     []TypeTotal `json:"types"` // largest first
	Tensors   []Tensor    `json:"tensors"`
	Metadata  []Key       `json:"-"` // of the first shard, in file order
}

// A Shard is one of the files of a model.
type Shard struct {
	Path       string `json:"path"`
	Size       int64  `json:"size"`        // bytes
	DataOffset int64  `json:"data_offset"` // of the first byte that may belong to a tensor
	Tensors    int    `json:"tensors"`
}

// A Key is one entry of the metadata.
type Key struct {
	Name  string
	Value gguf.Value
}

// A Tensor is one entry of the tensor table.
type Tensor struct {
	Name      string  `json:"name"`
	Type      string  `json:"type"`
	Shape     []int64 `json:"shape"` // fastest dimension first, as in the file
	Elements  int64   `json:"elements"`
	Size      int64   `json:"size"`      // bytes; with padding where the layout of the type is not known
	Offset    int64   `json:"offset"`    // bytes from the start of its shard
	Shard     int     `json:"shard"`     // index into Report.Shards
	Decodable bool    `json:"decodable"` // whether gguftool can compute with it
}

// Totals are sums over all tensors.
type Totals struct {
	Tensors    int   `json:"tensors"`
	Parameters int64 `json:"parameters"` // elements of all tensors; MaxInt64 if there are more
	Bytes      int64 `json:"bytes"`      // of tensor data, without padding and metadata

	// BitsPerWeight is 8 × Bytes / Parameters: the average over every element,
	// those of norms and biases included. MatrixBitsPerWeight counts only tensors
	// of more than one row, which are the ones that quantization changes. Both
	// are 0 where there is nothing to count.
	BitsPerWeight       float64 `json:"bits_per_weight"`
	MatrixBitsPerWeight float64 `json:"matrix_bits_per_weight"`
}

// A TypeTotal is the sum over the tensors of one type.
type TypeTotal struct {
	Type          string  `json:"type"`
	Project       string  `json:"project"`           // that writes this type, "llama.cpp" or "ik_llama.cpp"
	Removed       bool    `json:"removed,omitempty"` // llama.cpp once wrote this type and no longer reads it
	Decodable     bool    `json:"decodable"`         // whether gguftool can compute with it
	Tensors       int     `json:"tensors"`
	Parameters    int64   `json:"parameters"`
	Bytes         int64   `json:"bytes"`
	Share         float64 `json:"share"` // of all tensor bytes, 0 to 1
	BitsPerWeight float64 `json:"bits_per_weight"`
}

// Describe reports what f holds. The report stays valid after f is closed.
func Describe(f *gguf.File) *Report {
	r := &Report{
		Path:      f.Path,
		Version:   f.Version,
		ByteOrder: "little",
		Alignment: f.Alignment,
		Model:     modelOf(f.Metadata),
		Shards:    make([]Shard, len(f.Shards)),
		Types:     []TypeTotal{},
		Tensors:   make([]Tensor, len(f.Tensors)),
	}
	if f.ByteOrder == binary.BigEndian {
		r.ByteOrder = "big"
	}
	for i, s := range f.Shards {
		r.Shards[i] = Shard{Path: s.Path, Size: s.Size, DataOffset: s.DataAt}
		r.Size += s.Size
	}
	for k, v := range f.Metadata.All() {
		r.Metadata = append(r.Metadata, Key{k, v})
	}
	r.addTensors(f.Tensors)
	return r
}

// A sum counts tensors.
type sum struct {
	tensors         int
	elements, bytes int64
}

func (s *sum) add(t *gguf.Tensor) {
	s.tensors++
	// Where the layout of a type is not known, a few bytes may claim any number
	// of elements.
	if s.elements += t.Elements(); s.elements < 0 {
		s.elements = math.MaxInt64
	}
	s.bytes += t.Size
}

func (s *sum) bitsPerWeight() float64 {
	if s.elements == 0 {
		return 0
	}
	return 8 * float64(s.bytes) / float64(s.elements)
}

func (r *Report) addTensors(tensors []*gguf.Tensor) {
	var all, matrices sum
	byType := make(map[gguf.Type]*sum)
	for i, t := range tensors {
		r.Tensors[i] = Tensor{
			Name:      t.Name,
			Type:      t.Type.String(),
			Shape:     t.Shape,
			Elements:  t.Elements(),
			Size:      t.Size,
			Offset:    t.Offset,
			Shard:     t.Shard,
			Decodable: decodable(t.Type),
		}
		r.Shards[t.Shard].Tensors++
		if byType[t.Type] == nil {
			byType[t.Type] = new(sum)
		}
		byType[t.Type].add(t)
		all.add(t)
		if t.Rows() > 1 {
			matrices.add(t)
		}
	}
	r.Totals = Totals{
		Tensors:             all.tensors,
		Parameters:          all.elements,
		Bytes:               all.bytes,
		BitsPerWeight:       all.bitsPerWeight(),
		MatrixBitsPerWeight: matrices.bitsPerWeight(),
	}
	for typ, s := range byType {
		r.Types = append(r.Types, TypeTotal{
			Type:          typ.String(),
			Project:       typ.Project(),
			Removed:       typ.Removed(),
			Decodable:     decodable(typ),
			Tensors:       s.tensors,
			Parameters:    s.elements,
			Bytes:         s.bytes,
			Share:         float64(s.bytes) / float64(max(all.bytes, 1)),
			BitsPerWeight: s.bitsPerWeight(),
		})
	}
	slices.SortFunc(r.Types, func(a, b TypeTotal) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Type, b.Type))
	})
}

// decodable reports whether there is a codec for t.
func decodable(t gguf.Type) bool {
	_, ok := block.Lookup(t)
	return ok
}
