package infer

import (
	"path/filepath"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/synth"
)

// The work of a small model, counted by hand, with any number of threads.
func TestWork(t *testing.T) {
	const layers, width, hidden = 2, 32, 64
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := (synth.BERT{Layers: layers, Width: width, FF: hidden, Heads: 4, Context: 20}).WriteGGUF(path); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := Load(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	const weights = layers * (4*width*width + 2*width*hidden)
	for _, threads := range []int{1, 2} {
		got := m.WithThreads(threads).Work([]int{3, 5})
		want := int64(2*weights*(3+5) + layers*4*width*(3*3+5*5))
		if got.FloatOperations != want || got.ByteOperations != 0 || got.WeightBytes == 0 || got.WeightBytes%(4*weights) != 0 {
			t.Errorf("%d threads: %+v, want %d operations", threads, got, want)
		}
	}
}
