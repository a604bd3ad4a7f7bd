package gguf_test

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

func order(md *gguf.Metadata) (keys []string) {
	for k := range md.All() {
		keys = append(keys, k)
	}
	return keys
}

func TestMetadataOrder(t *testing.T) {
	var md gguf.Metadata
	if md.Len() != 0 || md.Delete("a") || order(md.Clone()) != nil {
		t.Error("the zero Metadata is not empty")
	}
	for i, k := range []string{"a", "b", "c"} {
		md.Set(k, gguf.ValueOf(int32(i)))
	}
	c := md.Clone()
	md.Set("a", gguf.ValueOf("new"))
	if !md.Delete("b") || md.Delete("b") {
		t.Error("Delete does not report what it did")
	}
	md.Set("b", gguf.ValueOf(true))
	if got := order(&md); !slices.Equal(got, []string{"a", "c", "b"}) || md.Len() != 3 {
		t.Errorf("keys are %q", got)
	}
	if got := order(c); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("keys of the clone are %q", got)
	}
	if n, ok := c.Int("a"); n != 0 || !ok || md.Text("a") != "new" {
		t.Error("the clone changed with its original")
	}
	for k := range md.All() {
		if k == "c" {
			break
		}
	}
}

func TestMetadataTypes(t *testing.T) {
	md := keys(
		gguf.KeyArchitecture, gguf.ValueOf("bert"),
		"u64", gguf.ValueOf(uint64(math.MaxInt64)), "huge", gguf.ValueOf(uint64(math.MaxInt64)+1), "i8", gguf.ValueOf(int8(-1)),
		"f32", gguf.ValueOf(float32(0.5)), "f64", gguf.ValueOf(0.1), "bool", gguf.ValueOf(true),
		"list", gguf.ArrayOf([]int32{1, 2}),
	)
	if md.Architecture() != "bert" {
		t.Errorf("architecture is %q", md.Architecture())
	}
	for _, c := range []struct {
		key string
		n   int64
		ok  bool
	}{{"u64", math.MaxInt64, true}, {"huge", math.MinInt64, false}, {"i8", -1, true}, {"f32", 0, false}, {"bool", 0, false}, {"none", 0, false}} {
		if n, ok := md.Int(c.key); n != c.n && c.ok || ok != c.ok {
			t.Errorf("Int(%s) = %d, %t", c.key, n, ok)
		}
	}
	for _, c := range []struct {
		key string
		f   float64
		ok  bool
	}{{"f32", 0.5, true}, {"f64", 0.1, true}, {"i8", 0, false}, {"none", 0, false}} {
		if f, ok := md.Float(c.key); f != c.f || ok != c.ok {
			t.Errorf("Float(%s) = %v, %t", c.key, f, ok)
		}
	}
	if b, ok := md.Bool("bool"); !b || !ok {
		t.Error("Bool")
	}
	if _, ok := md.Bool("i8"); ok {
		t.Error("Bool of a number")
	}
	if a, ok := gguf.Array[int32](md, "list"); !ok || !reflect.DeepEqual(a, []int32{1, 2}) {
		t.Errorf("Array = %v, %t", a, ok)
	}
	if _, ok := gguf.Array[uint32](md, "list"); ok {
		t.Error("Array of another type")
	}
}

func TestValueTypes(t *testing.T) {
	for _, c := range []struct {
		single, array gguf.Value
		name          string
	}{
		{gguf.ValueOf[uint8](1), gguf.ArrayOf([]uint8{1, 2}), "u8"},
		{gguf.ValueOf[int8](1), gguf.ArrayOf([]int8{1, 2}), "i8"},
		{gguf.ValueOf[uint16](1), gguf.ArrayOf([]uint16{1, 2}), "u16"},
		{gguf.ValueOf[int16](1), gguf.ArrayOf([]int16{1, 2}), "i16"},
		{gguf.ValueOf[uint32](1), gguf.ArrayOf([]uint32{1, 2}), "u32"},
		{gguf.ValueOf[int32](1), gguf.ArrayOf([]int32{1, 2}), "i32"},
		{gguf.ValueOf[uint64](1), gguf.ArrayOf([]uint64{1, 2}), "u64"},
		{gguf.ValueOf[int64](1), gguf.ArrayOf([]int64{1, 2}), "i64"},
		{gguf.ValueOf[float32](1), gguf.ArrayOf([]float32{1, 2}), "f32"},
		{gguf.ValueOf[float64](1), gguf.ArrayOf([]float64{1, 2}), "f64"},
		{gguf.ValueOf(true), gguf.ArrayOf([]bool{true, false}), "bool"},
		{gguf.ValueOf(""), gguf.ArrayOf([]string{"", ""}), "string"},
	} {
		if c.single.Type().String() != c.name || c.single.Len() != 0 {
			t.Errorf("%s is %s of length %d", c.name, c.single.Type(), c.single.Len())
		}
		if c.array.Type() != gguf.ValueArray || c.array.Elem().String() != c.name || c.array.Len() != 2 {
			t.Errorf("array of %s is %s of %d %s", c.name, c.array.Type(), c.array.Len(), c.array.Elem())
		}
		n, ok := c.single.Int()
		if isInt := c.name[0] == 'u' || c.name[0] == 'i'; ok != isInt || isInt && n != 1 {
			t.Errorf("Int of %s is %d, %t", c.name, n, ok)
		}
	}
	two := gguf.ArrayOfArrays([]gguf.Value{gguf.ArrayOf([]bool{}), gguf.ArrayOf([]bool{})})
	if two.Len() != 2 || two.Elem() != gguf.ValueArray || gguf.ValueType(13).String() != "value type 13" {
		t.Error("array of arrays")
	}
}
