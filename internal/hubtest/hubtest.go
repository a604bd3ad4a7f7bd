// Package hubtest is a small Hugging Face hub for tests: its API, its files, and
// a second host for the large ones, as the hub has them.
//
//	GET /api/models/NAME/revision/REVISION              the commit
//	GET /api/models/NAME/tree/COMMIT?recursive=true     its files, in pages
//	GET or HEAD /NAME/resolve/COMMIT/PATH               a file; a redirect for large ones
package hubtest

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Hub is a running server. The fields may be changed while no request is
// answered.
type Hub struct {
	URL string // of the hub, on 127.0.0.1
	CDN string // of the host of large files, on localhost, so that the names differ

	Token    string // of whoever may see what is gated or private
	PageSize int    // files in a page of a listing; 0 is all

	servers   []*httptest.Server
	mu        sync.Mutex
	models    map[string]*Model
	requests  []Request
	intercept Interceptor
}

// An Interceptor sees a request first and returns whether it has answered it. cdn
// tells which host is asked.
type Interceptor func(w http.ResponseWriter, r *http.Request, cdn bool) bool

// Intercept lets f see all requests from now on; nil ends that.
func (h *Hub) Intercept(f Interceptor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.intercept = f
}

// A Model is one that the hub has.
type Model struct {
	Gated, Private bool
	Revisions      map[string]string // commits of branches and tags
	Commits        map[string]map[string]File
}

// A File is what the hub has under a path.
type File struct {
	Data  []byte
	Large bool // kept on the other host, with a SHA-256
	Xet   string

	sha256, gitID string // computed once, or empty
}

// A Request is one that was answered.
type Request struct {
	CDN                        bool
	Method, Path, Token, Range string
}

// New starts a hub.
func New() *Hub {
	h := &Hub{models: map[string]*Model{}}
	for _, cdn := range []bool{false, true} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, cdn) }))
		h.servers = append(h.servers, s)
	}
	h.URL = h.servers[0].URL
	_, port, _ := net.SplitHostPort(h.servers[1].Listener.Addr().String())
	h.CDN = "http://localhost:" + port
	return h
}

// Close stops the hub.
func (h *Hub) Close() {
	for _, s := range h.servers {
		s.CloseClientConnections()
		s.Close()
	}
}

// Add puts files on a branch of a model and returns it and the new commit. Files
// of weights are large.
func (h *Hub) Add(model, branch string, files map[string][]byte) (m *Model, commit string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m = h.models[model]
	if m == nil {
		m = &Model{Revisions: map[string]string{}, Commits: map[string]map[string]File{}}
		h.models[model] = m
	}
	tree := map[string]File{}
	sum := sha1.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		ext := path.Ext(name)
		large := slices.Contains([]string{".safetensors", ".bin", ".gguf", ".onnx"}, ext)
		f := File{Data: files[name], Large: large}
		if large {
			f.Xet = fmt.Sprintf("%x", sha256.Sum256([]byte("xet"+f.SHA256())))
		}
		f.sha256, f.gitID = f.SHA256(), f.GitID()
		tree[name] = f
		fmt.Fprintf(sum, "%s %s\n", f.GitID(), name)
	}
	commit = fmt.Sprintf("%x", sum.Sum(nil))
	m.Commits[commit] = tree
	m.Revisions[branch] = commit
	return m, commit
}

// AddDir is Add with the files of a folder.
func (h *Hub) AddDir(model, branch, dir string) (m *Model, commit string, err error) {
	files := map[string][]byte{}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(rel)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	m, commit = h.Add(model, branch, files)
	return m, commit, nil
}

// SHA256 returns the hash of a large file.
func (f File) SHA256() string {
	if f.sha256 == "" {
		return fmt.Sprintf("%x", sha256.Sum256(f.Data))
	}
	return f.sha256
}

// GitID returns the hash of the git blob: the file, or the pointer to a large one.
func (f File) GitID() string {
	if f.gitID != "" {
		return f.gitID
	}
	data := f.Data
	if f.Large {
		data = fmt.Appendf(nil, "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", f.SHA256(), len(f.Data))
	}
	return fmt.Sprintf("%x", sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...)))
}

// Hash returns the name of the content in a cache.
func (f File) Hash() string {
	if f.Large {
		return f.SHA256()
	}
	return f.GitID()
}

// Requests returns what was asked for since the last call.
func (h *Hub) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.requests
	h.requests = nil
	return all
}

func (h *Hub) serve(w http.ResponseWriter, r *http.Request, cdn bool) {
	h.mu.Lock()
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	h.requests = append(h.requests, Request{cdn, r.Method, r.URL.EscapedPath(), token, r.Header.Get("Range")})
	intercept := h.intercept
	h.mu.Unlock()
	switch {
	case intercept != nil && intercept(w, r, cdn):
	case cdn:
		h.serveLarge(w, r)
	case strings.HasPrefix(r.URL.Path, "/api/models/"):
		h.serveAPI(w, r, token)
	default:
		h.serveFile(w, r, token)
	}
}

// refuse answers with an error as the hub does.
func refuse(w http.ResponseWriter, status int, kind, message string) {
	if kind != "" {
		w.Header().Set("X-Error-Code", kind)
	}
	w.Header().Set("X-Error-Message", message)
	http.Error(w, fmt.Sprintf(`{"error":%q}`, message), status)
}

// model returns a model that may be seen with the token, or answers that it may not.
func (h *Hub) model(w http.ResponseWriter, name, token string, content bool) *Model {
	h.mu.Lock()
	m := h.models[name]
	gated := m != nil && m.Gated
	known := token != "" && token == h.Token
	h.mu.Unlock()
	switch {
	case token != "" && !known:
		refuse(w, http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
	case (m == nil || m.Private) && token == "":
		refuse(w, http.StatusUnauthorized, "RepoNotFound", "Repository not found")
	case m == nil:
		refuse(w, http.StatusNotFound, "RepoNotFound", "Repository not found")
	case gated && !known && content:
		refuse(w, http.StatusUnauthorized, "GatedRepo", "Access to model "+name+" is restricted.")
	default:
		return m
	}
	return nil
}

// commit resolves a revision, or answers that there is none.
func (m *Model) commit(w http.ResponseWriter, revision string) (string, map[string]File) {
	if c, ok := m.Revisions[revision]; ok {
		revision = c
	}
	files, ok := m.Commits[revision]
	if !ok {
		refuse(w, http.StatusNotFound, "RevisionNotFound", "Invalid rev id: "+revision)
		return "", nil
	}
	return revision, files
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func (h *Hub) serveAPI(w http.ResponseWriter, r *http.Request, token string) {
	rest := strings.TrimPrefix(r.URL.EscapedPath(), "/api/models/")
	name, what, revision := cutAt(rest, "revision", "tree")
	if what == "" {
		refuse(w, http.StatusNotFound, "", "Sorry, we can't find the page you are looking for.")
		return
	}
	m := h.model(w, name, token, false)
	if m == nil {
		return
	}
	revision, _ = url.PathUnescape(revision)
	commit, files := m.commit(w, revision)
	if files == nil {
		return
	}
	names := slices.Sorted(maps.Keys(files))
	if what == "revision" {
		siblings := []any{}
		for _, n := range names {
			siblings = append(siblings, map[string]any{"rfilename": n})
		}
		answer(w, map[string]any{"id": name, "modelId": name, "sha": commit, "gated": m.Gated, "private": m.Private, "siblings": siblings})
		return
	}
	first := 0
	if h.PageSize > 0 {
		first, _ = strconv.Atoi(r.URL.Query().Get("cursor"))
		first = min(max(first, 0), len(names))
		if last := first + h.PageSize; last < len(names) {
			w.Header().Set("Link", fmt.Sprintf(`<%s%s?recursive=true&cursor=%d>; rel="next"`, h.URL, r.URL.EscapedPath(), last))
			names = names[:last]
		}
	}
	entries := []any{}
	for _, n := range names[first:] {
		if dir := path.Dir(n); dir != "." {
			entries = append(entries, map[string]any{"type": "directory", "path": dir, "oid": fmt.Sprintf("%x", sha1.Sum([]byte(dir))), "size": 0})
		}
		f := files[n]
		e := map[string]any{"type": "file", "path": n, "oid": f.GitID(), "size": len(f.Data)}
		if f.Large {
			e["lfs"] = map[string]any{"oid": f.SHA256(), "size": len(f.Data), "pointerSize": 134}
			e["xetHash"] = f.Xet
		}
		entries = append(entries, e)
	}
	answer(w, entries)
}

// cutAt cuts a path at the first part that is one of those.
func cutAt(path string, parts ...string) (before, part, after string) {
	for _, p := range parts {
		if b, a, ok := strings.Cut(path, "/"+p+"/"); ok {
			return b, p, a
		}
	}
	return path, "", ""
}

func (h *Hub) serveFile(w http.ResponseWriter, r *http.Request, token string) {
	name, what, rest := cutAt(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "resolve")
	revision, file, ok := strings.Cut(rest, "/")
	if what == "" || !ok {
		http.NotFound(w, r)
		return
	}
	m := h.model(w, name, token, true)
	if m == nil {
		return
	}
	revision, _ = url.PathUnescape(revision)
	commit, files := m.commit(w, revision)
	if files == nil {
		return
	}
	w.Header().Set("X-Repo-Commit", commit)
	file, _ = url.PathUnescape(file)
	f, ok := files[file]
	if !ok {
		refuse(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
		return
	}
	if f.Large {
		w.Header().Set("X-Linked-Etag", strconv.Quote(f.SHA256()))
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(f.Data)))
		w.Header().Set("Location", h.CDN+"/"+f.SHA256()+"?signature=secret")
		w.WriteHeader(http.StatusFound)
		return
	}
	w.Header().Set("ETag", strconv.Quote(f.GitID()))
	serveContent(w, r, f.Data)
}

// serveLarge answers on the host that has large files. It wants no token.
func (h *Hub) serveLarge(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		http.Error(w, "only one way to authenticate is allowed", http.StatusBadRequest)
		return
	}
	hash := strings.TrimPrefix(r.URL.Path, "/")
	data := h.Large(hash)
	if data == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", `"`+hash[:32]+`-2"`) // another one than the hub's
	serveContent(w, r, data)
}

// Large returns the large file with a hash, or nil.
func (h *Hub) Large(hash string) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.models {
		for _, files := range m.Commits {
			for _, f := range files {
				if f.Large && f.SHA256() == hash {
					return f.Data
				}
			}
		}
	}
	return nil
}

// Gate gives a model from now on to those with the token alone.
func (h *Hub) Gate(model, token string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.models[model].Gated = true
	h.Token = token
}

// serveContent answers with data, or a range of it.
func serveContent(w http.ResponseWriter, r *http.Request, data []byte) {
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}
