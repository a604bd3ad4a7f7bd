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
	tensors: []tensorRule{
		{hf: "embed_tokens", gguf: "token_embd", parts: table(vocabSize, hiddenSize)},
		{hf: "layers.#.input_layernorm", gguf: "blk.#.attn_norm", parts: rmsNorm(hiddenSize)},
		{hf: "layers.#.self_attn.q_proj", gguf: "blk.#.attn_q", parts: linear(queryWidth, hiddenSize)},
		{hf: "layers.#.self_attn.k_proj", gguf: "blk.#.attn_k", parts: linear(keyWidth, hiddenSize)},
		{hf: "layers.#.self_attn.v_proj", gguf: "blk.#.attn_v", parts: linear(keyWidth, hiddenSize)},
		{hf: "layers.#.self_attn.o_proj", gguf: "blk.#.attn_output", parts: table(hiddenSize, queryWidth)},
		{hf: "layers.#.post_attention_layernorm", gguf: "blk.#.ffn_norm", parts: rmsNorm(hiddenSize)},
		{hf: "layers.#.mlp.gate_proj", gguf: "blk.#.ffn_gate", parts: table(feedForward, hiddenSize)},
		{hf: "layers.#.mlp.up_proj", gguf: "blk.#.ffn_up", parts: table(feedForward, hiddenSize)},
		{hf: "layers.#.mlp.down_proj", gguf: "blk.#.ffn_down", parts: table(hiddenSize, feedForward)},
		{hf: "norm", gguf: "output_norm", parts: rmsNorm(hiddenSize)},
		{hf: "lm_head", gguf: "output", parts: table(vocabSize, hiddenSize), optional: true},
	},
}

// prepareQwen does what transformers' Qwen2Config and Qwen3Config do.
func prepareQwen(c *config) ([]string, error) {
	if err := c.assumeKeyHeads(); err != nil {
		return nil, err
	}
	return c.noteWindow(), nil
}
