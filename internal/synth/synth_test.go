package synth

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

func open(t *testing.T, path string) *gguf.File {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func data(t *testing.T, f *gguf.File, x *gguf.Tensor) []byte {
	t.Helper()
	p, err := f.Data(x, 0, x.Rows(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The same bytes come out on every machine.
func TestDeterministic(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bert.gguf")
	if err := (BERT{Seed: 1}).WriteGGUF(path); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(file)
	const want = "739f95083c71bbc44a8457f905e458a237fdc7781e9db396dbb2b145752eff28"
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("SHA-256 is %s", got)
	}
}

func TestWeights(t *testing.T) {
	const n = 100000
	for _, c := range []struct {
		name string
		mean float64
	}{{"blk.0.attn_q.weight", 0}, {"blk.0.attn_q.bias", 0}, {"token_embd_norm.weight", 1}, {"token_embd_norm.bias", 0}} {
		var sum, squares float64
		for _, w := range Weights(7, c.name, n) {
			sum += float64(w)
			squares += (float64(w) - c.mean) * (float64(w) - c.mean)
		}
		if mean, deviation := sum/n, math.Sqrt(squares/n); math.Abs(mean-c.mean) > 0.001 || math.Abs(deviation-0.05) > 0.001 {
			t.Errorf("%s: mean %v, deviation %v", c.name, mean, deviation)
		}
	}
	a, b, c := Weights(1, "a", 4), Weights(1, "b", 4), Weights(2, "a", 4)
	if slices.Equal(a, b) || slices.Equal(a, c) {
		t.Error("weights depend on neither name nor seed")
	}
}

func TestBERT(t *testing.T) {
	encoded := 0
	b := BERT{
		Layers: 3, Width: 32, Heads: 2, Context: 16, Vocab: 300, Weights: gguf.TypeQ8_0,
		Encode: func(x gguf.TensorInfo, weights []float32) ([]byte, error) {
			encoded++
			size, ok := x.Type.Size(int64(len(weights)))
			if !ok {
				return nil, fmt.Errorf("%d weights", len(weights))
			}
			return bytes.Repeat([]byte{9}, int(size)), nil
		},
	}
	path := filepath.Join(t.TempDir(), "bert.gguf")
	if err := b.WriteGGUF(path); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	if len(f.Tensors) != 5+3*16 || encoded != 1+3*6 {
		t.Errorf("%d tensors, %d encoded", len(f.Tensors), encoded)
	}
	for _, c := range []struct {
		name  string
		typ   gguf.Type
		shape []int64
	}{
		{"token_embd.weight", gguf.TypeQ8_0, []int64{32, 300}},
		{"position_embd.weight", gguf.TypeF32, []int64{32, 16}},
		{"blk.2.ffn_down.weight", gguf.TypeQ8_0, []int64{128, 32}},
		{"blk.2.ffn_up.bias", gguf.TypeF32, []int64{128}},
	} {
		if x := f.Tensor(c.name); x == nil || x.Type != c.typ || !slices.Equal(x.Shape, c.shape) {
			t.Errorf("%s is %+v", c.name, x)
		}
	}
	tokens, _ := gguf.Array[string](f.Metadata, "tokenizer.ggml.tokens")
	types, _ := gguf.Array[int32](f.Metadata, "tokenizer.ggml.token_type")
	if len(tokens) != 300 || len(types) != 300 || tokens[idCLS] != "[CLS]" || types[idCLS] != 3 || tokens[299] == "" {
		t.Errorf("%d tokens, %d types", len(tokens), len(types))
	}
}

func TestVocabulary(t *testing.T) {
	v := Vocabulary()
	seen := map[string]bool{}
	for _, token := range v {
		if token == "" || seen[token] {
			t.Errorf("%q occurs twice", token)
		}
		seen[token] = true
	}
	for id, token := range []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"} {
		if v[id] != token {
			t.Errorf("token %d is %s", id, v[id])
		}
	}
}

// safetensors reads a file of the checkpoint by hand.
func safetensors(t *testing.T, path string) map[string][]byte {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(file)
	var header map[string]struct {
		DType   string
		Shape   []int
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(file[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	delete(header, "__metadata__")
	body := file[8+n:]
	tensors := map[string][]byte{}
	total := 0
	for name, x := range header {
		size := 4
		for _, d := range x.Shape {
			size *= d
		}
		if x.DType != "F32" || x.Offsets[1]-x.Offsets[0] != size {
			t.Errorf("%s: %+v", name, x)
		}
		tensors[name] = body[x.Offsets[0]:x.Offsets[1]]
		total += size
	}
	if total != len(body) || (8+n)%8 != 0 {
		t.Errorf("%d of %d bytes belong to tensors; the header has %d", total, len(body), n)
	}
	return tensors
}

// The checkpoint has the weights of the GGUF file under its own names.
func TestCheckpoint(t *testing.T) {
	b := BERT{Seed: 5}
	path := filepath.Join(t.TempDir(), "bert.gguf")
	if err := b.WriteGGUF(path); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	for _, shards := range []int{1, 3} {
		dir := t.TempDir()
		if err := b.WriteCheckpoint(dir, &CheckpointOptions{Shards: shards}); err != nil {
			t.Fatal(err)
		}
		where := map[string]string{}
		if shards > 1 {
			var index struct {
				Map map[string]string `json:"weight_map"`
			}
			text, err := os.ReadFile(filepath.Join(dir, "model.safetensors.index.json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, &index); err != nil {
				t.Fatal(err)
			}
			where = index.Map
		}
		files := map[string]map[string][]byte{}
		for _, w := range b.withDefaults().weights() {
			name := cmp.Or(where[w.hf], "model.safetensors")
			if files[name] == nil {
				files[name] = safetensors(t, filepath.Join(dir, name))
			}
			got, ok := files[name][w.hf]
			if !ok {
				t.Errorf("%s is not in %s", w.hf, name)
			}
			if w.gguf != "" && !bytes.Equal(got, data(t, f, f.Tensor(w.gguf))) {
				t.Errorf("%s differs from %s", w.hf, w.gguf)
			}
		}
		if len(files) != shards {
			t.Errorf("%d files, not %d", len(files), shards)
		}
		for _, name := range []string{"config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "modules.json", "1_Pooling/config.json", "sentence_bert_config.json"} {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || !json.Valid(text) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestDecoder(t *testing.T) {
	for _, c := range []struct {
		d       Decoder
		tensors int
		check   string
		shape   []int64
	}{
		{Decoder{}, 3 + 4*9, "blk.3.ffn_down.weight", []int64{512, 256}},
		{Decoder{Tied: true, KVHeads: 2, Arch: "qwen3"}, 2 + 4*9, "blk.0.attn_v.weight", []int64{256, 64}},
		{Decoder{Experts: 8, Layers: 1}, 3 + 10, "blk.0.ffn_up_exps.weight", []int64{256, 512, 8}},
	} {
		path := filepath.Join(t.TempDir(), "decoder.gguf")
		if err := c.d.Model().WriteGGUF(path, nil); err != nil {
			t.Fatal(err)
		}
		f := open(t, path)
		if x := f.Tensor(c.check); len(f.Tensors) != c.tensors || x == nil || !slices.Equal(x.Shape, c.shape) {
			t.Errorf("%+v: %d tensors, %s is %+v", c.d, len(f.Tensors), c.check, x)
		}
	}
}

// Types that nobody encodes get bytes that differ from tensor to tensor.
func TestRandomBytes(t *testing.T) {
	m := &Model{Metadata: &gguf.Metadata{}, Tensors: []gguf.TensorInfo{
		{Name: "a", Type: gguf.TypeQ4_K, Shape: []int64{256}},
		{Name: "b", Type: gguf.TypeQ4_K, Shape: []int64{256}},
		{Name: "c", Type: 144, Shape: []int64{256}, Size: 140},
	}}
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := m.WriteGGUF(path, &gguf.WriterOptions{Version: 2}); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	if a, b := data(t, f, f.Tensor("a")), data(t, f, f.Tensor("b")); bytes.Equal(a, b) || f.Version != 2 {
		t.Error("two tensors have the same bytes")
	}
}
