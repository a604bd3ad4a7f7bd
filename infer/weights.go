package infer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/kernels/block"
	"github.com/gguftool/gguftool/kernels/cpu"
	"github.com/gguftool/gguftool/kernels/vec"
)

// weights holds a model's tensors in the form that the forward pass reads. What
// an architecture lacks is nil.
type weights struct {
	tokens    *table    // (vocab, width)
	positions []float32 // (context, width)
	tokenType []float32 // (width), of type 0: all texts are first sentences
	norm      *norm     // of the embeddings
	layers    []layer
}

// A layer is attention and a feed-forward network, each with the norm that
// follows its residual sum.
type layer struct {
	qkv         *linear // (width) → (3, width): queries, keys and values side by side
	attnOut     *linear // (width) → (width)
	attnOutNorm *norm
	up          *linear // (width) → (hidden)
	down        *linear // (hidden) → (width)
	outNorm     *norm
}

// A norm is the scale and shift after a LayerNorm.
type norm struct {
	weight []float32 // (width)
	bias   []float32 // (width)
}

// A table is a matrix of which single rows are needed. It stays in the file's
// format.
type table struct {
	file   *gguf.File
	tensor *gguf.Tensor
	codec  *block.Codec
}

// row stores row i of t in dst. buf is scratch memory.
func (t *table) row(dst []float32, i int64, buf *[]byte) error {
	*buf = slices.Grow((*buf)[:0], int(t.tensor.Size/t.tensor.Rows()))
	data, err := t.file.Data(t.tensor, i, i+1, *buf)
	if err != nil {
		return err
	}
	t.codec.Decode(dst, data)
	return nil
}

// loadWeights reads, checks and packs the tensors that c asks for. Where the
// size of the vocabulary is unknown, it is set to that of the embeddings.
func loadWeights(f *gguf.File, c *config, p *cpu.Pool, precision Precision) (*weights, error) {
	l := &loader{file: f, pool: p, precision: precision, read: map[string]bool{}}
	w := new(weights)
	if t := f.Tensor("token_embd.weight"); c.vocab == 0 && t != nil {
		c.vocab = int(min(t.Rows(), maxSize))
	}
	w.tokens = l.table("token_embd.weight", c.width, c.vocab)
	if c.tokenTypes && f.Tensor("token_types.weight") != nil {
		w.tokenType = l.firstRow("token_types.weight", c.width)
	}
	if c.learnedPositions {
		w.positions = l.values("position_embd.weight", c.width, c.context)
	}
	if c.embeddingNorm {
		w.norm = l.norm("token_embd_norm", c.width)
	}
	for i := 0; i < c.layers && l.err == nil; i++ {
		name := func(s string) string { return fmt.Sprintf("blk.%d.%s", i, s) }
		var qkv *linear
		if f.Tensor(name("attn_qkv.weight")) != nil {
			qkv = l.linear(c.width, part{name("attn_qkv"), 3 * c.width})
		} else {
			qkv = l.linear(c.width, part{name("attn_q"), c.width}, part{name("attn_k"), c.width}, part{name("attn_v"), c.width})
		}
		w.layers = append(w.layers, layer{
			qkv:         qkv,
			attnOut:     l.linear(c.width, part{name("attn_output"), c.width}),
			attnOutNorm: l.norm(name("attn_output_norm"), c.width),
			up:          l.linear(c.width, part{name("ffn_up"), c.hidden}),
			down:        l.linear(c.hidden, part{name("ffn_down"), c.width}),
			outNorm:     l.norm(name("layer_output_norm"), c.width),
		})
	}
	l.refuseUnread(c)
	return w, l.err
}

// A loader reads tensors. The first error stays in err; after it, methods do
// nothing.
type loader struct {
	file      *gguf.File
	pool      *cpu.Pool
	precision Precision       // PrecisionF32 or PrecisionInt8
	read      map[string]bool // names of tensors
	err       error
}

// A part is one tensor of a linear: name.weight and name.bias.
type part struct {
	name    string
	outputs int
}

func tensorPart(name string) string { return fmt.Sprintf("tensor %q", name) }

// tensor returns a tensor of the given shape, fastest dimension first, and its
// codec; nil after an error.
func (l *loader) tensor(name string, shape ...int) (*gguf.Tensor, *block.Codec) {
	if l.err != nil {
		return nil, nil
	}
	t := l.file.Tensor(name)
	if t == nil {
		l.err = fault.Malformed(l.file.Path, tensorPart(name), "is missing")
		return nil, nil
	}
	l.read[name] = true
	want := make([]int64, len(shape))
	for i, n := range shape {
		want[i] = int64(n)
	}
	if !slices.Equal(trimOnes(t.Shape), trimOnes(want)) {
		l.err = fault.Malformed(l.file.Path, tensorPart(name), "has shape %v, expected %v", t.Shape, want)
		return nil, nil
	}
	codec, ok := block.Lookup(t.Type)
	if !ok {
		l.err = fault.Unsupported(l.file.Path, tensorPart(name), "", "type %s cannot be decoded", t.Type)
		return nil, nil
	}
	return t, codec
}

// trimOnes drops dimensions of one at the end, which mean nothing.
func trimOnes(shape []int64) []int64 {
	for len(shape) > 0 && shape[len(shape)-1] == 1 {
		shape = shape[:len(shape)-1]
	}
	return shape
}

// table returns a tensor that stays where it is.
func (l *loader) table(name string, cols, rows int) *table {
	t, codec := l.tensor(name, cols, rows)
	return &table{l.file, t, codec}
}

// values returns all elements of a tensor.
func (l *loader) values(name string, shape ...int) []float32 {
	t, codec := l.tensor(name, shape...)
	if l.err != nil {
		return nil
	}
	return l.rows(t, codec, 0, t.Rows())
}

// firstRow returns row 0 of a tensor of any number of rows.
func (l *loader) firstRow(name string, cols int) []float32 {
	t, codec := l.tensor(name, cols, int(min(l.file.Tensor(name).Rows(), maxSize)))
	if l.err != nil {
		return nil
	}
	return l.rows(t, codec, 0, 1)
}

func (l *loader) rows(t *gguf.Tensor, codec *block.Codec, from, to int64) []float32 {
	data, err := l.file.Data(t, from, to, nil)
	if err != nil {
		l.err = err
		return nil
	}
	x := make([]float32, (to-from)*t.RowLen())
	codec.Decode(x, data)
	l.err = l.finite(t, from, x)
	return x
}

func (l *loader) norm(name string, width int) *norm {
	return &norm{l.values(name+".weight", width), l.values(name+".bias", width)}
}

// finite refuses values of t, from the given row on, that would make every
// vector NaN.
func (l *loader) finite(t *gguf.Tensor, row int64, x []float32) error {
	if i := vec.NotFinite(x); i >= 0 {
		at := row*t.RowLen() + int64(i)
		return fault.Malformed(l.file.Path, tensorPart(t.Name), "row %d, column %d is %v; weights must be finite",
			at/t.RowLen(), at%t.RowLen(), x[i])
	}
	return nil
}

// refuseUnread fails when the file has tensors that were not read: leaving out
// what a model was trained with would give wrong vectors silently.
func (l *loader) refuseUnread(c *config) {
	for _, t := range l.file.Tensors {
		if l.err != nil {
			return
		}
		unused := func(prefix string) bool { return strings.HasPrefix(t.Name, prefix) }
		if !l.read[t.Name] && !slices.ContainsFunc(c.unused, unused) {
			l.err = fault.Unsupported(l.file.Path, tensorPart(t.Name), "", "is not part of the architecture %q as supported here", c.arch)
		}
	}
}
