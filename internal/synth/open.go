package synth

import (
	"path/filepath"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

// Open writes the model to a file of the test and opens it, until the test ends.
func (m *Model) Open(t testing.TB) *gguf.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := m.WriteGGUF(path, nil); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
