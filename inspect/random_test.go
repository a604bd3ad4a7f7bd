package inspect

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gguftool/gguftool/gguf"
)

// value draws a metadata value, arrays in arrays among them.
func value(depth int) *rapid.Generator[gguf.Value] {
	return rapid.Custom(func(t *rapid.T) gguf.Value {
		kinds := 6
		if depth > 0 {
			kinds = 7
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return gguf.ValueOf(text(t))
		case 1:
			return gguf.ValueOf(rapid.Uint64().Draw(t, "u64"))
		case 2:
			return gguf.ValueOf(rapid.Float32().Draw(t, "f32"))
		case 3:
			return gguf.ValueOf(rapid.Int32().Draw(t, "i32"))
		case 4:
			return gguf.ArrayOf(rapid.SliceOf(rapid.Custom(text)).Draw(t, "strings"))
		case 5:
			return gguf.ArrayOf(rapid.SliceOf(rapid.Uint32()).Draw(t, "u32s"))
		default:
			array := value(depth - 1).Filter(func(v gguf.Value) bool { return v.Type() == gguf.ValueArray })
			return gguf.ArrayOfArrays(rapid.SliceOfN(array, 0, 3).Draw(t, "arrays"))
		}
	})
}

// TestAnything describes models of random keys, values and tensors: their text
// must be printable and their JSON fit its schema.
func TestAnything(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.StringN(0, -1, 63).Filter(func(s string) bool { return !strings.Contains(s, "\x00") })
		known := rapid.SampledFrom([]string{
			"general.architecture", "general.name", "general.file_type", "tokenizer.ggml.model", "tokenizer.ggml.tokens",
			".block_count", ".embedding_length", ".feed_forward_length", ".attention.head_count", ".pooling_type", ".vocab_size",
		})
		key := rapid.OneOf(known, name.Filter(func(s string) bool { return s != "" }))
		s := shard{metadata: metadata()}
		for _, k := range rapid.SliceOfN(key, 0, 8).Draw(rt, "keys") {
			s.metadata.Set(k, value(2).Draw(rt, "value"))
		}
		for _, n := range rapid.SliceOfNDistinct(name, 0, 4, rapid.ID[string]).Draw(rt, "tensors") {
			x := gguf.TensorInfo{
				Name:  n,
				Type:  rapid.SampledFrom(knownTypes()).Draw(rt, "type"),
				Shape: rapid.SliceOfN(rapid.Int64Range(0, 3), 1, 4).Draw(rt, "shape"),
			}
			if block, _, ok := x.Type.Block(); ok {
				x.Shape[0] *= int64(block)
			} else {
				x.Size = rapid.Int64Range(1, 100).Draw(rt, "size")
			}
			s.tensors = append(s.tensors, x)
		}
		f := fixture{name: "random", shards: []shard{s}}.openIn(t, dir)
		defer f.Close()
		r := Describe(f)
		for _, full := range []bool{false, true} {
			writeText(t, r, Options{Full: full})
			data, err := r.JSON(full)
			if err != nil {
				t.Fatal(err)
			}
			checkPrintable(t, string(data))
			checkSchema(t, data)
		}
		if t.Failed() {
			rt.FailNow()
		}
	})
}
