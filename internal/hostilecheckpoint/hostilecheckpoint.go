// Package hostilecheckpoint makes Hugging Face checkpoints that are damaged,
// malicious or unsupported, for the tests of everything that converts one.
package hostilecheckpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// A Kind is what must come of converting a checkpoint.
type Kind int

const (
	Malformed   Kind = iota // a FormatError
	Unsupported             // an UnsupportedError
	Missing                 // an error that wraps fs.ErrNotExist
)

// A Case is one checkpoint.
type Case struct {
	Name string
	Kind Kind
	Want string // a part of the error

	files files
}

// Write writes the files of c into the folder dir.
func (c Case) Write(dir string) error { return c.files.write(dir) }

// Files returns the content of each file by its path with slashes.
func (c Case) Files() map[string][]byte { return c.files }

// WriteValid writes the checkpoint that the cases are changes of into dir.
func WriteValid(dir string) error { return base().write(dir) }

// files are the contents of a folder.
type files map[string][]byte

func (f files) write(dir string) error {
	for name, data := range f {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			return err
		}
	}
	return nil
}

type object = map[string]any

func (f files) setJSON(name string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	f[name] = data
}

// The base is a BERT of one layer with as few numbers as one can have.
const (
	width       = 4
	feedForward = 6
	positions   = 5
)

var tokens = []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##b"}

func config() object {
	return object{
		"architectures": []string{"BertModel"}, "model_type": "bert", "hidden_act": "gelu",
		"hidden_size": width, "intermediate_size": feedForward, "num_attention_heads": 2, "num_hidden_layers": 1,
		"max_position_embeddings": positions, "type_vocab_size": 2, "vocab_size": len(tokens), "layer_norm_eps": 1e-12,
	}
}

// base returns a valid checkpoint.
func base() files {
	f := files{}
	f.setJSON("config.json", config())
	f.setJSON("tokenizer.json", tokenizer())
	f.setJSON("tokenizer_config.json", object{
		"tokenizer_class": "BertTokenizer", "do_lower_case": true,
		"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]",
	})
	f["model.safetensors"] = safetensors(weights())
	return f
}

func tokenizer() object {
	vocab := object{}
	added := []object{}
	for i, t := range tokens {
		vocab[t] = i
		if t[0] == '[' {
			added = append(added, object{"id": i, "content": t, "special": true, "normalized": false})
		}
	}
	special := func(id string) object { return object{"SpecialToken": object{"id": id, "type_id": 0}} }
	text := object{"Sequence": object{"id": "A", "type_id": 0}}
	return object{
		"version": "1.0", "added_tokens": added,
		"normalizer": object{
			"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": nil, "lowercase": true,
		},
		"pre_tokenizer": object{"type": "BertPreTokenizer"},
		"post_processor": object{
			"type": "TemplateProcessing", "single": []object{special("[CLS]"), text, special("[SEP]")}, "pair": []object{},
			"special_tokens": object{"[CLS]": object{"ids": []int{2}}, "[SEP]": object{"ids": []int{3}}},
		},
		"model": object{
			"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab,
		},
	}
}

// A tensor is an entry of a safetensors header, with room for lies.
type tensor struct {
	name    string
	dtype   string
	shape   []any
	offsets []any // nil for the right ones
	size    int   // bytes of data
}

func f32(name string, shape ...int) tensor {
	t := tensor{name: name, dtype: "F32", size: 4}
	for _, d := range shape {
		t.shape = append(t.shape, d)
		t.size *= d
	}
	return t
}

// weights returns the tensors of the base.
func weights() []tensor {
	ts := []tensor{
		f32("embeddings.word_embeddings.weight", len(tokens), width),
		f32("embeddings.position_embeddings.weight", positions, width),
		f32("embeddings.token_type_embeddings.weight", 2, width),
		f32("embeddings.LayerNorm.weight", width),
		f32("embeddings.LayerNorm.bias", width),
	}
	for _, w := range []struct {
		name      string
		rows, row int
	}{
		{"attention.self.query", width, width},
		{"attention.self.key", width, width},
		{"attention.self.value", width, width},
		{"attention.output.dense", width, width},
		{"attention.output.LayerNorm", width, 0},
		{"intermediate.dense", feedForward, width},
		{"output.dense", width, feedForward},
		{"output.LayerNorm", width, 0},
	} {
		name := "encoder.layer.0." + w.name
		if w.row > 0 {
			ts = append(ts, f32(name+".weight", w.rows, w.row), f32(name+".bias", w.rows))
		} else {
			ts = append(ts, f32(name+".weight", w.rows), f32(name+".bias", w.rows))
		}
	}
	return ts
}

// safetensors returns a file of zeros.
func safetensors(ts []tensor) []byte {
	header := object{"__metadata__": object{"format": "pt"}}
	at := 0
	for _, t := range ts {
		offsets := t.offsets
		if offsets == nil {
			offsets = []any{at, at + t.size}
		}
		shape := t.shape
		if shape == nil {
			shape = []any{}
		}
		header[t.name] = object{"dtype": t.dtype, "shape": shape, "data_offsets": offsets}
		at += t.size
	}
	text, err := json.Marshal(header)
	if err != nil {
		panic(err)
	}
	return safetensorsFile(string(text), at)
}

func safetensorsFile(header string, size int) []byte {
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	file = append(file, header...)
	return append(file, make([]byte, size)...)
}

// An archive is a PyTorch file before it is written: a pickle and storages of
// float32 zeros by their key, with the number of elements.
type archive struct {
	pickle   []byte
	storages map[string]int
	extra    map[string]string // more entries
	method   uint16            // of compression
}

func (a archive) bytes() []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	add := func(name string, data []byte) {
		e, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: a.method})
		if err == nil {
			_, err = e.Write(data)
		}
		if err != nil {
			panic(err)
		}
	}
	if a.pickle != nil {
		add("archive/data.pkl", a.pickle)
	}
	for _, key := range slices.Sorted(maps.Keys(a.storages)) {
		add("archive/data/"+key, make([]byte, 4*a.storages[key]))
	}
	for _, name := range slices.Sorted(maps.Keys(a.extra)) {
		add(name, []byte(a.extra[name]))
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Pieces of pickles in protocol 2.
const (
	pickleStart = "\x80\x02}" // an empty dictionary
	pickleEnd   = "."
)

func pickleText(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func pickleInt(n int) string {
	return "J" + string(binary.LittleEndian.AppendUint32(nil, uint32(int32(n))))
}

func pickleTuple(ints []int) string {
	s := "("
	for _, n := range ints {
		s += pickleInt(n)
	}
	return s + "t"
}

// pickleTensor is a call of torch._utils._rebuild_tensor_v2 on a storage of
// count float32.
func pickleTensor(key string, count, offset int, shape, strides []int) string {
	return "ctorch._utils\n_rebuild_tensor_v2\n(" +
		"(" + pickleText("storage") + "ctorch\nFloatStorage\n" + pickleText(key) + pickleText("cpu") + pickleInt(count) + "tQ" +
		pickleInt(offset) + pickleTuple(shape) + pickleTuple(strides) + "\x89}tR"
}

// stateDict is the archive of the base's weights, after a change of its pickle.
func stateDict() archive {
	a := archive{storages: map[string]int{}}
	s := pickleStart
	for i, t := range weights() {
		key := fmt.Sprint(i)
		a.storages[key] = t.size / 4
		s += pickleText(t.name) + pickleTensor(key, t.size/4, 0, ints(t.shape), rowMajor(t.shape)) + "s"
	}
	a.pickle = []byte(s + pickleEnd)
	return a
}

func ints(shape []any) []int {
	n := make([]int, len(shape))
	for i, d := range shape {
		n[i] = d.(int)
	}
	return n
}

func rowMajor(shape []any) []int {
	strides := ints(shape)
	next := 1
	for i, d := range slices.Backward(ints(shape)) {
		strides[i] = next
		next *= d
	}
	return strides
}
