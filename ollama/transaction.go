package ollama

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/gguftool/gguftool/internal/atomicfile"
)

// A Transaction puts blobs into a store and then the manifest that refers to
// them. Its methods may be called by several goroutines at once.
type Transaction struct {
	s    *Store
	ctx  context.Context
	use  *os.File // digests in use, a line each
	lock *flock.Flock

	mu     sync.Mutex
	noted  map[string]bool // digests in use
	added  []Layer         // blobs that the store did not have before, and need not keep
	closed bool
}

// gateWait is how often a taken gate is tried again. It is held for moments.
const gateWait = 5 * time.Millisecond

const (
	lockFolder = ".gguftool"
	lockSuffix = ".lock"
	useSuffix  = ".use"
)

// gate runs do while no other process adds to the store or removes from it.
func (s *Store) gate(ctx context.Context, do func() error) error {
	dir := filepath.Join(s.Dir, lockFolder)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return s.failed(err)
	}
	l := flock.New(filepath.Join(dir, "gate"), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o666))
	if _, err := l.TryLockContext(ctx, gateWait); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return s.failed(fmt.Errorf("lock the store: %w", err))
	}
	defer func() { _ = l.Unlock() }() // it ends with the process anyhow
	return do()
}

// failed says what to do when the store cannot be written.
func (s *Store) failed(err error) error {
	switch {
	case err == nil:
		return nil
	case atomicfile.IsFull(err):
		return fmt.Errorf("the store: %w; free space there, or name a folder on another disk in OLLAMA_MODELS", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the store: %w; run as a user who may write to %s, such as that of the Ollama server, or name another folder in OLLAMA_MODELS", err, s.Dir)
	}
	return fmt.Errorf("the store: %w", err)
}

// Begin starts to put blobs into the store, which is created where it does not
// exist. The transaction must be closed; ctx ends what it does.
func (s *Store) Begin(ctx context.Context) (*Transaction, error) {
	for _, dir := range []string{s.blobs(), s.manifests(), filepath.Join(s.Dir, lockFolder)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, s.failed(err)
		}
	}
	tx := &Transaction{s: s, ctx: ctx, noted: map[string]bool{}}
	err := s.gate(ctx, func() error {
		if _, err := s.living(); err != nil { // clears away what the dead left
			return err
		}
		base := filepath.Join(s.Dir, lockFolder, fmt.Sprintf("%016x", rand.Uint64()))
		lock := flock.New(base+lockSuffix, flock.SetPermissions(0o644))
		if ok, err := lock.TryLock(); err != nil || !ok {
			return s.failed(fmt.Errorf("lock %s: %w; does the file system have locks?", lock.Path(), err))
		}
		tx.lock = lock
		var err error
		tx.use, err = os.OpenFile(base+useSuffix, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o644)
		return s.failed(err)
	})
	if err != nil {
		tx.Close()
		return nil, err
	}
	return tx, nil
}

// living returns the digests that transactions use which are not over, and
// removes the files of dead ones. It is called under the gate.
func (s *Store) living() (used map[string]bool, err error) {
	used = map[string]bool{}
	dir := filepath.Join(s.Dir, lockFolder)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, s.failed(err)
	}
	alive := false
	for _, e := range entries {
		base, ok := strings.CutSuffix(filepath.Join(dir, e.Name()), lockSuffix)
		if !ok {
			continue
		}
		// No transaction begins meanwhile, so a lock that is free belongs to a dead
		// one. One that cannot be tried is taken for a living one.
		l := flock.New(base+lockSuffix, flock.SetFlag(os.O_RDONLY))
		free, err := l.TryLock()
		if errors.Is(err, fs.ErrNotExist) {
			continue // closed just now
		}
		if free {
			_ = l.Unlock()
			// What stays, of another user perhaps, is found again the next time.
			os.Remove(base + useSuffix)
			os.Remove(base + lockSuffix)
			continue
		}
		alive = true
		data, err := os.ReadFile(base + useSuffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, s.failed(fmt.Errorf("find out which blobs are being put into the store: %w", err))
		}
		for line := range strings.Lines(string(data)) {
			used[strings.TrimSpace(line)] = true
		}
	}
	if !alive {
		s.clearTemporary()
	}
	return used, nil
}

// clearTemporary removes temporary files. Only living transactions need theirs.
func (s *Store) clearTemporary() {
	for _, dir := range []string{s.blobs(), s.manifests()} {
		entries, _ := os.ReadDir(dir) // what cannot be listed is not there, or fails later
		for _, e := range entries {
			if atomicfile.IsTemp(e.Name()) {
				os.Remove(filepath.Join(dir, e.Name()))
			}
		}
	}
}

// Close ends the transaction. Blobs that were put by one that was not committed
// are removed, but those that were resumed stay for the next time. It can be
// deferred right after Begin.
func (tx *Transaction) Close() error {
	tx.mu.Lock()
	added, closed := tx.added, tx.closed
	tx.added, tx.closed = nil, true
	tx.mu.Unlock()
	if closed {
		return nil
	}
	// Windows removes no open file, so they are closed first.
	if tx.use != nil {
		tx.use.Close()
		os.Remove(tx.use.Name())
	}
	if tx.lock != nil {
		_ = tx.lock.Unlock()
		os.Remove(tx.lock.Path())
	}
	if len(added) == 0 {
		return nil
	}
	ctx := context.WithoutCancel(tx.ctx)
	return tx.s.gate(ctx, func() error {
		_, err := tx.s.removeUnused(ctx, added)
		return err
	})
}

// note writes down that d is in use. It is called under the gate, before the
// blob is looked at.
func (tx *Transaction) note(d Digest) error {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.closed {
		return fs.ErrClosed
	}
	if tx.noted[d.key()] {
		return nil
	}
	if _, err := tx.use.WriteString(d.key() + "\n"); err != nil {
		return tx.s.failed(err)
	}
	tx.noted[d.key()] = true
	return nil
}

// ErrExists is wrapped by errors about a model that exists and is not to be
// replaced.
var ErrExists = fs.ErrExist

// Commit writes the manifest of a model, whose bytes it takes as they are, and
// ends the transaction. Blobs of a model that had the name before are removed
// unless another one has them too. Without replace, another manifest of that
// name is an error that wraps ErrExists, and the same one is left as it is.
func (tx *Transaction) Commit(n Name, manifest []byte, replace bool) error {
	defer tx.Close()
	if err := errors.Join(n.check(), n.checkStorable()); err != nil {
		return err
	}
	m, err := DecodeManifest(manifest)
	if err != nil {
		return err
	}
	s := tx.s
	return s.gate(tx.ctx, func() error {
		for _, l := range m.Blobs() {
			if err := tx.present(l); err != nil {
				return err
			}
		}
		path := s.ManifestPath(n)
		old, err := s.Read(n)
		if _, statErr := os.Lstat(path); statErr == nil && !replace && (err != nil || !bytes.Equal(old.Raw, manifest)) {
			return fmt.Errorf("the model %s: %w; use --force to replace it", n.Short(), ErrExists)
		}
		if err == nil && bytes.Equal(old.Raw, manifest) {
			return nil
		}
		if err := s.writeManifest(n, manifest); err != nil {
			return err
		}
		tx.keep()
		if old == nil {
			return nil
		}
		// The model is there, so being interrupted is no failure any more.
		_, err = s.removeUnused(context.WithoutCancel(tx.ctx), old.Manifest.Blobs())
		return err
	})
}

// keep says that a manifest refers to what was added.
func (tx *Transaction) keep() {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.added = nil
}

// present finds out whether a blob is there, and renews its time.
func (tx *Transaction) present(l Layer) error {
	if err := tx.note(l.Digest); err != nil {
		return err
	}
	if err := tx.s.checkBlob(l); err != nil {
		return err
	}
	renew(tx.s.BlobPath(l.Digest))
	return nil
}

// writeManifest makes the manifest appear whole. Its temporary file lies where
// Ollama does not look for manifests.
func (s *Store) writeManifest(n Name, data []byte) error {
	dest := s.ManifestPath(n)
	for range 10 {
		if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
			return s.failed(err)
		}
		f, err := atomicfile.CreateIn(s.manifests())
		if err != nil {
			return s.failed(err)
		}
		defer f.Abort()
		if _, err := f.Write(data); err != nil {
			return s.failed(err)
		}
		err = f.CommitAs(dest, true)
		// A server that starts removes empty folders.
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return s.failed(err)
	}
	return fmt.Errorf("the folder of %s disappears again and again; is another program removing it?", dest)
}
