package quantize

import (
	"math"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// An architecture holds what the recipe does differently for one architecture.
type architecture struct {
	falcon      bool     // rules of its own for output, attn_output and ffn_down
	large       large    // the depth of models whose few value heads deserve more bits
	kept        []string // parts of names of weights that stay in their source type
	atLeastQ8_0 []string // parts of names of weights that nothing but Q8_0 is used for
	mxfp4FFN    bool     // MXFP4_MOE takes MXFP4 for the feed-forward experts only
	depth       depth    // layers that the feed-forward rules count beyond block_count
}

// large tells models of 70 billion weights by their depth.
type large struct {
	layers  int64
	grouped bool // and by having fewer key-value heads than query heads
}

type depth uint8

const (
	plain      depth = iota
	plusRouter       // one more, a layer that holds the adapter router
	looped           // as often as num_loops says
)

var architectures = map[string]architecture{
	"falcon":      {falcon: true},
	"llama":       {large: large{layers: 80, grouped: true}},
	"llama-embed": {large: large{layers: 80, grouped: true}},
	"qwen2":       {large: large{layers: 80}},
	"deci":        {large: large{layers: 80}},
	"olmo":        {large: large{layers: 80}},
	"jais2":       {large: large{layers: 68}},
	"bailingmoe3": {mxfp4FFN: true},
	"glm5-next": {
		kept: []string{"hc_", "indexer.attn_q_b", "indexer.attn_k", "indexer.proj", "indexer_compressor_gate",
			"indexer_compressor_ape", "ssm_f_a.weight", "ssm_f_b.weight", "ssm_g_a.weight", "ssm_g_b.weight",
			"ssm_beta.weight", "attn_kv_a_mqa.weight", "attn_k_b.weight", "attn_v_b.weight"},
		atLeastQ8_0: []string{"attn_q_a", "attn_q_b", "nextn.eh_proj"},
	},
	"graniteswitch": {depth: plusRouter},
	"nanbeige":      {depth: looped},
}

// noLayers are architectures without layers to count, which have no block_count.
var noLayers = map[string]bool{"clip": true}

// A model is what the recipe needs to know of the hyperparameters.
type model struct {
	arch    string
	rules   architecture
	layers  int64 // over which the feed-forward rules spread
	groups  int64 // query heads for each key-value head of the first layer
	experts int64
	large   bool
}

// readModel reads the hyperparameters. Only the mixture needs them, so that a
// model without them can still be quantized with --pure.
func readModel(s *Source, o *Options, base gguf.Type) (model, error) {
	h := hyperparameters{s.Metadata, o.KVOverrides}
	m := model{arch: h.text(gguf.KeyArchitecture)}
	m.rules = architectures[m.arch]
	if o.Pure || noLayers[m.arch] || !isBlock(base) {
		return m, nil
	}
	if m.arch == "" {
		return m, fault.Unsupported(s.Path, "", "name it with --override-kv "+gguf.KeyArchitecture+"=str:NAME, or use --pure",
			"%s is missing, and the mixture %s depends on it", gguf.KeyArchitecture, o.FileType)
	}

	key := m.arch + ".block_count"
	blocks, ok := h.int(key)
	if !ok {
		return m, fault.Unsupported(s.Path, "", "set it with --override-kv "+key+"=int:N, or use --pure",
			"%s is missing, and the mixture %s depends on it", key, o.FileType)
	}
	if blocks < 1 || blocks > math.MaxInt32 {
		return m, fault.Malformed(s.Path, key, "%d layers", blocks)
	}
	predictors, _ := h.int(m.arch + ".nextn_predict_layers")
	own := blocks - predictors
	m.layers = blocks
	switch m.rules.depth {
	case plusRouter:
		m.layers = own + 1
	case looped:
		if loops, _ := h.int(m.arch + ".num_loops"); loops > 1 && loops <= math.MaxInt32 {
			m.layers = own * loops
		}
	}

	heads, _ := h.int(m.arch + ".attention.head_count")
	headsKV, ok := h.int(m.arch + ".attention.head_count_kv")
	if !ok {
		headsKV = heads
	}
	if headsKV > 0 {
		m.groups = heads / headsKV
	}
	m.experts, _ = h.int(m.arch + ".expert_count")
	m.large = m.rules.large.layers > 0 && own == m.rules.large.layers && !(m.rules.large.grouped && heads == headsKV)
	return m, nil
}

// hyperparameters are the metadata as the overrides leave them.
type hyperparameters struct {
	metadata  *gguf.Metadata
	overrides []KVOverride
}

// int returns the integer at key, or the first of an array with one for each layer.
func (h hyperparameters) int(key string) (int64, bool) {
	if a, ok := gguf.Array[int32](h.metadata, key); ok && len(a) > 0 {
		return int64(a[0]), true
	}
	if a, ok := gguf.Array[uint32](h.metadata, key); ok && len(a) > 0 {
		return int64(a[0]), true
	}
	for _, o := range h.overrides {
		if n, ok := o.Value.Int(); ok && o.Key == key {
			return n, true
		}
	}
	return h.metadata.Int(key)
}

func (h hyperparameters) text(key string) string {
	for _, o := range h.overrides {
		if s, ok := o.Value.Text(); ok && o.Key == key {
			return s
		}
	}
	return h.metadata.Text(key)
}
