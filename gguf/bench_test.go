package gguf_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

// vocabulary is a file with the keys of a tokenizer of n tokens, and no tensors.
func vocabulary(b *testing.B, n int) string {
	b.Helper()
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("▁token%d", i)
	}
	md := keys(
		"tokenizer.ggml.tokens", gguf.ArrayOf(tokens),
		"tokenizer.ggml.scores", gguf.ArrayOf(make([]float32, n)),
		"tokenizer.ggml.token_type", gguf.ArrayOf(make([]int32, n)),
		"tokenizer.ggml.merges", gguf.ArrayOf(tokens),
	)
	path := filepath.Join(b.TempDir(), "vocabulary.gguf")
	out, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	if _, err := gguf.NewWriter(out, md, nil, nil); err != nil {
		b.Fatal(err)
	}
	return path
}

func BenchmarkOpen256K(b *testing.B) {
	path := vocabulary(b, 256<<10)
	b.ReportAllocs()
	for b.Loop() {
		f, err := gguf.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}

func BenchmarkBigEndian(b *testing.B) {
	f, err := gguf.Open("testdata/blocks-big-endian.gguf")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for _, x := range f.Tensors {
		b.Run(x.Type.String(), func(b *testing.B) {
			b.SetBytes(x.Size)
			var buf []byte
			for b.Loop() {
				if buf, err = f.Data(x, 0, x.Rows(), buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
