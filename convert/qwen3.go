package convert

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/gguftool/gguftool/convert/internal/jsonfile"
	"github.com/gguftool/gguftool/internal/fault"
)

// qwen3 is Qwen 3, which normalizes queries and keys, and the embedding models
// Qwen3-Embedding.
var qwen3 = architecture{
	name:    "qwen3",
	classes: []string{"Qwen3ForCausalLM", "Qwen3Model"},
	defaults: map[string]string{
		"vocab_size":              "151936",
		"hidden_size":             "4096",
		"num_hidden_layers":       "32",
		"num_attention_heads":     "32",
		"num_key_value_heads":     "32",
		"head_dim":                "128",
		"intermediate_size":       "22016",
		"max_position_embeddings": "32768",
		"rms_norm_eps":            "1e-6",
		"use_sliding_window":      "false",
	},
	prepare: func(c *config) ([]string, error) {
		if err := c.refuseReranker(); err != nil {
			return nil, err
		}
		return prepareQwen(c)
	},
	rope:       &ropeBases{theta: 10000},
	activation: "silu",
	pooled:     true,
	prefix:     "model.",
	drops:      decoderDrops,
	tensors: decoderTensors(table,
		tensorRule{hf: "layers.#.self_attn.q_proj", gguf: "blk.#.attn_q", parts: projection(queryWidth, hiddenSize)},
		tensorRule{hf: "layers.#.self_attn.k_proj", gguf: "blk.#.attn_k", parts: projection(keyWidth, hiddenSize)},
		tensorRule{hf: "layers.#.self_attn.v_proj", gguf: "blk.#.attn_v", parts: projection(keyWidth, hiddenSize)},
		tensorRule{hf: "layers.#.self_attn.q_norm", gguf: "blk.#.attn_q_norm", parts: rmsNorm(headSize)},
		tensorRule{hf: "layers.#.self_attn.k_norm", gguf: "blk.#.attn_k_norm", parts: rmsNorm(headSize)},
		tensorRule{hf: "layers.#.self_attn.o_proj", gguf: "blk.#.attn_output", parts: projection(hiddenSize, queryWidth)},
	),
}

// refuseReranker refuses Qwen3-Reranker, whose files would have a classifier in
// place of the head. Its configuration is that of any Qwen 3; llama.cpp's converter
// knows it by its names and by its model card.
func (c *config) refuseReranker() error {
	const name = "qwen3-reranker"
	dir, err := filepath.Abs(filepath.Dir(c.file))
	if err != nil {
		return err
	}
	card, err := jsonfile.Read(filepath.Join(dir, "README.md"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	names := filepath.Base(dir)
	if n := c.nameOrPath(); n != nil {
		names += " " + *n
	}
	if strings.Contains(strings.ToLower(names), name) ||
		strings.Contains(strings.ToLower(string(card)), "# "+name) {
		return fault.Unsupported(c.file, "", "embedding models and generators of Qwen 3 are", "the model is a reranker (%s), which is not supported", name)
	}
	return nil
}
