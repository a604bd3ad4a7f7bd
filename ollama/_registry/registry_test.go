package registry

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	"golang.org/x/crypto/bcrypt"

	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"

	"github.com/gguftool/gguftool/ollama"
	"github.com/gguftool/gguftool/ollama/remote"
)

// server runs a registry, with a password where there is one, and counts what is
// asked of it. Answers are cut after limit bytes, when that is not 0.
type server struct {
	host   string
	blobs  atomic.Int64 // GET of blobs
	ranges atomic.Int64 // of these, parts
	limit  atomic.Int64
}

func newServer(t *testing.T, user, password string) *server {
	t.Helper()
	c := &configuration.Configuration{Storage: configuration.Storage{"filesystem": configuration.Parameters{"rootdirectory": t.TempDir()}}}
	c.Log.Level, c.Log.AccessLog.Disabled = "panic", true
	c.HTTP.Secret = "for tests"
	if user != "" {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "htpasswd")
		if err := os.WriteFile(path, fmt.Appendf(nil, "%s:%s\n", user, hash), 0o600); err != nil {
			t.Fatal(err)
		}
		c.Auth = configuration.Auth{"htpasswd": configuration.Parameters{"realm": "test", "path": path}}
	}
	s := new(server)
	app := handlers.NewApp(context.Background(), c)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodGet && strings.Contains(q.URL.Path, "/blobs/sha256:") {
			s.blobs.Add(1)
			if q.Header.Get("Range") != "" {
				s.ranges.Add(1)
			}
			if n := s.limit.Load(); n > 0 {
				w = &cut{w, n}
			}
		}
		app.ServeHTTP(w, q)
	}))
	t.Cleanup(h.Close)
	s.host = strings.TrimPrefix(h.URL, "http://")
	return s
}

// cut breaks the connection off.
type cut struct {
	http.ResponseWriter
	left int64
}

func (c *cut) Write(p []byte) (int, error) {
	if c.left -= int64(len(p)); c.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return c.ResponseWriter.Write(p)
}

func login(t *testing.T, host, user, password string) {
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("REGISTRY_AUTH_FILE", "")
	t.Setenv("XDG_RUNTIME_DIR", "")
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	if err := os.WriteFile(filepath.Join(dir, "config.json"), fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, host, auth), 0o600); err != nil {
		t.Fatal(err)
	}
}

func parse(t *testing.T, name string) ollama.Name {
	t.Helper()
	n, err := ollama.ParseName(name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func newStore(t *testing.T) *ollama.Store {
	t.Helper()
	s, err := ollama.Open(filepath.Join(t.TempDir(), "models"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newModel(t *testing.T, n ollama.Name) *ollama.Store {
	t.Helper()
	s := newStore(t)
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	weights := make([]byte, 3<<20)
	rand.NewChaCha8([32]byte{3}).Read(weights)
	put := func(data []byte, mediaType string) ollama.Layer {
		l, err := tx.PutBytes(data, mediaType)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	text, err := ollama.NewManifest(put([]byte("{}"), ollama.TypeConfig),
		[]ollama.Layer{put(weights, ollama.TypeModel), put([]byte(`{"num_ctx":256}`), ollama.TypeParams)}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(n, text, false); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPushAndPull(t *testing.T) {
	r := newServer(t, "me", "secret")
	login(t, r.host, "me", "secret")
	n, far := parse(t, "embed:q4"), parse(t, r.host+"/team/embed:q4")
	from, into := newModel(t, n), newStore(t)
	o := new(remote.Options)
	for range 2 { // the second time, nothing needs to be sent
		if err := remote.Push(t.Context(), from, n, far, o); err != nil {
			t.Fatal(err)
		}
	}
	// A connection that breaks off in the middle is taken up there.
	r.limit.Store(2 << 20)
	if err := remote.Pull(t.Context(), into, far, n, o); err != nil {
		t.Fatal(err)
	}
	if r.ranges.Load() == 0 {
		t.Error("no request went on in the middle")
	}
	v, err := into.Verify(t.Context(), nil)
	if err != nil || len(v.Problems) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
	a, err := from.Read(n)
	if err != nil {
		t.Fatal(err)
	}
	b, err := into.Read(n)
	if err != nil {
		t.Fatal(err)
	}
	if a.ID != b.ID {
		t.Errorf("the manifest has the digest %s, want %s", b.ID, a.ID)
	}
}

func TestCredentials(t *testing.T) {
	r := newServer(t, "me", "secret")
	n, far := parse(t, "embed:q4"), parse(t, r.host+"/team/embed:q4")
	from := newModel(t, n)
	login(t, r.host, "me", "wrong")
	if err := remote.Push(t.Context(), from, n, far, new(remote.Options)); err == nil || !strings.Contains(err.Error(), "docker login") {
		t.Errorf("a wrong password: %v", err)
	}
	login(t, "elsewhere.example", "me", "secret")
	if err := remote.Push(t.Context(), from, n, far, new(remote.Options)); err == nil || !strings.Contains(err.Error(), "docker login") {
		t.Errorf("no password: %v", err)
	}
}

func TestNotFound(t *testing.T) {
	r := newServer(t, "", "")
	into, n := newStore(t), parse(t, "embed")
	err := remote.Pull(t.Context(), into, parse(t, r.host+"/team/embed"), n, new(remote.Options))
	if err == nil || !strings.Contains(err.Error(), "no such model") {
		t.Errorf("error %v", err)
	}
	if _, err := into.Read(n); !errors.Is(err, ollama.ErrNotFound) {
		t.Errorf("there is a model: %v", err)
	}
}
