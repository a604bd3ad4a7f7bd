package ollama_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/modelfile"
	"github.com/gguftool/gguftool/ollama"
)

const golden = "testdata/golden"

func openStore(t *testing.T) *ollama.Store {
	t.Helper()
	s, err := ollama.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func name(t *testing.T, text string) ollama.Name {
	t.Helper()
	n, err := ollama.ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func parse(t *testing.T, text string) *modelfile.File {
	t.Helper()
	f, err := modelfile.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func create(t *testing.T, s *ollama.Store, model, text string) *ollama.Model {
	t.Helper()
	m, err := s.Create(t.Context(), name(t, model), parse(t, text), &ollama.CreateOptions{Dir: golden, Replace: true})
	if err != nil {
		t.Fatalf("%s: %v", model, err)
	}
	return m
}

// Manifests and configs are, byte for byte, those of a real server (see
// testdata/golden.py), so all digests are the same too.
func TestSameAsOllama(t *testing.T) {
	s := openStore(t)
	paths, err := filepath.Glob(golden + "/*.Modelfile")
	if err != nil || len(paths) < 15 {
		t.Fatalf("%d Modelfiles, %v", len(paths), err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		base := strings.TrimSuffix(path, ".Modelfile")
		m := create(t, s, filepath.Base(base), string(text))
		compare(t, base+".manifest", strings.ReplaceAll(string(m.Raw), strings.ReplaceAll(s.Dir, `\`, `\\`), "STORE"))
		config, err := s.ReadBlob(m.Manifest.Config)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, base+".config", string(config))
	}
	v, err := s.Verify(context.Background(), nil)
	if err != nil || len(v.Problems) > 0 || len(v.Orphans) > 0 || len(v.Leftover) > 0 || v.Models != len(paths) {
		t.Errorf("the store is not clean: %+v, %v", v, err)
	}
	readIndependently(t, s.Dir, len(paths))
}

func compare(t *testing.T, path, got string) {
	t.Helper()
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Separator == '\\' {
		got = strings.ReplaceAll(got, `\\`, "/")
	}
	if got != string(want) {
		t.Errorf("%s differs:\ngot  %s\nwant %s", path, got, want)
	}
}

// The Modelfile of a model makes the same blobs again, but for the config where
// the model inherited a name.
func TestModelfileReproduces(t *testing.T) {
	s := openStore(t)
	for _, file := range []string{"02-everything", "03-chat", "05-chat-template", "07-child", "10-adapter-file", "11-vision", "13-gemma-own"} {
		text, err := os.ReadFile(filepath.Join(golden, file+".Modelfile"))
		if err != nil {
			t.Fatal(err)
		}
		m := create(t, s, file, string(text))
		f, err := s.Modelfile(m)
		if err != nil {
			t.Fatal(err)
		}
		formatted, err := modelfile.Format(f)
		if err != nil {
			t.Fatal(err)
		}
		again := create(t, s, "again", string(formatted))
		want := map[ollama.Digest]bool{}
		for _, l := range m.Manifest.Layers {
			want[l.Digest] = true
		}
		for _, l := range again.Manifest.Layers {
			if !want[l.Digest] {
				t.Errorf("%s: %s has another digest; the Modelfile is\n%s", file, l.MediaType, formatted)
			}
			delete(want, l.Digest)
		}
		if len(want) > 0 {
			t.Errorf("%s: %d layers are missing; the Modelfile is\n%s", file, len(want), formatted)
		}
	}
}
