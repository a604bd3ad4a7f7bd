package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/internal/hubtest"
)

const model = "tiny-org/tiny-bert"

// smallFiles and weights are the files of the model in most tests.
var modelFiles = map[string][]byte{
	"config.json":           []byte(`{"hidden_size": 8}`),
	"1_Pooling/config.json": []byte(`{}`),
	"2_Other/config.json":   []byte(`{}`), // the same content
	"empty.txt":             {},
	"with space #1.txt":     []byte("a"),
	"model.safetensors":     noise(3 << 20),
	"onnx/model.onnx":       noise(1 << 10),
}

// wanted is what the tests fetch.
var wanted = []string{"1_Pooling/config.json", "2_Other/config.json", "config.json", "empty.txt", "model.safetensors", "with space #1.txt"}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func wantedOf(_ string, paths []string) ([]string, error) {
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return strings.HasPrefix(p, "onnx/") }), nil
}

// start returns a hub with the model, its commit, and a client with an empty cache.
func start(t *testing.T) (*hubtest.Hub, string, *Client) {
	t.Helper()
	h := hubtest.New()
	t.Cleanup(h.Close)
	_, commit := h.Add(model, "main", modelFiles)
	return h, commit, newClient(t, h)
}

// newClient returns a client that does not wait for long.
func newClient(t *testing.T, h *hubtest.Hub) *Client {
	t.Helper()
	c := &Client{Endpoint: h.URL, Cache: filepath.Join(t.TempDir(), "hub")}
	c.patience = patience{
		silence: 2 * time.Second, first: time.Millisecond, longest: 4 * time.Millisecond, asked: 2 * time.Second,
		listing: 3, file: 3, lock: time.Millisecond,
	}
	return c
}

// notes collects what c has to say.
func notes(c *Client) func() string {
	var mu sync.Mutex
	var all []string
	c.Note = func(text string) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, text)
	}
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(all, "\n")
	}
}

func source(revision string) Source { return Source{model, revision} }

// fetch fetches the model and compares what is there.
func fetch(t *testing.T, c *Client, src Source) *Snapshot {
	t.Helper()
	s, err := c.Snapshot(t.Context(), src, wantedOf)
	if err != nil {
		t.Fatal(err)
	}
	checkFiles(t, s.Dir)
	return s
}

func checkFiles(t *testing.T, dir string) {
	t.Helper()
	for _, path := range wanted {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
		if err != nil || !bytes.Equal(data, modelFiles[path]) {
			t.Errorf("%s has %d bytes, %v; they should be %d", path, len(data), err, len(modelFiles[path]))
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "onnx")); err == nil {
		t.Error("onnx was fetched too")
	}
}

func TestSnapshot(t *testing.T) {
	h, commit, c := start(t)
	h.Token, c.Token, h.PageSize = "hf_secret", "hf_secret", 2
	var last, total int64
	c.Progress = func(done, of int64) { last, total = done, of }
	s := fetch(t, c, source("main"))
	var bytes int64 // of contents: two files have the same
	for _, path := range wanted {
		if path != "2_Other/config.json" {
			bytes += int64(len(modelFiles[path]))
		}
	}
	if s.Commit != commit || s.Fetched != len(wanted) || s.Bytes != bytes || last != bytes || total != bytes {
		t.Errorf("%+v, progress %d of %d; want %d bytes", s, last, total, bytes)
	}
	if want := filepath.Join(c.Cache, "models--tiny-org--tiny-bert", "snapshots", commit); s.Dir != want {
		t.Errorf("the snapshot is in %s, want %s", s.Dir, want)
	}
	if data, err := os.ReadFile(filepath.Join(s.Dir, "../../refs/main")); err != nil || string(data) != commit {
		t.Errorf("refs/main is %q, %v", data, err)
	}
	link, err := os.Readlink(filepath.Join(s.Dir, "1_Pooling", "config.json"))
	if want := "../../../blobs/" + (hubtest.File{Data: []byte("{}")}).Hash(); err != nil || filepath.ToSlash(link) != want {
		t.Errorf("the link leads to %s, %v, want %s", link, err, want)
	}
	if left, err := filepath.Glob(filepath.Join(c.Cache, "*", "blobs", "*.incomplete")); err != nil || len(left) > 0 {
		t.Errorf("%q are left, %v", left, err)
	}
	sawCDN := false
	for _, r := range h.Requests() {
		sawCDN = sawCDN || r.CDN
		if want := map[bool]string{false: "hf_secret", true: ""}[r.CDN]; r.Token != want {
			t.Errorf("%+v: the token should be %q", r, want)
		}
	}
	if !sawCDN {
		t.Error("nothing came from the other host")
	}

	// A branch is asked for its commit, a commit for nothing.
	if s := fetch(t, c, source("main")); s.Fetched != 0 || s.Bytes != 0 {
		t.Errorf("the second time: %+v", s)
	}
	if r := h.Requests(); len(r) != 1 || !strings.HasSuffix(r[0].Path, "/revision/main") {
		t.Errorf("requests for a branch that is there: %+v", r)
	}
	fetch(t, c, source(commit))
	if r := h.Requests(); len(r) != 0 {
		t.Errorf("requests for a commit that is there: %+v", r)
	}

	// A file that is gone or damaged is fetched again, alone.
	if err := os.Truncate(filepath.Join(s.Dir, "config.json"), 3); err != nil {
		t.Fatal(err)
	}
	if s := fetch(t, c, source(commit)); s.Fetched != 1 {
		t.Errorf("after damage: %+v", s)
	}
	if r := h.Requests(); len(r) != 1 || !strings.HasSuffix(r[0].Path, "/config.json") {
		t.Errorf("requests after damage: %+v", r)
	}
}

// Other revisions, with slashes, have the files of their own commits.
func TestRevisions(t *testing.T) {
	h, first, c := start(t)
	files := map[string][]byte{"config.json": []byte("new")}
	_, second := h.Add(model, "refs/pr/1", files)
	h.Add(model, "v2", map[string][]byte{"again.json": modelFiles["config.json"], "model.safetensors": modelFiles["model.safetensors"]})
	fetch(t, c, source("main"))
	h.Requests()
	s, err := c.Snapshot(t.Context(), source("v2"), wantedOf)
	if r := h.Requests(); err != nil || s.Fetched != 0 || len(r) != 2 {
		t.Errorf("another commit with the same contents: %+v, %v, requests %+v", s, err, r)
	}
	s, err = c.Snapshot(t.Context(), source("refs/pr/1"), wantedOf)
	if err != nil || s.Commit != second || second == first {
		t.Fatalf("%+v, %v, want the commit %s", s, err, second)
	}
	if data, err := os.ReadFile(filepath.Join(s.Dir, "config.json")); err != nil || string(data) != "new" {
		t.Errorf("%q, %v", data, err)
	}
	if r := h.Requests(); !slices.ContainsFunc(r, func(r hubtest.Request) bool { return strings.HasSuffix(r.Path, "/revision/refs%2Fpr%2F1") }) {
		t.Errorf("the revision is not escaped: %+v", r)
	}
	// A branch that moves on is followed.
	h.Add(model, "main", files)
	s, err = c.Snapshot(t.Context(), source("main"), wantedOf)
	if err != nil || s.Commit != second || s.Fetched != 0 {
		t.Errorf("after main has moved: %+v, %v", s, err)
	}
	c.Offline = true
	if s, err := c.Snapshot(t.Context(), source("main"), wantedOf); err != nil || s.Commit != second {
		t.Errorf("offline after main has moved: %+v, %v", s, err)
	}
}

func TestChoose(t *testing.T) {
	h, _, c := start(t)
	_, err := c.Snapshot(t.Context(), source("main"), func(_ string, paths []string) ([]string, error) {
		if !slices.IsSorted(paths) || len(paths) != len(modelFiles) {
			t.Errorf("the paths are %q", paths)
		}
		return nil, os.ErrInvalid
	})
	if err == nil || err.Error() != "hf://tiny-org/tiny-bert: invalid argument" {
		t.Errorf("error %v", err)
	}
	if r := h.Requests(); len(r) != 2 {
		t.Errorf("requests %+v", r)
	}
	if entries, err := os.ReadDir(c.Cache); err == nil {
		t.Errorf("the cache has %v", entries)
	}
	_, err = c.Snapshot(t.Context(), source("main"), func(_ string, paths []string) ([]string, error) { return []string{"none"}, nil })
	if err == nil || !strings.HasSuffix(err.Error(), "none: there is no such file") {
		t.Errorf("error %v", err)
	}
}

// A stage sees what those before it have fetched, and can end it all.
func TestStages(t *testing.T) {
	h, commit, c := start(t)
	small := func(_ string, paths []string) ([]string, error) { return []string{"config.json"}, nil }
	look := func(dir string, paths []string) ([]string, error) {
		if data, err := os.ReadFile(filepath.Join(dir, "config.json")); err != nil || !bytes.Equal(data, modelFiles["config.json"]) {
			t.Errorf("the second stage sees %q, %v", data, err)
		}
		return nil, fault.Unsupported("config.json", "", "", "it is new")
	}
	_, err := c.Snapshot(t.Context(), source("main"), small, look)
	if _, ok := errors.AsType[*fault.UnsupportedError](err); !ok || err.Error() != "hf://tiny-org/tiny-bert: config.json: it is new" {
		t.Errorf("error %v", err)
	}
	if r := h.Requests(); len(r) != 3 {
		t.Errorf("requests %+v", r)
	}
	s, err := c.Snapshot(t.Context(), source("main"), small, wantedOf)
	if err != nil || s.Fetched != len(wanted)-1 || s.Commit != commit {
		t.Errorf("%+v, %v", s, err)
	}
	checkFiles(t, s.Dir)
}

func TestOffline(t *testing.T) {
	h, commit, c := start(t)
	c.Offline = true
	offline := func(src Source, want string) {
		t.Helper()
		if s, err := c.Snapshot(t.Context(), src, wantedOf); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("offline: %+v, error %v, want one with %q", s, err, want)
		}
	}
	offline(source("main"), `lacks the revision "main", and HF_HUB_OFFLINE forbids`)
	offline(source(commit), "lacks the commit "+commit)

	c.Offline = false
	s := fetch(t, c, source("main"))
	c.Offline = true
	fetch(t, c, source("main"))
	fetch(t, c, source(commit))
	offline(source("v2"), `lacks the revision "v2"`)
	if err := os.Remove(filepath.Join(s.Dir, "config.json")); err != nil {
		t.Fatal(err)
	}
	offline(source("main"), "lacks 1 of 6 files, such as config.json")
	h.Requests()
	// Without a listing only what is there can be used.
	listing := filepath.Join(s.Dir, "..", "..", "trees", commit+ownListing)
	if err := os.Remove(listing); err != nil {
		t.Fatal(err)
	}
	said := notes(c)
	got, err := c.Snapshot(t.Context(), source("main"), func(_ string, paths []string) ([]string, error) {
		if want := slices.DeleteFunc(slices.Clone(wanted), func(p string) bool { return p == "config.json" }); !slices.Equal(paths, want) {
			t.Errorf("the cache has %q, want %q", paths, want)
		}
		return paths, nil
	})
	if err != nil || got.Commit != commit || !strings.Contains(said(), "cannot tell") {
		t.Errorf("without a listing: %+v, %v, notes %q", got, err, said())
	}
	// A damaged one is none.
	if err := os.WriteFile(listing, []byte(`{"format_version": 1, "files": {"../x": {}}}`), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Snapshot(t.Context(), source("main"), wantedOf); err != nil {
		t.Error(err)
	}
	if r := h.Requests(); len(r) != 0 {
		t.Errorf("requests in spite of Offline: %+v", r)
	}
}

// The last known commit has to do when the hub is away, and only then.
func TestUnreachable(t *testing.T) {
	h, commit, c := start(t)
	said := notes(c)
	s := fetch(t, c, source("main"))
	down := func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	}
	h.Intercept(down)
	fetch(t, c, source("main"))
	if want := "answers 502 Bad Gateway for /api/models/tiny-org/tiny-bert/revision/main; using the commit " + commit; !strings.Contains(said(), want) {
		t.Errorf("notes %q", said())
	}
	if n := len(h.Requests()); n < 3 {
		t.Errorf("%d requests", n)
	}
	if _, err := c.Snapshot(t.Context(), source("v2"), wantedOf); err == nil || !strings.Contains(err.Error(), "try again later") {
		t.Errorf("a revision that the cache has not got: %v", err)
	}
	h.Close()
	fetch(t, c, source("main"))
	if !strings.Contains(said(), "cannot be reached") {
		t.Errorf("notes %q", said())
	}
	if err := os.Remove(filepath.Join(s.Dir, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	_, err := c.Snapshot(t.Context(), source("main"), wantedOf)
	if err == nil || !strings.Contains(err.Error(), "cannot be reached") || !strings.Contains(err.Error(), "lacks 1 of 6 files, such as model.safetensors") {
		t.Errorf("error %v", err)
	}
	_, err = c.Snapshot(t.Context(), source("v2"), wantedOf)
	if err == nil || !strings.HasSuffix(err.Error(), "; check the network, a proxy (HTTPS_PROXY) and HF_ENDPOINT") {
		t.Errorf("error %v", err)
	}
}

// Where links are not possible, snapshots have the files themselves.
func TestNoLinks(t *testing.T) {
	h, commit, c := start(t)
	c.NoLinks = true
	s := fetch(t, c, source("main"))
	if info, err := os.Lstat(filepath.Join(s.Dir, "model.safetensors")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v, %v", info, err)
	}
	if blobs, err := os.ReadDir(filepath.Join(s.Dir, "..", "..", "blobs")); err != nil || len(blobs) != 0 {
		t.Errorf("blobs has %v, %v", blobs, err)
	}
	h.Requests()
	fetch(t, c, source(commit))
	if r := h.Requests(); len(r) != 0 {
		t.Errorf("requests the second time: %+v", r)
	}
	// A blob that others need stays.
	c = newClient(t, h)
	s = fetch(t, c, source("main"))
	if err := os.RemoveAll(s.Dir); err != nil {
		t.Fatal(err)
	}
	c.NoLinks = true
	fetch(t, c, source("main"))
	if blobs, err := os.ReadDir(filepath.Join(s.Dir, "..", "..", "blobs")); err != nil || len(blobs) != 5 {
		t.Errorf("blobs has %v, %v", blobs, err)
	}
}

// huggingface_hub keeps some contents in a store for all models, with links to
// it. They are used, and one that is damaged is replaced here and not there.
func TestSharedBlob(t *testing.T) {
	h, _, c := start(t)
	s := fetch(t, c, source("main"))
	blob, err := filepath.EvalSymlinks(filepath.Join(s.Dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	shared := filepath.Join(c.Cache, "shared")
	if err := os.Rename(blob, shared); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../shared", blob); err != nil {
		t.Fatal(err)
	}
	h.Requests()
	fetch(t, c, source(s.Commit))
	if r := h.Requests(); len(r) != 0 {
		t.Errorf("requests for a shared blob: %+v", r)
	}
	if err := os.WriteFile(shared, []byte("short"), 0o666); err != nil {
		t.Fatal(err)
	}
	fetch(t, c, source(s.Commit))
	if data, err := os.ReadFile(shared); err != nil || string(data) != "short" {
		t.Errorf("the shared file has %q, %v", data, err)
	}
}

// Several programs with one cache get the same files, and each byte comes once.
func TestTogether(t *testing.T) {
	for _, noLinks := range []bool{false, true} {
		h, _, first := start(t)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				c := newClient(t, h)
				c.Cache, c.NoLinks = first.Cache, noLinks
				s, err := c.Snapshot(context.Background(), source("main"), wantedOf)
				if err != nil {
					t.Error(err)
					return
				}
				checkFiles(t, s.Dir)
			})
		}
		wg.Wait()
		if got := ranges(h); len(got) != 1 {
			t.Errorf("without links %v: the weights were asked for %d times", noLinks, len(got))
		}
	}
}

func TestDiskFull(t *testing.T) {
	h, _, c := start(t)
	h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
		if !strings.Contains(r.URL.Path, "/tree/") {
			return false
		}
		var entries []string
		for i := range 1 << 16 {
			entries = append(entries, fmt.Sprintf(`{"type": "file", "path": "%d", "size": %d, "oid": "%040x"}`, i, int64(maxSize), i))
		}
		fmt.Fprintf(w, "[%s]", strings.Join(entries, ","))
		return true
	})
	_, err := c.Snapshot(t.Context(), source("main"), wantedOf)
	if err == nil || !strings.Contains(err.Error(), " bytes, and the disk of "+c.Cache+" has ") {
		t.Errorf("error %v", err)
	}
}

// A folder that is a file stands for one that cannot be written.
func TestCacheNotWritable(t *testing.T) {
	_, _, c := start(t)
	if err := os.WriteFile(c.Cache, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	_, err := c.Snapshot(t.Context(), source("main"), wantedOf)
	if err == nil || !strings.Contains(err.Error(), "the cache: mkdir "+c.Cache) {
		t.Errorf("error %v", err)
	}
}
