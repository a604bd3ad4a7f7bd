package inspect

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

// A fixture is a small model that is written to a temporary folder.
type fixture struct {
	name   string
	order  binary.ByteOrder
	shards []shard // one file each
}

type shard struct {
	metadata *gguf.Metadata
	tensors  []gguf.TensorInfo
}

// open writes the model to a folder of its own, and opens it until the test ends.
func (x fixture) open(t *testing.T) *gguf.File {
	t.Helper()
	f := x.openIn(t, t.TempDir())
	t.Cleanup(func() { f.Close() })
	return f
}

// openIn writes the model to dir and opens its first file.
func (x fixture) openIn(t *testing.T, dir string) *gguf.File {
	t.Helper()
	for i, s := range x.shards {
		writeModel(t, filepath.Join(dir, x.file(i)), s, &gguf.WriterOptions{ByteOrder: x.order}, true)
	}
	f, err := gguf.Open(filepath.Join(dir, x.file(0)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (x fixture) file(i int) string {
	if len(x.shards) == 1 {
		return x.name + ".gguf"
	}
	return fmt.Sprintf("%s-%05d-of-%05d.gguf", x.name, i+1, len(x.shards))
}

// writeModel writes one file, with zeros for tensor data or without any.
func writeModel(t *testing.T, path string, s shard, opts *gguf.WriterOptions, data bool) {
	t.Helper()
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w, err := gguf.NewWriter(out, s.metadata, s.tensors, opts)
	if err != nil {
		t.Fatal(err)
	}
	if !data {
		return
	}
	for _, x := range s.tensors {
		if _, err := w.Write(make([]byte, sizeOf(t, x))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func sizeOf(t *testing.T, x gguf.TensorInfo) int64 {
	t.Helper()
	if x.Size != 0 {
		return x.Size
	}
	elements := int64(1)
	for _, d := range x.Shape {
		elements *= d
	}
	size, ok := x.Type.Size(elements)
	if !ok {
		t.Fatalf("tensor %q: %s of shape %v has no size", x.Name, x.Type, x.Shape)
	}
	return size
}

type pair struct {
	key   string
	value gguf.Value
}

func metadata(pairs ...pair) *gguf.Metadata {
	md := new(gguf.Metadata)
	for _, p := range pairs {
		md.Set(p.key, p.value)
	}
	return md
}

// vocabulary returns n tokens of several lengths and scripts.
func vocabulary(n int) []string {
	tokens := []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁the", "ing", "東京", "▁\u0301", "a\tb"}
	for i := len(tokens); i < n; i++ {
		tokens = append(tokens, fmt.Sprintf("▁word%d", i))
	}
	return tokens[:n]
}

// bert is a model as the converter and the quantizer write it, but tiny.
var bert = fixture{name: "bert", shards: []shard{{
	metadata(
		pair{"general.architecture", gguf.ValueOf("bert")},
		pair{"general.name", gguf.ValueOf("Tiny BERT")},
		pair{"bert.block_count", gguf.ValueOf(uint32(1))},
		pair{"bert.context_length", gguf.ValueOf(uint32(512))},
		pair{"bert.embedding_length", gguf.ValueOf(uint32(256))},
		pair{"bert.feed_forward_length", gguf.ValueOf(uint32(1024))},
		pair{"bert.attention.head_count", gguf.ValueOf(uint32(4))},
		pair{"bert.attention.layer_norm_epsilon", gguf.ValueOf(float32(1e-12))},
		pair{"bert.attention.causal", gguf.ValueOf(false)},
		pair{"bert.pooling_type", gguf.ValueOf(uint32(1))},
		pair{"general.file_type", gguf.ValueOf(uint32(15))},
		pair{"tokenizer.ggml.model", gguf.ValueOf("bert")},
		pair{"tokenizer.ggml.tokens", gguf.ArrayOf(vocabulary(1000))},
		pair{"tokenizer.ggml.token_type", gguf.ArrayOf(make([]int32, 1000))},
		pair{"tokenizer.ggml.unknown_token_id", gguf.ValueOf(uint32(1))},
	),
	[]gguf.TensorInfo{
		{Name: "position_embd.weight", Type: gguf.TypeF32, Shape: []int64{256, 512}},
		{Name: "token_embd.weight", Type: gguf.TypeQ6_K, Shape: []int64{256, 1000}},
		{Name: "token_embd_norm.bias", Type: gguf.TypeF32, Shape: []int64{256}},
		{Name: "token_embd_norm.weight", Type: gguf.TypeF32, Shape: []int64{256}},
		{Name: "blk.0.attn_q.weight", Type: gguf.TypeQ4_K, Shape: []int64{256, 256}},
		{Name: "blk.0.attn_v.weight", Type: gguf.TypeQ6_K, Shape: []int64{256, 256}},
		{Name: "blk.0.ffn_up.weight", Type: gguf.TypeQ4_K, Shape: []int64{256, 1024}},
		{Name: "blk.0.ffn_down.weight", Type: gguf.TypeQ5_0, Shape: []int64{1024, 256}},
	},
}}}

// values has a key of every type, and arrays and strings that are too long.
var values = fixture{name: "values", shards: []shard{{
	metadata(
		pair{"u8", gguf.ValueOf(uint8(math.MaxUint8))},
		pair{"i8", gguf.ValueOf(int8(math.MinInt8))},
		pair{"u16", gguf.ValueOf(uint16(math.MaxUint16))},
		pair{"i16", gguf.ValueOf(int16(math.MinInt16))},
		pair{"u32", gguf.ValueOf(uint32(math.MaxUint32))},
		pair{"i32", gguf.ValueOf(int32(math.MinInt32))},
		pair{"u64", gguf.ValueOf(uint64(math.MaxUint64))},
		pair{"i64", gguf.ValueOf(int64(math.MinInt64))},
		pair{"f32", gguf.ValueOf(float32(0.1))},
		pair{"f64", gguf.ValueOf(0.1)},
		pair{"bool", gguf.ValueOf(true)},
		pair{"string", gguf.ValueOf("")},
		pair{"nan", gguf.ValueOf(float32(math.NaN()))},
		pair{"inf", gguf.ValueOf(math.Inf(1))},
		pair{"minus inf", gguf.ValueOf(float32(math.Inf(-1)))},
		pair{"floats", gguf.ArrayOf([]float32{0, -1.5, float32(math.Inf(1)), float32(math.NaN())})},
		pair{"bools", gguf.ArrayOf([]bool{true, false})},
		pair{"empty", gguf.ArrayOf([]uint32{})},
		pair{"eight", gguf.ArrayOf([]int64{1, 2, 3, 4, 5, 6, 7, 8})},
		pair{"nine", gguf.ArrayOf([]uint8{1, 2, 3, 4, 5, 6, 7, 8, 9})},
		pair{"many", gguf.ArrayOf(make([]uint16, 100))},
		pair{"long texts", gguf.ArrayOf([]string{strings.Repeat("long ", 100), strings.Repeat("text ", 100)})},
		pair{"nested", gguf.ArrayOfArrays([]gguf.Value{
			gguf.ArrayOf([]uint32{1, 2}),
			gguf.ArrayOf([]string{}),
			gguf.ArrayOfArrays([]gguf.Value{gguf.ArrayOf([]bool{true})}),
		})},
		pair{"chat_template", gguf.ValueOf(strings.Repeat("{% if a %}\n\t\"b\"\\{% endif %}\n", 40))},
		pair{"tokenizer.of.a.name.that.is.far.too.long.for.a.column.of.the.table", gguf.ValueOf("x")},
	),
	[]gguf.TensorInfo{{Name: "a.tensor.name.as.long.as.the.format.allows.which.is.63.bytes.ok", Type: gguf.TypeI64, Shape: []int64{1, 1, 1, 1}}},
}}}

// hostile tries to reach the terminal through everything that a file can name.
var hostile = fixture{name: "hostile", shards: []shard{{
	metadata(
		pair{"general.architecture", gguf.ValueOf("\x1b[31mred")},
		pair{"general.name", gguf.ValueOf("\xff\xfe\x1b]0;title\a")},
		pair{"tokenizer.ggml.model", gguf.ValueOf("two\nlines")},
		pair{"\x1b[31mred.pooling_type", gguf.ValueOf(int32(-1))},
		pair{"\x1b[31mred.block_count", gguf.ValueOf(uint64(math.MaxUint64))},
		pair{"\x1b[31mred.embedding_length", gguf.ValueOf("wide")},
		pair{"\x1b[31mred.attention.head_count", gguf.ArrayOf([]uint32{})},
		pair{"general.file_type", gguf.ValueOf(int32(-1))},
		pair{"\x1b[2J\x1b[H", gguf.ValueOf("clear\x1b[2J\x1b[H")},
		pair{"csi \u009b31m", gguf.ValueOf("c1 \u009b31m \x7f")},
		pair{"\u202edesrever", gguf.ValueOf("\u2066isolated\u2069 \u200bzero width\ufeff")},
		pair{"line\r\nbreak", gguf.ValueOf("line\u2028break\u0085")},
		pair{` leading and trailing `, gguf.ValueOf("  ")},
		pair{`"quoted"`, gguf.ValueOf(`"quoted"`)},
		pair{"not UTF-8", gguf.ValueOf("\xff\xc3\x28\x80\xed\xa0\x80")},
		pair{"beyond U+FFFF", gguf.ValueOf("\U0001f600 \U000e0001")},
		pair{"texts", gguf.ArrayOf([]string{"\x1b]8;;http://example.com\x1b\\link", "\x00", "\xff"})},
	),
	[]gguf.TensorInfo{
		{Name: "\x1b[8mhidden", Type: gguf.TypeF16, Shape: []int64{2, 0}},
		{Name: "tab\tand\nline", Type: gguf.TypeF32, Shape: []int64{1}},
		{Name: "\x1b[1m", Type: gguf.TypeF32, Shape: []int64{1}},
		{Name: "", Type: gguf.TypeF32, Shape: []int64{1}},
	},
}}}

// foreign has tensors of types that gguftool cannot decode; the last two claim
// more elements than can be counted.
var foreign = fixture{name: "foreign", shards: []shard{{
	metadata(
		pair{"general.architecture", gguf.ValueOf("llama")},
		pair{"general.file_type", gguf.ValueOf(uint32(144))},
		pair{"llama.attention.head_count", gguf.ArrayOf([]int32{32, 32, 16})},
		pair{"llama.attention.head_count_kv", gguf.ArrayOf([]uint32{8, 8, 8})},
		pair{"llama.pooling_type", gguf.ValueOf(uint32(9))},
		pair{"llama.vocab_size", gguf.ValueOf(uint32(32000))},
	),
	[]gguf.TensorInfo{
		{Name: "blk.0.attn_q.weight", Type: typeNamed("IQ4_KS"), Shape: []int64{256, 16}, Size: 2240},
		{Name: "blk.0.attn_k.weight", Type: typeNamed("Q4_0_8_8"), Shape: []int64{32, 32}, Size: 576},
		{Name: "blk.0.ffn_up.weight", Type: typeNamed("IQ2_KT"), Shape: []int64{math.MaxInt64}, Size: 32},
		{Name: "blk.0.ffn_down.weight", Type: typeNamed("IQ2_KT"), Shape: []int64{math.MaxInt64}, Size: 32},
	},
}}}

func typeNamed(name string) gguf.Type {
	t, err := gguf.ParseType(name)
	if err != nil {
		panic(err)
	}
	return t
}

var bigEndian = fixture{name: "big-endian", order: binary.BigEndian, shards: []shard{{
	metadata(
		pair{"general.architecture", gguf.ValueOf("bert")},
		pair{"general.alignment", gguf.ValueOf(uint32(64))},
		pair{"general.file_type", gguf.ValueOf(uint32(1024 + 1))},
		pair{"bert.block_count", gguf.ValueOf(uint16(12))},
	),
	[]gguf.TensorInfo{
		{Name: "output.weight", Type: gguf.TypeF16, Shape: []int64{3, 2}},
		{Name: "output.bias", Type: gguf.TypeBF16, Shape: []int64{2}},
	},
}}}

var (
	noTensors = fixture{name: "no-tensors", shards: []shard{{metadata(pair{"general.architecture", gguf.ValueOf("bert")}), nil}}}
	nothing   = fixture{name: "nothing", shards: []shard{{metadata(), nil}}}
)

// split is a model of three files, the first without tensors.
func split() fixture {
	x := fixture{name: "split"}
	for i := range 3 {
		s := shard{metadata: metadata()}
		if i == 0 {
			s.metadata.Set("general.architecture", gguf.ValueOf("bert"))
		}
		s.metadata.Set("split.no", gguf.ValueOf(uint16(i)))
		s.metadata.Set("split.count", gguf.ValueOf(uint16(3)))
		s.metadata.Set("split.tensors.count", gguf.ValueOf(int32(4)))
		for k := range 2 * min(i, 1) {
			s.tensors = append(s.tensors, gguf.TensorInfo{
				Name: fmt.Sprintf("blk.%d.ffn_up.weight", 2*i+k), Type: gguf.TypeQ8_0, Shape: []int64{64, 3},
			})
		}
		x.shards = append(x.shards, s)
	}
	return x
}

func fixtures() []fixture {
	return []fixture{bert, values, hostile, foreign, bigEndian, noTensors, nothing, split()}
}
