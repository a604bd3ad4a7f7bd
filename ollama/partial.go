package ollama

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/gguftool/gguftool/internal/fault"
)

// A Partial is a blob that arrives in pieces, perhaps over several runs: what it
// has stays when it is closed and when the process is killed.
type Partial struct {
	tx   *Transaction
	l    Layer
	f    *os.File
	lock *flock.Flock
	at   int64
}

const (
	partialSuffix = "-gguftool-partial"
	partialWait   = 100 * time.Millisecond
)

// Resume begins or goes on to receive the blob that l describes. While another
// process receives the same blob, it waits. Where the blob is in the store
// already, it is put in use and done is true; then there is no Partial.
func (tx *Transaction) Resume(l Layer) (p *Partial, done bool, err error) {
	s := tx.s
	lock := flock.New(filepath.Join(s.Dir, lockFolder, l.Digest.Hex()+".partial"), flock.SetPermissions(0o644))
	if _, err := lock.TryLockContext(tx.ctx, partialWait); err != nil {
		return nil, false, s.failed(err)
	}
	defer func() {
		if done {
			// Who waits for the lock finds the blob, so the file need not stay.
			os.Remove(lock.Path())
		}
		if p == nil {
			_ = lock.Unlock()
		}
	}()
	switch err := tx.Use(l); {
	case err == nil:
		return nil, true, nil
	case !replaceable(err):
		return nil, false, err
	}
	f, err := os.OpenFile(s.BlobPath(l.Digest)+partialSuffix, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, false, s.failed(err)
	}
	at, err := f.Seek(0, io.SeekEnd)
	if err == nil && at > l.Size {
		at = 0
		err = errors.Join(f.Truncate(0), seekStart(f))
	}
	if err != nil {
		f.Close()
		return nil, false, s.failed(err)
	}
	return &Partial{tx, l, f, lock, at}, false, nil
}

func seekStart(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// replaceable reports whether err says that a blob is missing or damaged.
func replaceable(err error) bool {
	_, missing := errors.AsType[*MissingError](err)
	_, damaged := errors.AsType[*fault.FormatError](err)
	return missing || damaged
}

// Offset returns how many bytes are there: where to go on.
func (p *Partial) Offset() int64 { return p.at }

// Write appends. More bytes than the layer has are an error.
func (p *Partial) Write(b []byte) (int, error) {
	if int64(len(b)) > p.l.Size-p.at {
		return 0, fault.Malformed("", "blob "+p.l.Digest.Short(), "the content is longer than %d bytes", p.l.Size)
	}
	n, err := p.f.Write(b)
	p.at += int64(n)
	return n, p.tx.s.failed(err)
}

// Reset forgets what is there, for a source that cannot go on in the middle.
func (p *Partial) Reset() error {
	p.at = 0
	return p.tx.s.failed(errors.Join(p.f.Truncate(0), seekStart(p.f)))
}

// Finish makes a blob of a Partial that is complete. Where the content has
// another digest, it is removed and the error is a *fault.FormatError.
func (p *Partial) Finish(progress Progress) error {
	defer p.Close()
	if p.at < p.l.Size {
		return matches(p.l, p.at, p.l.Digest)
	}
	h := sha256.New()
	if err := p.hash(h, progress); err != nil {
		return err
	}
	path := p.f.Name()
	if err := matches(p.l, p.at, sum(h)); err != nil {
		p.f.Close()
		os.Remove(path)
		return err
	}
	if err := p.f.Sync(); err != nil {
		return p.tx.s.failed(err)
	}
	// Windows renames no open file.
	if err := p.f.Close(); err != nil {
		return p.tx.s.failed(err)
	}
	err := p.tx.s.gate(p.tx.ctx, func() error {
		if err := p.tx.note(p.l.Digest); err != nil {
			return err
		}
		if err := os.Rename(path, p.tx.s.BlobPath(p.l.Digest)); err != nil {
			return p.tx.s.failed(err)
		}
		return p.tx.present(p.l)
	})
	if err == nil {
		os.Remove(p.lock.Path()) // as in Resume
	}
	return err
}

func (p *Partial) hash(h hash.Hash, progress Progress) error {
	_, err := p.tx.s.transfer(p.tx.ctx, nil, io.NewSectionReader(p.f, 0, p.l.Size), h, p.l.Size, progress)
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("read what was received: %w", err)
	}
	return err
}

// Close ends the work on p and keeps what is there.
func (p *Partial) Close() error {
	err := p.f.Close()
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	_ = p.lock.Unlock()
	return err
}
