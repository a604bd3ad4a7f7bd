package infer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/internal/synth"
	"github.com/gguftool/gguftool/kernels/block"
	"github.com/gguftool/gguftool/kernels/gemm"
)

func TestLoadHostile(t *testing.T) {
	const malformed, unsupported = false, true
	reshape := func(name string, shape ...int64) func(s *synthetic) {
		return func(s *synthetic) { s.tensor(name).Shape = shape }
	}
	drop := func(name string) func(s *synthetic) { return func(s *synthetic) { s.drop(name) } }
	remove := func(key string) func(s *synthetic) { return func(s *synthetic) { s.md.Delete(key) } }
	spoil := func(name string, at int, v float64) func(s *synthetic) {
		return func(s *synthetic) {
			s.weights = func(t gguf.TensorInfo) []float32 {
				w := steepWeights(t)
				if t.Name == name {
					w[at] = float32(v)
				}
				return w
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(s *synthetic)
		kind   bool
		want   string
	}{
		{"no architecture", remove("general.architecture"), malformed, `key "general.architecture": is missing or no string`},
		{"architecture no string", func(s *synthetic) { s.md.Set("general.architecture", gguf.ValueOf(int32(4))) }, malformed, `key "general.architecture": is missing or no string`},
		{"other architecture", func(s *synthetic) { s.md.Set("general.architecture", gguf.ValueOf("mamba")) }, unsupported, `architecture "mamba" is not supported; supported: bert`},

		{"no width", remove("bert.embedding_length"), malformed, `key "bert.embedding_length": is missing`},
		{"no context", remove("bert.context_length"), malformed, `key "bert.context_length": is missing`},
		{"no layers", remove("bert.block_count"), malformed, `key "bert.block_count": is missing`},
		{"no heads", remove("bert.attention.head_count"), malformed, `key "bert.attention.head_count": is missing`},
		{"no hidden", remove("bert.feed_forward_length"), malformed, `key "bert.feed_forward_length": is missing`},
		{"no epsilon", remove("bert.attention.layer_norm_epsilon"), malformed, `key "bert.attention.layer_norm_epsilon": is missing`},
		{"width a string", func(s *synthetic) { set(s, "embedding_length", "32") }, malformed, "is of type string, expected an integer"},
		{"width a float", func(s *synthetic) { set[float32](s, "embedding_length", 32) }, malformed, "is of type f32, expected an integer"},
		{"hidden an array", func(s *synthetic) { s.md.Set("bert.feed_forward_length", gguf.ArrayOf([]int32{64, 64})) }, malformed, "is of type array, expected an integer"},
		{"width zero", func(s *synthetic) { set[uint32](s, "embedding_length", 0) }, malformed, "is 0, expected 1 to"},
		{"width negative", func(s *synthetic) { set[int32](s, "embedding_length", -32) }, malformed, "is -32, expected 1 to"},
		{"width huge", func(s *synthetic) { set[uint32](s, "embedding_length", math.MaxUint32) }, malformed, "is 4294967295, expected 1 to"},
		{"width beyond int64", func(s *synthetic) { set[uint64](s, "embedding_length", math.MaxUint64) }, malformed, "expected an integer"},
		{"heads zero", func(s *synthetic) { set[uint32](s, "attention.head_count", 0) }, malformed, "is 0, expected 1 to"},
		{"heads do not divide", func(s *synthetic) { set[uint32](s, "attention.head_count", 5) }, malformed, "is 5, which does not divide the embedding length 32"},
		{"more heads than width", func(s *synthetic) { set[uint32](s, "attention.head_count", 64) }, malformed, "is 64, which does not divide"},
		{"grouped heads", func(s *synthetic) { set[uint32](s, "attention.head_count_kv", 2) }, unsupported, "is 2 for 4 heads; grouped attention is not supported in bert"},
		{"grouped heads a bool", func(s *synthetic) { set(s, "attention.head_count_kv", true) }, malformed, "is of type bool, expected an integer"},
		{"epsilon a string", func(s *synthetic) { set(s, "attention.layer_norm_epsilon", "1e-12") }, malformed, "is of type string, expected a float"},
		{"epsilon NaN", func(s *synthetic) { set(s, "attention.layer_norm_epsilon", float32(math.NaN())) }, malformed, "is NaN, expected 0 to 1"},
		{"epsilon negative", func(s *synthetic) { set[float32](s, "attention.layer_norm_epsilon", -1) }, malformed, "is -1, expected 0 to 1"},
		{"epsilon infinite", func(s *synthetic) { set(s, "attention.layer_norm_epsilon", float32(math.Inf(1))) }, malformed, "is +Inf, expected 0 to 1"},
		{"causal", func(s *synthetic) { set(s, "attention.causal", true) }, unsupported, "causal attention is not supported in bert"},
		{"causal an integer", func(s *synthetic) { set[uint8](s, "attention.causal", 1) }, malformed, "is of type u8, expected a boolean"},
		{"pooling a string", func(s *synthetic) { set(s, "pooling_type", "mean") }, malformed, "is of type string, expected an integer"},
		{"pooling unknown", func(s *synthetic) { set[uint32](s, "pooling_type", 5) }, malformed, "is 5, expected 0 to 4"},
		{"pooling negative", func(s *synthetic) { set[int32](s, "pooling_type", -1) }, malformed, "is -1, expected 0 to 4"},

		{"layers huge", func(s *synthetic) { set[uint32](s, "block_count", maxSize) }, malformed, `tensor "blk.2.attn_q.weight": is missing`},
		{"one layer too few", func(s *synthetic) { set[uint32](s, "block_count", 1) }, unsupported, `tensor "blk.1.`},
		{"context longer than positions", func(s *synthetic) { set[uint32](s, "context_length", 21) }, malformed, `tensor "position_embd.weight": has shape [32 20], expected [32 21]`},
		{"width not that of tensors", func(s *synthetic) { set[uint32](s, "embedding_length", 64) }, malformed, `tensor "token_embd.weight": has shape [32 512], expected [64 512]`},
		{"width absurd", func(s *synthetic) { set[uint32](s, "embedding_length", maxSize) }, malformed, `has shape [32 512], expected [16777216 512]`},
		{"hidden not that of tensors", func(s *synthetic) { set[uint32](s, "feed_forward_length", 63) }, malformed, `tensor "blk.0.ffn_up.weight": has shape [32 64], expected [32 63]`},
		{"vocabulary not that of embeddings", reshape("token_embd.weight", 32, 511), malformed, `has shape [32 511], expected [32 512]`},
		{"no embeddings", drop("token_embd.weight"), malformed, `tensor "token_embd.weight": is missing`},
		{"no embeddings and no vocabulary", func(s *synthetic) { s.drop("token_embd.weight"); s.md.Delete("tokenizer.ggml.tokens") }, malformed, `tensor "token_embd.weight": is missing`},
		{"no positions", drop("position_embd.weight"), malformed, `tensor "position_embd.weight": is missing`},
		{"no embedding norm", drop("token_embd_norm.weight"), malformed, `tensor "token_embd_norm.weight": is missing`},
		{"no bias", drop("blk.1.ffn_down.bias"), malformed, `tensor "blk.1.ffn_down.bias": is missing`},
		{"no last norm", drop("blk.1.layer_output_norm.bias"), malformed, `tensor "blk.1.layer_output_norm.bias": is missing`},
		{"no keys", drop("blk.1.attn_k.weight"), malformed, `tensor "blk.1.attn_k.weight": is missing`},
		{"token types too narrow", reshape("token_types.weight", 31, 2), malformed, `tensor "token_types.weight": has shape [31 2], expected [32 2]`},
		{"token types of three dimensions", reshape("token_types.weight", 32, 2, 2), malformed, "has shape [32 2 2], expected [32 4]"},
		{"transposed", reshape("blk.0.ffn_up.weight", 64, 32), malformed, `tensor "blk.0.ffn_up.weight": has shape [64 32], expected [32 64]`},
		{"bias of two rows", reshape("blk.0.attn_q.bias", 32, 2), malformed, `tensor "blk.0.attn_q.bias": has shape [32 2], expected [32]`},
		{"norm too short", reshape("blk.0.attn_output_norm.bias", 31), malformed, `has shape [31], expected [32]`},
		{"unknown tensor", func(s *synthetic) {
			s.tensors = append(s.tensors, gguf.TensorInfo{Name: "dense_2.weight", Shape: []int64{32, 32}})
		}, unsupported, `tensor "dense_2.weight": is not part of the architecture "bert"`},
		{"integers", func(s *synthetic) { s.tensor("blk.0.attn_v.bias").Type = gguf.TypeI32 }, unsupported, `tensor "blk.0.attn_v.bias": type I32 cannot be decoded`},
		{"NaN in a matrix", spoil("blk.1.ffn_down.weight", 5*64+3, math.NaN()), malformed, `tensor "blk.1.ffn_down.weight": row 5, column 3 is NaN; weights must be finite`},
		{"infinity in a bias", spoil("blk.1.ffn_down.bias", 3, math.Inf(-1)), malformed, `tensor "blk.1.ffn_down.bias": row 0, column 3 is -Inf`},
		{"NaN in positions", spoil("position_embd.weight", 19*32, math.NaN()), malformed, `tensor "position_embd.weight": row 19, column 0 is NaN`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSynthetic(goldenBERT)
			c.change(s)
			f := s.open(t, nil)
			m, err := Load(f, nil)
			if m != nil || err == nil {
				t.Fatal("loaded")
			}
			_, isFormat := errors.AsType[*fault.FormatError](err)
			_, isUnsupported := errors.AsType[*fault.UnsupportedError](err)
			if isFormat != (c.kind == malformed) || isUnsupported != (c.kind == unsupported) {
				t.Errorf("the error is %T", err)
			}
			if !strings.HasPrefix(err.Error(), f.Path+": ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q, want one with the file and %q", err, c.want)
			}
		})
	}
}

// formatBERT has rows that every block format divides.
var formatBERT = synth.BERT{Vocab: 300, Context: 12, Width: 256, Layers: 1, Heads: 4, FF: 256}

// A model in any format gives the vectors of the model that holds its decoded
// weights, to the bit.
func TestEveryFormat(t *testing.T) {
	batch := [][]int32{text(12, 1, 300), text(5, 2, 300)}
	plain := embed(t, newSynthetic(formatBERT).load(t, nil), batch, nil)
	loaded := 0
	for typ := range gguf.Type(64) {
		codec, ok := block.Lookup(typ)
		if !ok || typ == gguf.TypeF32 || !codec.CanEncode() {
			continue
		}
		t.Run(typ.String(), func(t *testing.T) {
			matrix := func(t gguf.TensorInfo) bool { return len(t.Shape) == 2 }
			s := newSynthetic(formatBERT)
			for i := range s.tensors {
				if matrix(s.tensors[i]) {
					s.tensors[i].Type = typ
				}
			}
			decoded := newSynthetic(formatBERT)
			decoded.weights = func(t gguf.TensorInfo) []float32 {
				w := steepWeights(t)
				if matrix(t) {
					t.Type = typ
					data, err := encode(t, w)
					if err != nil {
						panic(err)
					}
					codec.Decode(w, data)
				}
				return w
			}
			got := embed(t, s.load(t, &Options{Precision: PrecisionF32}), batch, nil)
			want := embed(t, decoded.load(t, nil), batch, nil)
			for i := range batch {
				if !slices.Equal(got[i], want[i]) {
					t.Errorf("text %d: not the vector of the decoded weights", i)
				}
				if c := cosine(got[i], plain[i]); c < 0.5 {
					t.Errorf("text %d: cosine %.3f to the weights before encoding", i, c)
				}
			}
			if group, _ := codec.QuantGroup(); group == 0 {
				if _, err := Load(s.open(t, nil), &Options{Precision: PrecisionInt8}); !isUnsupported(err) {
					t.Errorf("int8 gives %v, want unsupported", err)
				}
				return
			}
			bytes := s.load(t, &Options{Precision: PrecisionInt8})
			if bytes.Precision() != PrecisionInt8 {
				t.Errorf("precision %v, want int8", bytes.Precision())
			}
			for i, v := range embed(t, bytes, batch, nil) {
				if c := cosine(v, want[i]); c < 0.9997 || c == 1 {
					t.Errorf("text %d: int8 has a cosine of %.6f to f32", i, c)
				}
			}
		})
		loaded++
	}
	if loaded < 20 {
		t.Errorf("only %d formats were loaded", loaded)
	}
}

// Ids at the end that stand for no token need no embeddings.
func TestUnusedTokens(t *testing.T) {
	s := newSynthetic(goldenBERT)
	types, _ := gguf.Array[int32](s.md, "tokenizer.ggml.token_type")
	types = slices.Clone(types)
	for i := 500; i < len(types); i++ {
		types[i] = 5
	}
	s.md.Set("tokenizer.ggml.token_type", gguf.ArrayOf(types))
	s.tensor("token_embd.weight").Shape = []int64{32, 500}
	m := s.load(t, nil)
	if m.Vocabulary() != 500 {
		t.Errorf("a vocabulary of %d, want 500", m.Vocabulary())
	}
	if _, err := m.Embed(t.Context(), [][]int32{{500}}, nil); err == nil {
		t.Error("an id without an embedding was embedded")
	}
	s.tensor("token_embd.weight").Shape = []int64{32, 499}
	if _, err := Load(s.open(t, nil), nil); err == nil || !strings.Contains(err.Error(), "has shape [32 499], expected [32 512]") {
		t.Errorf("error %v", err)
	}
}

func TestBigEndian(t *testing.T) {
	batch := [][]int32{text(20, 1, 512), text(1, 2, 512)}
	s := newSynthetic(goldenBERT)
	want := embed(t, s.load(t, nil), batch, nil)
	m, err := Load(s.open(t, &gguf.WriterOptions{ByteOrder: binary.BigEndian}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := embed(t, m, batch, nil); !slices.EqualFunc(got, want, slices.Equal[[]float32]) {
		t.Error("a big-endian file gives other vectors")
	}
}

// Queries, keys and values may be one tensor.
func TestFusedQKV(t *testing.T) {
	batch := [][]int32{text(20, 1, 512)}
	want := embed(t, newSynthetic(goldenBERT).load(t, nil), batch, nil)
	s := newSynthetic(goldenBERT)
	for l := range 2 {
		for _, kind := range []string{"weight", "bias"} {
			name := func(part string) string { return fmt.Sprintf("blk.%d.attn_%s.%s", l, part, kind) }
			fused := *s.tensor(name("q"))
			fused.Name = name("qkv")
			fused.Shape = slices.Clone(fused.Shape)
			fused.Shape[len(fused.Shape)-1] *= 3
			s.drop(name("q"), name("k"), name("v"))
			s.tensors = append(s.tensors, fused)
		}
	}
	s.weights = func(t gguf.TensorInfo) []float32 {
		if !strings.Contains(t.Name, "attn_qkv") {
			return steepWeights(t)
		}
		var w []float32
		for _, part := range []string{"q", "k", "v"} {
			one := gguf.TensorInfo{Name: strings.Replace(t.Name, "qkv", part, 1), Shape: slices.Clone(t.Shape)}
			one.Shape[len(one.Shape)-1] /= 3
			w = append(w, steepWeights(one)...)
		}
		return w
	}
	m := s.load(t, nil)
	if got := embed(t, m, batch, nil); !slices.Equal(got[0], want[0]) {
		t.Error("fused projections give another vector")
	}
	var names []string
	embed(t, m, batch, &EmbedOptions{Watch: watchAll(func(weights []string, _ gemm.View) {
		names = append(names, weights...)
	})})
	if names[0] != "blk.0.attn_qkv.weight" || names[1] != "blk.0.attn_output.weight" {
		t.Errorf("products of %v", names[:2])
	}
}

// A file may lack token types; its vectors are those of types that are zero.
func TestNoTokenTypes(t *testing.T) {
	batch := [][]int32{text(8, 1, 512)}
	zero := newSynthetic(goldenBERT)
	zero.weights = func(t gguf.TensorInfo) []float32 {
		w := steepWeights(t)
		if t.Name == "token_types.weight" {
			clear(w)
		}
		return w
	}
	without := newSynthetic(goldenBERT)
	without.drop("token_types.weight")
	if !slices.Equal(embed(t, zero.load(t, nil), batch, nil)[0], embed(t, without.load(t, nil), batch, nil)[0]) {
		t.Error("vectors differ")
	}
}

// A file without vocabulary takes its size from the embeddings.
func TestNoVocabulary(t *testing.T) {
	s := newSynthetic(goldenBERT)
	s.md.Delete("tokenizer.ggml.tokens")
	m := s.load(t, nil)
	embed(t, m, [][]int32{{511}}, nil)
	if _, err := m.Embed(t.Context(), [][]int32{{512}}, nil); err == nil {
		t.Error("id 512 of 512 tokens is accepted")
	}
}

// FuzzLoad changes the type and value of a hyperparameter: the model is refused
// with a typed error, or it works.
func FuzzLoad(f *testing.F) {
	keys := []string{
		"general.architecture", "bert.context_length", "bert.embedding_length", "bert.block_count",
		"bert.attention.head_count", "bert.attention.head_count_kv", "bert.feed_forward_length",
		"bert.attention.layer_norm_epsilon", "bert.attention.causal", "bert.pooling_type", "tokenizer.ggml.tokens",
		"tokenizer.ggml.seperator_token_id", "tokenizer.ggml.eos_token_id",
	}
	for i := range keys {
		f.Add(i, uint8(4), uint64(0), "")
		f.Add(i, uint8(5), uint64(math.MaxUint64), "bert")
		f.Add(i, uint8(6), math.Float64bits(math.NaN()), "")
		f.Add(i, uint8(10), uint64(16), "")
	}
	f.Fuzz(func(t *testing.T, key int, typ uint8, bits uint64, str string) {
		s := newSynthetic(synth.BERT{Context: 6, Width: 8, Layers: 1, Heads: 2, FF: 8})
		s.md.Set(keys[uint(key)%uint(len(keys))], valueOf(gguf.ValueType(typ), bits, str))
		m, err := Load(s.open(t, nil), nil)
		if err != nil {
			_, isFormat := errors.AsType[*fault.FormatError](err)
			_, isUnsupported := errors.AsType[*fault.UnsupportedError](err)
			if !isFormat && !isUnsupported {
				t.Fatalf("error of type %T: %v", err, err)
			}
			return
		}
		for n := 1; n <= m.ContextLength(); n++ {
			// A vector that is not finite is an error; nothing here may panic.
			m.Embed(t.Context(), [][]int32{text(n, n, m.config.vocab)}, nil)
		}
	})
}

// valueOf makes a metadata value of any type.
func valueOf(typ gguf.ValueType, bits uint64, str string) gguf.Value {
	switch typ {
	case gguf.ValueUint8:
		return gguf.ValueOf(uint8(bits))
	case gguf.ValueInt8:
		return gguf.ValueOf(int8(bits))
	case gguf.ValueUint16:
		return gguf.ValueOf(uint16(bits))
	case gguf.ValueInt16:
		return gguf.ValueOf(int16(bits))
	case gguf.ValueUint32:
		return gguf.ValueOf(uint32(bits))
	case gguf.ValueInt32:
		return gguf.ValueOf(int32(bits))
	case gguf.ValueFloat32:
		return gguf.ValueOf(float32(math.Float64frombits(bits)))
	case gguf.ValueBool:
		return gguf.ValueOf(bits&1 == 1)
	case gguf.ValueString:
		return gguf.ValueOf(str)
	case gguf.ValueArray:
		return gguf.ArrayOf(strings.Split(str, ","))
	case gguf.ValueInt64:
		return gguf.ValueOf(int64(bits))
	case gguf.ValueFloat64:
		return gguf.ValueOf(math.Float64frombits(bits))
	}
	return gguf.ValueOf(bits)
}

func isUnsupported(err error) bool {
	_, ok := errors.AsType[*fault.UnsupportedError](err)
	return ok
}
