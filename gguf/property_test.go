package gguf_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"pgregory.net/rapid"
)

// scalars draws one value of each type.
var scalars = []*rapid.Generator[gguf.Value]{
	scalar(rapid.Uint8()), scalar(rapid.Int8()), scalar(rapid.Uint16()), scalar(rapid.Int16()),
	scalar(rapid.Uint32()), scalar(rapid.Int32()), scalar(rapid.Uint64()), scalar(rapid.Int64()),
	scalar(rapid.Float32()), scalar(rapid.Float64()), scalar(rapid.Bool()), scalar(text()),
}

var arrays = []*rapid.Generator[gguf.Value]{
	array(rapid.Uint8()), array(rapid.Int8()), array(rapid.Uint16()), array(rapid.Int16()),
	array(rapid.Uint32()), array(rapid.Int32()), array(rapid.Uint64()), array(rapid.Int64()),
	array(rapid.Float32()), array(rapid.Float64()), array(rapid.Bool()), array(text()),
}

// text draws any bytes, which need not be UTF-8 in a value.
func text() *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })
}

func scalar[T gguf.Scalar](g *rapid.Generator[T]) *rapid.Generator[gguf.Value] {
	return rapid.Map(g, gguf.ValueOf[T])
}

func array[T gguf.Scalar](g *rapid.Generator[T]) *rapid.Generator[gguf.Value] {
	return rapid.Map(rapid.SliceOf(g), gguf.ArrayOf[T])
}

// anyArray draws an array with at most depth arrays inside each other.
func anyArray(depth int) *rapid.Generator[gguf.Value] {
	flat := rapid.OneOf(arrays...)
	if depth <= 1 {
		return flat
	}
	return rapid.OneOf(flat, rapid.Map(rapid.SliceOfN(anyArray(depth-1), 0, 3), gguf.ArrayOfArrays))
}

func drawMetadata(t *rapid.T) *gguf.Metadata {
	var md gguf.Metadata
	key := rapid.StringMatching(`[a-zé0-9_.]{1,20}`)
	value := rapid.OneOf(rapid.OneOf(scalars...), anyArray(8))
	for range rapid.IntRange(0, 8).Draw(t, "keys") {
		md.Set(key.Draw(t, "key"), value.Draw(t, "value"))
	}
	if rapid.Bool().Draw(t, "aligned") {
		md.Set(gguf.KeyAlignment, gguf.ValueOf(uint32(1)<<rapid.IntRange(0, 9).Draw(t, "alignment")))
	}
	return &md
}

func drawTensors(t *rapid.T) []gguf.TensorInfo {
	names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z.0-9]{0,63}`), 0, 5, rapid.ID[string]).Draw(t, "names")
	var tensors []gguf.TensorInfo
	for _, name := range names {
		typ := rapid.SampledFrom(withLayout).Draw(t, "type")
		block, _, _ := typ.Block()
		shape := rapid.SliceOfN(rapid.Int64Range(0, 3), 1, 4).Draw(t, "shape")
		shape[0] *= int64(block)
		tensors = append(tensors, gguf.TensorInfo{Name: name, Type: typ, Shape: shape})
	}
	return tensors
}

// withLayout lists the types whose layout is known.
var withLayout = func() (list []gguf.Type) {
	for id := range gguf.Type(100) {
		if _, _, ok := id.Block(); ok {
			list = append(list, id)
		}
	}
	return list
}()

// Whatever can be written is read back as it was, in both byte orders, and is
// written again to the same bytes.
func TestWriteOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.gguf")
	rapid.Check(t, func(t *rapid.T) {
		md, tensors := drawMetadata(t), drawTensors(t)
		opts := rapid.SampledFrom([]*gguf.WriterOptions{
			nil, {Version: 2}, {Version: 3, ByteOrder: binary.LittleEndian}, {ByteOrder: binary.BigEndian},
		}).Draw(t, "options")
		var out bytes.Buffer
		w, err := gguf.NewWriter(&out, md, tensors, opts)
		if err != nil {
			// Some types have no big-endian layout.
			if kind(err) == 1 && opts != nil && opts.ByteOrder == binary.BigEndian {
				t.Skip()
			}
			t.Fatal(err)
		}
		var data [][]byte
		for _, x := range tensors {
			n := int64(1)
			for _, d := range x.Shape {
				n *= d
			}
			size, _ := x.Type.Size(n)
			p := bytes.Repeat(rapid.SliceOfN(rapid.Byte(), 7, 7).Draw(t, "data"), int(size)/7+1)[:size]
			data = append(data, p)
			// In two parts, the first of which may end inside a block.
			cut := rapid.IntRange(0, len(p)).Draw(t, "cut")
			for _, part := range [][]byte{p[:cut], p[cut:]} {
				if _, err := w.Write(part); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, out.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		f, err := gguf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if diff := differ(f.Metadata, md); diff != "" {
			t.Fatalf("key %q differs", diff)
		}
		if len(f.Tensors) != len(tensors) {
			t.Fatalf("%d tensors", len(f.Tensors))
		}
		for i, want := range tensors {
			x := f.Tensors[i]
			got, err := f.Data(x, 0, x.Rows(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if x.Name != want.Name || x.Type != want.Type || !reflect.DeepEqual(x.Shape, want.Shape) || !bytes.Equal(got, data[i]) {
				t.Fatalf("tensor %d is %+v with data %x, not %+v with %x", i, x, got, want, data[i])
			}
		}
	})
}

// differ returns a key whose order, type or value differs.
func differ(a, b *gguf.Metadata) string {
	var keys []string
	for k := range b.All() {
		keys = append(keys, k)
	}
	i := 0
	for k, v := range a.All() {
		if i >= len(keys) || k != keys[i] || !same(v, mustLookup(b, k)) {
			return k
		}
		i++
	}
	if i < len(keys) {
		return keys[i]
	}
	return ""
}

func mustLookup(md *gguf.Metadata, key string) gguf.Value {
	v, _ := md.Lookup(key)
	return v
}

// same compares values bit by bit, so that NaN equals itself.
func same(a, b gguf.Value) bool {
	if a.Type() != b.Type() || a.Elem() != b.Elem() || a.Len() != b.Len() {
		return false
	}
	switch x := a.Any().(type) {
	case float32:
		return math.Float32bits(x) == math.Float32bits(b.Any().(float32))
	case float64:
		return math.Float64bits(x) == math.Float64bits(b.Any().(float64))
	case []float32, []float64:
		p, errA := binary.Append(nil, binary.LittleEndian, x)
		q, errB := binary.Append(nil, binary.LittleEndian, b.Any())
		return errA == nil && errB == nil && bytes.Equal(p, q)
	case []gguf.Value:
		for i, v := range b.Any().([]gguf.Value) {
			if !same(x[i], v) {
				return false
			}
		}
		return true
	}
	// An empty array may be nil on one side.
	return a.Type() == gguf.ValueArray && a.Len() == 0 || reflect.DeepEqual(a.Any(), b.Any())
}
