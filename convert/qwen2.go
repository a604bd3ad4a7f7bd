package convert

// qwen2 is Qwen 2 and 2.5, and embedding models made of them, such as
// gte-Qwen2-1.5B-instruct.
var qwen2 = architecture{
	name:    "qwen2",
	classes: []string{"Qwen2ForCausalLM", "Qwen2Model"},
	defaults: map[string]string{
		"vocab_size":              "151936",
		"hidden_size":             "4096",
		"num_hidden_layers":       "32",
		"num_attention_heads":     "32",
		"num_key_value_heads":     "32",
		"intermediate_size":       "22016",
		"max_position_embeddings": "32768",
		"rms_norm_eps":            "1e-6",
		"use_sliding_window":      "false",
	},
	prepare:    prepareQwen,
	rope:       &ropeBases{theta: 10000},
	activation: "silu",
	pooled:     true,
	prefix:     "model.",
	drops:      decoderDrops,
	tensors: decoderTensors(table,
		tensorRule{hf: "layers.#.self_attn.q_proj", gguf: "blk.#.attn_q", parts: linear(queryWidth, hiddenSize)},
		tensorRule{hf: "layers.#.self_attn.k_proj", gguf: "blk.#.attn_k", parts: linear(keyWidth, hiddenSize)},
		tensorRule{hf: "layers.#.self_attn.v_proj", gguf: "blk.#.attn_v", parts: linear(keyWidth, hiddenSize)},
		tensorRule{hf: "layers.#.self_attn.o_proj", gguf: "blk.#.attn_output", parts: table(hiddenSize, queryWidth)},
	),
}

// prepareQwen does what transformers' Qwen2Config and Qwen3Config do.
func prepareQwen(c *config) ([]string, error) {
	if err := c.assumeKeyHeads(); err != nil {
		return nil, err
	}
	return c.noteWindow(), nil
}
