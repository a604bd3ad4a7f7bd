package synth

import (
	"fmt"
	"slices"

	"github.com/gguftool/gguftool/gguf"
)

// A BERT is an encoder like all-MiniLM. The zero value of every number means a
// small default.
type BERT struct {
	Layers  int // 2
	Width   int // 64
	Heads   int // 4
	FF      int // 4 × Width
	Context int // 64 positions
	Vocab   int // tokens, at least those of Vocabulary; more are filled with [unusedN]
	Seed    uint64

	// Weights is the type of the matrices that a quantizer touches in the GGUF
	// file: all but positions and token types. Encode makes it, unless it is F32.
	Weights gguf.Type
	Encode  func(t gguf.TensorInfo, weights []float32) ([]byte, error)
}

func (b BERT) withDefaults() BERT {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	set(&b.Layers, 2)
	set(&b.Width, 64)
	set(&b.Heads, 4)
	set(&b.FF, 4*b.Width)
	set(&b.Context, 64)
	b.Vocab = max(b.Vocab, len(Vocabulary()))
	return b
}

// A weight is a tensor of the checkpoint and its name in the GGUF file.
type weight struct {
	hf, gguf string  // gguf is empty for a tensor that conversion drops
	shape    []int64 // as in a checkpoint: rows first
}

// weights lists the tensors in the order of the checkpoint, which is also that
// of the GGUF file.
func (b BERT) weights() []weight {
	d, ff := int64(b.Width), int64(b.FF)
	ws := []weight{
		{"embeddings.LayerNorm.bias", "token_embd_norm.bias", []int64{d}},
		{"embeddings.LayerNorm.weight", "token_embd_norm.weight", []int64{d}},
		{"embeddings.position_embeddings.weight", "position_embd.weight", []int64{int64(b.Context), d}},
		{"embeddings.token_type_embeddings.weight", "token_types.weight", []int64{2, d}},
		{"embeddings.word_embeddings.weight", "token_embd.weight", []int64{int64(b.Vocab), d}},
	}
	for i := range b.Layers {
		for _, w := range []weight{
			{"attention.output.LayerNorm.bias", "attn_output_norm.bias", []int64{d}},
			{"attention.output.LayerNorm.weight", "attn_output_norm.weight", []int64{d}},
			{"attention.output.dense.bias", "attn_output.bias", []int64{d}},
			{"attention.output.dense.weight", "attn_output.weight", []int64{d, d}},
			{"attention.self.key.bias", "attn_k.bias", []int64{d}},
			{"attention.self.key.weight", "attn_k.weight", []int64{d, d}},
			{"attention.self.query.bias", "attn_q.bias", []int64{d}},
			{"attention.self.query.weight", "attn_q.weight", []int64{d, d}},
			{"attention.self.value.bias", "attn_v.bias", []int64{d}},
			{"attention.self.value.weight", "attn_v.weight", []int64{d, d}},
			{"intermediate.dense.bias", "ffn_up.bias", []int64{ff}},
			{"intermediate.dense.weight", "ffn_up.weight", []int64{ff, d}},
			{"output.LayerNorm.bias", "layer_output_norm.bias", []int64{d}},
			{"output.LayerNorm.weight", "layer_output_norm.weight", []int64{d}},
			{"output.dense.bias", "ffn_down.bias", []int64{d}},
			{"output.dense.weight", "ffn_down.weight", []int64{d, ff}},
		} {
			w.hf = fmt.Sprintf("encoder.layer.%d.%s", i, w.hf)
			w.gguf = fmt.Sprintf("blk.%d.%s", i, w.gguf)
			ws = append(ws, w)
		}
	}
	return append(ws,
		weight{"pooler.dense.bias", "", []int64{d}},
		weight{"pooler.dense.weight", "", []int64{d, d}})
}

// Model returns the GGUF file that llama.cpp's converter makes of the
// checkpoint, but for the keys that it takes from a model card.
func (b BERT) Model() *Model {
	b = b.withDefaults()
	m := &Model{Metadata: b.metadata(), Seed: b.Seed, Encode: b.Encode}
	for _, w := range b.weights() {
		if w.gguf == "" {
			continue
		}
		t := gguf.TensorInfo{Name: w.gguf, Shape: slices.Clone(w.shape)}
		slices.Reverse(t.Shape)
		if len(t.Shape) == 2 && t.Name != "position_embd.weight" && t.Name != "token_types.weight" {
			t.Type = b.Weights
		}
		m.Tensors = append(m.Tensors, t)
	}
	return m
}

// WriteGGUF writes the GGUF file to path.
func (b BERT) WriteGGUF(path string) error { return b.Model().WriteGGUF(path, nil) }

func (b BERT) metadata() *gguf.Metadata {
	var md gguf.Metadata
	md.Set(gguf.KeyArchitecture, gguf.ValueOf("bert"))
	md.Set("general.type", gguf.ValueOf("model"))
	md.Set("general.name", gguf.ValueOf("Synthetic BERT"))
	md.Set("bert.block_count", gguf.ValueOf(uint32(b.Layers)))
	md.Set("bert.context_length", gguf.ValueOf(uint32(b.Context)))
	md.Set("bert.embedding_length", gguf.ValueOf(uint32(b.Width)))
	md.Set("bert.feed_forward_length", gguf.ValueOf(uint32(b.FF)))
	md.Set("bert.attention.head_count", gguf.ValueOf(uint32(b.Heads)))
	md.Set("bert.attention.layer_norm_epsilon", gguf.ValueOf(float32(layerNormEpsilon)))
	md.Set(gguf.KeyFileType, gguf.ValueOf(uint32(gguf.FileF32)))
	md.Set("bert.attention.causal", gguf.ValueOf(false))
	md.Set("bert.pooling_type", gguf.ValueOf[uint32](1)) // mean
	md.Set(gguf.KeyQuantizationVersion, gguf.ValueOf(gguf.QuantizationVersion))
	setTokenizer(&md, vocabulary(b.Vocab))
	return &md
}

const layerNormEpsilon = 1e-12
