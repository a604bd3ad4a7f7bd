package synth

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gguftool/gguftool/gguf"
)

// CheckpointOptions change what WriteCheckpoint writes.
type CheckpointOptions struct {
	Shards int // safetensors files; more than one come with an index
	// Type is F32, or F16 or BF16 with Encode, which makes such weights.
	Type   gguf.Type
	Encode func(t gguf.TensorInfo, weights []float32) ([]byte, error)
}

type object = map[string]any

// WriteCheckpoint writes the model as sentence-transformers lays it out into the
// existing folder dir. opts may be nil.
func (b BERT) WriteCheckpoint(dir string, opts *CheckpointOptions) error {
	b = b.withDefaults()
	var o CheckpointOptions
	if opts != nil {
		o = *opts
	}
	if err := b.writeWeights(dir, o); err != nil {
		return err
	}
	tokens := vocabulary(b.Vocab)
	var vocab bytes.Buffer
	for _, t := range tokens {
		fmt.Fprintln(&vocab, t)
	}
	if err := os.MkdirAll(filepath.Join(dir, "1_Pooling"), 0o777); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "vocab.txt"), vocab.Bytes(), 0o666); err != nil {
		return err
	}
	for name, v := range map[string]any{
		"config.json": object{
			"architectures": []string{"BertModel"}, "model_type": "bert", "hidden_act": "gelu",
			"hidden_size": b.Width, "intermediate_size": b.FF, "num_attention_heads": b.Heads, "num_hidden_layers": b.Layers,
			"max_position_embeddings": b.Context, "type_vocab_size": 2, "vocab_size": b.Vocab,
			"layer_norm_eps": layerNormEpsilon, "pad_token_id": idPad, "position_embedding_type": "absolute",
		},
		"tokenizer.json": tokenizerJSON(tokens),
		"tokenizer_config.json": object{
			"tokenizer_class": "BertTokenizer", "do_lower_case": true, "tokenize_chinese_chars": true, "strip_accents": nil,
			"pad_token": special[idPad], "unk_token": special[idUnk], "cls_token": special[idCLS],
			"sep_token": special[idSEP], "mask_token": special[idMask], "model_max_length": b.Context,
		},
		"special_tokens_map.json": object{
			"pad_token": special[idPad], "unk_token": special[idUnk], "cls_token": special[idCLS],
			"sep_token": special[idSEP], "mask_token": special[idMask],
		},
		"modules.json": []object{
			{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
			{"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
			{"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
		},
		"1_Pooling/config.json": object{
			"word_embedding_dimension": b.Width, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true,
			"pooling_mode_max_tokens": false, "pooling_mode_mean_sqrt_len_tokens": false,
		},
		"sentence_bert_config.json": object{"max_seq_length": b.Context, "do_lower_case": false},
	} {
		if err := writeJSON(filepath.Join(dir, name), v); err != nil {
			return err
		}
	}
	return nil
}

func tokenizerJSON(tokens []string) object {
	vocab := object{}
	for i, t := range tokens {
		vocab[t] = i
	}
	added := []object{}
	for i, t := range special {
		added = append(added, object{
			"id": i, "content": t, "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
		})
	}
	token := func(id, typ int) object { return object{"SpecialToken": object{"id": special[id], "type_id": typ}} }
	text := func(id string, typ int) object { return object{"Sequence": object{"id": id, "type_id": typ}} }
	ids := func(id int) object {
		return object{"id": special[id], "ids": []int{id}, "tokens": []string{special[id]}}
	}
	return object{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": added,
		"normalizer": object{
			"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": nil, "lowercase": true,
		},
		"pre_tokenizer": object{"type": "BertPreTokenizer"},
		"post_processor": object{
			"type":           "TemplateProcessing",
			"single":         []object{token(idCLS, 0), text("A", 0), token(idSEP, 0)},
			"pair":           []object{token(idCLS, 0), text("A", 0), token(idSEP, 0), text("B", 1), token(idSEP, 1)},
			"special_tokens": object{special[idCLS]: ids(idCLS), special[idSEP]: ids(idSEP)},
		},
		"decoder": object{"type": "WordPiece", "prefix": "##", "cleanup": true},
		"model": object{
			"type": "WordPiece", "unk_token": special[idUnk], "continuing_subword_prefix": "##",
			"max_input_chars_per_word": 100, "vocab": vocab,
		},
	}
}

// writeWeights writes model.safetensors, or its shards and their index.
func (b BERT) writeWeights(dir string, o CheckpointOptions) error {
	ws := b.weights()
	shards := max(o.Shards, 1)
	name := func(i int) string {
		if shards == 1 {
			return "model.safetensors"
		}
		return fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, shards)
	}
	where := object{}
	total := 0
	for i := range shards {
		part := ws[len(ws)*i/shards : len(ws)*(i+1)/shards]
		data, n, err := b.safetensors(part, o)
		if err != nil {
			return err
		}
		total += n
		for _, w := range part {
			where[w.hf] = name(i)
		}
		if err := os.WriteFile(filepath.Join(dir, name(i)), data, 0o666); err != nil {
			return err
		}
	}
	if shards == 1 {
		return nil
	}
	return writeJSON(filepath.Join(dir, "model.safetensors.index.json"), object{
		"metadata": object{"total_size": total}, "weight_map": where,
	})
}

// safetensors returns a file of the given tensors and the bytes of their data.
func (b BERT) safetensors(ws []weight, o CheckpointOptions) (file []byte, n int, err error) {
	header := object{"__metadata__": object{"format": "pt"}}
	var data []byte
	for _, w := range ws {
		elements := 1
		for _, d := range w.shape {
			elements *= int(d)
		}
		values := Weights(b.Seed, cmp.Or(w.gguf, w.hf), elements)
		start := len(data)
		if o.Type == gguf.TypeF32 {
			data = append(data, littleEndian(values)...)
		} else {
			p, err := o.Encode(gguf.TensorInfo{Name: w.hf, Type: o.Type, Shape: w.shape}, values)
			if err != nil {
				return nil, 0, err
			}
			data = append(data, p...)
		}
		header[w.hf] = object{"dtype": o.Type.String(), "shape": w.shape, "data_offsets": []int{start, len(data)}}
	}
	text, err := json.Marshal(header)
	if err != nil {
		return nil, 0, err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	file = binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	return append(append(file, text...), data...), len(data), nil
}

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o666)
}
