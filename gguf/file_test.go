package gguf_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

func TestData(t *testing.T) {
	for _, name := range []string{"blocks.gguf", "blocks-big-endian.gguf"} {
		f := open(t, filepath.Join("testdata", name))
		x := f.Tensor("q6_k")
		if x.RowLen() != 512 || x.Rows() != 3 || x.Elements() != 1536 || x.Size != 1260 {
			t.Fatalf("%d columns, %d rows, %d elements, %d bytes", x.RowLen(), x.Rows(), x.Elements(), x.Size)
		}
		whole := bytes.Clone(littleEndian(t, f, x))
		buf := make([]byte, 7)
		for from := range int64(4) {
			for to := from; to <= 3; to++ {
				got, err := f.Data(x, from, to, buf)
				if err != nil || !bytes.Equal(got, whole[from*420:to*420]) {
					t.Errorf("%s: rows %d to %d differ, %v", name, from, to, err)
				}
				f.DontNeed(x, from, to)
			}
		}
		for _, r := range [][2]int64{{-1, 1}, {2, 1}, {0, 4}, {4, 4}} {
			if _, err := f.Data(x, r[0], r[1], nil); err == nil || !strings.Contains(err.Error(), "has 3 rows, not rows") {
				t.Errorf("rows %d to %d: %v", r[0], r[1], err)
			}
		}
	}
}

// A little-endian file is not copied.
func TestDataIsMapped(t *testing.T) {
	f := open(t, "testdata/blocks.gguf")
	x := f.Tensors[0]
	if data := littleEndian(t, f, x); &data[0] != &f.Stored(x)[0] {
		t.Error("Data copies")
	}
	if n := testing.AllocsPerRun(10, func() { f.Data(x, 0, 3, nil) }); n != 0 {
		t.Errorf("Data allocates %v times", n)
	}
}

// A big-endian layout that is not defined is refused when data is read, not
// when the file is opened.
func TestBigEndianUndefined(t *testing.T) {
	var out bytes.Buffer
	w, err := gguf.NewWriter(&out, keys(), one(gguf.TypeI8, 66), &gguf.WriterOptions{ByteOrder: binary.BigEndian})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 66)); err != nil {
		t.Fatal(err)
	}
	// IQ2_XXS has as many bytes in a block of 256.
	file := out.Bytes()
	at := bytes.Index(file, []byte{0, 0, 0, 0, 0, 0, 0, 66, 0, 0, 0, 24})
	copy(file[at:], []byte{0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 16})
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := os.WriteFile(path, file, 0o666); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	_, err = f.Data(f.Tensors[0], 0, 1, nil)
	if _, ok := errors.AsType[*gguf.UnsupportedError](err); !ok || !strings.Contains(err.Error(), "the big-endian layout of IQ2_XXS is not defined") {
		t.Errorf("Data: %v", err)
	}
}

// Metadata does not point into the mapped file.
func TestMetadataAfterClose(t *testing.T) {
	f, err := gguf.Open("testdata/plain.gguf")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	words, ok := gguf.Array[string](f.Metadata, "a.text")
	if !ok || strings.Join(words, "|") != "|a|▁b|世界" || f.Metadata.Text("k.text") != "héllo, 世界" {
		t.Errorf("%q, %q", words, f.Metadata.Text("k.text"))
	}
}

// Keys that claim more than 256 MiB are refused before they are read.
func TestHugeHead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.gguf")
	head := []byte("GGUF\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00" +
		"\x01\x00\x00\x00\x00\x00\x00\x00k\x08\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00\x00")
	if err := os.WriteFile(path, head, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 3<<30); err != nil {
		t.Fatal(err)
	}
	_, err := gguf.Open(path)
	if _, ok := errors.AsType[*gguf.UnsupportedError](err); !ok || !strings.Contains(err.Error(), `key "k": string needs 1073741824 bytes at byte 45, but keys and tensor table are read only up to byte 268435456`) {
		t.Error(err)
	}
}

func TestOpenErrors(t *testing.T) {
	if _, err := gguf.Open(filepath.Join(t.TempDir(), "none.gguf")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := gguf.Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Error(err)
	}
}

func TestShardPaths(t *testing.T) {
	for _, c := range []struct {
		path   string
		prefix string
		i, n   int
		ok     bool
	}{
		{"m-00001-of-00003.gguf", "m", 0, 3, true},
		{"m-00003-of-00003.gguf", "m", 2, 3, true},
		{filepath.Join("a-00001-of-00002.gguf", "b-00002-of-00002.gguf"), filepath.Join("a-00001-of-00002.gguf", "b"), 1, 2, true},
		{"m-00000-of-00003.gguf", "", 0, 0, false},
		{"m-00004-of-00003.gguf", "", 0, 0, false},
		{"m-1-of-3.gguf", "", 0, 0, false},
		{"m.gguf", "", 0, 0, false},
	} {
		prefix, i, n, ok := gguf.ParseShardPath(c.path)
		if prefix != c.prefix || i != c.i || n != c.n || ok != c.ok {
			t.Errorf("%s is %q, %d, %d, %t", c.path, prefix, i, n, ok)
		}
		if ok && gguf.ShardPath(prefix, i, n) != c.path {
			t.Errorf("%s becomes %s", c.path, gguf.ShardPath(prefix, i, n))
		}
	}
}

// Every shard opens the whole model, as if it were one file.
func TestShards(t *testing.T) {
	whole := open(t, "testdata/plain.gguf")
	for i := range 3 {
		path := gguf.ShardPath("testdata/shard", i, 3)
		f := open(t, path)
		if f.Path != path || len(f.Shards) != 3 || len(f.Tensors) != len(whole.Tensors) {
			t.Fatalf("%s: path %s, %d shards, %d tensors", path, f.Path, len(f.Shards), len(f.Tensors))
		}
		for j, x := range f.Tensors {
			if want := whole.Tensors[j]; x.Name != want.Name || x.Shard != j/3 || !bytes.Equal(littleEndian(t, f, x), littleEndian(t, whole, want)) {
				t.Errorf("%s: tensor %d is %s in shard %d", path, j, x.Name, x.Shard)
			}
		}
		if f.Metadata != f.Shards[0].Metadata || f.Shards[2].Metadata.Len() != 3 {
			t.Errorf("%s: keys are not those of the shards", path)
		}
	}
}
