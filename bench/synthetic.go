package bench

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/block"
)

// The built-in model is an encoder of the shape of all-MiniLM-L6-v2 but for its
// vocabulary, which is that of the text mix. Its weights are random numbers: they
// take as long to multiply as others.
const (
	synthLayers  = 6
	synthWidth   = 384
	synthHeads   = 12
	synthHidden  = 1536
	synthContext = 512
)

// WriteSyntheticModel writes the built-in model to path with matrices of the
// given type: F32, or one that can be encoded without importance and whose blocks
// divide rows of 384 elements.
func WriteSyntheticModel(path string, t gguf.Type) error {
	codec, ok := block.Lookup(t)
	elements, _, _ := t.Block()
	if !ok || !codec.CanEncode() || codec.NeedsImportance() || synthWidth%elements != 0 {
		return fmt.Errorf("the built-in model cannot have weights of type %v", t)
	}
	words := syntheticVocabulary()
	tensors := syntheticTensors(len(words), t)
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b := bufio.NewWriterSize(f, 1<<20)
	w, err := gguf.NewWriter(b, syntheticMetadata(words, t), tensors, nil)
	if err != nil {
		return err
	}
	for _, t := range tensors {
		data, err := syntheticData(t)
		if err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func syntheticTensors(vocabulary int, matrix gguf.Type) (all []gguf.TensorInfo) {
	add := func(t gguf.Type, name string, shape ...int64) {
		all = append(all, gguf.TensorInfo{Name: name, Type: t, Shape: shape})
	}
	add(gguf.TypeF32, "token_embd_norm.bias", synthWidth)
	add(gguf.TypeF32, "token_embd_norm.weight", synthWidth)
	add(gguf.TypeF32, "position_embd.weight", synthWidth, synthContext)
	add(gguf.TypeF32, "token_types.weight", synthWidth, 2)
	add(matrix, "token_embd.weight", synthWidth, int64(vocabulary))
	for i := range synthLayers {
		pair := func(name string, inputs, outputs int64) {
			name = fmt.Sprintf("blk.%d.%s", i, name)
			add(gguf.TypeF32, name+".bias", outputs)
			if inputs == 0 {
				add(gguf.TypeF32, name+".weight", outputs)
			} else {
				add(matrix, name+".weight", inputs, outputs)
			}
		}
		pair("attn_q", synthWidth, synthWidth)
		pair("attn_k", synthWidth, synthWidth)
		pair("attn_v", synthWidth, synthWidth)
		pair("attn_output", synthWidth, synthWidth)
		pair("attn_output_norm", 0, synthWidth)
		pair("ffn_up", synthWidth, synthHidden)
		pair("ffn_down", synthHidden, synthWidth)
		pair("layer_output_norm", 0, synthWidth)
	}
	return all
}

// syntheticData returns the bytes of a tensor: small numbers around 0, around 1
// for the weight of a norm.
func syntheticData(t gguf.TensorInfo) ([]byte, error) {
	n := int64(1)
	for _, d := range t.Shape {
		n *= d
	}
	h := fnv.New64a()
	h.Write([]byte(t.Name))
	rng := rand.New(rand.NewPCG(h.Sum64(), 1))
	var mean float32
	if strings.HasSuffix(t.Name, "norm.weight") {
		mean = 1
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = mean + 0.1*(rng.Float32()-0.5)
	}
	if t.Type == gguf.TypeF32 {
		return binary.Append(nil, binary.LittleEndian, values)
	}
	size, _ := t.Type.Size(n)
	data := make([]byte, size)
	codec, _ := block.Lookup(t.Type)
	return data, codec.EncodeRows(data, values, int(t.Shape[0]), nil)
}

// syntheticVocabulary returns the tokens of a WordPiece tokenizer: special ones,
// all letters and marks of the text mix, and its words.
func syntheticVocabulary() []string {
	tokens := []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
	text := strings.ToLower(strings.Join(TextMix(), " "))
	seen := map[string]bool{}
	add := func(token string) {
		if !seen[token] {
			seen[token] = true
			tokens = append(tokens, token)
		}
	}
	isWord := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' }
	letters := []rune(strings.ReplaceAll(text+"abcdefghijklmnopqrstuvwxyz0123456789", " ", ""))
	slices.Sort(letters)
	for _, r := range slices.Compact(letters) {
		add(string(r))
		if isWord(r) {
			add("##" + string(r))
		}
	}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !isWord(r) }) {
		add(word)
	}
	return tokens
}

func syntheticMetadata(tokens []string, matrix gguf.Type) *gguf.Metadata {
	const special, normal, control = 5, int32(1), int32(3)
	texts, types := make([]string, len(tokens)), make([]int32, len(tokens))
	for i, t := range tokens {
		switch inner, isInner := strings.CutPrefix(t, "##"); {
		case i < special:
			texts[i], types[i] = t, control
		case isInner:
			texts[i], types[i] = inner, normal
		default:
			texts[i], types[i] = "\u2581"+t, normal // a word begins with the space before it
		}
	}
	md := new(gguf.Metadata)
	number := func(key string, n uint32) { md.Set(key, gguf.ValueOf(n)) }
	md.Set(gguf.KeyArchitecture, gguf.ValueOf("bert"))
	md.Set("general.name", gguf.ValueOf(SyntheticName(matrix)))
	number("bert.block_count", synthLayers)
	number("bert.context_length", synthContext)
	number("bert.embedding_length", synthWidth)
	number("bert.feed_forward_length", synthHidden)
	number("bert.attention.head_count", synthHeads)
	md.Set("bert.attention.layer_norm_epsilon", gguf.ValueOf[float32](1e-12))
	md.Set("bert.attention.causal", gguf.ValueOf(false))
	number("bert.pooling_type", 1)
	number("tokenizer.ggml.token_type_count", 2)
	md.Set("tokenizer.ggml.model", gguf.ValueOf("bert"))
	md.Set("tokenizer.ggml.pre", gguf.ValueOf("jina-v2-en"))
	md.Set("tokenizer.ggml.tokens", gguf.ArrayOf(texts))
	md.Set("tokenizer.ggml.token_type", gguf.ArrayOf(types))
	for i, name := range []string{"padding", "unknown", "bos", "seperator", "mask"} {
		number("tokenizer.ggml."+name+"_token_id", uint32(i))
	}
	number("tokenizer.ggml.eos_token_id", 3)
	md.Set("tokenizer.ggml.add_bos_token", gguf.ValueOf(true))
	md.Set("tokenizer.ggml.add_eos_token", gguf.ValueOf(true))
	md.Set("tokenizer.ggml.normalizer.lowercase", gguf.ValueOf(true))
	return md
}

// SyntheticName returns the name of the built-in model with such matrices.
func SyntheticName(t gguf.Type) string { return "built-in " + t.String() }
