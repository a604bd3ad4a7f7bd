package synth

import (
	"cmp"
	"fmt"

	"github.com/gguftool/gguftool/gguf"
)

// A Decoder is a model of the Llama family. The zero value of every number
// means a small default.
type Decoder struct {
	Arch    string // general.architecture; "llama"
	Layers  int    // 4
	Width   int    // 256
	Heads   int    // 8
	KVHeads int    // as Heads
	FF      int    // 2 × Width
	Experts int    // 0: dense
	Vocab   int    // 64
	Tied    bool   // no output.weight
	Words   bool   // has a tokenizer, BPE of bytes, whose size Vocab becomes
	Seed    uint64
}

// Model returns the GGUF file, with all keys that llama.cpp needs to quantize it
// and, with Words, to run it.
func (d Decoder) Model() *Model {
	arch := cmp.Or(d.Arch, "llama")
	layers, width, heads := cmp.Or(d.Layers, 4), cmp.Or(d.Width, 256), cmp.Or(d.Heads, 8)
	kvHeads, ff, vocab := cmp.Or(d.KVHeads, heads), cmp.Or(d.FF, 2*width), cmp.Or(d.Vocab, 64)
	kvWidth := width / heads * kvHeads
	var words byteVocabulary
	if d.Words {
		words = newByteVocabulary()
		vocab = len(words.tokens)
	}

	var md gguf.Metadata
	number := func(key string, n int) { md.Set(arch+"."+key, gguf.ValueOf(uint32(n))) }
	md.Set(gguf.KeyArchitecture, gguf.ValueOf(arch))
	md.Set("general.type", gguf.ValueOf("model"))
	number("block_count", layers)
	number("context_length", 128)
	number("embedding_length", width)
	number("feed_forward_length", ff)
	number("attention.head_count", heads)
	number("attention.head_count_kv", kvHeads)
	md.Set(arch+".rope.freq_base", gguf.ValueOf[float32](10000))
	md.Set(arch+".attention.layer_norm_rms_epsilon", gguf.ValueOf[float32](1e-5))
	if d.Experts > 0 {
		number("expert_count", d.Experts)
		number("expert_used_count", 2)
	}
	md.Set(gguf.KeyFileType, gguf.ValueOf(uint32(gguf.FileF32)))
	number("vocab_size", vocab)
	number("rope.dimension_count", width/heads)
	if d.Words {
		words.setTokenizer(&md)
	}
	md.Set(gguf.KeyQuantizationVersion, gguf.ValueOf(gguf.QuantizationVersion))

	m := &Model{Metadata: &md, Seed: d.Seed}
	add := func(name string, shape ...int) {
		t := gguf.TensorInfo{Name: name}
		for _, n := range shape {
			t.Shape = append(t.Shape, int64(n))
		}
		m.Tensors = append(m.Tensors, t)
	}
	if !d.Tied {
		add("output.weight", width, vocab)
	}
	add("token_embd.weight", width, vocab)
	for i := range layers {
		block := func(name string, shape ...int) { add(fmt.Sprintf("blk.%d.%s.weight", i, name), shape...) }
		block("attn_norm", width)
		if d.Experts > 0 {
			block("ffn_down_exps", ff, width, d.Experts)
			block("ffn_gate_exps", width, ff, d.Experts)
			block("ffn_up_exps", width, ff, d.Experts)
			block("ffn_gate_inp", width, d.Experts)
		} else {
			block("ffn_down", ff, width)
			block("ffn_gate", width, ff)
			block("ffn_up", width, ff)
		}
		block("ffn_norm", width)
		block("attn_k", width, kvWidth)
		block("attn_output", width, width)
		block("attn_q", width, width)
		block("attn_v", width, kvWidth)
	}
	add("output_norm.weight", width)
	return m
}
