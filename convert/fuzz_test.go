package convert

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/hostilecheckpoint"
)

func FuzzConfig(f *testing.F) {
	paths, err := filepath.Glob("testdata/checkpoints/*/config.json")
	if err != nil || len(paths) == 0 {
		f.Fatal("no seeds: ", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, c := range hostilecheckpoint.Cases() {
		if data, ok := c.Files()["config.json"]; ok {
			f.Add(data)
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &config{file: "config.json", assumed: map[string]bool{}}
		if c.parse(data) != nil {
			return
		}
		class, err := c.architecture()
		if err != nil {
			return
		}
		arch, err := lookupArchitecture(class, c.file)
		if err != nil {
			return
		}
		q, err := c.quantization(dir)
		if err != nil {
			return
		}
		for _, n := range q.blocks {
			if n < 1 {
				t.Errorf("blocks of %v", q.blocks)
			}
		}
		c.assume(arch.defaults)
		b := builder{Model: &Model{Metadata: new(gguf.Metadata)}, config: c, arch: arch}
		if b.prepare() != nil {
			return
		}
		sizes, err := b.sizes()
		if err != nil {
			return
		}
		if sizes[hiddenSize] == 0 {
			t.Error("a model without a width")
		}
		if b.rope != nil {
			if factors, err := b.rope.factors(c, sizes[headSize]); err == nil && factors != nil && factors.Elements() != sizes[headSize]/2 {
				t.Errorf("%d factors for heads of %d", factors.Elements(), sizes[headSize])
			}
		}
		if err := arch.setParameters(b.Metadata, c, b.rope, gguf.FileF32); err == nil {
			if n, ok := b.Metadata.Int(arch.name + ".block_count"); !ok || n < 1 {
				t.Errorf("%d layers", n)
			}
		}
	})
}
