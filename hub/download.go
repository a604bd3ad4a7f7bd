package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gguftool/gguftool/internal/fault"
)

// A content is what one or several files of a commit have.
type content struct {
	file
	paths []string // of the files, sorted
}

// bring makes the files with a content appear in the snapshot of a commit.
func (s *store) bring(ctx context.Context, src Source, commit string, c content, p *progress) error {
	unlock, shared, err := s.lock(ctx, c.hash(), c.paths[0])
	if err != nil {
		return err
	}
	defer unlock()
	if s.hasAll(commit, c) { // whoever had the lock has brought it
		p.add(c.size)
		return nil
	}
	blob := s.blob(c.hash())
	fresh := !isFile(blob, c.size)
	if fresh {
		// One of another size is damaged. A link is removed, not its target, which
		// other models may share.
		if err := os.Remove(blob); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s.failed(err)
		}
		d := &download{client: s.client, store: s, file: c.file, path: c.paths[0], progress: p}
		d.url = s.client.Endpoint + "/" + src.Model + "/resolve/" + commit + "/" + escapePath(d.path)
		if err := d.run(ctx, s.incomplete(c.hash(), shared), shared); err != nil {
			return err
		}
		p.count(c)
	} else {
		p.add(c.size)
	}
	for i, path := range c.paths {
		local, _ := localPath(path)
		if err := s.place(commit, local, c.hash(), c.size, fresh && i == len(c.paths)-1); err != nil {
			return err
		}
	}
	return nil
}

// escapePath returns a path as it stands in an address.
func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}

// A download writes the content of one file.
type download struct {
	client   *Client
	store    *store
	file     file
	path     string // in the model
	url      string
	progress *progress

	out    *os.File
	offset int64     // bytes of the content that out has
	sum    hash.Hash // of these
}

// run fetches the content into the file incomplete, from where an earlier
// attempt has stopped, and renames it when the hash fits. On errors the file
// stays if another attempt can find it.
func (d *download) run(ctx context.Context, incomplete string, keep bool) (err error) {
	if err := os.MkdirAll(filepath.Dir(incomplete), 0o777); err != nil {
		return d.store.failed(err)
	}
	if d.out, err = os.OpenFile(incomplete, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return d.store.failed(err)
	}
	defer func() {
		d.out.Close()
		if err != nil && !keep {
			os.Remove(incomplete)
		}
	}()
	if err := d.takeUp(ctx); err != nil {
		return err
	}
	takenUp := d.offset > 0
	for {
		err := d.client.retry(ctx, d.client.waits().file, transient, func() (bool, error) {
			before := d.offset
			err := d.attempt(ctx)
			return d.offset > before, err
		})
		if err != nil {
			return err
		}
		got := hex.EncodeToString(d.sum.Sum(nil))
		if got == d.file.hash() {
			break
		}
		if !takenUp {
			keep = false // it is worth nothing
			e := fault.Malformed(d.path, "", "its hash is %s, where the hub says %s", got, d.file.hash())
			e.Hint = "what came is not what the hub has: try again, and look for what changes files on the way"
			return e
		}
		// The beginning was no good: huggingface_hub once wrote such files out of order.
		takenUp = false
		if err := d.restart(); err != nil {
			return err
		}
	}
	if err := d.out.Sync(); err != nil {
		return d.store.failed(err)
	}
	if err := d.out.Close(); err != nil {
		return d.store.failed(err)
	}
	return d.store.failed(os.Rename(incomplete, d.store.blob(d.file.hash())))
}

// newHash returns what computes file.hash of the content.
func (f file) newHash() hash.Hash {
	if f.sha256 != "" {
		return sha256.New()
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", f.size) // as git does
	return h
}

// restart forgets what is there.
func (d *download) restart() error {
	d.progress.add(-d.offset)
	d.offset = 0
	d.sum = d.file.newHash()
	return d.store.failed(d.out.Truncate(0))
}

// pieceLen is how much is read at once.
const pieceLen = 256 << 10

// takeUp hashes what an earlier attempt has left.
func (d *download) takeUp(ctx context.Context) error {
	info, err := d.out.Stat()
	if err != nil {
		return d.store.failed(err)
	}
	size := info.Size()
	if size <= 0 || size > d.file.size {
		return d.restart()
	}
	d.sum = d.file.newHash()
	piece := make([]byte, pieceLen)
	for d.offset < size {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := d.out.ReadAt(piece[:min(pieceLen, size-d.offset)], d.offset)
		if n == 0 {
			return d.store.failed(err)
		}
		d.sum.Write(piece[:n])
		d.offset += int64(n)
	}
	d.progress.add(d.offset)
	return nil
}

// attempt asks for what is missing, once.
func (d *download) attempt(ctx context.Context) error {
	if d.offset == d.file.size {
		return nil
	}
	resp, err := d.client.get(ctx, d.url, d.offset)
	if e, ok := errors.AsType[*statusError](err); ok && e.code == http.StatusRequestedRangeNotSatisfiable && d.offset > 0 {
		if err := d.restart(); err != nil {
			return err
		}
		resp, err = d.client.get(ctx, d.url, 0)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := d.checkHead(resp); err != nil {
		return err
	}
	return d.receive(resp.Body, resp.Request.URL.Host)
}

// checkHead compares what the server announces with what was asked for.
func (d *download) checkHead(resp *http.Response) error {
	host := resp.Request.URL.Host
	if encoding := resp.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return fault.Malformed(d.path, "", "%s sends it in the encoding %q, which was not asked for", host, encoding)
	}
	if resp.StatusCode == http.StatusPartialContent {
		var first, last int64
		var total string
		_, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%s", &first, &last, &total)
		if err != nil || first != d.offset {
			return fault.Malformed(d.path, "", "%s sends the bytes %q, where those from %d on were asked for", host, resp.Header.Get("Content-Range"), d.offset)
		}
		if total != "*" && total != fmt.Sprint(d.file.size) {
			return fault.Malformed(d.path, "", "%s has %s bytes of it, where the hub says %d", host, total, d.file.size)
		}
	} else if d.offset > 0 { // all of it comes
		if err := d.restart(); err != nil {
			return err
		}
	}
	if n := resp.ContentLength; n >= 0 && n != d.file.size-d.offset {
		return fault.Malformed(d.path, "", "%s sends %d bytes of it, where %d are missing", host, n, d.file.size-d.offset)
	}
	return nil
}

// receive writes what comes.
func (d *download) receive(body io.Reader, host string) error {
	piece := make([]byte, pieceLen)
	for {
		n, err := body.Read(piece)
		if int64(n) > d.file.size-d.offset {
			return fault.Malformed(d.path, "", "%s sends more than the %d bytes that the hub says", host, d.file.size)
		}
		// Writing at the offset, not at the end, is harmless where two programs have
		// got the same lock: both write the same.
		if _, err := d.out.WriteAt(piece[:n], d.offset); err != nil {
			return d.store.failed(err)
		}
		d.sum.Write(piece[:n])
		d.offset += int64(n)
		d.progress.add(int64(n))
		switch {
		case err == io.EOF && d.offset < d.file.size:
			return &networkError{host, io.ErrUnexpectedEOF, true}
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// A progress counts the bytes of all files.
type progress struct {
	mu          sync.Mutex
	done, total int64
	report      func(done, total int64) // may be nil

	files int   // that were fetched
	bytes int64 // of these
}

// count takes note of a content that was fetched.
func (p *progress) count(c content) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files += len(c.paths)
	p.bytes += c.size
}

// add counts n more bytes, or less.
func (p *progress) add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	if p.report != nil {
		p.report(p.done, p.total)
	}
}
