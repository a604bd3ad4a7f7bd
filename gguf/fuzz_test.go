package gguf_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/hostile"
)

// FuzzOpen opens a file and writes it again. What is read from the second file
// must be what was read from the first one, and writing it a third time must
// change nothing.
func FuzzOpen(f *testing.F) {
	var seeds [][]byte
	for _, c := range hostile.Cases() {
		seeds = append(seeds, c.Bytes())
	}
	files, err := filepath.Glob("testdata/*.gguf")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		seeds = append(seeds, data)
	}
	for _, data := range append(seeds, tiny(f)) {
		// Large ones would slow the fuzzer down and have nothing more to say.
		if len(data) < 2048 {
			f.Add(data)
		}
	}

	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		first, ok := openFuzzed(t, filepath.Join(dir, "first.gguf"), data)
		if !ok {
			return
		}
		defer first.Close()
		rewritten, ok := rewriteFuzzed(t, first)
		if !ok {
			return
		}
		second, ok := openFuzzed(t, filepath.Join(dir, "second.gguf"), rewritten)
		if !ok {
			t.Fatal("what was written is not opened")
		}
		defer second.Close()
		if key := differ(second.Metadata, first.Metadata); key != "" {
			t.Errorf("key %q differs", key)
		}
		for i, x := range first.Tensors {
			y := second.Tensors[i]
			a, b := littleEndian(t, first, x), littleEndian(t, second, y)
			// Behind a type of unknown layout the padding counts as data.
			if x.Name != y.Name || x.Type != y.Type || !bytes.HasPrefix(b, a) {
				t.Errorf("tensor %d differs", i)
			}
		}
		third, ok := rewriteFuzzed(t, second)
		if !ok || !bytes.Equal(third, rewritten) {
			t.Error("the third file differs from the second")
		}
	})
}

func openFuzzed(t *testing.T, path string, data []byte) (*gguf.File, bool) {
	// A new file, as some file systems flush one that is written again.
	os.Remove(path)
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(path)
	if err != nil {
		// A shard is named as one, which this file is not.
		if k := kind(err); k != hostile.Malformed && k != hostile.Unsupported {
			t.Fatal(err)
		}
		return nil, false
	}
	return f, true
}

// rewriteFuzzed is rewrite, but for types that cannot be written in big-endian
// order and for alignments that blow a small file up.
func rewriteFuzzed(t *testing.T, f *gguf.File) ([]byte, bool) {
	var tensors []gguf.TensorInfo
	for _, x := range f.Tensors {
		tensors = append(tensors, x.Info())
	}
	size, err := gguf.FileSize(f.Metadata, tensors, &gguf.WriterOptions{Version: f.Version, ByteOrder: f.ByteOrder})
	if err != nil {
		if kind(err) != hostile.Unsupported {
			t.Fatal(err)
		}
		return nil, false
	}
	if size > 1<<24 {
		return nil, false
	}
	return rewrite(t, f, 0), true
}
