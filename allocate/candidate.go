package allocate

import (
	"container/list"
	"fmt"
	"strings"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/kernels/block"
	"github.com/gguftool/gguftool/kernels/cpu"
)

// encodedMemory is about how many bytes of encoded tensors are kept.
const encodedMemory = 384 << 20

// An encoder encodes the tensors of a file, and keeps those that were used last:
// a search asks for the same ones again and again.
type encoder struct {
	file       *gguf.File
	importance map[string][]float32 // by tensor: a weight for each column of each expert
	pool       *cpu.Pool

	kept   map[candidate]*list.Element // of encoded
	recent *list.List                  // those used last first
	bytes  int64
}

// A candidate is a tensor in a type.
type candidate struct {
	tensor string
	to     gguf.Type
}

// encoded is the data of a candidate.
type encoded struct {
	candidate
	data []byte
	err  error // that the type cannot hold the weights
}

// newEncoder returns an encoder for the tensors of f. Importance of a tensor that
// has another number of columns is an error, but for the token embeddings, of which
// an importance file may tell how they are used as the head.
func newEncoder(f *gguf.File, importance map[string][]float32, threads int) (*encoder, error) {
	e := &encoder{file: f, pool: cpu.NewPool(threads), kept: map[candidate]*list.Element{}, recent: list.New(), importance: map[string][]float32{}}
	for _, t := range f.Tensors {
		values, ok := importance[t.Name]
		switch {
		case !ok:
		case int64(len(values)) == t.RowLen()*experts(t):
			e.importance[t.Name] = values
		case t.Name != tokenTable:
			return nil, fmt.Errorf("the importance of %q has %d values, the tensor %d columns in %d experts; measure importance with this model",
				t.Name, len(values), t.RowLen(), experts(t))
		}
	}
	return e, nil
}

// experts returns the number of matrices of t that have importance of their own.
func experts(t *gguf.Tensor) int64 {
	if len(t.Shape) < 3 {
		return 1
	}
	return t.Shape[2]
}

// tokenTable is the tensor of which rows are looked up by token.
const tokenTable = "token_embd.weight"

// encode returns the rows of a tensor, all or those that are named, in a type. A
// type that cannot hold the weights gives a *block.RowError. Rows must be the same
// for every call of a tensor.
func (e *encoder) encode(name string, to gguf.Type, rows []int64) ([]byte, error) {
	c := candidate{name, to}
	if at, ok := e.kept[c]; ok {
		e.recent.MoveToFront(at)
		return at.Value.(*encoded).data, at.Value.(*encoded).err
	}
	data, err := e.fresh(name, to, rows)
	if _, refused := err.(*block.RowError); err != nil && !refused {
		return nil, err
	}
	e.kept[c] = e.recent.PushFront(&encoded{c, data, err})
	for e.bytes += int64(len(data)); e.bytes > encodedMemory && e.recent.Len() > 1; {
		last := e.recent.Remove(e.recent.Back()).(*encoded)
		delete(e.kept, last.candidate)
		e.bytes -= int64(len(last.data))
	}
	return data, err
}

// pieceElements is about how many weights are decoded and encoded at a time.
const pieceElements = 1 << 15

// fresh encodes what is not kept.
func (e *encoder) fresh(name string, to gguf.Type, rows []int64) ([]byte, error) {
	t := e.file.Tensor(name)
	if t == nil {
		return nil, fmt.Errorf("%s has no tensor %q", e.file.Path, name)
	}
	if to == t.Type {
		return e.asIs(t, rows)
	}
	codec, ok := block.Lookup(to)
	if !ok || !codec.CanEncode() {
		return nil, fault.Unsupported(e.file.Path, fmt.Sprintf("tensor %q", name), "", "%s cannot be written", to)
	}
	size, ok := to.Size(t.RowLen())
	if !ok {
		return nil, fmt.Errorf("%q: %d columns have no size as %s", name, t.RowLen(), to)
	}
	count := t.Rows()
	if rows != nil {
		count = int64(len(rows))
	}
	out := make([]byte, count*size)
	piece := max(1, pieceElements/t.RowLen())
	return out, e.eachPiece(t, rows, piece, func(first, n int64, x, importance []float32) error {
		return codec.EncodeRows(out[first*size:(first+n)*size], x, int(t.RowLen()), importance)
	})
}

// asIs returns rows, all or those that are named, as the file has them.
func (e *encoder) asIs(t *gguf.Tensor, rows []int64) ([]byte, error) {
	if rows == nil {
		return e.file.Data(t, 0, t.Rows(), nil)
	}
	var out, buf []byte
	for _, row := range rows {
		data, err := e.file.Data(t, row, row+1, buf)
		if err != nil {
			return nil, err
		}
		out = append(out, data...)
	}
	return out, nil
}

// eachPiece calls f for the rows of t, all or those that are named, a piece of them
// at a time: n of those from first on, decoded, and the importance of their columns
// or nil. A piece is of one expert. Calls overlap.
func (e *encoder) eachPiece(t *gguf.Tensor, rows []int64, piece int64, f func(first, n int64, x, importance []float32) error) error {
	from, ok := block.Lookup(t.Type)
	if !ok {
		return fault.Unsupported(e.file.Path, fmt.Sprintf("tensor %q", t.Name), "start from F32, F16 or BF16", "%s cannot be decoded", t.Type)
	}
	columns, count := t.RowLen(), t.Rows()
	if rows != nil {
		count = int64(len(rows))
	}
	matrix := max(1, count) // rows of one
	if len(t.Shape) > 2 {
		matrix = t.Shape[1]
	}
	var starts []int64
	for base := int64(0); base < count; base += matrix {
		for at := base; at < base+matrix; at += piece {
			starts = append(starts, at)
		}
	}
	return e.pool.Try(len(starts), func(_, i int) error {
		first, end := starts[i], count
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		x := make([]float32, (end-first)*columns)
		var buf []byte
		decode := func(dst []float32, top, bottom int64) error {
			data, err := e.file.Data(t, top, bottom, buf)
			if err == nil {
				from.Decode(dst, data)
			}
			return err
		}
		if rows == nil {
			if err := decode(x, first, end); err != nil {
				return err
			}
		} else {
			for k, row := range rows[first:end] {
				if err := decode(x[int64(k)*columns:][:columns], row, row+1); err != nil {
					return err
				}
			}
		}
		importance := e.importance[t.Name]
		if importance != nil {
			importance = importance[first/matrix%experts(t)*columns:][:columns]
		}
		return f(first, end-first, x, importance)
	})
}

// tensors returns what each tensor of the file may become. unused are prefixes of
// the names of those that what is measured does not depend on.
func (e *encoder) tensors(unused ...string) []Tensor {
	all := make([]Tensor, 0, len(e.file.Tensors))
	for _, t := range e.file.Tensors {
		in := Tensor{Name: t.Name, Shape: t.Dimensions(), Type: t.Type, Weighted: e.importance[t.Name] != nil}
		in.Fixed = fixed(t)
		for _, prefix := range unused {
			if in.Fixed == "" && strings.HasPrefix(t.Name, prefix) {
				in.Fixed = "nothing that is measured depends on it"
			}
		}
		if in.Fixed == "" {
			in.Types = typesFor(t, in.Weighted)
		}
		if in.Fixed == "" && len(in.Types) == 0 {
			in.Fixed = fmt.Sprintf("no type holds rows of %d columns", t.RowLen())
		}
		all = append(all, in)
	}
	return all
}

// fixed says why t must stay as it is, or "".
//
// llama.cpp multiplies by weights of any type, and looks up rows of any type, so
// that position embeddings may be quantized as token embeddings are, though
// llama-quantize leaves them alone. What it adds or scales by must be F32: norms,
// biases and the one row of token types that it takes (a view, not a lookup). With
// another type it ends at "binary_op: unsupported types".
func fixed(t *gguf.Tensor) string {
	switch {
	case len(t.Dimensions()) < 2:
		return "one-dimensional: readers add it, or scale by it, in F32"
	case t.Elements() == 0:
		return "empty"
	case t.Name == "token_types.weight":
		return "token types: readers add their row in F32"
	case strings.Contains(t.Name, "_norm."):
		return "a norm: readers scale by it in F32"
	case !strings.HasSuffix(t.Name, ".weight"):
		return "no weight of a product"
	}
	return ""
}

// typesFor returns the types that hold rows of t, with or without importance.
func typesFor(t *gguf.Tensor, weighted bool) (types []gguf.Type) {
	for to := gguf.Type(0); to < mostTypes; to++ {
		codec, ok := block.Lookup(to)
		if !ok || !codec.CanEncode() || codec.NeedsImportance() && !weighted {
			continue
		}
		if elements, _, _ := to.Block(); t.RowLen()%int64(elements) == 0 {
			types = append(types, to)
		}
	}
	return types
}

// mostTypes is above the number of every type.
const mostTypes = 256
