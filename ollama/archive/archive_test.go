package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/ollama"
)

func parse(t testing.TB, name string) ollama.Name {
	t.Helper()
	n, err := ollama.ParseName(name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func newStore(t testing.TB) *ollama.Store {
	t.Helper()
	s, err := ollama.Open(filepath.Join(t.TempDir(), "models"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// weights are more than a frame of an archive, half of them random.
func weights() []byte {
	data := make([]byte, 2*frameBytes+12345)
	rng := rand.NewChaCha8([32]byte{7})
	rng.Read(data[:len(data)/2])
	return data
}

// newModel returns a store with a model of three layers, one of which is there
// twice.
func newModel(t testing.TB, name string) (*ollama.Store, ollama.Name) {
	t.Helper()
	s, n := newStore(t), parse(t, name)
	tx, err := s.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	put := func(data []byte, mediaType string) ollama.Layer {
		l, err := tx.PutBytes(data, mediaType)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	model := put(weights(), ollama.TypeModel)
	model.From = "/home/someone/model.gguf"
	license := put([]byte("do what you like"), ollama.TypeLicense)
	m := ollama.NewManifest(put([]byte("{}"), ollama.TypeConfig), []ollama.Layer{model, license, license})
	text, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(n, text, false); err != nil {
		t.Fatal(err)
	}
	return s, n
}

func export(t testing.TB, s *ollama.Store, n ollama.Name) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Export(context.Background(), s, n, &b, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// checkModel makes sure that a model is there and whole.
func checkModel(t *testing.T, s *ollama.Store, n ollama.Name) {
	t.Helper()
	m, err := s.Read(n)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range m.Manifest.Blobs() {
		data, err := os.ReadFile(s.BlobPath(l.Digest))
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprintf("sha256:%x", sha256.Sum256(data)) != string(l.Digest) || int64(len(data)) != l.Size {
			t.Errorf("%s has other content than its name says", l.Digest)
		}
		if l.From != "" {
			t.Errorf("%s comes from %s, which nobody else has", l.Digest, l.From)
		}
	}
}

// checkEmpty makes sure that a refused import left nothing that counts.
func checkEmpty(t *testing.T, s *ollama.Store) {
	t.Helper()
	models, bad, err := s.Models(context.Background())
	if err != nil || len(models)+len(bad) > 0 {
		t.Errorf("%d models, %d damaged, error %v", len(models), len(bad), err)
	}
}

func TestRoundTrip(t *testing.T) {
	from, n := newModel(t, "host.example/team/embed:q4")
	data := export(t, from, n)
	var told [2]int64
	into := newStore(t)
	got, err := Import(t.Context(), into, bytes.NewReader(data), &ImportOptions{Progress: func(done, total int64) { told = [2]int64{done, total} }})
	if err != nil || got != n {
		t.Fatalf("%v, %v", got, err)
	}
	checkModel(t, into, n)
	if want := int64(len(weights()) + len("do what you like") + len("{}")); told != [2]int64{want, want} {
		t.Errorf("progress ended with %v, want %d", told, want)
	}
	if again := export(t, into, n); !bytes.Equal(again, data) {
		t.Error("the copy gives another archive")
	}
	// Again, and under another name.
	if _, err := Import(t.Context(), into, bytes.NewReader(data), &ImportOptions{}); err != nil {
		t.Errorf("the same model again: %v", err)
	}
	other := parse(t, "other")
	if got, err := Import(t.Context(), into, bytes.NewReader(data), &ImportOptions{As: other}); err != nil || got != other {
		t.Errorf("%v, %v", got, err)
	}
	checkModel(t, into, other)
}

// The processors of a machine do not change the bytes.
func TestSameBytes(t *testing.T) {
	s, n := newModel(t, "embed")
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	want := export(t, s, n)
	for _, procs := range []int{2, 5} {
		runtime.GOMAXPROCS(procs)
		if !bytes.Equal(export(t, s, n), want) {
			t.Errorf("%d processors make another archive than one", procs)
		}
	}
}

// What exists under the name stays, unless it is to be replaced.
func TestReplace(t *testing.T) {
	from, n := newModel(t, "embed")
	data := export(t, from, n)
	into := newStore(t)
	tx, err := into.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l, err := tx.PutBytes([]byte("old"), ollama.TypeLicense)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := ollama.NewManifest(l, []ollama.Layer{l}).Encode()
	if err := tx.Commit(n, text, false); err != nil {
		t.Fatal(err)
	}
	if _, err := Import(t.Context(), into, bytes.NewReader(data), &ImportOptions{}); !errors.Is(err, ollama.ErrExists) {
		t.Errorf("another model of that name: %v", err)
	}
	if m, err := into.Read(n); err != nil || m.Manifest.Config.Digest != l.Digest {
		t.Errorf("the old model is gone: %v", err)
	}
	if _, err := Import(t.Context(), into, bytes.NewReader(data), &ImportOptions{Replace: true}); err != nil {
		t.Fatal(err)
	}
	checkModel(t, into, n)
}

// tar and zstd unpack an archive right into a store.
func TestOtherTools(t *testing.T) {
	for _, tool := range []string{"tar", "zstd"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	from, n := newModel(t, "embed:q4")
	path := filepath.Join(t.TempDir(), "embed.tar.zst")
	if err := os.WriteFile(path, export(t, from, n), 0o644); err != nil {
		t.Fatal(err)
	}
	into := newStore(t)
	if err := os.MkdirAll(into.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("tar", "--zstd", "-xf", path, "-C", into.Dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	checkModel(t, into, n)
	// And what they pack is read, compressed or not.
	for _, option := range []string{"--zstd", "--no-auto-compress"} {
		packed := filepath.Join(t.TempDir(), "x.tar")
		m, err := into.Read(n)
		if err != nil {
			t.Fatal(err)
		}
		args := []string{option, "-cf", packed, "-C", into.Dir, manifestPath(n)}
		for _, l := range m.Manifest.Distinct() {
			args = append(args, blobPath(l.Digest))
		}
		if out, err := exec.Command("tar", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		f, err := os.Open(packed)
		if err != nil {
			t.Fatal(err)
		}
		third := newStore(t)
		if _, err := Import(t.Context(), third, f, &ImportOptions{}); err != nil {
			t.Errorf("%s: %v", option, err)
		}
		f.Close()
		checkModel(t, third, n)
	}
}

// failing fails after some bytes.
type failing struct{ left int }

var errFull = errors.New("the disk is full")

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestExportFails(t *testing.T) {
	s, n := newModel(t, "embed")
	size := len(export(t, s, n))
	for _, left := range []int{0, 1, size / 2, size - 1} {
		if err := Export(t.Context(), s, n, &failing{left}, nil); !errors.Is(err, errFull) {
			t.Errorf("after %d bytes: %v", left, err)
		}
	}
	if err := Export(t.Context(), s, parse(t, "missing"), io.Discard, nil); !errors.Is(err, ollama.ErrNotFound) {
		t.Errorf("a model that is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Export(ctx, s, n, io.Discard, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	m, err := s.Read(n)
	if err != nil {
		t.Fatal(err)
	}
	path := s.BlobPath(m.Manifest.Layers[1].Digest)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("longer than the manifest says"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Export(t.Context(), s, n, io.Discard, nil); err == nil || !strings.Contains(err.Error(), "its manifest says") {
		t.Errorf("a blob of another size: %v", err)
	}
}

// An import that is interrupted anywhere leaves no model; a second one needs only
// the rest.
func TestInterruptedImport(t *testing.T) {
	from, n := newModel(t, "embed")
	data := export(t, from, n)
	for _, cut := range []int{0, 1, 3, 10, 600, len(data) / 3, len(data) - 2000, len(data) - 1} {
		into := newStore(t)
		if _, err := Import(t.Context(), into, bytes.NewReader(data[:cut]), &ImportOptions{}); err == nil {
			t.Fatalf("an archive cut after %d of %d bytes was imported", cut, len(data))
		}
		checkEmpty(t, into)
		if _, err := Import(t.Context(), into, bytes.NewReader(data), &ImportOptions{}); err != nil {
			t.Fatal(err)
		}
		checkModel(t, into, n)
	}
	into := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Import(ctx, into, bytes.NewReader(data), &ImportOptions{Progress: func(done, total int64) {
		if done > total/2 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("an import that is cancelled: %v", err)
	}
	checkEmpty(t, into)
}

func TestLayout(t *testing.T) {
	from, n := newModel(t, "host.example/team/embed:q4")
	dir := filepath.Join(t.TempDir(), "layout")
	if err := ExportLayoutDir(t.Context(), from, n, dir, nil); err != nil {
		t.Fatal(err)
	}
	if err := ExportLayoutDir(t.Context(), from, n, dir, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a folder: %v", err)
	}
	packed := filepath.Join(t.TempDir(), "layout.tar")
	f, err := os.Create(packed)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ExportLayoutTar(t.Context(), from, n, f, nil), f.Close()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, packed} {
		if !IsLayout(path) {
			t.Errorf("%s is not seen as an image layout", path)
		}
		into := newStore(t)
		got, err := ImportLayout(t.Context(), into, path, "", &ImportOptions{})
		if err != nil || got != n {
			t.Fatalf("%v, %v", got, err)
		}
		checkModel(t, into, n)
		if _, err := ImportLayout(t.Context(), newStore(t), path, "other:latest", &ImportOptions{}); err == nil || !strings.Contains(err.Error(), "host.example/team/embed:q4") {
			t.Errorf("a model that is not in it: %v", err)
		}
	}
	if IsLayout(t.TempDir()) || IsLayout(filepath.Join(dir, "index.json")) {
		t.Error("what is no image layout is seen as one")
	}
	if left, _ := os.ReadDir(filepath.Dir(dir)); len(left) != 1 {
		t.Errorf("%v are left beside the layout", left)
	}
}

// entry is a file of a tar archive that a test makes.
type entry struct {
	name string
	kind byte
	data string
	size int64 // where it is not that of data
	link string
}

func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Size: int64(len(e.data)), Linkname: e.link, Mode: 0o644}
		if e.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if e.size != 0 {
			h.Size = e.size
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.data); err != nil {
			t.Fatal(err)
		}
		if e.size != 0 { // the rest is missing, and so is the end
			return b.Bytes()
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestExportFolder(t *testing.T) {
	from, n := newModel(t, "embed:q4")
	dir := t.TempDir()
	if err := ExportFolder(t.Context(), from, n, dir, nil); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("%v are in the folder, error %v", left, err)
	}
	into, err := ollama.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	checkModel(t, into, n)
	blobs, err := os.ReadDir(filepath.Join(dir, "blobs"))
	if err != nil || len(blobs) != 3 {
		t.Fatalf("%v, error %v", blobs, err)
	}
	for _, b := range blobs {
		if info, err := b.Info(); err != nil || runtime.GOOS != "windows" && info.Mode()&0o444 != 0o444 {
			t.Errorf("%s has the mode %v, which others cannot read; error %v", b.Name(), info.Mode(), err)
		}
	}
}
