package ollama

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/gguftool/gguftool/internal/atomicfile"
	"github.com/gguftool/gguftool/internal/fault"
)

// A Share says how a file becomes a blob.
type Share int

const (
	// ShareClone lets the blob share the file's bytes until either is changed,
	// where the file system can do that (Btrfs, XFS and ZFS of Linux), and copies
	// them elsewhere.
	ShareClone Share = iota
	// ShareLink makes the blob another name of the file where ShareClone would
	// copy and both are on one file system. Changing the file then damages the
	// blob, and the file's permissions are the blob's.
	ShareLink
	// ShareNone always copies.
	ShareNone
)

// A Progress is told how many of how many bytes are done; total is 0 where it is
// not known.
type Progress func(done, total int64)

// Put stores what r has as a blob and returns its layer.
func (tx *Transaction) Put(r io.Reader, mediaType string, progress Progress) (Layer, error) {
	return tx.put(r, mediaType, 0, progress)
}

// PutBytes stores a small blob.
func (tx *Transaction) PutBytes(data []byte, mediaType string) (Layer, error) {
	return tx.put(bytes.NewReader(data), mediaType, int64(len(data)), nil)
}

func (tx *Transaction) put(r io.Reader, mediaType string, size int64, progress Progress) (Layer, error) {
	f, err := atomicfile.CreateIn(tx.s.blobs())
	if err != nil {
		return Layer{}, tx.s.failed(err)
	}
	defer f.Abort()
	if err := f.Expect(size); err != nil {
		return Layer{}, tx.s.failed(err)
	}
	h := sha256.New()
	n, err := tx.s.transfer(tx.ctx, f, r, h, size, progress)
	if err != nil {
		return Layer{}, err
	}
	return tx.publish(f, Layer{MediaType: mediaType, Digest: sum(h), Size: n})
}

// PutExpected stores what r has as the blob that l describes, whose media type,
// From and Name it returns too. Other content is a *fault.FormatError, and
// nothing is stored; no more is read than l.Size and one byte.
func (tx *Transaction) PutExpected(r io.Reader, l Layer, progress Progress) (Layer, error) {
	f, err := atomicfile.CreateIn(tx.s.blobs())
	if err != nil {
		return Layer{}, tx.s.failed(err)
	}
	defer f.Abort()
	if err := f.Expect(l.Size); err != nil {
		return Layer{}, tx.s.failed(err)
	}
	h := sha256.New()
	n, err := tx.s.transfer(tx.ctx, f, io.LimitReader(r, l.Size+1), h, l.Size, progress)
	if err != nil {
		return Layer{}, err
	}
	if err := matches(l, n, sum(h)); err != nil {
		return Layer{}, err
	}
	return tx.publish(f, l)
}

// matches checks content against what a layer says of it.
func matches(l Layer, size int64, d Digest) error {
	switch {
	case size > l.Size:
		return fault.Malformed("", "blob "+l.Digest.Short(), "the content is longer than %d bytes", l.Size)
	case size < l.Size:
		return fault.Malformed("", "blob "+l.Digest.Short(), "the content ends after %d of %d bytes", size, l.Size)
	case d.key() != l.Digest.key():
		return fault.Malformed("", "blob "+l.Digest.Short(), "the content has the digest %s instead of %s", d, l.Digest)
	}
	return nil
}

func sum(h hash.Hash) Digest { return Digest("sha256:" + hex.EncodeToString(h.Sum(nil))) }

// PutFile stores a file as a blob without a second copy of its bytes, as far as
// share and the file system allow. Only regular files are taken.
func (tx *Transaction) PutFile(path, mediaType string, share Share, progress Progress) (Layer, error) {
	src, err := openRegular(path)
	if err != nil {
		return Layer{}, err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return Layer{}, err
	}
	if share != ShareNone {
		l, ok, err := tx.cloneFile(src, mediaType, progress)
		if ok || err != nil {
			return l, err
		}
	}
	if share == ShareLink {
		l, ok, err := tx.linkFile(src, mediaType, progress)
		if ok || err != nil {
			return l, err
		}
	}
	if tx.s.hasBlobOf(info.Size()) {
		// It may be this file, which then need not be copied.
		l, err := tx.hashSteady(src, info.Size(), progress)
		if err != nil {
			return Layer{}, err
		}
		l.MediaType = mediaType
		if err := tx.Use(l); err == nil || !replaceable(err) {
			return l, err
		}
		if err := seekStart(src); err != nil {
			return Layer{}, err
		}
	}
	l, err := tx.put(src, mediaType, info.Size(), progress)
	if err == nil && l.Size != info.Size() {
		return Layer{}, changed(path)
	}
	return l, err
}

// hasBlobOf reports whether some blob has so many bytes.
func (s *Store) hasBlobOf(size int64) bool {
	blobs, _ := s.storedBlobs() // what cannot be listed is said when it is written to
	for _, l := range blobs {
		if l.Size == size {
			return true
		}
	}
	return false
}

// openRegular opens a file that is neither a device nor a pipe nor a folder.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path) // opening a pipe would wait for its other end
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, notRegular(path)
	}
	return os.Open(path)
}

func notRegular(path string) error {
	return fmt.Errorf("%s is no regular file, which a model has to be", path)
}

func changed(path string) error {
	return fmt.Errorf("%s was changed while it was read; try again when it is complete", path)
}

// cloneFile stores a clone of src; ok is false where the file system has none.
func (tx *Transaction) cloneFile(src *os.File, mediaType string, progress Progress) (l Layer, ok bool, err error) {
	f, err := atomicfile.CreateIn(tx.s.blobs())
	if err != nil {
		return Layer{}, false, tx.s.failed(err)
	}
	defer f.Abort()
	if f.Clone(src) != nil {
		return Layer{}, false, nil
	}
	info, err := src.Stat()
	if err != nil {
		return Layer{}, false, err
	}
	h := sha256.New()
	n, err := tx.s.transfer(tx.ctx, nil, io.NewSectionReader(f, 0, 1<<62), h, info.Size(), progress)
	if err != nil {
		return Layer{}, false, err
	}
	l, err = tx.publish(f, Layer{MediaType: mediaType, Digest: sum(h), Size: n})
	return l, true, err
}

// linkFile gives src the name of a blob too; ok is false where that is not
// possible.
func (tx *Transaction) linkFile(src *os.File, mediaType string, progress Progress) (l Layer, ok bool, err error) {
	path, err := filepath.EvalSymlinks(src.Name())
	if err != nil {
		return Layer{}, false, err
	}
	temp := atomicfile.TempName(tx.s.blobs())
	if os.Link(path, temp) != nil {
		return Layer{}, false, nil
	}
	defer os.Remove(temp)
	before, err := src.Stat()
	if err != nil {
		return Layer{}, false, err
	}
	if linked, err := os.Stat(temp); err != nil || !os.SameFile(before, linked) {
		return Layer{}, false, errors.Join(err, changed(path))
	}
	l, err = tx.hashSteady(src, before.Size(), progress)
	if err != nil {
		return Layer{}, false, err
	}
	l.MediaType = mediaType
	src.Close() // Windows renames no open file, whatever its name
	err = tx.arrive(l, func(dest string) error { return os.Rename(temp, dest) })
	return l, err == nil, err
}

// hashSteady describes the content of a file that others may write to. That its
// time changes is no proof of that, as transactions renew the time of blobs that
// they use and a blob may be the same file; then it must hash to the same again.
func (tx *Transaction) hashSteady(src *os.File, total int64, progress Progress) (Layer, error) {
	var last Layer
	for range 3 {
		before, err := src.Stat()
		if err != nil {
			return Layer{}, err
		}
		if err := seekStart(src); err != nil {
			return Layer{}, err
		}
		h := sha256.New()
		n, err := tx.s.transfer(tx.ctx, nil, src, h, total, progress)
		if err != nil {
			return Layer{}, err
		}
		after, err := src.Stat()
		if err != nil {
			return Layer{}, err
		}
		l := Layer{Digest: sum(h), Size: n}
		if after.Size() == n && (after.ModTime().Equal(before.ModTime()) || l == last) {
			return l, nil
		}
		last = l
	}
	return Layer{}, changed(src.Name())
}

// TempPath returns the path of a file that does not exist, for what is made to
// be a blob: see Adopt. Where the process ends before that, the file is removed
// by a later transaction.
func (tx *Transaction) TempPath() string { return atomicfile.TempName(tx.s.blobs()) }

// Adopt makes a blob of the file at path, one of TempPath, which is gone then.
func (tx *Transaction) Adopt(path, mediaType string, progress Progress) (Layer, error) {
	defer os.Remove(path)
	f, err := os.OpenFile(path, os.O_RDWR, 0) // Windows syncs no file that is open to read
	if err != nil {
		return Layer{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Layer{}, err
	}
	h := sha256.New()
	n, err := tx.s.transfer(tx.ctx, nil, f, h, info.Size(), progress)
	if err != nil {
		return Layer{}, err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return Layer{}, tx.s.failed(err)
	}
	l := Layer{MediaType: mediaType, Digest: sum(h), Size: n}
	return l, tx.arrive(l, func(dest string) error { return os.Rename(path, dest) })
}

// publish gives the complete file the name of the blob l.
func (tx *Transaction) publish(f *atomicfile.File, l Layer) (Layer, error) {
	if err := tx.ctx.Err(); err != nil {
		return Layer{}, err
	}
	// A blob that is there already need not be put on the disk once more.
	if tx.s.checkBlob(l) != nil {
		if err := f.Sync(); err != nil {
			return Layer{}, tx.s.failed(err)
		}
	}
	err := tx.arrive(l, func(dest string) error { return f.CommitAs(dest, true) })
	return l, err
}

// arrive notes that a blob is in use and, unless it is there, lets move give it
// its name.
func (tx *Transaction) arrive(l Layer, move func(dest string) error) error {
	return tx.s.gate(tx.ctx, func() error {
		if err := tx.note(l.Digest); err != nil {
			return err
		}
		dest := tx.s.BlobPath(l.Digest)
		if tx.s.checkBlob(l) != nil { // none, or a damaged one
			if err := move(dest); err != nil {
				return tx.s.failed(err)
			}
			tx.mu.Lock()
			tx.added = append(tx.added, l)
			tx.mu.Unlock()
		}
		return tx.present(l)
	})
}

// Use puts the blob that l refers to in use, if it is in the store with the size
// of l; else the error is a *MissingError or a *fault.FormatError.
func (tx *Transaction) Use(l Layer) error {
	return tx.s.gate(tx.ctx, func() error { return tx.present(l) })
}

const (
	pieceLen = 1 << 20
	pieces   = 8
)

// transfer reads r to its end, writes what it reads to w, unless that is nil,
// and hashes it on another goroutine.
func (s *Store) transfer(ctx context.Context, w *atomicfile.File, r io.Reader, h hash.Hash, total int64, progress Progress) (int64, error) {
	full, empty := make(chan []byte, pieces), make(chan []byte, pieces)
	hashed := make(chan struct{})
	go func() {
		defer close(hashed)
		for p := range full {
			h.Write(p)
			empty <- p[:cap(p)]
		}
	}()
	var n int64
	var err error
	for made := 0; err == nil; {
		var buf []byte
		select {
		case buf = <-empty:
		default:
			if made < pieces {
				made++
				buf = make([]byte, pieceLen)
			} else {
				buf = <-empty
			}
		}
		if err = ctx.Err(); err != nil {
			break
		}
		var got int
		got, err = io.ReadFull(r, buf)
		if got == 0 {
			break
		}
		full <- buf[:got]
		if w != nil {
			if _, werr := w.Write(buf[:got]); werr != nil {
				err = s.failed(werr)
				break
			}
			w.Settled(n + int64(got))
		}
		n += int64(got)
		if progress != nil {
			progress(n, total)
		}
	}
	close(full)
	<-hashed
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return n, err
}

// renew sets a blob's time to now, so that a server that starts leaves it alone.
func renew(path string) {
	now := time.Now()
	// A store of another user may still be read; then the time stays.
	_ = os.Chtimes(path, now, now)
}
