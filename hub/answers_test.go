package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gguftool/gguftool/internal/fault"
)

// What is said when a model cannot be had.
func TestDenied(t *testing.T) {
	h, commit, _ := start(t)
	h.Token = "right"
	m, _ := h.Add("org/gated", "main", modelFiles)
	m.Gated = true
	m, _ = h.Add("org/private", "main", modelFiles)
	m.Private = true
	for _, c := range []struct {
		source, token, want string
	}{
		{"hf://org/gated", "right", ""},
		{"hf://org/private", "right", ""},
		{"hf://org/gated", "", "its authors give it to those who ask; do so at HUB/org/gated, make a token at HUB/settings/tokens and set HF_TOKEN to it (401 Unauthorized: \"Access to model org/gated is restricted.\")"},
		{"hf://org/private", "", `HOST has no such model, or it is private; check the name, and set HF_TOKEN for a private one (401 Unauthorized: "Repository not found")`},
		{"hf://org/none", "", `HOST has no such model, or it is private; check the name, and set HF_TOKEN for a private one (401 Unauthorized: "Repository not found")`},
		{"hf://org/none", "right", `HOST has no such model, or it is private and the token in HF_TOKEN has no access; check the name and the token (404 Not Found: "Repository not found")`},
		{"hf://tiny-org/tiny-bert", "wrong", `HOST does not accept the token in HF_TOKEN; make another one at HUB/settings/tokens, or unset it (401 Unauthorized: "Invalid credentials in Authorization header")`},
		{"hf://tiny-org/tiny-bert@v9", "", `it has no revision "v9"; its branches and tags are at HUB/tiny-org/tiny-bert/tree/main`},
		{"hf://tiny-org/tiny-bert@" + strings.Repeat("0", 40), "", `it has no revision "` + strings.Repeat("0", 40) + `"; its branches and tags are at HUB/tiny-org/tiny-bert/tree/main`},
	} {
		client := newClient(t, h)
		client.Token, client.tokenFrom = c.token, "HF_TOKEN"
		src, err := ParseSource(c.source)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Snapshot(t.Context(), src, wantedOf)
		want := strings.NewReplacer("HUB", h.URL, "HOST", strings.TrimPrefix(h.URL, "http://")).Replace(c.want)
		if want != "" {
			want = src.String() + ": " + want
		}
		if got := fmt.Sprint(err); got != want && (want != "" || err != nil) {
			t.Errorf("%s with the token %q:\n got %s\nwant %s", c.source, c.token, got, want)
		}
	}
	// A copy from better days is pointed to.
	client := newClient(t, h)
	fetch(t, client, source("main"))
	client.Token = "wrong"
	_, err := client.Snapshot(t.Context(), source("main"), wantedOf)
	if err == nil || !strings.HasSuffix(err.Error(), "; with HF_HUB_OFFLINE=1 the commit "+commit+" is used, of which the cache has files") {
		t.Errorf("error %v", err)
	}
}

// An account without access gets 403 from the hub.
func TestForbidden(t *testing.T) {
	h, _, c := start(t)
	c.Token, c.tokenFrom = "hf_secret", "/home/me/token"
	h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
		w.Header().Set("X-Error-Code", "GatedRepo")
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	_, err := c.Snapshot(t.Context(), source("main"), wantedOf)
	if want := "the token in /home/me/token has no access; ask at " + h.URL + "/tiny-org/tiny-bert, and see that"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
	}
}

// Answers that may be better the next time.
func TestRetry(t *testing.T) {
	for _, c := range []struct {
		status int
		header string // name and value
		times  int32  // the status comes first
		want   string // a part of the error
	}{
		{http.StatusServiceUnavailable, "", 2, ""},
		{http.StatusInternalServerError, "", 2, ""},
		{http.StatusGatewayTimeout, "", 1, ""},
		{http.StatusTooManyRequests, "Retry-After 1", 1, ""},
		{http.StatusTooManyRequests, `RateLimit "api";r=0;t=1`, 1, ""},
		{http.StatusTooManyRequests, "Retry-After 3600", 1, "it asks to come back in 1h0m0s; wait some minutes, or set HF_TOKEN, which allows more"},
		{http.StatusTooManyRequests, "", 99, "answers 429 Too Many Requests for /api/models/tiny-org/tiny-bert/revision/main; wait some minutes"},
		{http.StatusBadGateway, "", 99, "answers 502 Bad Gateway"},
		{http.StatusTeapot, "", 1, "answers 418 I'm a teapot for /api/models/tiny-org/tiny-bert/revision/main; try again later"},
	} {
		h, _, client := start(t)
		var n atomic.Int32
		h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
			if n.Add(1) > c.times {
				return false
			}
			if name, value, ok := strings.Cut(c.header, " "); ok {
				w.Header().Set(name, value)
			}
			w.WriteHeader(c.status)
			return true
		})
		began := time.Now()
		_, err := client.Snapshot(t.Context(), source("main"), wantedOf)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%d %d times, %q: error %v, want %q", c.status, c.times, c.header, err, c.want)
		}
		if c.want == "" && c.header != "" && time.Since(began) < time.Second {
			t.Errorf("%q: it came back after %v", c.header, time.Since(began))
		}
	}
}

func TestAskedWait(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		after, limit string
		want         time.Duration
	}{
		{"", "", 0},
		{"7", "", 7 * time.Second},
		{"-7", "", 0},
		{"99999999999999", "", 0},
		{"soon", "", 0},
		{"Tue, 24 Nov 2026 12:01:30 GMT", "", 90 * time.Second},
		{"Tue, 24 Nov 2026 11:00:00 GMT", "", 0},
		{"7", `"api";r=0;t=55`, 55 * time.Second},
		{"7", `"api";r=10;t=55`, 7 * time.Second},
		{"", `"resolvers" ; r = 0 ; t = 9`, 9 * time.Second},
	} {
		h := http.Header{}
		h.Set("Retry-After", c.after)
		h.Set("RateLimit", c.limit)
		if got := askedWait(h, now); got != c.want {
			t.Errorf("%q, %q: %v, want %v", c.after, c.limit, got, c.want)
		}
	}
}

// A server that says nothing is left, before and in the middle of an answer.
func TestSilence(t *testing.T) {
	for _, path := range []string{"/api/models/tiny-org/tiny-bert/revision/main", "/" + large.Hash()} {
		h, _, c := start(t)
		c.patience.silence = 50 * time.Millisecond
		n := 0
		h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
			if r.URL.Path != path {
				return false
			}
			if n++; n > 1 {
				return false
			}
			if cdn {
				w.Write(large.Data[:100_000])
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done()
			return true
		})
		fetch(t, c, source("main"))
		if n != 2 {
			t.Errorf("%s: %d requests", path, n)
		}
		n = -99
		c = newClient(t, h)
		c.patience.silence = 20 * time.Millisecond
		h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
			if r.URL.Path == path {
				<-r.Context().Done()
			}
			return false
		})
		_, err := c.Snapshot(t.Context(), source("main"), wantedOf)
		if err == nil || !strings.HasSuffix(err.Error(), "broke: the server is silent; the next call goes on from here") {
			t.Errorf("%s: error %v", path, err)
		}
	}
}

// A server that is slow but not silent is not left.
func TestSlow(t *testing.T) {
	h, _, c := start(t)
	c.patience.silence = 400 * time.Millisecond
	h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
		if !cdn {
			return false
		}
		const part = 1 << 19
		for at := 0; at < len(large.Data); at += part {
			w.Write(large.Data[at : at+part])
			w.(http.Flusher).Flush()
			time.Sleep(100 * time.Millisecond)
		}
		return true
	})
	fetch(t, c, source("main"))
	if got := ranges(h); len(got) != 1 {
		t.Errorf("asked for %q", got)
	}
}

// Redirects that lead nowhere or to where they should not.
func TestRedirects(t *testing.T) {
	h, _, c := start(t)
	h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
		http.Redirect(w, r, h.URL+r.URL.Path, http.StatusFound)
		return true
	})
	_, err := c.Snapshot(t.Context(), source("main"), wantedOf)
	if err == nil || !strings.HasSuffix(err.Error(), " redirects more than 10 times") {
		t.Errorf("error %v", err)
	}
	if n := len(h.Requests()); n != 10 {
		t.Errorf("%d requests", n)
	}
	if _, err := c.requests(); err != nil {
		t.Fatal(err)
	}
	from, _ := http.NewRequest(http.MethodGet, "https://hub.test/x", nil)
	to, _ := http.NewRequest(http.MethodGet, "http://hub.test/x", nil)
	if err := c.checkRedirect(to, []*http.Request{from}); err == nil || !strings.Contains(err.Error(), "which is not encrypted") {
		t.Errorf("from https to http: error %v", err)
	}
}

// Errors do not repeat signed addresses, which are as good as a token.
func TestSignedAddress(t *testing.T) {
	h, _, c := start(t)
	for name, intercept := range map[string]func(w http.ResponseWriter, r *http.Request){
		"refused": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"broken":  func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
	} {
		h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
			if cdn {
				intercept(w, r)
			}
			return cdn
		})
		_, err := c.Snapshot(t.Context(), source("main"), wantedOf)
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "localhost") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// hostileListings are pages that are refused as a whole.
var hostileListings = map[string]string{
	`{`:                                        "the answer is none of a hub",
	`<html>`:                                   "the answer is none of a hub",
	`{"error": "x"}`:                           "the answer is none of a hub",
	entry(`"path": "../../x"`):                 `"../../x" would lie outside`,
	entry(`"path": "/etc/passwd"`):             "would lie outside",
	entry(`"path": "a/../../x"`):               "would lie outside",
	entry(`"path": "a//b"`):                    "would lie outside",
	entry(`"path": "."`):                       "would lie outside",
	entry(`"path": ""`):                        "would lie outside",
	entry(`"path": "a\u0000b"`):                "would lie outside",
	entry(`"path": "` + longPart + `"`):        "would lie outside",
	entry(`"size": -1`):                        "has -1 bytes",
	entry(`"size": 1e30`):                      "the answer is none of a hub",
	entry(`"size": 9223372036854775807`):       "has 9223372036854775807 bytes",
	entry(`"oid": "../../../x"`):               "which is no SHA-1",
	entry(`"oid": ""`):                         "which is no SHA-1",
	entry(`"lfs": {"oid": "../x", "size": 1}`): "which is no SHA-256",
	entry(`"lfs": {"oid": "` + sha256Of + `", "size": -5}`): "has -5 bytes",
	`[` + good + `,` + good + `]`:                           "is there twice",
	// These are names of git, and not of files everywhere.
	entry(`"path": "a\\..\\..\\x"`): "would lie outside of the model's folder on some systems",
	entry(`"path": "C:x"`):          "would lie outside of the model's folder on some systems",
	entry(`"path": "a/b."`):         "would lie outside of the model's folder on some systems",
	entry(`"path": "a\nb"`):         "would lie outside of the model's folder on some systems",
	`[` + good + `,{"type": "file", "path": "g", "size": 2, "oid": "` + sha1Of + `"}]`: "with the same hash",
}

const (
	sha1Of   = "0123456789abcdef0123456789abcdef01234567"
	sha256Of = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	good     = `{"type": "file", "path": "f", "size": 1, "oid": "` + sha1Of + `"}`
)

var longPart = strings.Repeat("p", 300)

// entry is a page with one file, in which a field is another one.
func entry(field string) string {
	return `[` + strings.TrimSuffix(good, "}") + `, ` + field + `}]`
}

func TestHostileListing(t *testing.T) {
	for page, want := range hostileListings {
		h, _, c := start(t)
		h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
			if strings.Contains(r.URL.Path, "/tree/") {
				w.Write([]byte(page))
				return true
			}
			return false
		})
		_, err := c.Snapshot(t.Context(), source("main"), func(_ string, paths []string) ([]string, error) { return paths, nil })
		if bad, ok := errors.AsType[*fault.FormatError](err); !ok || !strings.Contains(bad.Error(), want) {
			t.Errorf("%.100s: error %v, want one with %q", page, err, want)
		}
		if entries, err := os.ReadDir(filepath.Dir(c.Cache)); err != nil || len(entries) > 0 {
			t.Errorf("%.100s: %v was written, %v", page, entries, err)
		}
	}
}

// Other answers of the API that break the rules.
func TestHostileAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		what   string // of the path
		answer func(w http.ResponseWriter, r *http.Request)
		want   string
	}{
		"no commit":   {"/revision/", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(`{}`)) }, `the commit is "", which is none`},
		"path":        {"/revision/", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(`{"sha": "../../x"}`)) }, `the commit is "../../x"`},
		"not JSON":    {"/revision/", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(`<html>log in`)) }, "check HF_ENDPOINT, and whether something in the network answers instead"},
		"long answer": {"/revision/", func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, maxAnswer+1)) }, "the answer has more than"},
		"pages without end": {"/tree/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", `<?cursor=x>; rel="next"`)
			w.Write([]byte(`[]`))
		}, "there are more than 1000 pages"},
		"page elsewhere": {"/tree/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", `<file:///etc/passwd>; rel="next"`)
			w.Write([]byte(`[]`))
		}, "which is no address"},
	} {
		t.Run(name, func(t *testing.T) {
			h, _, client := start(t)
			h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
				if !strings.Contains(r.URL.Path, c.what) {
					return false
				}
				c.answer(w, r)
				return true
			})
			_, err := client.Snapshot(t.Context(), source("main"), wantedOf)
			if bad, ok := errors.AsType[*fault.FormatError](err); !ok || !strings.Contains(bad.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// A page on another host does not get the token.
func TestPageElsewhere(t *testing.T) {
	h, _, c := start(t)
	c.Token, h.Token = "hf_secret", "hf_secret"
	h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
		switch {
		case cdn && r.URL.Path == "/page":
			fmt.Fprint(w, `[]`)
		case strings.Contains(r.URL.Path, "/tree/"):
			w.Header().Set("Link", "<"+h.CDN+`/page>; rel="next"`)
			fmt.Fprint(w, `[]`)
		default:
			return false
		}
		return true
	})
	if _, err := c.Snapshot(t.Context(), source("main"), wantedOf); err != nil {
		t.Fatal(err)
	}
	for _, r := range h.Requests() {
		if r.CDN == (r.Token != "") {
			t.Errorf("%+v", r)
		}
	}
}

// A file that has gone since the listing.
func TestGone(t *testing.T) {
	h, _, c := start(t)
	h.Intercept(func(w http.ResponseWriter, r *http.Request, cdn bool) bool {
		if strings.Contains(r.URL.Path, "/resolve/") {
			w.Header().Set("X-Error-Code", "EntryNotFound")
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		return false
	})
	_, err := c.Snapshot(t.Context(), source("main"), wantedOf)
	if err == nil || !strings.HasSuffix(err.Error(), "; a file has gone") || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// What is read from a page or a cache can be saved and read again, and stays in
// its folder.
func FuzzListing(f *testing.F) {
	for page := range hostileListings {
		f.Add([]byte(page))
	}
	f.Add([]byte("[" + good + "]"))
	f.Add([]byte(`{"format_version": 1, "files": {"a/b": {"size": 1, "blob_id": "` + sha1Of + `", "lfs_sha256": "` + sha256Of + `", "lfs_size": 7}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		files, ok := parseSaved(data)
		if !ok {
			var page []treeEntry
			files = listing{}
			if json.Unmarshal(data, &page) != nil || files.addPage(page) != nil {
				return
			}
		}
		saved, err := files.save()
		if err != nil {
			t.Fatal(err)
		}
		again, ok := parseSaved(saved)
		if !ok || fmt.Sprint(again) != fmt.Sprint(files) {
			t.Errorf("%v became %v, %v", files, again, ok)
		}
		for path, file := range files {
			if local, ok := localPath(path); ok && !filepath.IsLocal(local) {
				t.Errorf("the file %q lies at %q", path, local)
			}
			if h := file.hash(); !commitForm.MatchString(h) && !sha256Form.MatchString(h) {
				t.Errorf("the hash of %q is %q", path, h)
			}
		}
	})
}
