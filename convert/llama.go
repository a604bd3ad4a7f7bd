package convert

import (
	"errors"
	"fmt"
)

// llama is Llama 1 to 3 and what was built like it, such as Mistral 7B, SmolLM and
// TinyLlama.
//
// Its rope turns the two numbers of a pair by the same angle. In checkpoints the
// pairs of a head are its two halves, in GGUF they stand side by side, and the
// rows of queries and keys are reordered for it.
var llama = architecture{
	name:    "llama",
	classes: []string{"LlamaForCausalLM", "LLaMAForCausalLM", "LlamaModel"},
	defaults: map[string]string{
		"vocab_size":              "32000",
		"hidden_size":             "4096",
		"num_hidden_layers":       "32",
		"num_attention_heads":     "32",
		"intermediate_size":       "11008",
		"max_position_embeddings": "2048",
		"rms_norm_eps":            "1e-6",
	},
	prepare:    prepareLlama,
	rope:       &ropeBases{theta: 10000},
	parameters: llamaParameters,
	activation: "silu",
	prefix:     "model.",
	drops:      decoderDrops,
	tensors:    llamaTensors,
}

// mistral is Llama with other sizes where config.json does not say them.
var mistral = architecture{
	name:    "llama",
	classes: []string{"MistralForCausalLM"},
	defaults: map[string]string{
		"vocab_size":              "32000",
		"hidden_size":             "4096",
		"num_hidden_layers":       "32",
		"num_attention_heads":     "32",
		"num_key_value_heads":     "8",
		"intermediate_size":       "14336",
		"max_position_embeddings": "131072",
		"rms_norm_eps":            "1e-6",
		"sliding_window":          "4096",
	},
	prepare:    prepareLlama,
	rope:       &ropeBases{theta: 10000},
	parameters: llamaParameters,
	activation: "silu",
	prefix:     "model.",
	drops:      decoderDrops,
	tensors:    llamaTensors,
}

var llamaParameters = []parameter{
	{"vocab_size", kindCount, []string{"vocab_size"}},
	{"rope.dimension_count", kindCount, headSizeFields},
}

var llamaTensors = decoderTensors(projection,
	tensorRule{hf: "layers.#.self_attn.q_proj", gguf: "blk.#.attn_q", parts: projection(queryWidth, hiddenSize), change: pairsTogether},
	tensorRule{hf: "layers.#.self_attn.k_proj", gguf: "blk.#.attn_k", parts: projection(keyWidth, hiddenSize), change: pairsTogether},
	tensorRule{hf: "layers.#.self_attn.v_proj", gguf: "blk.#.attn_v", parts: projection(keyWidth, hiddenSize)},
	tensorRule{hf: "layers.#.self_attn.o_proj", gguf: "blk.#.attn_output", parts: projection(hiddenSize, queryWidth)},
)

// decoderTensors are those of Llama and of what differs from it in attention alone.
// feed says whether matrices of the feed-forward network may have biases.
func decoderTensors(feed func(out, in dimension) []part, attention ...tensorRule) []tensorRule {
	rules := []tensorRule{
		{hf: "embed_tokens", gguf: "token_embd", parts: table(vocabSize, hiddenSize)},
		{hf: "layers.#.input_layernorm", gguf: "blk.#.attn_norm", parts: rmsNorm(hiddenSize)},
	}
	rules = append(rules, attention...)
	return append(rules,
		tensorRule{hf: "layers.#.post_attention_layernorm", gguf: "blk.#.ffn_norm", parts: rmsNorm(hiddenSize)},
		tensorRule{hf: "layers.#.mlp.gate_proj", gguf: "blk.#.ffn_gate", parts: feed(feedForward, hiddenSize)},
		tensorRule{hf: "layers.#.mlp.up_proj", gguf: "blk.#.ffn_up", parts: feed(feedForward, hiddenSize)},
		tensorRule{hf: "layers.#.mlp.down_proj", gguf: "blk.#.ffn_down", parts: feed(hiddenSize, feedForward)},
		tensorRule{hf: "norm", gguf: "output_norm", parts: rmsNorm(hiddenSize)},
		tensorRule{hf: "lm_head", gguf: "output", parts: table(vocabSize, hiddenSize), optional: true},
	)
}

// decoderDrops are what checkpoints of decoders have that can be computed.
var decoderDrops = []dropRule{
	{"layers.#.self_attn.rotary_emb.inv_freq", "the frequencies of rope are computed"},
}

// prepareLlama does what transformers' LlamaConfig and MistralConfig do.
func prepareLlama(c *config) ([]string, error) {
	return c.noteWindow(), errors.Join(c.assumeKeyHeads(), c.assumeHeadSize())
}

// assumeKeyHeads gives every head keys of its own where config.json does not say
// how many share them.
func (c *config) assumeKeyHeads() error {
	if c.find(keyHeadFields) == "" {
		heads, err := c.count(c.find(headFields))
		if err != nil {
			return err
		}
		c.derive(keyHeadFields[0], heads)
	}
	return nil
}

// assumeHeadSize divides the width among the heads where config.json does not say
// how wide they are.
func (c *config) assumeHeadSize() error {
	if c.find(headSizeFields) != "" {
		return nil
	}
	if err := c.checkHeads(); err != nil {
		return err
	}
	size, err := c.headSize()
	if err != nil {
		return err
	}
	c.derive(headSizeFields[0], size)
	return nil
}

// noteWindow tells that the file says nothing of a window that tokens look back
// through.
func (c *config) noteWindow() []string {
	if raw, ok := c.fields["use_sliding_window"]; ok && string(raw) != "true" {
		return nil
	}
	window, err := c.count("sliding_window")
	if err != nil { // there is none
		return nil
	}
	if n, err := c.count("max_position_embeddings"); err == nil && n <= window {
		return nil
	}
	return []string{fmt.Sprintf("tokens attend to the last %d (sliding_window); what reads the file lets them attend to all", window)}
}
