package convert

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gguftool/gguftool/internal/fault"
)

// nomicBERT is BERT with rope in place of embeddings of positions, one matrix for
// queries, keys and values, a gate in the feed-forward network and hardly a bias:
// nomic-embed-text v1 and v1.5.
//
// Its config.json has the names of GPT-2, as the model's own code wants them, or
// those of transformers' class.
var nomicBERT = architecture{
	name:    "nomic-bert",
	classes: []string{"NomicBertModel"},
	defaults: map[string]string{
		"vocab_size":         "30528",
		"n_embd":             "768",
		"n_layer":            "12",
		"n_head":             "12",
		"n_inner":            "3072",
		"layer_norm_epsilon": "1e-12",
		"type_vocab_size":    "2",
		// The context that versions 1 and 1.5 were trained for; n_positions says
		// how far rope was to reach.
		"max_position_embeddings": "2048",
		"max_trained_positions":   "2048",
	},
	prepare:    prepareNomicBERT,
	rope:       &ropeBases{theta: 1000},
	activation: "silu",
	encoder:    true,
	pooled:     true,
	prefix:     "bert.",
	drops: []dropRule{
		{"embeddings.position_ids", "the numbers of the positions are implied"},
		{"pooler.dense.weight", poolerDropped},
		{"pooler.dense.bias", poolerDropped},
		{"cls.predictions*", "the head for masked words plays no part in embeddings"},
	},
	tensors: []tensorRule{
		{hf: "embeddings.word_embeddings", gguf: "token_embd", parts: table(vocabSize, hiddenSize)},
		{hf: "embeddings.token_type_embeddings", gguf: "token_types", parts: table(tokenTypes, hiddenSize)},
		{hf: "emb_ln", gguf: "token_embd_norm", parts: norm(hiddenSize)},
		{hf: "encoder.layers.#.attn.Wqkv", gguf: "blk.#.attn_qkv", parts: table(fusedWidth, hiddenSize)},
		{hf: "encoder.layers.#.attn.out_proj", gguf: "blk.#.attn_output", parts: table(hiddenSize, queryWidth)},
		{hf: "encoder.layers.#.norm1", gguf: "blk.#.attn_output_norm", parts: norm(hiddenSize)},
		{hf: "encoder.layers.#.mlp.fc11", gguf: "blk.#.ffn_up", parts: table(feedForward, hiddenSize)},
		{hf: "encoder.layers.#.mlp.fc12", gguf: "blk.#.ffn_gate", parts: table(feedForward, hiddenSize)},
		{hf: "encoder.layers.#.mlp.fc2", gguf: "blk.#.ffn_down", parts: table(hiddenSize, feedForward)},
		{hf: "encoder.layers.#.norm2", gguf: "blk.#.layer_output_norm", parts: norm(hiddenSize)},
	},
}

// nomicBERTFixed are the fields that the model's code has more than one way for,
// with the only values, as JSON, that a file can stand for.
var nomicBERTFixed = []struct {
	field string
	want  []string // null where the field may be absent
}{
	{"activation_function", []string{`"swiglu"`}},
	{"causal", []string{"false"}},
	{"qkv_proj_bias", []string{"false"}},
	{"mlp_fc1_bias", []string{"false"}},
	{"mlp_fc2_bias", []string{"false"}},
	{"prenorm", []string{"false"}},
	{"rotary_emb_fraction", []string{"1.0", "1"}},
	{"rotary_emb_interleaved", []string{"false"}},
	{"rotary_emb_scale_base", []string{"null"}},
	{"n_positions", []string{"8192", "2048"}},
	{"max_trained_positions", []string{"2048"}},
	{"use_rms_norm", []string{"false", "null"}},
	{"parallel_block", []string{"false", "null"}},
}

// prepareNomicBERT refuses models that GGUF has other architectures for, or none.
func prepareNomicBERT(c *config) ([]string, error) {
	if raw := string(c.fields["moe_every_n_layers"]); raw != "" && raw != "0" {
		return nil, fault.Unsupported(c.file, `"moe_every_n_layers"`, "versions 1 and 1.5 are",
			"NomicBERT with experts, as in nomic-embed-text-v2-moe, is not supported")
	}
	if _, ok := c.fields["n_positions"]; ok { // of the model's own code
		for _, f := range nomicBERTFixed {
			raw, ok := c.fields[f.field]
			if !ok {
				raw = []byte("null")
			}
			if !slices.Contains(f.want, string(raw)) {
				return nil, fault.Unsupported(c.file, c.part(f.field), "", "NomicBERT where it is %s is not supported, want %s", excerpt(raw), f.want[0])
			}
		}
	}
	if raw, ok := c.fields["rotary_scaling_factor"]; ok {
		c.fields["rope_parameters"] = json.RawMessage(fmt.Sprintf(`{"rope_type": "dynamic", "factor": %s}`, raw))
	}
	return nil, c.assumeHeadSize()
}
