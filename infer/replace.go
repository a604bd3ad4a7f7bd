package infer

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/gguf"
)

// A Stored is the data of a tensor in a type, as a file would hold it: row after
// row.
type Stored struct {
	Type gguf.Type
	Data []byte

	// Rows, when set, are the only rows that Data has, in ascending order: those of
	// token embeddings that are asked for.
	Rows []int64
}

// tensor returns t in the type of s.
func (s *Stored) tensor(t *gguf.Tensor) *gguf.Tensor {
	other := *t
	other.Type, other.Size = s.Type, int64(len(s.Data))
	return &other
}

// check fails where the data is not that of t.
func (s *Stored) check(t *gguf.Tensor) error {
	elements, bytes, ok := s.Type.Block()
	if !ok || t.RowLen()%int64(elements) != 0 || int64(len(s.Data)) != s.count(t)*t.RowLen()/int64(elements)*int64(bytes) {
		return fmt.Errorf("%d bytes are not those of %q, %v, in type %s", len(s.Data), t.Name, t.Shape, s.Type)
	}
	return nil
}

// count returns how many rows s has.
func (s *Stored) count(t *gguf.Tensor) int64 {
	if s.Rows != nil {
		return int64(len(s.Rows))
	}
	return t.Rows()
}

// rows returns the bytes of rows from ≤ i < to, of a tensor with all its rows.
func (s *Stored) rows(t *gguf.Tensor, from, to int64) []byte {
	size := int64(len(s.Data)) / t.Rows()
	return s.Data[from*size : to*size]
}

// row returns the bytes of row i, which may be absent.
func (s *Stored) row(t *gguf.Tensor, i int64) ([]byte, error) {
	if s.Rows == nil {
		return s.rows(t, i, i+1), nil
	}
	at, ok := slices.BinarySearch(s.Rows, i)
	if !ok {
		return nil, fmt.Errorf("row %d of %q is not among those that replace it", i, t.Name)
	}
	size := len(s.Data) / len(s.Rows)
	return s.Data[at*size : (at+1)*size], nil
}

// With returns a model that computes what m would if its file had other data for
// some tensors. It shares all other weights with m, so that making it takes no
// longer than packing these tensors and those that share an input with them. Their
// data must stay as it is. Shapes do not change, and neither does what frequencies
// are divided by (rope_freqs).
func (m *Model) With(tensors map[string]Stored) (*Model, error) {
	file := m.weights.tokens.file
	other := &Model{config: m.config, precision: m.precision, pool: m.pool, head: m.head, closing: m.closing}
	other.id, other.origin, other.first = new(identity), m.id, len(m.weights.layers)
	other.replaced = maps.Clone(m.replaced)
	if other.replaced == nil {
		other.replaced = map[string]Stored{}
	}
	for name, s := range tensors {
		if file.Tensor(name) == nil || name == "rope_freqs.weight" {
			return nil, fmt.Errorf("%s has no tensor %q that could be replaced", file.Path, name)
		}
		if s.Rows != nil && (name != tokenTable || m.config.logits && m.headName()+".weight" == name) {
			return nil, fmt.Errorf("all rows of %q are needed", name)
		}
		other.replaced[name] = s
		other.first = min(other.first, m.FirstChanged(name))
		if strings.TrimSuffix(name, ".weight") == m.headName() || name == "output.bias" {
			other.head = new(head)
		}
	}
	l := newLoader(file, &other.config, m.pool, m.precision)
	l.replaced, l.packed = other.replaced, m.weights.linears()
	// What m itself has in place of the file's is packed already.
	l.fresh = tensors
	var err error
	other.weights, err = l.weights()
	return other, err
}

// tokenTable is the tensor of which rows are looked up.
const tokenTable = "token_embd.weight"

// An identity tells a model from others that With makes.
type identity struct{ _ byte }

// FirstChanged returns the first layer whose output depends on a tensor: -1 for
// what makes the states in front of the first one, the number of layers for what
// follows the last.
func (m *Model) FirstChanged(name string) int {
	if rest, ok := strings.CutPrefix(name, "blk."); ok {
		number, _, _ := strings.Cut(rest, ".")
		if i, err := strconv.Atoi(number); err == nil {
			return i
		}
	}
	after := append([]string{"output"}, m.config.norms.final)
	for _, d := range m.config.dense {
		after = append(after, d.name)
	}
	stem := name[:max(0, strings.LastIndexByte(name, '.'))]
	if slices.Contains(after, stem) {
		return len(m.weights.layers)
	}
	return -1
}

// linears returns all linear layers but the head by the name of their first weight.
func (w *weights) linears() map[string]*linear {
	all := map[string]*linear{}
	for i := range w.layers {
		l := &w.layers[i]
		for _, lin := range []*linear{l.qkv, l.attnOut, l.up, l.down} {
			all[lin.names[0]] = lin
		}
	}
	for _, lin := range w.dense {
		all[lin.names[0]] = lin
	}
	return all
}

// differs reports whether a part is to be packed anew.
func (l *loader) differs(p part) bool {
	_, weight := l.fresh[p.name+".weight"]
	_, bias := l.fresh[p.name+".bias"]
	return weight || bias
}
