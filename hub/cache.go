package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"github.com/gguftool/gguftool/internal/atomicfile"
)

// A store is the folder of a model in the cache.
type store struct {
	client *Client
	dir    string
	locks  string
}

func (c *Client) store(model string) *store {
	name := "models--" + strings.ReplaceAll(model, "/", "--")
	return &store{c, filepath.Join(c.Cache, name), filepath.Join(c.Cache, ".locks", name)}
}

func (s *store) ref(revision string) string {
	return filepath.Join(s.dir, "refs", filepath.FromSlash(revision))
}
func (s *store) snapshot(commit string) string { return filepath.Join(s.dir, "snapshots", commit) }
func (s *store) blob(hash string) string       { return filepath.Join(s.dir, "blobs", hash) }

// commit returns the commit at which a revision was last seen, or "".
func (s *store) commit(revision string) string {
	data, err := readFile(s.ref(revision), 1<<10)
	if commit := strings.TrimSpace(string(data)); err == nil && commitForm.MatchString(commit) {
		return commit
	}
	return ""
}

// setCommit keeps the commit of a revision for later.
func (s *store) setCommit(revision, commit string) error {
	if revision == commit || s.commit(revision) == commit {
		return nil
	}
	return s.write(s.ref(revision), []byte(commit))
}

// ownListing ends the name of a listing that this package has written. One by
// the name that huggingface_hub uses would make it refuse the snapshot without a
// network, as files are missing that nobody wanted.
const ownListing = ".gguftool.json"

func (s *store) tree(commit, ending string) string {
	return filepath.Join(s.dir, "trees", commit+ending)
}

// listing returns the files of a commit if someone has asked for them before.
func (s *store) listing(commit string) (files listing, ok bool) {
	for _, ending := range []string{".json", ownListing} {
		if data, err := readFile(s.tree(commit, ending), maxAnswer); err == nil {
			if files, ok = parseSaved(data); ok {
				return files, true
			}
		}
	}
	return nil, false
}

// setListing keeps the files of a commit for later.
func (s *store) setListing(commit string, files listing) error {
	data, err := files.save()
	if err != nil {
		return err
	}
	return s.write(s.tree(commit, ownListing), data)
}

// walk lists what a snapshot has, for one without a listing.
func (s *store) walk(commit string) (paths []string, err error) {
	root := s.snapshot(commit)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return nil // a link to a file that is not there
		}
		rel, err := filepath.Rel(root, path)
		paths = append(paths, filepath.ToSlash(rel))
		return err
	})
	return paths, err
}

// has reports whether a snapshot has a file with as many bytes as it should have.
func (s *store) has(commit, local string, f file) bool {
	return isFile(filepath.Join(s.snapshot(commit), local), f.size)
}

// hasAll reports whether a snapshot has all files with a content.
func (s *store) hasAll(commit string, c content) bool {
	for _, path := range c.paths {
		if local, ok := localPath(path); !ok || !s.has(commit, local, c.file) {
			return false
		}
	}
	return true
}

func isFile(path string, size int64) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() == size
}

// place puts a file with the content of the blob hash into a snapshot: a link to
// it, or where these are not possible the content itself. last says that nothing
// else needs the blob, which then is moved; huggingface_hub does the same.
func (s *store) place(commit, local, hash string, size int64, last bool) error {
	path := filepath.Join(s.snapshot(commit), local)
	if isFile(path, size) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return s.failed(err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.failed(err)
	}
	if !s.client.NoLinks {
		target, err := filepath.Rel(filepath.Dir(path), s.blob(hash))
		if err != nil {
			return err
		}
		// A link that someone else has made in between is as good.
		if os.Symlink(target, path) == nil || isFile(path, size) {
			return nil
		}
	}
	if last {
		return s.failed(os.Rename(s.blob(hash), path))
	}
	return s.copy(path, s.blob(hash))
}

// copy copies a file of the cache.
func (s *store) copy(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return s.failed(err)
	}
	defer in.Close()
	out, err := atomicfile.Create(to, true)
	if err != nil {
		return s.failed(err)
	}
	defer out.Abort()
	if _, err := io.Copy(out, in); err != nil {
		return s.failed(err)
	}
	return s.failed(out.Commit(true))
}

// write writes a small file, which appears as a whole.
func (s *store) write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return s.failed(err)
	}
	f, err := atomicfile.Create(path, true)
	if err != nil {
		return s.failed(err)
	}
	defer f.Abort()
	if _, err := f.Write(data); err != nil {
		return s.failed(err)
	}
	return s.failed(f.Commit(true))
}

func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(f, limit)
}

// lock waits until no other program fetches the file with this hash. shared is
// false where the file system has no locks: then others must not see what is
// being written.
func (s *store) lock(ctx context.Context, hash, what string) (unlock func(), shared bool, err error) {
	if err := os.MkdirAll(s.locks, 0o777); err != nil {
		return nil, false, s.failed(err)
	}
	// The flags and the permissions are those of huggingface_hub, so that others
	// with the same cache can lock too.
	l := flock.New(filepath.Join(s.locks, hash+".lock"), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o664))
	ok, err := l.TryLock()
	if err == nil && !ok {
		s.client.note(fmt.Sprintf("another program fetches %s; waiting for it", what))
		_, err = l.TryLockContext(ctx, s.client.waits().lock)
	}
	switch {
	case err == nil:
		// The lock is gone with the program anyhow.
		return func() { _ = l.Unlock() }, true, nil
	case ctx.Err() != nil:
		return nil, false, ctx.Err()
	case errors.Is(err, fs.ErrPermission), atomicfile.IsFull(err), errors.Is(err, fs.ErrNotExist):
		return nil, false, s.failed(err)
	}
	return func() {}, false, nil
}

// incomplete returns the name of the file that content is written to at first.
func (s *store) incomplete(hash string, shared bool) string {
	if shared {
		return s.blob(hash) + ".incomplete"
	}
	return fmt.Sprintf("%s.%08x.incomplete", s.blob(hash), rand.Uint32())
}

// failed says what to do when the cache cannot be written.
func (s *store) failed(err error) error {
	switch {
	case err == nil:
		return nil
	case atomicfile.IsFull(err):
		return fmt.Errorf("the cache: %w; free space there, or name a folder on another disk in HF_HUB_CACHE", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the cache: %w; name a folder that you may write to in HF_HUB_CACHE", err)
	}
	return fmt.Errorf("the cache: %w", err)
}
