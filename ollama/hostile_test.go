package ollama_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/ollama"
)

const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func manifestText(config, layers string) string {
	return `{"schemaVersion":2,"mediaType":"x","config":` + config + `,"layers":[` + layers + `]}`
}

// hostileManifests cannot be read.
var hostileManifests = []struct{ what, text string }{
	{"nothing", ""},
	{"no JSON", "not json"},
	{"cut off", `{"schemaVersion":2,"config":{"digest":"` + digest + `"`},
	{"two values", manifestText(`{"digest":"`+digest+`"}`, "") + "{}"},
	{"a list", `[]`},
	{"a text", `"x"`},
	{"null", `null`},
	{"empty", `{}`},
	{"layers that are no list", `{"layers":{"a":1}}`},
	{"a layer that is no object", manifestText(`{"digest":"`+digest+`"}`, `"x"`)},
	{"a layer without a digest", manifestText(`{"digest":"`+digest+`"}`, `{"mediaType":"x","size":1}`)},
	{"a digest that is a path", manifestText(`{"digest":"../../../etc/passwd"}`, "")},
	{"a digest with a path", manifestText(`{"digest":"sha256:../../../../../../../../../../../../../../../../../../etc/passwd"}`, "")},
	{"a path of the right length", manifestText(`{"digest":"sha256:`+strings.Repeat("../", 21)+`a"}`, "")},
	{"a digest that is too short", manifestText(`{"digest":"`+digest[:70]+`"}`, "")},
	{"a digest that is too long", manifestText(`{"digest":"`+digest+`0"}`, "")},
	{"a digest of another kind", manifestText(`{"digest":"sha512:`+strings.Repeat("0", 128)+`"}`, "")},
	{"a digest without a kind", manifestText(`{"digest":"`+digest[7:]+`"}`, "")},
	{"a digest with other digits", manifestText(`{"digest":"sha256:`+strings.Repeat("g", 64)+`"}`, "")},
	{"a digest with a NUL", manifestText(`{"digest":"sha256:\u0000`+digest[8:]+`"}`, "")},
	{"a digest that is a number", manifestText(`{"digest":1}`, "")},
	{"a negative size", manifestText(`{"digest":"`+digest+`","size":-1}`, "")},
	{"a size that is no whole number", manifestText(`{"digest":"`+digest+`","size":1.5}`, "")},
	{"a size beyond all", manifestText(`{"digest":"`+digest+`","size":99999999999999999999}`, "")},
	{"sizes that overflow", manifestText(`{"digest":"`+digest+`","size":9223372036854775807}`, `{"digest":"`+digest+`","size":9223372036854775807}`)},
	{"too many layers", manifestText(`{"digest":"`+digest+`"}`, strings.Repeat(`{"digest":"`+digest+`"},`, 1<<16)+`{"digest":"`+digest+`"}`)},
	{"deep nesting", strings.Repeat(`{"layers":[`, 20000)},
	{"too large", strings.Repeat(" ", ollama.MaxManifest+1)},
}

func TestHostileManifests(t *testing.T) {
	for _, c := range hostileManifests {
		_, err := ollama.DecodeManifest([]byte(c.text))
		if _, ok := errors.AsType[*fault.FormatError](err); !ok {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

// One manifest that cannot be read hides no other model, keeps its own name from
// being lost, and stops the removal of blobs, as it may refer to any of them.
func TestDamagedNeighbour(t *testing.T) {
	for _, c := range hostileManifests {
		if len(c.text) > 1<<20 {
			continue
		}
		s := openStore(t)
		good := create(t, s, "good", "FROM ./encoder.gguf\n")
		path := s.ManifestPath(name(t, "bad"))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(c.text), 0o666); err != nil {
			t.Fatal(err)
		}
		models, bad, err := s.Models(t.Context())
		if err != nil || len(models) != 1 || len(bad) != 1 || bad[0].Path != path {
			t.Fatalf("%s: %d models, %v, %v", c.what, len(models), bad, err)
		}
		v, err := s.Verify(t.Context(), nil)
		if err != nil || len(v.Problems) != 1 || v.Err() == nil {
			t.Errorf("%s: verify: %+v, %v", c.what, v, err)
		}
		r, err := s.Remove(t.Context(), good.Name)
		if err != nil || r.Blobs != 0 || len(r.Kept) != 1 {
			t.Errorf("%s: removed %+v, %v", c.what, r, err)
		}
		if _, err := s.Remove(t.Context(), name(t, "bad")); err == nil {
			t.Errorf("%s: removed, and nobody knows what its blobs were", c.what)
		}
		for _, l := range good.Manifest.Blobs() {
			if _, err := os.Stat(s.BlobPath(l.Digest)); err != nil {
				t.Errorf("%s: %v", c.what, err)
			}
		}
		// Creating the model anew repairs it.
		create(t, s, "bad", "FROM ./encoder.gguf\n")
		if v, err := s.Verify(t.Context(), nil); err != nil || v.Err() != nil {
			t.Errorf("%s: not repaired: %+v, %v", c.what, v, err)
		}
	}
}

// Strange things among the manifests and blobs harm nothing.
func TestStrangers(t *testing.T) {
	s := openStore(t)
	m := create(t, s, "good", "FROM ./encoder.gguf\nSYSTEM x\n")
	for _, path := range []string{
		"manifests/file", "manifests/a/file", "manifests/a/b/file", "manifests/.DS_Store",
		"manifests/a/b/c/d/too-deep", "blobs/other", "blobs/sha256-xyz", "blobs/" + strings.Replace(digest, ":", "-", 1) + "-partial", "elsewhere/file",
	} {
		path = filepath.Join(s.Dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(s.BlobPath(digest), 0o777); err != nil { // a folder like a blob
		t.Fatal(err)
	}
	models, bad, err := s.Models(t.Context())
	if err != nil || len(models) != 1 || len(bad) != 0 {
		t.Fatalf("%d models, %v, %v", len(models), bad, err)
	}
	v, err := s.Verify(t.Context(), nil)
	if err != nil || v.Err() != nil || len(v.Leftover) != 1 {
		t.Errorf("%+v, %v", v, err)
	}
	if r, err := s.Remove(t.Context(), m.Name); err != nil || r.Blobs != 3 {
		t.Errorf("removed %+v, %v", r, err)
	}
	if _, err := s.Prune(t.Context(), 0); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"blobs/other", "blobs/sha256-xyz", "elsewhere/file", "manifests/a/b/c/d/too-deep"} {
		if _, err := os.Stat(filepath.Join(s.Dir, filepath.FromSlash(path))); err != nil {
			t.Error(err)
		}
	}
	// A name that no server accepts is told.
	path := filepath.Join(s.Dir, "manifests", "h", "n", "m", ".hidden")
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, m.Raw, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, bad, err := s.Models(t.Context()); err != nil || len(bad) != 1 {
		t.Errorf("%v, %v", bad, err)
	}
}

// Verify finds whatever is wrong with a blob.
func TestVerifyFinds(t *testing.T) {
	for _, c := range []struct {
		what   string
		damage func(path string) error
	}{
		{"is missing", os.Remove},
		{"has the digest", func(path string) error { return flip(path) }},
		{"bytes, and its manifest says", func(path string) error { return os.Truncate(path, 1) }},
		{"is none", func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o777)) }},
	} {
		s := openStore(t)
		m := create(t, s, "good", "FROM ./encoder.gguf\nSYSTEM a text\n")
		for _, l := range m.Manifest.Blobs() {
			if err := c.damage(s.BlobPath(l.Digest)); err != nil {
				t.Fatal(err)
			}
			v, err := s.Verify(t.Context(), nil, m.Name)
			if err != nil || len(v.Problems) != 1 || !strings.Contains(v.Problems[0].Error(), c.what) || !strings.Contains(v.Problems[0].Error(), "good:latest") || v.Blobs != 2 {
				t.Errorf("%s, %s: %+v, %v", c.what, l.MediaType, v, err)
			}
			if err := os.RemoveAll(s.BlobPath(l.Digest)); err != nil {
				t.Fatal(err)
			}
			create(t, s, "good", "FROM ./encoder.gguf\nSYSTEM a text\n")
			if v, err := s.Verify(t.Context(), nil); err != nil || v.Err() != nil {
				t.Errorf("%s, %s: not repaired: %+v, %v", c.what, l.MediaType, v, err)
			}
		}
	}
}

func flip(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	data[len(data)/2] ^= 1
	return os.WriteFile(path, data, 0o666)
}

// A damaged blob of the right size is not read as a text, and one of another size
// is replaced when the same content comes again.
func TestDamagedBlob(t *testing.T) {
	s := openStore(t)
	m := create(t, s, "good", "FROM ./encoder.gguf\nSYSTEM a text\n")
	system := m.Manifest.Find(ollama.TypeSystem)[0]
	if err := flip(s.BlobPath(system.Digest)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Contents(m); err == nil {
		t.Error("a damaged text is shown")
	}
	if err := os.Truncate(s.BlobPath(system.Digest), 2); err != nil {
		t.Fatal(err)
	}
	create(t, s, "other", "FROM ./encoder.gguf\nSYSTEM a text\n")
	if c, err := s.Contents(m); err != nil || c.System != "a text" {
		t.Errorf("%+v, %v", c, err)
	}
}

// A manifest that names huge blobs, or parts that are not what they should be, is
// refused without reading them.
func TestHostileContents(t *testing.T) {
	s := openStore(t)
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	put := func(text, mediaType string) ollama.Layer {
		l, err := tx.PutBytes([]byte(text), mediaType)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	config := put("{}", ollama.TypeConfig)
	huge := put("x", ollama.TypeSystem)
	huge.Size = 1 << 40
	for i, l := range []ollama.Layer{
		huge,
		put("[]", ollama.TypeParams),
		put("{", ollama.TypeParams),
		put("{}", ollama.TypeMessages),
		put("x", ollama.TypeMessages),
	} {
		m := &ollama.Model{Name: name(t, "x"), Manifest: ollama.NewManifest(config, []ollama.Layer{l})}
		_, err := s.Contents(m)
		if _, ok := errors.AsType[*fault.FormatError](err); !ok {
			t.Errorf("%d: %v", i, err)
		}
	}
	m := &ollama.Model{Name: name(t, "x"), Manifest: ollama.NewManifest(put("[1]", ollama.TypeConfig), nil)}
	if _, err := s.Contents(m); err == nil {
		t.Error("a config that is a list is taken")
	}
	// Such a manifest cannot be committed either: its blob is not that large.
	raw, err := ollama.NewManifest(config, []ollama.Layer{huge}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(name(t, "x"), raw, true); err == nil {
		t.Error("committed a manifest with a wrong size")
	}
}

func FuzzDecodeManifest(f *testing.F) {
	for _, c := range hostileManifests {
		if len(c.text) < 2000 {
			f.Add([]byte(c.text))
		}
	}
	paths, _ := filepath.Glob(golden + "/*.manifest")
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ollama.DecodeManifest(data)
		if err != nil {
			return
		}
		if m.Size() < 0 {
			t.Errorf("size %d", m.Size())
		}
		text, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ollama.DecodeManifest(text)
		if err != nil || fmt.Sprint(again.Blobs()) != fmt.Sprint(m.Blobs()) {
			t.Errorf("%s\nis read again as %v, %v", text, again, err)
		}
		if !json.Valid(text) {
			t.Errorf("%s is no JSON", text)
		}
	})
}
