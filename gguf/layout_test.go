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

// Tensors that are written at their places in any order give the file that a
// Writer makes.
func TestLayoutPlaces(t *testing.T) {
	var md gguf.Metadata
	md.Set(gguf.KeyAlignment, gguf.ValueOf[uint32](64))
	tensors := []gguf.TensorInfo{
		{Name: "odd", Type: gguf.TypeI8, Shape: []int64{5}},
		{Name: "none", Type: gguf.TypeF32, Shape: []int64{0, 3}},
		{Name: "even", Type: gguf.TypeQ8_0, Shape: []int64{64, 2}},
		{Name: "foreign", Type: 137, Shape: []int64{3}, Size: 65},
		{Name: "last", Type: gguf.TypeF16, Shape: []int64{3}},
	}
	l, err := gguf.NewLayout(&md, tensors, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := gguf.FileSize(&md, tensors, nil); n != l.Size || err != nil {
		t.Errorf("FileSize is %d, %v, not %d", n, err, l.Size)
	}
	var want bytes.Buffer
	w, err := l.NewWriter(&want)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, l.Size)
	copy(got, l.Head)
	for i, x := range l.Tensors {
		data := bytes.Repeat([]byte{byte(i + 1)}, int(x.Size))
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if l.Offsets[i]%l.Alignment != 0 || l.Alignment != 64 {
			t.Errorf("%s is at %d", x.Name, l.Offsets[i])
		}
		copy(got[l.Offsets[i]:], data)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("in places:\n%s\nstreamed:\n%s", hex.Dump(got), hex.Dump(want.Bytes()))
	}

	path := filepath.Join(t.TempDir(), "file.gguf")
	if err := os.WriteFile(path, got, 0o666); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	if !bytes.Equal(f.Head(0), l.Head) {
		t.Errorf("the head has %d bytes, not %d", len(f.Head(0)), len(l.Head))
	}
	for i, x := range f.Tensors {
		if x.Offset != l.Offsets[i] {
			t.Errorf("%s is at %d, not at %d", x.Name, x.Offset, l.Offsets[i])
		}
		f.Fetch(x, 0, x.Rows())
		f.Fetch(x, -1, x.Rows()+1)
	}
}

// A file of keys only ends with the last one, and can be opened.
func TestKeysOnly(t *testing.T) {
	var md gguf.Metadata
	md.Set("a", gguf.ValueOf[uint8](7))
	opts := &gguf.WriterOptions{KeysOnly: true}
	layout, err := gguf.NewLayout(&md, nil, opts)
	if err != nil {
		t.Fatal(err)
	}
	const want = 4 + 4 + 8 + 8 + 8 + 1 + 4 + 1
	if len(layout.Head) != want || layout.Size != want || layout.Head[want-1] != 7 {
		t.Errorf("%d bytes, %d in the head: % x, want %d", layout.Size, len(layout.Head), layout.Head, want)
	}
	path := filepath.Join(t.TempDir(), "keys.gguf")
	if err := os.WriteFile(path, layout.Head, 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n, _ := f.Metadata.Int("a"); n != 7 || len(f.Tensors) != 0 {
		t.Errorf("a is %d beside %d tensors", n, len(f.Tensors))
	}
	if _, err := gguf.NewLayout(&md, []gguf.TensorInfo{{Name: "t", Type: gguf.TypeF32, Shape: []int64{1}}}, opts); err == nil {
		t.Error("a tensor has a place in a file of keys only")
	}
}
