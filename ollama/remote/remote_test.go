package remote

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"oras.land/oras-go/v2/errdef"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/ollama"
)

// alone keeps the credentials of whoever runs the tests out of them.
func alone(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	t.Setenv("REGISTRY_AUTH_FILE", "")
	t.Setenv("XDG_RUNTIME_DIR", "")
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

// newModel returns a store with a model of some size.
func newModel(t *testing.T, name string) (*ollama.Store, ollama.Name) {
	t.Helper()
	s, n := newStore(t), parse(t, name)
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	weights := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{1}).Read(weights)
	var layers []ollama.Layer
	for i, data := range [][]byte{[]byte("{}"), weights, []byte("license"), []byte("license")} {
		l, err := tx.PutBytes(data, fmt.Sprintf("application/vnd.ollama.image.test%d", i))
		if err != nil {
			t.Fatal(err)
		}
		l.From = "/somewhere"
		layers = append(layers, l)
	}
	text, err := ollama.NewManifest(layers[0], layers[1:]).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(n, text, false); err != nil {
		t.Fatal(err)
	}
	return s, n
}

var quick = &Options{wait: time.Millisecond}

// checkEqual makes sure that two stores have the same blobs under a name.
func checkEqual(t *testing.T, a, b *ollama.Store, from, to ollama.Name) {
	t.Helper()
	x, err := a.Read(from)
	if err != nil {
		t.Fatal(err)
	}
	y, err := b.Read(to)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range x.Manifest.Blobs() {
		other := y.Manifest.Blobs()[i]
		if other.Digest != l.Digest || other.From != "" {
			t.Errorf("layer %d is %+v, want %+v", i, other, l)
		}
		want, err := os.ReadFile(a.BlobPath(l.Digest))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(b.BlobPath(l.Digest))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("layer %d has other content, error %v", i, err)
		}
	}
}

func TestPushAndPull(t *testing.T) {
	alone(t)
	r := newRegistry(t)
	from, n := newModel(t, "embed:q4")
	far := parse(t, r.host()+"/team/embed:q4")
	var last, total int64
	o := &Options{wait: time.Millisecond, Progress: func(done, all int64) { last, total = max(last, done), all }}
	if err := Push(t.Context(), from, n, far, o); err != nil {
		t.Fatal(err)
	}
	if want := int64(1<<20 + 2 + 7); last != want || total != want {
		t.Errorf("progress ended at %d of %d, want %d", last, total, want)
	}
	if uploads := r.count("PUT /v2/team/embed/blobs/"); uploads != 3 {
		t.Errorf("%d uploads of three blobs", uploads)
	}
	if err := Push(t.Context(), from, n, far, quick); err != nil {
		t.Fatal(err)
	}
	if uploads := r.count("PUT /v2/team/embed/blobs/"); uploads != 3 {
		t.Errorf("what was there was sent again: %d uploads", uploads)
	}
	into := newStore(t)
	last = 0
	if err := Pull(t.Context(), into, far, n, o); err != nil {
		t.Fatal(err)
	}
	checkEqual(t, from, into, n, n)
	if last != total {
		t.Errorf("progress ended at %d of %d", last, total)
	}
	if err := Pull(t.Context(), into, far, parse(t, "second"), quick); err != nil {
		t.Fatal(err)
	}
	if fetched := r.count("GET /v2/team/embed/blobs/"); fetched != 3 {
		t.Errorf("what was there was fetched again: %d requests", fetched)
	}
}

// A connection that breaks off again and again is taken up where it did.
func TestBrokenConnections(t *testing.T) {
	alone(t)
	r := newRegistry(t)
	from, n := newModel(t, "embed")
	far := parse(t, r.host()+"/team/embed")
	r.refuse = 2
	if err := Push(t.Context(), from, n, far, quick); err != nil {
		t.Fatal(err)
	}
	r.cut = 200 << 10
	into := newStore(t)
	if err := Pull(t.Context(), into, far, n, quick); err != nil {
		t.Fatal(err)
	}
	checkEqual(t, from, into, n, n)
	m, err := from.Read(n)
	if err != nil {
		t.Fatal(err)
	}
	weights := m.Manifest.Layers[0].Digest
	if ranges := r.count(fmt.Sprintf("GET /v2/team/embed/blobs/%s bytes=", weights)); ranges < 5 {
		t.Errorf("%d requests went on in the middle, of 1 MB in pieces of 200 KB", ranges)
	}

	// Without ranges it must come in one piece.
	r.cut, r.noRanges = 0, true
	if err := Pull(t.Context(), newStore(t), far, n, quick); err != nil {
		t.Error(err)
	}
	r.cut = 200 << 10
	into = newStore(t)
	if err := Pull(t.Context(), into, far, n, quick); err == nil {
		t.Error("a blob of which only the beginning ever comes was pulled")
	}
	if _, err := into.Read(n); !errors.Is(err, ollama.ErrNotFound) {
		t.Errorf("half a model is there: %v", err)
	}
	// What came stays, and the next run goes on from there.
	r.cut, r.noRanges = 0, false
	before := r.count(fmt.Sprintf("GET /v2/team/embed/blobs/%s bytes=", weights))
	if err := Pull(t.Context(), into, far, n, quick); err != nil {
		t.Fatal(err)
	}
	checkEqual(t, from, into, n, n)
	if r.count(fmt.Sprintf("GET /v2/team/embed/blobs/%s bytes=", weights)) == before {
		t.Error("the second run began anew")
	}
}

func TestCancelled(t *testing.T) {
	alone(t)
	r := newRegistry(t)
	from, n := newModel(t, "embed")
	far := parse(t, r.host()+"/team/embed")
	if err := Push(t.Context(), from, n, far, quick); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	into := newStore(t)
	err := Pull(ctx, into, far, n, &Options{Progress: func(done, _ int64) {
		if done > 1<<18 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if err := Pull(t.Context(), into, far, n, quick); err != nil {
		t.Fatal(err)
	}
	checkEqual(t, from, into, n, n)
}

func TestCredentials(t *testing.T) {
	alone(t)
	r := newRegistry(t)
	r.user = "me:secret"
	from, n := newModel(t, "embed")
	far := parse(t, r.host()+"/team/embed")
	if err := Push(t.Context(), from, n, far, quick); err == nil || !strings.Contains(err.Error(), "docker login") {
		t.Errorf("without credentials: %v", err)
	}
	login := func(user string) []byte {
		return fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, r.host(), base64.StdEncoding.EncodeToString([]byte(user)))
	}
	docker := t.TempDir()
	t.Setenv("DOCKER_CONFIG", docker)
	if err := os.WriteFile(filepath.Join(docker, "config.json"), login("me:wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Push(t.Context(), from, n, far, quick); err == nil || !strings.Contains(err.Error(), "other credentials") {
		t.Errorf("with a wrong password: %v", err)
	}
	if err := os.WriteFile(filepath.Join(docker, "config.json"), login("me:secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Push(t.Context(), from, n, far, quick); err != nil {
		t.Errorf("as Docker has them: %v", err)
	}
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	podman := filepath.Join(t.TempDir(), "auth.json")
	if err := os.WriteFile(podman, login("me:secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("REGISTRY_AUTH_FILE", podman)
	if err := Pull(t.Context(), newStore(t), far, n, quick); err != nil {
		t.Errorf("as Podman has them: %v", err)
	}
}

func TestRefused(t *testing.T) {
	alone(t)
	r := newRegistry(t)
	from, n := newModel(t, "embed")
	far := parse(t, r.host()+"/team/embed")
	if err := Pull(t.Context(), newStore(t), far, n, quick); !errors.Is(err, errdef.ErrNotFound) || !strings.Contains(err.Error(), "no such model") {
		t.Errorf("a model that is not there: %v", err)
	}
	if err := Push(t.Context(), from, parse(t, "missing"), far, quick); !errors.Is(err, ollama.ErrNotFound) {
		t.Errorf("a model that the store does not have: %v", err)
	}
	if err := Push(t.Context(), from, n, parse(t, r.host()+"/Team/embed"), quick); err == nil || !strings.Contains(err.Error(), "lower-case") {
		t.Errorf("upper case: %v", err)
	}
	if err := Push(t.Context(), from, n, n, quick); err == nil || !strings.Contains(err.Error(), "ollama push") {
		t.Errorf("to ollama.com: %v", err)
	}
	r.Close()
	if err := Pull(t.Context(), newStore(t), far, n, &Options{wait: time.Microsecond}); err == nil {
		t.Error("nobody answers, and yet there is a model")
	}
}

// What a registry makes up is not stored.
func TestHostileRegistry(t *testing.T) {
	alone(t)
	from, n := newModel(t, "embed")
	for _, c := range []struct {
		name   string
		change func(r *registry)
		want   string
	}{
		{"no manifest", func(r *registry) { r.manifests["latest"] = []byte("weights") }, "no JSON"},
		{"an empty manifest", func(r *registry) { r.manifests["latest"] = []byte("{}") }, "refers to nothing"},
		{"a digest that is a path", func(r *registry) {
			r.manifests["latest"] = []byte(`{"schemaVersion":2,"layers":[{"digest":"sha256:../../../../etc/passwd","size":3}]}`)
		}, "is no digest"},
		{"a huge manifest", func(r *registry) { r.manifests["latest"] = make([]byte, ollama.MaxManifest+1) }, "more than"},
		{"a size beyond any disk", func(r *registry) {
			r.manifests["latest"] = fmt.Appendf(nil, `{"schemaVersion":2,"layers":[{"digest":"sha256:%064d","size":%d}]}`, 0, int64(1)<<60)
		}, "no such model"},
		{"another blob", func(r *registry) {
			for d, data := range r.blobs {
				if len(data) > 1000 {
					r.blobs[d] = make([]byte, len(data))
				}
			}
		}, "has the digest"},
		{"a shorter blob", func(r *registry) {
			for d, data := range r.blobs {
				if len(data) > 1000 {
					r.blobs[d] = data[:1000]
				}
			}
		}, ""},
		{"a longer blob", func(r *registry) {
			for d, data := range r.blobs {
				r.blobs[d] = append(bytes.Clone(data), 1)
			}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRegistry(t)
			far := parse(t, r.host()+"/team/embed")
			if err := Push(t.Context(), from, n, far, quick); err != nil {
				t.Fatal(err)
			}
			c.change(r)
			into := newStore(t)
			err := Pull(t.Context(), into, far, n, quick)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
			if _, unknown := errors.AsType[*fault.UnsupportedError](err); unknown {
				t.Errorf("error %v is of what is valid", err)
			}
			if models, bad, _ := into.Models(t.Context()); len(models)+len(bad) > 0 {
				t.Error("there is a model")
			}
		})
	}
}
