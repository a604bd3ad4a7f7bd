package remote

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gguftool/gguftool/ollama"
)

// A registry stands in for one that misbehaves; the module in ../_registry tests
// against a real one. Each answer of a blob breaks off after cut bytes, when that
// is not 0.
type registry struct {
	mu        sync.Mutex
	blobs     map[string][]byte // by digest
	manifests map[string][]byte // by tag
	cut       int
	noRanges  bool
	user      string // with its password, "user:password", where one is asked for
	refuse    int    // requests that are answered with 503 first
	requests  []string

	*httptest.Server
}

func newRegistry(t *testing.T) *registry {
	r := &registry{blobs: map[string][]byte{}, manifests: map[string][]byte{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *registry) host() string { return strings.TrimPrefix(r.URL, "http://") }

func digestOf(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

// count returns how many requests began with the text.
func (r *registry) count(begin string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.requests {
		if strings.HasPrefix(q, begin) {
			n++
		}
	}
	return n
}

func (r *registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, q.Method+" "+q.URL.Path+" "+q.Header.Get("Range"))
	if user, password, _ := q.BasicAuth(); r.user != "" && user+":"+password != r.user {
		w.Header().Set("Www-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.refuse > 0 {
		r.refuse--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	dir, last := q.URL.Path[:strings.LastIndexByte(q.URL.Path, '/')], q.URL.Path[strings.LastIndexByte(q.URL.Path, '/')+1:]
	switch kind := dir[strings.LastIndexByte(dir, '/')+1:]; {
	case kind == "uploads" && q.Method == http.MethodPost, kind == "blobs" && last == "uploads":
		w.Header().Set("Location", q.URL.Path+"session")
		w.WriteHeader(http.StatusAccepted)
	case kind == "uploads" && q.Method == http.MethodPut:
		if d := q.URL.Query().Get("digest"); d != digestOf(body) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.blobs[digestOf(body)] = body
		w.WriteHeader(http.StatusCreated)
	case kind == "blobs":
		r.serve(w, q, r.blobs[last], "application/octet-stream", last)
	case kind == "manifests" && q.Method == http.MethodPut:
		r.manifests[last] = body
		w.Header().Set("Docker-Content-Digest", digestOf(body))
		w.WriteHeader(http.StatusCreated)
	case kind == "manifests":
		r.serve(w, q, r.manifests[last], ollama.TypeManifest, digestOf(r.manifests[last]))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (r *registry) serve(w http.ResponseWriter, q *http.Request, data []byte, mediaType, digest string) {
	if data == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Docker-Content-Digest", digest)
	out := w
	if r.cut > 0 && mediaType != ollama.TypeManifest {
		out = &cutter{w, r.cut}
	}
	if r.noRanges {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		out.Write(data)
		return
	}
	http.ServeContent(out, q, "", time.Time{}, strings.NewReader(string(data)))
}

// A cutter breaks the connection off.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	if len(p) <= c.left {
		c.left -= len(p)
		return c.ResponseWriter.Write(p)
	}
	c.ResponseWriter.Write(p[:c.left])
	c.ResponseWriter.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}
