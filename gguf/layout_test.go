package gguf_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

// tiny returns the bytes of testdata/tiny.txt, an annotated dump.
func tiny(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/tiny.txt")
	if err != nil {
		t.Fatal(err)
	}
	var file []byte
	for line := range strings.Lines(string(text)) {
		digits, _, _ := strings.Cut(line, "#")
		b, err := hex.DecodeString(strings.Join(strings.Fields(digits), ""))
		if err != nil {
			t.Fatal(err)
		}
		file = append(file, b...)
	}
	return file
}

// The dump proves the layout in the package comment, for reading and writing.
func TestLayout(t *testing.T) {
	want := tiny(t)
	var md gguf.Metadata
	md.Set(gguf.KeyAlignment, gguf.ValueOf[uint32](8))
	md.Set("a", gguf.ArrayOf([]string{"xy", ""}))
	md.Set("b", gguf.ArrayOfArrays([]gguf.Value{
		gguf.ArrayOf([]uint8{7, 8, 9}), gguf.ArrayOf([]bool{true}),
	}))
	tensors := []gguf.TensorInfo{
		{Name: "t", Type: gguf.TypeF32, Shape: []int64{3, 1}},
		{Name: "u", Type: gguf.TypeI16, Shape: []int64{2}},
	}
	var out bytes.Buffer
	w, err := gguf.NewWriter(&out, &md, tensors, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Data of several tensors at once, cut anywhere.
	data := []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x3f, 1, 0, 0xfe, 0xff}
	for _, part := range [][]byte{data[:5], data[5:14], nil, data[14:]} {
		if n, err := w.Write(part); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("written:\n%s\nnot:\n%s", hex.Dump(out.Bytes()), hex.Dump(want))
	}

	path := filepath.Join(t.TempDir(), "tiny.gguf")
	if err := os.WriteFile(path, want, 0o666); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	if !reflect.DeepEqual(f.Metadata, &md) {
		t.Errorf("keys are %v", f.Metadata)
	}
	dataAt := int64(len(want) - 24)
	wantTensors := []*gguf.Tensor{
		{Name: "t", Type: gguf.TypeF32, Shape: []int64{3, 1}, Offset: dataAt, Size: 12},
		{Name: "u", Type: gguf.TypeI16, Shape: []int64{2}, Offset: dataAt + 16, Size: 4},
	}
	if !reflect.DeepEqual(f.Tensors, wantTensors) {
		t.Errorf("tensors are %+v", f.Tensors)
	}
	if s := f.Shards[0]; s.DataAt != dataAt || s.Size != int64(len(want)) || s.Path != path {
		t.Errorf("shard is %+v", s)
	}
}
