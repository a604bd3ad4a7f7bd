package convert_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/convert"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/tokenizer"
)

// changed returns a copy of one of the checkpoints with other values of fields in a
// JSON file; nil takes a field out.
func changed(t *testing.T, checkpoint, file string, fields map[string]any) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), checkpoint)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata/checkpoints", checkpoint))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, filepath.FromSlash(file))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]any)
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for k, v := range fields {
		all[k] = v
		if v == nil {
			delete(all, k)
		}
	}
	if data, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

const (
	llama2     = "llama-2-tiny-hf"
	llama3     = "Llama-3.2-tiny-Instruct"
	mistral    = "Mistral-tiny-v0.3"
	qwen25     = "Qwen2.5-tiny-Instruct"
	qwen3      = "Qwen3-tiny"
	gemma3     = "gemma-3-tiny-it"
	embGemma   = "embeddinggemma-tiny"
	xlmRoBERTa = "multilingual-e5-tiny"
	nomic      = "nomic-embed-text-tiny-v1.5"
)

type fields = map[string]any

// The tokenizer of a result finds the ids that those of Hugging Face and
// SentencePiece found when the examples were made.
func TestIDs(t *testing.T) {
	files, err := filepath.Glob("testdata/outputs/*.json")
	if err != nil || len(files) < 13 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var want struct {
			Texts []struct {
				Text string
				IDs  []int32
			}
		}
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		m, err := convert.Open(filepath.Join("testdata/checkpoints", name), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		tok, err := tokenizer.FromGGUF(m.Metadata)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range want.Texts {
			if got := tok.Encode(text.Text, true); !slices.Equal(got, text.IDs) {
				t.Errorf("%s: %q is %v, want %v", name, text.Text, got, text.IDs)
			}
		}
	}
}

// What a file could not stand for, or contradicts itself, is refused.
func TestRefused(t *testing.T) {
	const config, dense = "config.json", "2_Dense/config.json"
	rope := func(scaling fields) fields { return fields{"rope_scaling": scaling, "rope_parameters": nil} }
	for _, c := range []struct {
		checkpoint, file string
		fields           fields
		unsupported      bool
		want             string
	}{
		{llama2, config, rope(fields{"type": "longrope"}), true, `"rope_scaling.type": rope scaling of the kind "longrope" is not supported; supported are linear, llama3 and yarn`},
		{llama2, config, rope(fields{"type": "linear", "factor": "x"}), false, `"rope_scaling.factor": it is "x", want a number`},
		{llama2, config, rope(fields{"type": "linear"}), false, `"rope_scaling.factor": it is missing; linear scaling has one`},
		{llama2, config, rope(fields{"type": 3}), false, `"rope_scaling.type": it is 3`},
		{llama2, config, fields{"rope_scaling": "linear"}, false, `"rope_scaling": it is "linear"`},
		{llama2, config, rope(fields{"partial_rotary_factor": 0.5}), true, `"rope_scaling.partial_rotary_factor": rotating a part of each head is not supported`},
		{llama2, config, fields{"rope_theta": "x", "rope_scaling": nil}, false, `"rope_theta": it is "x"`},
		{llama2, config, fields{"num_attention_heads": 3}, false, `"num_attention_heads": 3 heads cannot share hidden_size of config.json (32)`},
		{llama2, config, fields{"num_attention_heads": 32}, false, `heads are 1 wide, want an even number`},
		{llama2, config, fields{"head_dim": 16}, false, `by num_key_value_heads of config.json (4) and head_dim of config.json (16)`},
		{llama2, config, fields{"head_dim": 1 << 20}, false, `heads are 1048576 wide`},
		{llama2, config, fields{"num_hidden_layers": 1 << 20}, false, `"num_hidden_layers": it is 1048576, more than 65536`},
		{llama2, config, fields{"num_hidden_layers": 3}, false, `tensor "layers.2.input_layernorm.weight": it is missing`},
		{llama2, config, fields{"num_hidden_layers": 1}, true, `a LlamaForCausalLM of 1 layers has no such tensor`},
		{llama2, config, fields{"architectures": []string{"LlamaForSequenceClassification"}}, true, `class LlamaForSequenceClassification are not supported`},
		{llama3, config, fields{"num_key_value_heads": 3}, false, `"num_attention_heads": 4 heads cannot share num_key_value_heads of config.json (3)`},
		{llama3, config, fields{"rope_parameters": fields{"rope_type": "llama3", "factor": 8, "low_freq_factor": 0}}, false, `"rope_parameters.low_freq_factor": it is 0, want more than 0`},
		{qwen3, config, fields{"_name_or_path": "Qwen/Qwen3-Reranker-0.6B"}, true, "the model is a reranker"},
		{gemma3, config, fields{"attn_logit_softcapping": 50}, true, "Gemma 3 has no cap on attention scores"},
		{gemma3, config, fields{"layer_types": []string{"full_attention"}}, false, `"layer_types": it has 1 layers, the model 6`},
		{gemma3, config, fields{"layer_types": []string{"a", "b", "c", "d", "e", "f"}}, false, `"layer_types": layer 0 is "a"`},
		{gemma3, config, fields{"sliding_window_pattern": 0}, false, `"sliding_window_pattern": it is 0`},
		{gemma3, config, fields{"query_pre_attn_scalar": "x"}, false, `"query_pre_attn_scalar": it is "x"`},
		{embGemma, config, fields{"sliding_window": nil}, false, `"sliding_window": it is missing`},
		{embGemma, dense, fields{"bias": true}, true, `the modules ["Dense" "Dense"] cannot be stored in GGUF`},
		{embGemma, dense, fields{"activation_function": "torch.nn.modules.activation.Tanh"}, true, `the modules ["Dense" "Dense"] cannot be stored in GGUF`},
		{embGemma, dense, fields{"in_features": 31}, false, `"in_features": it is 31, but hidden_size of config.json (32)`},
		{embGemma, dense, fields{"out_features": 63}, false, `"in_features": it is 64, but the module before has 63 out_features`},
		{embGemma, "3_Dense/config.json", fields{"out_features": 31}, false, `tensor "linear.weight": its shape is [32 64], want [31 64]`},
		{xlmRoBERTa, config, fields{"pad_token_id": -1}, false, `"pad_token_id": it is -1, want the id of a token`},
		{xlmRoBERTa, config, fields{"pad_token_id": 97}, false, `"max_position_embeddings": 98 positions are not more than the 98 that no token has`},
		{xlmRoBERTa, config, fields{"pad_token_id": 1 << 40}, false, `"pad_token_id": it is 1099511627776`},
		{xlmRoBERTa, config, fields{"max_position_embeddings": 90}, false, `its shape is [98 32], want [90 32] by max_position_embeddings`},
		{nomic, config, fields{"moe_every_n_layers": 2}, true, "NomicBERT with experts, as in nomic-embed-text-v2-moe, is not supported"},
		{nomic, config, fields{"prenorm": true}, true, `"prenorm": NomicBERT where it is true is not supported, want false`},
		{nomic, config, fields{"qkv_proj_bias": true}, true, `"qkv_proj_bias": `},
		{nomic, config, fields{"mlp_fc1_bias": nil}, true, `"mlp_fc1_bias": NomicBERT where it is null is not supported, want false`},
		{nomic, config, fields{"activation_function": "gelu"}, true, `"activation_function": `},
		{nomic, config, fields{"rotary_emb_fraction": 0.5}, true, `"rotary_emb_fraction": `},
		{nomic, config, fields{"rotary_emb_scale_base": 512}, true, `"rotary_emb_scale_base": `},
		{nomic, config, fields{"n_positions": 4096}, true, `"n_positions": `},
		{nomic, config, fields{"max_trained_positions": 512}, true, `"max_trained_positions": `},
	} {
		dir := changed(t, c.checkpoint, c.file, c.fields)
		m, err := convert.Open(dir, nil)
		if err == nil {
			m.Close()
			t.Errorf("%s %v: it was converted", c.checkpoint, c.fields)
			continue
		}
		_, malformed := errors.AsType[*fault.FormatError](err)
		_, unsupported := errors.AsType[*fault.UnsupportedError](err)
		if !strings.Contains(err.Error(), c.want) || malformed == c.unsupported || unsupported != c.unsupported {
			t.Errorf("%s %v: %v\nwant %s", c.checkpoint, c.fields, err, c.want)
		}
	}
}

// What a file does not say although results depend on it is noted, and where there
// is a key for it stored with the extras.
func TestModelNotes(t *testing.T) {
	for _, c := range []struct {
		checkpoint string
		fields     fields
		want, key  string
	}{
		{checkpoint: llama2},
		{llama2, fields{"hidden_act": "gelu"}, `the activation is "gelu"; what reads the file computes silu`, ""},
		{llama2, fields{"rope_scaling": fields{"type": "dynamic", "factor": 2}}, "texts that are longer than the model's context (dynamic)", "gguftool.rope.scaling.dynamic_factor"},
		{mistral, fields{"sliding_window": 32}, "tokens attend to the last 32 (sliding_window)", ""},
		{mistral, fields{"sliding_window": 64}, "", ""},
		{qwen25, fields{"sliding_window": 32}, "", ""},
		{qwen25, fields{"sliding_window": 32, "use_sliding_window": true}, "tokens attend to the last 32", ""},
		{qwen25, fields{"tie_word_embeddings": false}, "the checkpoint has no head (lm_head)", ""},
		{checkpoint: gemma3},
		{gemma3, fields{"sliding_window_pattern": 2}, "the layers [1 3 5] see the whole text", "gemma3.attention.sliding_window_pattern"},
		{gemma3, fields{"query_pre_attn_scalar": 256}, "divided by the root of 256", ""},
		{embGemma, fields{"use_bidirectional_attention": false}, "tokens attend to those before them", ""},
		{nomic, fields{"rotary_scaling_factor": 2}, "(dynamic)", "gguftool.rope.scaling.dynamic_factor"},
	} {
		dir := changed(t, c.checkpoint, "config.json", c.fields)
		m, err := convert.Open(dir, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		defer m.Close()
		if notes := strings.Join(m.Notes, "\n"); !strings.Contains(notes, c.want) || c.want == "" && strings.Contains(notes, "what reads the file") {
			t.Errorf("%s %v: notes %q, want %q", c.checkpoint, c.fields, notes, c.want)
		}
		if c.key == "" {
			continue
		}
		if _, ok := m.Metadata.Lookup(c.key); ok {
			t.Errorf("%s %v: %s without being asked", c.checkpoint, c.fields, c.key)
		}
		with, err := convert.Open(dir, &convert.Options{Extras: true})
		if err != nil {
			t.Error(err)
			continue
		}
		defer with.Close()
		if _, ok := with.Metadata.Lookup(c.key); !ok {
			t.Errorf("%s %v: no %s", c.checkpoint, c.fields, c.key)
		}
	}
}
