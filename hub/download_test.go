package hub

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/internal/hubtest"
)

// large is the content of the weights.
var large = hubtest.File{Data: modelFiles["model.safetensors"], Large: true}

// ranges returns what was asked for of the weights.
func ranges(h *hubtest.Hub) (all []string) {
	for _, r := range h.Requests() {
		if r.CDN {
			all = append(all, r.Range)
		}
	}
	return all
}

// incompleteFile returns the path of the beginning of the weights.
func incompleteFile(c *Client) string {
	return c.store(model).blob(large.Hash()) + ".incomplete"
}

// leave puts data where an earlier download would have left it.
func leave(t *testing.T, c *Client, data []byte) {
	t.Helper()
	path := incompleteFile(c)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// A connection that breaks is made again, for what is missing; as often as
// something comes.
func TestBrokenConnection(t *testing.T) {
	h, _, c := start(t)
	const part = 300_000 // more than ten of them, where three attempts without a byte are allowed
	h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
		if !cdn {
			return false
		}
		from := 0
		if r.Header.Get("Range") != "" {
			if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(large.Data)-1, len(large.Data)))
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(large.Data)-from))
		if from > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		w.Write(large.Data[from:min(from+part, len(large.Data))])
		if from+part < len(large.Data) {
			panic(http.ErrAbortHandler)
		}
		return true
	})
	fetch(t, c, source("main"))
	got := ranges(h)
	if len(got) < 11 || got[0] != "" {
		t.Errorf("asked for %q", got)
	}
	at := 0
	for _, r := range got[1:] {
		from, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(r, "bytes="), "-"))
		if err != nil || from <= at || from > at+part {
			t.Errorf("asked for %q after byte %d", r, at)
		}
		at = from
	}
}

// A chunked answer that ends too early is noticed by its length.
func TestShortAnswer(t *testing.T) {
	h, _, c := start(t)
	n := 0
	h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
		if !cdn {
			return false
		}
		if n++; n > 1 {
			return false
		}
		w.Write(large.Data[:1000])
		w.(http.Flusher).Flush()
		w.Write(large.Data[1000:2000])
		return true
	})
	fetch(t, c, source("main"))
	if got := ranges(h); len(got) != 2 || got[1] != "bytes=2000-" {
		t.Errorf("asked for %q", got)
	}
}

// What is left after an interrupt is continued by the next call.
func TestInterrupt(t *testing.T) {
	h, _, c := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	const part = 1 << 20
	h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
		if !cdn {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(large.Data)))
		w.Write(large.Data[:part])
		w.(http.Flusher).Flush()
		for {
			if info, err := os.Stat(incompleteFile(c)); err == nil && info.Size() >= part {
				break
			}
			time.Sleep(time.Millisecond)
		}
		cancel()
		<-r.Context().Done()
		return true
	})
	_, err := c.Snapshot(ctx, source("main"), wantedOf)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if info, err := os.Stat(incompleteFile(c)); err != nil || info.Size() != part {
		t.Fatalf("%v, %v", info, err)
	}
	h.Intercept(nil)
	h.Requests()
	var first int64 = -1
	c.Progress = func(done, total int64) {
		if first < 0 {
			first = done
		}
	}
	fetch(t, c, source("main"))
	if got := ranges(h); len(got) != 1 || got[0] != fmt.Sprintf("bytes=%d-", part) {
		t.Errorf("asked for %q", got)
	}
}

// Beginnings that someone has left, and how often the weights are asked for.
func TestBeginnings(t *testing.T) {
	damaged := append([]byte("other bytes"), large.Data[11:2<<20]...)
	whole := append([]byte("other bytes"), large.Data[11:]...)
	for name, c := range map[string]struct {
		left []byte
		want []string
	}{
		"empty":     {nil, []string{""}},
		"good":      {large.Data[:2<<20], []string{"bytes=2097152-"}},
		"damaged":   {damaged, []string{"bytes=2097152-", ""}},
		"complete":  {large.Data, nil},
		"all wrong": {whole, []string{""}},
		"too long":  {append(whole, 0), []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			h, _, client := start(t)
			leave(t, client, c.left)
			var last, total int64
			client.Progress = func(done, of int64) { last, total = done, of }
			fetch(t, client, source("main"))
			if got := ranges(h); fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("asked for %q, want %q", got, c.want)
			}
			if last != total {
				t.Errorf("progress ends at %d of %d", last, total)
			}
			if _, err := os.Stat(incompleteFile(client)); err == nil {
				t.Error("the beginning is still there")
			}
		})
	}
}

// Servers that do not do what was asked for, after a good beginning.
func TestRangeAnswers(t *testing.T) {
	const left = 1 << 20
	size := len(large.Data)
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request) // to a request with a range
		want   string                                       // a part of the error, or "" for none
	}{
		"whole file": {func(w http.ResponseWriter, r *http.Request) { w.Write(large.Data) }, ""},
		"not satisfiable": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		}, ""},
		"unknown size": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/*", left, size-1))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(large.Data[left:])
		}, ""},
		"other range": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", size-1, size))
			w.WriteHeader(http.StatusPartialContent)
		}, fmt.Sprintf(`sends the bytes "bytes 0-%d/%d", where those from 1048576 on were asked for`, size-1, size)},
		"no range": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusPartialContent)
		}, `sends the bytes ""`},
		"other size": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", left, size, size+1))
			w.WriteHeader(http.StatusPartialContent)
		}, fmt.Sprintf("has %d bytes of it, where the hub says %d", size+1, size)},
		"other length": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5")
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", left, size-1, size))
			w.WriteHeader(http.StatusPartialContent)
		}, fmt.Sprintf("sends 5 bytes of it, where %d are missing", size-left)},
		"more": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", left, size-1, size))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(large.Data[left:])
			w.(http.Flusher).Flush() // so that no length is announced
			w.Write(large.Data)
		}, fmt.Sprintf("sends more than the %d bytes that the hub says", size)},
		"compressed": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", left, size-1, size))
			w.WriteHeader(http.StatusPartialContent)
		}, `in the encoding "gzip", which was not asked for`},
	} {
		t.Run(name, func(t *testing.T) {
			h, _, client := start(t)
			leave(t, client, large.Data[:left])
			h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
				if !cdn || r.Header.Get("Range") == "" {
					return false
				}
				c.answer(w, r)
				return true
			})
			if c.want == "" {
				fetch(t, client, source("main"))
				return
			}
			_, err := client.Snapshot(t.Context(), source("main"), wantedOf)
			if bad, ok := errors.AsType[*fault.FormatError](err); !ok || !strings.Contains(bad.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// What does not have its hash is not kept, large or small.
func TestWrongHash(t *testing.T) {
	for _, path := range []string{"model.safetensors", "config.json"} {
		h, commit, c := start(t)
		f := hubtest.File{Data: modelFiles[path], Large: path == "model.safetensors"}
		h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
			if cdn != f.Large || !f.Large && !strings.HasSuffix(r.URL.Path, "/main/"+path) && !strings.HasSuffix(r.URL.Path, commit+"/"+path) {
				return false
			}
			data := append([]byte{f.Data[0] ^ 1}, f.Data[1:]...)
			w.Write(data)
			return true
		})
		_, err := c.Snapshot(t.Context(), source("main"), wantedOf)
		bad, ok := errors.AsType[*fault.FormatError](err)
		if !ok || !strings.HasPrefix(bad.Error(), "hf://tiny-org/tiny-bert: "+path+": its hash is ") || !strings.Contains(bad.Error(), "the hub says "+f.Hash()) {
			t.Errorf("%s: error %v", path, err)
		}
		left, err := filepath.Glob(filepath.Join(c.Cache, "*", "blobs", f.Hash()+"*"))
		if err != nil || len(left) > 0 {
			t.Errorf("%s: %q are left, %v", path, left, err)
		}
	}
}

// A program that fetches the same file is waited for.
func TestLocked(t *testing.T) {
	h, _, c := start(t)
	said := notes(c)
	s := c.store(model)
	if err := os.MkdirAll(s.locks, 0o777); err != nil {
		t.Fatal(err)
	}
	l := flock.New(filepath.Join(s.locks, large.Hash()+".lock"))
	if err := l.Lock(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := c.Snapshot(ctx, source("main"), wantedOf); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(said(), "another program fetches model.safetensors; waiting for it") {
		t.Errorf("notes %q", said())
	}
	if got := ranges(h); len(got) != 0 {
		t.Errorf("asked for %q", got)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	fetch(t, c, source("main"))
}

// Where locks do not work, as when a folder is in their place, nothing is shared
// while it is being fetched, and nothing is left.
func TestNoLocks(t *testing.T) {
	h, _, c := start(t)
	leave(t, c, large.Data[:1<<20])
	if err := os.MkdirAll(filepath.Join(c.store(model).locks, large.Hash()+".lock"), 0o777); err != nil {
		t.Fatal(err)
	}
	h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
		if cdn {
			w.Write(large.Data[:1000])
			panic(http.ErrAbortHandler)
		}
		return false
	})
	if _, err := c.Snapshot(t.Context(), source("main"), wantedOf); err == nil {
		t.Error("a broken connection is no error")
	}
	h.Intercept(nil)
	h.Requests()
	fetch(t, c, source("main"))
	if got := ranges(h); len(got) != 1 || got[0] != "" {
		t.Errorf("asked for %q", got)
	}
	left, err := filepath.Glob(filepath.Join(c.store(model).dir, "blobs", "*.incomplete"))
	if err != nil || len(left) != 1 || left[0] != incompleteFile(c) {
		t.Errorf("%q are left, %v; the file of others should be", left, err)
	}
}

// The token stays with the hub where the other host is below it, as in
// cdn.hub.test, to which the http package alone would send it.
func TestTokenBelowHub(t *testing.T) {
	h, _, c := start(t)
	c.Token, h.Token = "hf_secret", "hf_secret"
	addresses := map[string]string{"hub.test:80": strings.TrimPrefix(h.URL, "http://"), "cdn.hub.test:80": strings.TrimPrefix(h.CDN, "http://")}
	h.CDN = "http://cdn.hub.test"
	c.Endpoint = "http://hub.test"
	r, err := c.requests()
	if err != nil {
		t.Fatal(err)
	}
	r.http.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addresses[address])
	}
	fetch(t, c, source("main"))
	seen := map[bool]int{}
	for _, r := range h.Requests() {
		seen[r.CDN]++
		if r.CDN == (r.Token != "") {
			t.Errorf("%+v", r)
		}
	}
	if seen[true] != 1 || seen[false] < 6 {
		t.Errorf("requests: %v", seen)
	}
}
