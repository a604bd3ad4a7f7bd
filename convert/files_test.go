package convert

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The files are those of models on the hub, shortened. Those with a plus are needed.
func TestSelectFiles(t *testing.T) {
	for name, list := range map[string]string{
		"sentence-transformers": `+1_Pooling/config.json +README.md +config.json +config_sentence_transformers.json +data_config.json
			+model.safetensors +modules.json onnx/config.json onnx/model.onnx onnx/tokenizer.json openvino/openvino_model.bin openvino/openvino_model.xml
			pytorch_model.bin rust_model.ot +sentence_bert_config.json +special_tokens_map.json tf_model.h5 +tokenizer.json +tokenizer_config.json
			train_script.py +vocab.txt .gitattributes`,
		"embeddinggemma": `+1_Pooling/config.json +2_Dense/config.json +2_Dense/model.safetensors 2_Dense/pytorch_model.bin +3_Dense/config.json +3_Dense/model.safetensors
			4_Normalize/.gitkeep +added_tokens.json +config.json +generation_config.json +model.safetensors +modules.json +tokenizer.model +tokenizer.json`,
		"shards": `LICENSE +config.json consolidated.safetensors +model-00001-of-00002.safetensors +model-00002-of-00002.safetensors +model.safetensors.index.json
			model.safetensors original/consolidated.00.pth original/tokenizer.model params.json +tokenizer.json +tokenizer.model.v3 +chat_template.jinja
			+additional_chat_templates/tool_use.jinja additional_chat_templates/notes.txt pytorch_model-00001-of-00002.bin pytorch_model.bin.index.json`,
		"torch shards":   `+config.json +pytorch_model-00001-of-00002.bin +pytorch_model-00002-of-00002.bin +pytorch_model.bin.index.json +vocab.json +merges.txt flax_model.msgpack training_args.bin`,
		"variants":       `+config.json +model.safetensors model.fp16.safetensors pytorch_model.fp16.bin`,
		"one variant":    `+config.json +model.fp16.safetensors`,
		"lost index":     `+config.json +model-00001-of-00001.safetensors`,
		"index alone":    `+config.json +model.safetensors model.safetensors.index.json`,
		"multilingual":   `+config.json +sentencepiece.bpe.model +model.safetensors +tokenizer.json`,
		"code tokenizer": `+config.json +qwen.tiktoken +model.safetensors tokenization_qwen.py modeling_qwen.py`,
	} {
		var paths, want []string
		for _, p := range strings.Fields(list) {
			p, wanted := strings.CutPrefix(p, "+")
			paths = append(paths, p)
			if wanted {
				want = append(want, p)
			}
		}
		got, err := SelectFiles(paths, true)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: selected %q, %v; want %q", name, got, err, want)
		}
		got, err = SelectFiles(paths, false)
		if err != nil || slices.ContainsFunc(got, func(p string) bool {
			return strings.Contains(p, "model-0") || strings.HasSuffix(p, "s") || strings.HasSuffix(p, ".bin")
		}) {
			t.Errorf("%s: selected %q, %v without weights", name, got, err)
		}
	}
}

func TestSelectFilesNone(t *testing.T) {
	for list, want := range map[string]string{
		"":                            "it has no files",
		"README.md":                   "it has no config.json; it is no checkpoint that can be converted",
		"model-Q4_K_M.gguf README.md": "it has no config.json; it has GGUF files, which need no conversion, such as model-Q4_K_M.gguf",
		"adapter_config.json adapter_model.safetensors": "it has no config.json; it is an adapter for another model, such as adapter_config.json",
		"config.json consolidated.safetensors":          "it has no weights, neither model.safetensors nor shards of it nor pytorch_model.bin; it has safetensors files for another program, such as consolidated.safetensors",
		"config.json onnx/model.onnx":                   "it has no weights, neither model.safetensors nor shards of it nor pytorch_model.bin; it has ONNX files, which cannot be converted, such as onnx/model.onnx",
		"config.json tf_model.h5":                       "it has no weights, neither model.safetensors nor shards of it nor pytorch_model.bin; it is no checkpoint that can be converted",
	} {
		got, err := SelectFiles(strings.Fields(list), true)
		if err == nil || err.Error() != want {
			t.Errorf("%q: selected %q, error %v, want %s", list, got, err, want)
		}
	}
}

// CheckConfig needs config.json alone and sees what Open would say of it.
func TestCheckConfig(t *testing.T) {
	for config, want := range map[string]string{
		`{"architectures": ["BertModel"]}`:                                                  "",
		`{"architectures": ["NewModel"]}`:                                                   "models of class NewModel are not supported",
		`{"architectures": ["BertModel"], "quantization_config": {"quant_method": "gptq"}}`: "GPTQ",
		`{`: "config.json",
		"":  "is not the folder of a Hugging Face checkpoint",
	} {
		dir := t.TempDir()
		if config != "" {
			if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if err := CheckConfig(dir); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", config, err, want)
		}
	}
}
