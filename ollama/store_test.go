package ollama_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/ollama"
)

func TestOpen(t *testing.T) {
	t.Setenv("OLLAMA_MODELS", ` "`+filepath.Join(t.TempDir(), "models")+`" `)
	s, err := ollama.Open("")
	if err != nil || filepath.Base(s.Dir) != "models" || !filepath.IsAbs(s.Dir) {
		t.Errorf("%+v, %v", s, err)
	}
	if models, bad, err := s.Models(t.Context()); err != nil || len(models)+len(bad) > 0 {
		t.Errorf("a store that does not exist has %v, %v, %v", models, bad, err)
	}
	if _, err := os.Stat(s.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("opening and listing makes the store: %v", err)
	}
	t.Setenv("OLLAMA_MODELS", "")
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	if s, err := ollama.Open(""); err != nil || s.Dir != filepath.Join(home, ".ollama", "models") {
		t.Errorf("%+v, %v", s, err)
	}
	file := filepath.Join(home, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := ollama.Open(file); err == nil {
		t.Error("a file is taken for a store")
	}
}

// However a file comes into the store, the blob has its content, and it is shared
// as far as is asked for.
func TestPutFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	content := bytes.Repeat([]byte("0123456789abcdef"), 300000) // several pieces
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "symbolic")
	if err := os.Symlink(path, link); err != nil {
		if runtime.GOOS != "windows" { // where not everybody may make one
			t.Fatal(err)
		}
		link = path
	}
	for _, share := range []ollama.Share{ollama.ShareClone, ollama.ShareLink, ollama.ShareNone} {
		for _, from := range []string{path, link} {
			s, err := ollama.Open(filepath.Join(dir, "store"))
			if err != nil {
				t.Fatal(err)
			}
			tx, err := s.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var done, total int64
			l, err := tx.PutFile(from, ollama.TypeModel, share, func(d, n int64) { done, total = d, n })
			if err != nil {
				t.Fatal(err)
			}
			if l.MediaType != ollama.TypeModel || l.Size != int64(len(content)) || done != l.Size || total != l.Size {
				t.Errorf("%+v, progress %d of %d", l, done, total)
			}
			got, err := os.ReadFile(s.BlobPath(l.Digest))
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("share %d: the blob has %d other bytes, %v", share, len(got), err)
			}
			a, _ := os.Stat(path)
			b, _ := os.Stat(s.BlobPath(l.Digest))
			if same := os.SameFile(a, b); same && share != ollama.ShareLink {
				t.Errorf("share %d: the blob is the file", share)
			}
			// The same again takes what is there.
			if again, err := tx.PutFile(from, ollama.TypeModel, share, nil); err != nil || again != l {
				t.Errorf("%+v, %v", again, err)
			}
			if err := tx.Close(); err != nil {
				t.Fatal(err)
			}
			if files := leftovers(t, s.Dir); len(files) > 0 {
				t.Errorf("share %d: left %q", share, files)
			}
			if err := os.RemoveAll(s.Dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, content) {
		t.Errorf("the file was changed: %v", err)
	}
}

// What is no regular file is not opened: it could wait or never end.
func TestPutDevices(t *testing.T) {
	s := openStore(t)
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	paths := []string{t.TempDir()}
	if runtime.GOOS != "windows" {
		paths = append(paths, "/dev/zero", "/dev/stdin")
	}
	for _, path := range paths {
		if _, err := tx.PutFile(path, ollama.TypeModel, ollama.ShareClone, nil); err == nil {
			t.Errorf("%s was taken", path)
		}
	}
}

// The content must be what was promised; no more of it is read.
func TestPutExpected(t *testing.T) {
	s := openStore(t)
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	l, err := tx.PutBytes([]byte("content"), ollama.TypeSystem)
	if err != nil {
		t.Fatal(err)
	}
	want := ollama.Layer{MediaType: ollama.TypeModel, Digest: l.Digest, Size: l.Size, From: "a", Name: "b"}
	if got, err := tx.PutExpected(strings.NewReader("content"), want, nil); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{"", "conten", "CONTENT", "content and more"} {
		_, err := tx.PutExpected(strings.NewReader(text), want, nil)
		if _, ok := errors.AsType[*fault.FormatError](err); !ok {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := tx.PutExpected(endless{}, want, nil); err == nil {
		t.Error("an endless stream was taken")
	}
	failing := io.MultiReader(strings.NewReader("con"), failingReader{})
	if _, err := tx.PutExpected(failing, want, nil); !errors.Is(err, errReading) {
		t.Errorf("%v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

var errReading = errors.New("the line is cut")

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errReading }

// What was received stays when a transaction ends, and is gone on from there.
func TestResume(t *testing.T) {
	s := openStore(t)
	content := bytes.Repeat([]byte("abc"), 1000)
	l := func() ollama.Layer {
		tx, err := s.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Close()
		l, err := tx.PutBytes(content, ollama.TypeModel)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}() // and removed again, as nothing was committed
	resume := func(tx *ollama.Transaction) *ollama.Partial {
		t.Helper()
		p, done, err := tx.Resume(l)
		if err != nil || done {
			t.Fatalf("done %v, %v", done, err)
		}
		return p
	}
	run := func(work func(tx *ollama.Transaction)) {
		t.Helper()
		tx, err := s.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Close()
		work(tx)
	}
	run(func(tx *ollama.Transaction) {
		p := resume(tx)
		if _, err := p.Write(content[:1000]); err != nil {
			t.Fatal(err)
		}
		if err := p.Finish(nil); err == nil {
			t.Error("a third of the content is enough")
		}
	})
	run(func(tx *ollama.Transaction) {
		p := resume(tx)
		if p.Offset() != 1000 {
			t.Fatalf("goes on at %d", p.Offset())
		}
		// Another process waits for this one.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		other, err := s.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if tx2, err := s.Begin(ctx); err == nil {
			defer tx2.Close()
			if _, _, err := tx2.Resume(l); err == nil {
				t.Error("two receive the same blob at once")
			}
		}
		if _, err := p.Write(make([]byte, 2001)); err == nil {
			t.Error("more than the content is taken")
		}
		if _, err := p.Write(make([]byte, 2000)); err != nil { // not the content
			t.Fatal(err)
		}
		err = p.Finish(nil)
		if _, ok := errors.AsType[*fault.FormatError](err); !ok {
			t.Errorf("wrong content: %v", err)
		}
	})
	run(func(tx *ollama.Transaction) {
		p := resume(tx)
		if p.Offset() != 0 {
			t.Fatalf("wrong content is kept: goes on at %d", p.Offset())
		}
		if _, err := p.Write([]byte("false start")); err != nil {
			t.Fatal(err)
		}
		if err := p.Reset(); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := p.Finish(nil); err != nil {
			t.Fatal(err)
		}
		if _, done, err := tx.Resume(l); err != nil || !done {
			t.Errorf("done %v, %v", done, err)
		}
	})
	// The blob stays although nothing refers to it yet: the rest may come later.
	if data, err := os.ReadFile(s.BlobPath(l.Digest)); err != nil || !bytes.Equal(data, content) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if files := leftovers(t, s.Dir); len(files) > 0 {
		t.Errorf("left %q", files)
	}
}

// A name in another case is the same name.
func TestCase(t *testing.T) {
	s := openStore(t)
	create(t, s, "Me/Model:Tag", "FROM ./encoder.gguf\n")
	m := create(t, s, "me/MODEL:tag", "FROM ./encoder.gguf\nSYSTEM second\n")
	if m.Name.Short() != "Me/Model:Tag" {
		t.Errorf("the name is %s", m.Name.Short())
	}
	other := create(t, s, "me/model:other", "FROM ME/model:TAG\n")
	if other.Name.Short() != "Me/Model:other" {
		t.Errorf("the name is %s", other.Name.Short())
	}
	if c, err := s.Contents(other); err != nil || c.System != "second" {
		t.Errorf("%+v, %v", c, err)
	}
	models, _, err := s.Models(t.Context())
	if err != nil || len(models) != 2 {
		t.Errorf("%d models, %v", len(models), err)
	}
}

// A name is not lost to another model unless that is asked for.
func TestReplace(t *testing.T) {
	s := openStore(t)
	text := "FROM ./encoder.gguf\nSYSTEM one\n"
	first := create(t, s, "m", text)
	o := &ollama.CreateOptions{Dir: golden}
	if again, err := s.Create(t.Context(), name(t, "m"), parse(t, text), o); err != nil || again.ID != first.ID {
		t.Errorf("the same again: %v", err)
	}
	_, err := s.Create(t.Context(), name(t, "m"), parse(t, "FROM ./encoder.gguf\nSYSTEM two\n"), o)
	if !errors.Is(err, ollama.ErrExists) {
		t.Errorf("%v", err)
	}
	if v, err := s.Verify(t.Context(), nil); err != nil || len(v.Orphans) > 0 {
		t.Errorf("being refused left %v, %v", v.Orphans, err)
	}
	second := create(t, s, "m", "FROM ./encoder.gguf\nSYSTEM two\n")
	if err := s.Copy(t.Context(), second.Name, name(t, "n"), false); err != nil {
		t.Error(err)
	}
	create(t, s, "o", text)
	if err := s.Copy(t.Context(), second.Name, name(t, "o"), false); !errors.Is(err, ollama.ErrExists) {
		t.Errorf("%v", err)
	}
	if err := s.Copy(t.Context(), second.Name, name(t, "o"), true); err != nil {
		t.Error(err)
	}
	v, err := s.Verify(t.Context(), nil)
	if err != nil || v.Models != 3 || len(v.Orphans) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

// What a Modelfile asks for and cannot be done is said before anything is stored.
func TestCreateRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"SYSTEM x", "no FROM"},
		{"FROM ./nothing.gguf", "line 1:1: FROM"},
		{"FROM nothing", "neither a file"},
		{"FROM ../..//", "no regular file"},
		{"FROM ~nobody-has-this-name/x", "nobody-has-this-name"},
		{"FROM golden.py", "neither a file"},
		{"FROM ../golden.py", "name a GGUF file"},
		{"FROM ./lora.gguf", "no model that it belongs to"},
		{"FROM ./eye.gguf", "no model that it belongs to"},
		{"FROM ./chat.gguf\nFROM ./gemma.gguf", "several FROMs name a model"},
		{"FROM ./chat.gguf\nADAPTER ./eye.gguf", "no adapter"},
		{"FROM ./chat.gguf\nADAPTER ./nothing", "line 2:1"},
		{"FROM ./chat.gguf\nADAPTER .", "safetensors"},
		{"FROM ./chat.gguf\n\nTEMPLATE {{ .Prompt", "line 3:1: the template"},
		{"FROM ./chat.gguf\nTEMPLATE {{ nothing }}", "not defined"},
		{"FROM ./chat.gguf\nREQUIRES soon", "line 2:1: REQUIRES"},
		{"FROM ./chat.gguf\nDRAFT ./chat.gguf", "line 2:1"},
		{"FROM ./chat.gguf\nPARAMETER num_ctxx 1", "num_ctx"},
		{"FROM ./chat.gguf\nPARAMETER num_ctx many", "whole number"},
	} {
		s := openStore(t)
		_, err := s.Create(t.Context(), name(t, "m"), parse(t, c.text), &ollama.CreateOptions{Dir: golden})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.text, err)
		}
		if _, err := os.Stat(s.Dir); err == nil {
			if files := leftovers(t, s.Dir); len(files) > 0 {
				t.Errorf("%q left %q", c.text, files)
			}
		}
		if blobs, _ := os.ReadDir(filepath.Join(s.Dir, "blobs")); len(blobs) > 0 {
			t.Errorf("%q left %d blobs", c.text, len(blobs))
		}
	}
}

// Folders of a store may be symbolic links to elsewhere; what lies there counts.
func TestSymbolicLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("not everybody may make symbolic links on Windows")
	}
	for _, what := range []string{"manifests", "manifests/" + ollama.DefaultHost, "manifests/" + ollama.DefaultHost + "/library/a", "manifests/" + ollama.DefaultHost + "/library/a/latest", "blobs"} {
		s := openStore(t)
		create(t, s, "a", "FROM ./encoder.gguf\n")
		path, elsewhere := filepath.Join(s.Dir, what), filepath.Join(t.TempDir(), "elsewhere")
		if err := errors.Join(os.Rename(path, elsewhere), os.Symlink(elsewhere, path)); err != nil {
			t.Fatal(err)
		}
		b := create(t, s, "b", "FROM ./encoder.gguf\nSYSTEM x\n")
		if r, err := s.Remove(t.Context(), b.Name); err != nil || r.Blobs != 2 || len(r.Kept) > 0 {
			t.Errorf("%s: removed %+v, %v", what, r, err)
		}
		v, err := s.Verify(t.Context(), nil)
		if err != nil || v.Models != 1 || v.Err() != nil || v.Blobs != 2 {
			t.Errorf("%s: %+v, %v", what, v, err)
		}
		// A link that leads nowhere hides what it led to: nothing may be removed.
		if what == "blobs" {
			continue
		}
		c := create(t, s, "me/c", "FROM ./encoder.gguf\nSYSTEM y\n")
		if err := os.Rename(elsewhere, elsewhere+"2"); err != nil {
			t.Fatal(err)
		}
		if what == "manifests" || what == "manifests/"+ollama.DefaultHost {
			// Then c is gone too.
			if r, err := s.Prune(t.Context(), 0); err != nil || r.Blobs != 0 || len(r.Kept) != 1 {
				t.Errorf("%s: pruned %+v, %v", what, r, err)
			}
			continue
		}
		if r, err := s.Remove(t.Context(), c.Name); err != nil || r.Blobs != 0 || len(r.Kept) != 1 {
			t.Errorf("%s: removed %+v, %v", what, r, err)
		}
	}
}
