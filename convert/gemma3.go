package convert

import (
	"fmt"
	"slices"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// gemma3 is Gemma 3, the models of text alone.
//
// Its norms multiply by one more than their weights, and GGUF has the sum. Of six
// layers, five see a window of the text and have a rope of their own.
var gemma3 = architecture{
	name:     "gemma3",
	classes:  []string{"Gemma3ForCausalLM"},
	defaults: gemma3Defaults,
	prepare:  prepareGemma3,
	rope:     gemma3Rope,
	parameters: []parameter{
		{"final_logit_softcapping", kindNonzero, []string{"final_logit_softcapping"}},
		{"attention.sliding_window", kindCount, []string{"sliding_window"}},
	},
	activation: "gelu_pytorch_tanh",
	trimsRows:  true,
	extras:     gemma3Extras,
	prefix:     "model.",
	drops:      decoderDrops,
	tensors:    gemma3Tensors,
}

var gemma3Defaults = map[string]string{
	"vocab_size":              "262208",
	"hidden_size":             "2304",
	"num_hidden_layers":       "26",
	"num_attention_heads":     "8",
	"num_key_value_heads":     "4",
	"head_dim":                "256",
	"intermediate_size":       "9216",
	"max_position_embeddings": "131072",
	"rms_norm_eps":            "1e-6",
	"sliding_window":          "4096",
	"query_pre_attn_scalar":   "256",
	"tie_word_embeddings":     "true",
	"hidden_activation":       `"gelu_pytorch_tanh"`,
}

var gemma3Rope = &ropeBases{theta: 1e6, local: 1e4}

var gemma3Tensors = []tensorRule{
	{hf: "embed_tokens", gguf: "token_embd", parts: table(vocabSize, hiddenSize)},
	{hf: "layers.#.input_layernorm", gguf: "blk.#.attn_norm", parts: rmsNorm(hiddenSize), change: plusOne},
	{hf: "layers.#.self_attn.q_proj", gguf: "blk.#.attn_q", parts: projection(queryWidth, hiddenSize)},
	{hf: "layers.#.self_attn.k_proj", gguf: "blk.#.attn_k", parts: projection(keyWidth, hiddenSize)},
	{hf: "layers.#.self_attn.v_proj", gguf: "blk.#.attn_v", parts: projection(keyWidth, hiddenSize)},
	{hf: "layers.#.self_attn.q_norm", gguf: "blk.#.attn_q_norm", parts: rmsNorm(headSize), change: plusOne},
	{hf: "layers.#.self_attn.k_norm", gguf: "blk.#.attn_k_norm", parts: rmsNorm(headSize), change: plusOne},
	{hf: "layers.#.self_attn.o_proj", gguf: "blk.#.attn_output", parts: projection(hiddenSize, queryWidth)},
	{hf: "layers.#.post_attention_layernorm", gguf: "blk.#.post_attention_norm", parts: rmsNorm(hiddenSize), change: plusOne},
	{hf: "layers.#.pre_feedforward_layernorm", gguf: "blk.#.ffn_norm", parts: rmsNorm(hiddenSize), change: plusOne},
	{hf: "layers.#.mlp.gate_proj", gguf: "blk.#.ffn_gate", parts: table(feedForward, hiddenSize)},
	{hf: "layers.#.mlp.up_proj", gguf: "blk.#.ffn_up", parts: table(feedForward, hiddenSize)},
	{hf: "layers.#.mlp.down_proj", gguf: "blk.#.ffn_down", parts: table(hiddenSize, feedForward)},
	{hf: "layers.#.post_feedforward_layernorm", gguf: "blk.#.post_ffw_norm", parts: rmsNorm(hiddenSize), change: plusOne},
	{hf: "norm", gguf: "output_norm", parts: rmsNorm(hiddenSize), change: plusOne},
	{hf: "lm_head", gguf: "output", parts: table(vocabSize, hiddenSize), optional: true},
}

// prepareGemma3 refuses what no reader computes and tells what readers take for
// granted.
func prepareGemma3(c *config) (notes []string, err error) {
	if err := c.assumeKeyHeads(); err != nil {
		return nil, err
	}
	if _, ok := c.fields["attn_logit_softcapping"]; ok {
		return nil, fault.Unsupported(c.file, `"attn_logit_softcapping"`, "", "Gemma 3 has no cap on attention scores")
	}
	windows, err := c.gemma3Windows()
	if err != nil {
		return nil, err
	}
	switch {
	case !slices.Contains(windows, true) && string(c.fields["sliding_window_pattern"]) == "1":
		delete(c.fields, "sliding_window")
	case !slices.Equal(windows, gemma3Pattern(len(windows))):
		notes = append(notes, fmt.Sprintf("the layers %v see the whole text; what reads the file takes every sixth, unless it knows %s (--extras)",
			whole(windows), "gemma3."+keyWindowPattern))
	}
	scale, err := c.number("query_pre_attn_scalar")
	if err != nil {
		return nil, err
	}
	if size, err := c.count(headSizeFields[0]); err != nil || scale != float32(size) {
		notes = append(notes, fmt.Sprintf("attention scores are divided by the root of %g (query_pre_attn_scalar); "+
			"what reads the file takes the size of a head, %d, but for the model of 62 layers", scale, size))
	}
	return notes, nil
}

// keyWindowPattern, after the architecture, is one bool for each layer, whether it
// sees a window. llama.cpp reads it and its converter does not write it.
const keyWindowPattern = "attention.sliding_window_pattern"

// gemma3Windows returns for each layer whether it sees a window of the text.
func (c *config) gemma3Windows() ([]bool, error) {
	layers, err := c.layerCount()
	if err != nil {
		return nil, err
	}
	var types []string
	if err := c.decode("layer_types", &types); err != nil {
		return nil, err
	}
	if types != nil {
		if len(types) != int(layers) {
			return nil, c.errorf("layer_types", "it has %d layers, the model %d", len(types), layers)
		}
		windows := make([]bool, len(types))
		for i, t := range types {
			if t != "sliding_attention" && t != "full_attention" {
				return nil, c.errorf("layer_types", "layer %d is %q, want sliding_attention or full_attention", i, t)
			}
			windows[i] = t == "sliding_attention"
		}
		return windows, nil
	}
	if c.fields["sliding_window_pattern"] == nil {
		return gemma3Pattern(int(layers)), nil
	}
	every, err := c.count("sliding_window_pattern")
	if err != nil {
		return nil, err
	}
	windows := make([]bool, layers)
	for i := range windows {
		windows[i] = (i+1)%int(every) != 0
	}
	return windows, nil
}

// gemma3Pattern is the pattern that readers of the file know.
func gemma3Pattern(layers int) []bool {
	windows := make([]bool, layers)
	for i := range windows {
		windows[i] = (i+1)%6 != 0
	}
	return windows
}

// whole returns the numbers of the layers without a window.
func whole(windows []bool) (layers []int) {
	for i, w := range windows {
		if !w {
			layers = append(layers, i)
		}
	}
	return layers
}

// gemma3Extras writes the pattern where it is not the one that readers know.
func gemma3Extras(md *gguf.Metadata, c *config) error {
	windows, err := c.gemma3Windows()
	if err == nil && !slices.Equal(windows, gemma3Pattern(len(windows))) {
		md.Set(md.Text(gguf.KeyArchitecture)+"."+keyWindowPattern, gguf.ArrayOf(windows))
	}
	return err
}
