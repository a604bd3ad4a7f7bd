package gguf_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

// golden is what testdata/golden.py wrote, by its own account.
type golden struct {
	Keys []struct {
		Key, Type string
		Value     any
	}
	Tensors []struct {
		Name   string
		Shape  []int64
		SHA256 string
	}
	Types []struct {
		ID              gguf.Type
		Name            string
		Elements, Bytes int
	}
	FileTypes []struct {
		ID   gguf.FileType
		Name string
	} `json:"file_types"`
}

func readGolden(t *testing.T) golden {
	t.Helper()
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&g); err != nil {
		t.Fatal(err)
	}
	return g
}

func open(t testing.TB, path string) *gguf.File {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// rewrite returns what a Writer makes of shard i of f.
func rewrite(t testing.TB, f *gguf.File, i int) []byte {
	t.Helper()
	var tensors []gguf.TensorInfo
	for _, x := range f.Tensors {
		if x.Shard == i {
			tensors = append(tensors, x.Info())
		}
	}
	opts := &gguf.WriterOptions{Version: f.Version, ByteOrder: f.ByteOrder}
	var out bytes.Buffer
	w, err := gguf.NewWriter(&out, f.Shards[i].Metadata, tensors, opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range f.Tensors {
		if x.Shard != i {
			continue
		}
		if _, err := w.Write(littleEndian(t, f, x)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	size, err := gguf.FileSize(f.Shards[i].Metadata, tensors, opts)
	if err != nil || size != int64(out.Len()) {
		t.Fatalf("FileSize is %d, %v; the file has %d bytes", size, err, out.Len())
	}
	return out.Bytes()
}

// littleEndian returns all data of x, also of a type that is not decoded.
func littleEndian(t testing.TB, f *gguf.File, x *gguf.Tensor) []byte {
	t.Helper()
	if _, _, known := x.Type.Block(); !known {
		return f.Stored(x)
	}
	data, err := f.Data(x, 0, x.Rows(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

var goldenFiles = []struct {
	name      string
	version   uint32
	order     binary.ByteOrder
	alignment int64
	extra     []string // keys behind the common ones
}{
	{"plain.gguf", 3, binary.LittleEndian, 32, nil},
	{"big-endian.gguf", 3, binary.BigEndian, 32, nil},
	{"v2.gguf", 2, binary.LittleEndian, 32, nil},
	{"align64.gguf", 3, binary.LittleEndian, 64, []string{gguf.KeyAlignment}},
	{"shard-00001-of-00003.gguf", 3, binary.LittleEndian, 32, []string{gguf.KeySplitNo, gguf.KeySplitCount, gguf.KeySplitTensors}},
	{"shard-00003-of-00003.gguf", 3, binary.LittleEndian, 32, []string{gguf.KeySplitNo, gguf.KeySplitCount, gguf.KeySplitTensors}},
}

// Keys, tensors and data are those that the reference writer was given.
func TestGolden(t *testing.T) {
	g := readGolden(t)
	for _, c := range goldenFiles {
		t.Run(c.name, func(t *testing.T) {
			f := open(t, filepath.Join("testdata", c.name))
			if f.Version != c.version || f.ByteOrder != c.order || f.Alignment != c.alignment {
				t.Errorf("version %d, %s, alignment %d", f.Version, f.ByteOrder, f.Alignment)
			}
			i := 0
			for key, v := range f.Metadata.All() {
				if i >= len(g.Keys) {
					if key != c.extra[i-len(g.Keys)] {
						t.Errorf("key %d is %q", i, key)
					}
					i++
					continue
				}
				want := g.Keys[i]
				if key != want.Key || v.Type().String() != want.Type || plain(v.Any()) != plain(want.Value) {
					t.Errorf("key %d is %s %s = %s, not %s %s = %s", i, key, v.Type(), plain(v.Any()), want.Key, want.Type, plain(want.Value))
				}
				i++
			}
			if i != len(g.Keys)+len(c.extra) {
				t.Errorf("%d keys", i)
			}
			if len(f.Tensors) != len(g.Tensors) {
				t.Fatalf("%d tensors", len(f.Tensors))
			}
			for i, want := range g.Tensors {
				x := f.Tensors[i]
				sum := sha256.Sum256(littleEndian(t, f, x))
				if x.Name != want.Name || !reflect.DeepEqual(x.Shape, want.Shape) || hex.EncodeToString(sum[:]) != want.SHA256 {
					t.Errorf("tensor %d is %s %v with SHA-256 %x", i, x.Name, x.Shape, sum)
				}
				if f.Tensor(want.Name) != x {
					t.Errorf("tensor %s is not found by its name", want.Name)
				}
			}
		})
	}
}

// plain prints numbers, strings and lists of them in one way.
func plain(v any) string {
	if r := reflect.ValueOf(v); r.Kind() == reflect.Slice {
		var parts []string
		for i := range r.Len() {
			parts = append(parts, plain(r.Index(i).Interface()))
		}
		return "[" + strings.Join(parts, " ") + "]"
	}
	return fmt.Sprint(v)
}

// Whatever packs tensors in the order of its table is rewritten byte by byte.
func TestRoundTrip(t *testing.T) {
	files, err := filepath.Glob("testdata/*.gguf")
	if err != nil || len(files) < 11 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, path := range files {
		f := open(t, path)
		for i, s := range f.Shards {
			want, err := os.ReadFile(s.Path)
			if err != nil {
				t.Fatal(err)
			}
			if got := rewrite(t, f, i); !bytes.Equal(got, want) {
				t.Errorf("%s differs after rewriting", s.Path)
			}
		}
	}
}

// The two files have the same weights, swapped by the reference.
func TestByteOrder(t *testing.T) {
	little := open(t, "testdata/blocks.gguf")
	big := open(t, "testdata/blocks-big-endian.gguf")
	if big.ByteOrder != binary.BigEndian {
		t.Fatalf("byte order is %s", big.ByteOrder)
	}
	for i, x := range little.Tensors {
		y := big.Tensors[i]
		for row := range x.Rows() {
			a, err := little.Data(x, row, row+1, nil)
			if err != nil {
				t.Fatal(err)
			}
			b, err := big.Data(y, row, row+1, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a, b) {
				t.Errorf("row %d of %s differs", row, x.Name)
			}
		}
	}
}

func TestTypesAgainstReference(t *testing.T) {
	g := readGolden(t)
	known := map[gguf.Type]bool{}
	for _, want := range g.Types {
		known[want.ID] = true
		elements, size, ok := want.ID.Block()
		if want.ID.String() != want.Name || elements != want.Elements || size != want.Bytes || !ok {
			t.Errorf("type %d is %s with blocks of %d in %d bytes, not %+v", uint32(want.ID), want.ID, elements, size, want)
		}
		if want.ID.Project() != "llama.cpp" || want.ID.Removed() {
			t.Errorf("%s belongs to %q, removed %t", want.ID, want.ID.Project(), want.ID.Removed())
		}
	}
	for id := range gguf.Type(1000) {
		if _, _, ok := id.Block(); ok && !known[id] {
			t.Errorf("%s has a size that the reference does not know", id)
		}
	}
	for _, want := range g.FileTypes {
		if got, err := gguf.ParseFileType(want.Name); err != nil || got != want.ID || want.ID.String() != want.Name {
			t.Errorf("file type %s is %d, %v; file type %d is %s", want.Name, uint32(got), err, uint32(want.ID), want.ID)
		}
	}
}
