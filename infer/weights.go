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
	positions []float32 // (trained, width)
	tokenType []float32 // (width), of type 0: all texts are first sentences
	norm      *norm     // of the embeddings
	layers    []layer
	final     *norm     // of what the last layer gives
	dense     []*linear // that pooled vectors go through
}

// A layer is attention and a feed-forward network. Norms stand where normPlaces
// says; most are nil.
type layer struct {
	slides bool  // whether attention has a window
	rope   *rope // or nil

	beforeAttention *norm
	qkv             *linear // (width) → (heads + 2·kvHeads, headSize): queries, keys and values side by side
	query, key      *norm   // (headSize)
	attnOut         *linear // (heads·headSize) → (width)
	afterAttention  *norm
	attentionSum    *norm

	beforeFFN *norm
	up        *linear // (width) → (hidden), or (2, hidden): gate and up side by side
	down      *linear // (hidden) → (width)
	afterFFN  *norm
	ffnSum    *norm
}

// A norm is the scale and shift after a LayerNorm, or the scale after an RMSNorm.
type norm struct {
	weight  []float32
	bias    []float32 // nil for an RMSNorm
	epsilon float32
}

// apply normalises x.
func (n *norm) apply(x []float32) {
	if n.bias != nil {
		vec.LayerNorm(x, n.weight, n.bias, n.epsilon)
	} else {
		vec.RMSNorm(x, n.weight, n.epsilon)
	}
}

// A table is a matrix of which single rows are needed. It stays in the file's
// format.
type table struct {
	file     *gguf.File
	tensor   *gguf.Tensor
	codec    *block.Codec
	replaced *Stored // instead of what the file has
}

// row stores row i of t in dst. buf is scratch memory.
func (t *table) row(dst []float32, i int64, buf *[]byte) error {
	if t.replaced != nil {
		data, err := t.replaced.row(t.tensor, i)
		if err == nil {
			t.codec.Decode(dst, data)
		}
		return err
	}
	*buf = slices.Grow((*buf)[:0], int(t.tensor.Size/t.tensor.Rows()))
	data, err := t.file.Data(t.tensor, i, i+1, *buf)
	if err != nil {
		return err
	}
	t.codec.Decode(dst, data)
	return nil
}

// weights reads, checks and packs the tensors that the config asks for. Where the
// size of the vocabulary is unknown, it is set to that of the embeddings.
func (l *loader) weights() (*weights, error) {
	f, c := l.file, l.config
	w := new(weights)
	if t := f.Tensor(tokenTable); t != nil && (c.vocab == 0 || onlyUnused(f, t.Rows())) {
		c.vocab = int(min(t.Rows(), maxSize))
	}
	w.tokens = l.table(tokenTable, c.width, c.vocab)
	if c.tokenTypes && f.Tensor("token_types.weight") != nil {
		w.tokenType = l.firstRow("token_types.weight", c.width)
	}
	if c.learnedPositions {
		w.positions = l.values("position_embd.weight", c.width, c.trained)
	}
	if c.embeddingNorm {
		w.norm = l.norm("token_embd_norm", c.width)
	}
	if c.rope != nil && f.Tensor("rope_freqs.weight") != nil {
		l.read["rope_freqs.weight"] = true
		if l.packed == nil { // else the config has them already
			l.ropeFactors(c.rope)
		}
	}
	for i := 0; i < c.layers && l.err == nil; i++ {
		w.layers = append(w.layers, l.layer(i))
	}
	w.final = l.norm(c.norms.final, c.width)
	for i, d := range c.dense {
		if i > 0 && d.inputs != c.dense[i-1].outputs || i == 0 && d.inputs != c.width {
			l.fail(fault.Malformed(f.Path, keyPart(c.arch+"."+d.name+"_feat_in"), "is %d, which is not the length of what comes before", d.inputs))
		}
		w.dense = append(w.dense, l.linear(d.inputs, part{d.name, d.outputs}))
	}
	l.noteHead()
	l.refuseUnread()
	return w, l.err
}

// onlyUnused reports whether the vocabulary of f goes on behind its first tokens
// with ids that stand for no token, which need no embeddings. llama.cpp's converter
// writes such files of Gemma 3.
func onlyUnused(f *gguf.File, tokens int64) bool {
	const unused = 5
	types, ok := gguf.Array[int32](f.Metadata, "tokenizer.ggml.token_type")
	return ok && tokens < int64(len(types)) && !slices.ContainsFunc(types[tokens:], func(t int32) bool { return t != unused })
}

// A denseShape is a linear layer that pooled vectors go through.
type denseShape struct {
	name            string // in the file
	inputs, outputs int
}

// layer reads layer i.
func (l *loader) layer(i int) layer {
	c := l.config
	name := func(s string) string {
		if s == "" {
			return ""
		}
		return fmt.Sprintf("blk.%d.%s", i, s)
	}
	attention, kv := c.heads*c.headSize, c.kvHeads*c.headSize
	qkv := []part{{name("attn_q"), attention}, {name("attn_k"), kv}, {name("attn_v"), kv}}
	if l.file.Tensor(name("attn_qkv.weight")) != nil {
		qkv = []part{{name("attn_qkv"), attention + 2*kv}}
	}
	up := []part{{name("ffn_up"), c.hidden}}
	if c.gated {
		up = []part{{name("ffn_gate"), c.hidden}, up[0]}
	}
	slides, rope := c.rotary(i)
	return layer{
		slides: slides,
		rope:   rope,

		beforeAttention: l.norm(name(c.norms.beforeAttention), c.width),
		qkv:             l.linear(c.width, qkv...),
		query:           l.norm(name(c.norms.query), c.headSize),
		key:             l.norm(name(c.norms.key), c.headSize),
		attnOut:         l.linear(attention, part{name("attn_output"), c.width}),
		afterAttention:  l.norm(name(c.norms.afterAttention), c.width),
		attentionSum:    l.norm(name(c.norms.attentionSum), c.width),

		beforeFFN: l.norm(name(c.norms.beforeFFN), c.width),
		up:        l.linear(c.width, up...),
		down:      l.linear(c.hidden, part{name("ffn_down"), c.width}),
		afterFFN:  l.norm(name(c.norms.afterFFN), c.width),
		ffnSum:    l.norm(name(c.norms.ffnSum), c.width),
	}
}

// ropeFactors reads by what each step of r is divided.
func (l *loader) ropeFactors(r *rope) {
	const name = "rope_freqs.weight"
	factors := l.values(name, r.dims/2)
	for i, f := range factors {
		if !(f > 0) {
			l.fail(fault.Malformed(l.file.Path, tensorPart(name), "element %d is %v; it must be more than 0", i, f))
		}
	}
	if l.err == nil {
		r.divide(factors)
	}
}

// noteHead says that the head is read, which happens when logits are asked for.
func (l *loader) noteHead() {
	if l.config.logits {
		l.read["output.weight"], l.read["output.bias"] = true, true
	}
}

// A loader reads tensors. The first error stays in err; after it, methods do
// nothing.
type loader struct {
	file      *gguf.File
	config    *config
	pool      *cpu.Pool
	precision Precision       // PrecisionF32 or PrecisionInt8
	read      map[string]bool // names of tensors
	err       error

	// For a model that differs from one that is loaded in some tensors.
	replaced map[string]Stored  // instead of what the file has
	fresh    map[string]Stored  // those of them that the other does not have
	packed   map[string]*linear // of the other, by the name of its first weight
}

func newLoader(f *gguf.File, c *config, p *cpu.Pool, precision Precision) *loader {
	return &loader{file: f, config: c, pool: p, precision: precision, read: map[string]bool{}}
}

func (l *loader) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

// A part is one tensor of a linear: name.weight and, where there is one,
// name.bias.
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
	r, replaced := l.replaced[name]
	if replaced {
		t = r.tensor(t)
	}
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
	if replaced {
		l.err = r.check(t)
	}
	return t, codec
}

// data returns the bytes of rows from ≤ i < to of a tensor.
func (l *loader) data(t *gguf.Tensor, from, to int64) ([]byte, error) {
	if r, ok := l.replaced[t.Name]; ok {
		return r.rows(t, from, to), nil
	}
	return l.file.Data(t, from, to, nil)
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
	in := &table{file: l.file, tensor: t, codec: codec}
	if r, ok := l.replaced[name]; ok {
		in.replaced = &r
	}
	return in
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
	data, err := l.data(t, from, to)
	if err != nil {
		l.err = err
		return nil
	}
	x := make([]float32, (to-from)*t.RowLen())
	codec.Decode(x, data)
	l.err = l.finite(t, from, x)
	return x
}

// norm returns the norm called name, and nil for none.
func (l *loader) norm(name string, width int) *norm {
	if name == "" {
		return nil
	}
	n := &norm{weight: l.values(name+".weight", width), epsilon: l.config.epsilon}
	if l.config.normKind == layerNorm {
		n.bias = l.values(name+".bias", width)
	}
	return n
}

// bias returns the bias of a part, or nil for none.
func (l *loader) bias(p part) []float32 {
	stem := p.name[strings.LastIndexByte(p.name, '.')+1:]
	name := p.name + ".bias"
	if l.file.Tensor(name) == nil && !slices.Contains(l.config.biased, stem) {
		return nil
	}
	return l.values(name, p.outputs)
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
func (l *loader) refuseUnread() {
	c := l.config
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
