package convert_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/convert"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/quantize"
)

// Quantizing a checkpoint as it is gives the bytes of quantizing the file that
// it is converted to: for safetensors, shards, pickles, views and every type of
// number.
func TestQuantizeView(t *testing.T) {
	const checkpoints = "testdata/checkpoints"
	folders, err := os.ReadDir(checkpoints)
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, folder := range folders {
		dir := filepath.Join(checkpoints, folder.Name())
		for _, outtype := range []gguf.FileType{gguf.FileF32, gguf.FileF16, gguf.FileBF16} {
			opts := &convert.Options{FileType: outtype, DropModules: true}
			m, err := convert.Open(dir, opts)
			if err != nil {
				t.Fatal(err)
			}
			v := m.View()
			source := &quantize.Source{Path: dir, Files: v.Files, Metadata: m.Metadata, Tensors: v.Tensors, Rows: v}
			_, file := run(t, dir, opts)
			for _, o := range []quantize.Options{{FileType: gguf.FileQ8_0}, {FileType: gguf.FileQ4_K_M}, {FileType: gguf.FileF16}, {Copy: true}} {
				out := filepath.Join(t.TempDir(), "direct.gguf")
				two := filepath.Join(t.TempDir(), "two.gguf")
				direct := runPlan(t, source, &o, out)
				steps := runPlan(t, quantize.FileSource(file), &o, two)
				if (direct == nil) != (steps == nil) {
					t.Errorf("%s as %s: at once %v, in two steps %v", dir, o.FileType, direct, steps)
				}
				if bad, ok := errors.AsType[*fault.FormatError](direct); ok && filepath.Dir(bad.File) != filepath.Clean(dir) {
					t.Errorf("%s: the error %q names no file of the checkpoint", dir, direct)
				}
				if direct != nil {
					continue
				}
				if !bytes.Equal(content(t, out), content(t, two)) {
					t.Errorf("%s as %s over %s: at once the bytes are others than in two steps", dir, o.FileType, outtype)
				}
				compared++
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if compared < 100 {
		t.Errorf("only %d files were compared", compared)
	}
}

func runPlan(t *testing.T, s *quantize.Source, o *quantize.Options, out string) error {
	t.Helper()
	p, err := s.Plan(o)
	if err != nil {
		t.Fatal(err)
	}
	return p.Run(context.Background(), out, &quantize.RunOptions{Threads: 2})
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A view lists the files that hold the weights.
func TestViewFiles(t *testing.T) {
	for dir, want := range map[string]int{
		"all-MiniLM-L6-v2":       1,
		"bert_base_uncased":      1,
		"gte-small-30K-instruct": 2,
	} {
		m, err := convert.Open(filepath.Join("testdata/checkpoints", dir), nil)
		if err != nil {
			t.Fatal(err)
		}
		v := m.View()
		if len(v.Files) != want || len(v.Tensors) != len(m.Tensors) {
			t.Errorf("%s: files %q, %d tensors", dir, v.Files, len(v.Tensors))
		}
		for i, x := range v.Tensors {
			if x.Name != m.Tensors[i].Name || x.Shard >= want || !strings.HasPrefix(v.Files[x.Shard], "testdata") {
				t.Errorf("%s: %+v", dir, x)
			}
		}
		m.Close()
	}
}
