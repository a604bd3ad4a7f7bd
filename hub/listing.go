package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/gguftool/gguftool/internal/fault"
)

// A file is one of a commit.
type file struct {
	size   int64
	gitID  string // SHA-1 of the git blob, which for large files is a pointer to the content
	sha256 string // of the content of a file in large file storage, or ""
	xet    string // its hash in the hub's newer storage, kept for others, or ""
}

// hash is the name of the content in the cache.
func (f file) hash() string {
	if f.sha256 != "" {
		return f.sha256
	}
	return f.gitID
}

// A listing holds the files of a commit by path.
type listing map[string]file

// Limits of what a server may answer. The largest models have some thousand files.
const (
	maxAnswer = 64 << 20 // bytes
	maxPages  = 1000
	maxFiles  = 1 << 20
	maxSize   = 1 << 42 // of a file, so that all together fit an int64
)

// resolveRevision asks for the commit that a revision stands for.
func (c *Client) resolveRevision(ctx context.Context, src Source) (commit string, err error) {
	var answer struct {
		SHA string `json:"sha"`
	}
	at := c.api(src.Model, "revision", src.Revision)
	if _, err := c.getJSON(ctx, at, &answer); err != nil {
		return "", err
	}
	if !commitForm.MatchString(answer.SHA) {
		return "", c.malformed(at, "the commit is %.80q, which is none", answer.SHA)
	}
	return answer.SHA, nil
}

// fetchListing asks for the files of a commit.
func (c *Client) fetchListing(ctx context.Context, model, commit string) (listing, error) {
	files := listing{}
	at := c.api(model, "tree", commit) + "?recursive=true"
	for range maxPages {
		var page []treeEntry
		link, err := c.getJSON(ctx, at, &page)
		if err != nil {
			return nil, err
		}
		if err := files.addPage(page); err != nil {
			return nil, c.malformed(at, "%v", err)
		}
		next := nextLink.FindStringSubmatch(link)
		if next == nil {
			return files, nil
		}
		base, err := url.Parse(at)
		if err != nil {
			return nil, err
		}
		more, err := base.Parse(next[1])
		if err != nil || more.Scheme != base.Scheme && more.Scheme != "https" {
			return nil, c.malformed(at, "the next page is at %.200q, which is no address", next[1])
		}
		at = more.String()
	}
	return nil, c.malformed(at, "there are more than %d pages", maxPages)
}

// nextLink matches the address of the next page in a Link header.
var nextLink = regexp.MustCompile(`<([^<>]*)>\s*;[^,]*\brel="?next"?`)

// A treeEntry is a file or folder as the API describes it.
type treeEntry struct {
	Type string `json:"type"`
	Path string `json:"path"`
	Size int64  `json:"size"`
	OID  string `json:"oid"`
	LFS  *struct {
		OID  string `json:"oid"`
		Size int64  `json:"size"`
	} `json:"lfs"`
	Xet string `json:"xetHash"`
}

func (e treeEntry) file() file {
	f := file{size: e.Size, gitID: e.OID, xet: e.Xet}
	if e.LFS != nil {
		f.size, f.sha256 = e.LFS.Size, e.LFS.OID
	}
	return f
}

// addPage takes the files of a page into the listing.
func (l listing) addPage(page []treeEntry) error {
	for _, e := range page {
		if e.Type != "file" {
			continue
		}
		if err := l.add(e.Path, e.file()); err != nil {
			return err
		}
	}
	return nil
}

var sha256Form = regexp.MustCompile(`^[0-9a-f]{64}$`)

// add takes a file into the listing when it can be one of a git repository. The
// hashes become names of files in the cache.
func (l listing) add(path string, f file) error {
	_, twice := l[path]
	switch {
	case len(l) >= maxFiles:
		return fmt.Errorf("there are more than %d files", maxFiles)
	case !isTreePath(path):
		return fmt.Errorf("the file name %.200q would lie outside of the model's folder, or is none", path)
	case twice:
		return fmt.Errorf("the file %q is there twice", path)
	case f.size < 0 || f.size > maxSize:
		return fmt.Errorf("the file %q has %d bytes", path, f.size)
	case !commitForm.MatchString(f.gitID):
		return fmt.Errorf("the hash of the file %q is %.80q, which is no SHA-1", path, f.gitID)
	case f.sha256 != "" && !sha256Form.MatchString(f.sha256):
		return fmt.Errorf("the hash of the file %q is %.80q, which is no SHA-256", path, f.sha256)
	case f.xet != "" && !sha256Form.MatchString(f.xet):
		f.xet = "" // for others, who do not need it
	}
	l[path] = f
	return nil
}

// isTreePath reports whether git could have such a file: relative, without
// empty parts and those that lead elsewhere.
func isTreePath(path string) bool {
	if path == "" || len(path) > 4096 || !utf8.ValidString(path) || strings.ContainsRune(path, 0) {
		return false
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." || len(part) > 255 {
			return false
		}
	}
	return true
}

// localPath returns the path of a file below a snapshot; ok is false where a
// system gives a part of it another meaning, as Windows does with C: and a\b.
// The same names are refused everywhere, as caches are shared and moved.
func localPath(path string) (local string, ok bool) {
	local = filepath.FromSlash(path)
	if !isTreePath(path) || !filepath.IsLocal(local) {
		return "", false
	}
	if strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || strings.ContainsRune(`\:*?"<>|`, r) }) {
		return "", false
	}
	for part := range strings.SplitSeq(path, "/") {
		if last := part[len(part)-1]; last == '.' || last == ' ' {
			return "", false
		}
	}
	return local, true
}

// api returns the address of what the hub knows about a model.
func (c *Client) api(model, what, revision string) string {
	return c.Endpoint + "/api/models/" + model + "/" + what + "/" + url.PathEscape(revision)
}

// getJSON reads an answer of the API into v and returns the Link header.
func (c *Client) getJSON(ctx context.Context, at string, v any) (link string, err error) {
	var data []byte
	err = c.retry(ctx, c.waits().listing, answered, func() (bool, error) {
		resp, err := c.get(ctx, at, 0)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		link = resp.Header.Get("Link")
		data, err = readAtMost(resp.Body, maxAnswer)
		if errors.Is(err, errTooLong) {
			err = c.malformed(at, "the answer has more than %d bytes", maxAnswer)
		}
		return false, err
	})
	if err != nil {
		return "", err
	}
	if err := json.Unmarshal(data, v); err != nil {
		e := c.malformed(at, "the answer is none of a hub: %v", err)
		e.Hint = "check HF_ENDPOINT, and whether something in the network answers instead"
		return "", e
	}
	return link, nil
}

// malformed reports an answer that breaks the rules.
func (c *Client) malformed(at, format string, args ...any) *fault.FormatError {
	u, err := url.Parse(at)
	if err != nil {
		return fault.Malformed(at, "", format, args...)
	}
	return fault.Malformed(u.Host+u.EscapedPath(), "", format, args...)
}

// A savedListing is how huggingface_hub keeps a listing in the cache.
type savedListing struct {
	Version int                  `json:"format_version"`
	Files   map[string]savedFile `json:"files"`
}

type savedFile struct {
	Size   int64  `json:"size"`
	GitID  string `json:"blob_id"`
	SHA256 string `json:"lfs_sha256,omitempty"`
	// LFSSize is that of the content, where SHA256 is set. It was the same in all
	// listings seen.
	LFSSize *int64 `json:"lfs_size,omitempty"`
	Xet     string `json:"xet_hash,omitempty"`
}

const savedVersion = 1

// parseSaved reads a listing from the cache; ok is false where it is damaged or
// of a later version, so that it is worth nothing.
func parseSaved(data []byte) (files listing, ok bool) {
	var saved savedListing
	if json.Unmarshal(data, &saved) != nil || saved.Version != savedVersion {
		return nil, false
	}
	files = listing{}
	for path, s := range saved.Files {
		f := file{size: s.Size, gitID: s.GitID, sha256: s.SHA256, xet: s.Xet}
		if s.SHA256 != "" && s.LFSSize != nil {
			f.size = *s.LFSSize
		}
		if files.add(path, f) != nil {
			return nil, false
		}
	}
	return files, true
}

// save is the reverse of parseSaved.
func (l listing) save() ([]byte, error) {
	saved := savedListing{savedVersion, map[string]savedFile{}}
	for path, f := range l {
		s := savedFile{Size: f.size, GitID: f.gitID, SHA256: f.sha256, Xet: f.xet}
		if f.sha256 != "" {
			s.LFSSize = &f.size
		}
		saved.Files[path] = s
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(saved)
	return out.Bytes(), err
}
