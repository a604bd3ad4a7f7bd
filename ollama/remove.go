package ollama

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A Removal tells what Remove or Prune removed.
type Removal struct {
	Blobs int
	Bytes int64
	Kept  []Unreadable // manifests that could not be read: because of them no blobs were removed
}

// Remove removes a model, and the blobs that no other one refers to and that no
// living transaction uses. Where a manifest cannot be read, nobody knows what it
// refers to, so the blobs stay.
func (s *Store) Remove(ctx context.Context, n Name) (*Removal, error) {
	var r *Removal
	err := s.gate(ctx, func() error {
		m, err := s.Read(n)
		if err != nil {
			return err
		}
		path := s.ManifestPath(n)
		if err := os.Remove(path); err != nil {
			return s.failed(err)
		}
		s.removeEmptyFolders(path)
		r, err = s.removeUnused(ctx, m.Manifest.Blobs())
		return err
	})
	return r, err
}

// removeEmptyFolders removes the folders above a manifest that are empty.
func (s *Store) removeEmptyFolders(path string) {
	for range 3 {
		path = filepath.Dir(path)
		if os.Remove(path) != nil {
			return // not empty
		}
	}
}

// Prune removes all blobs that no model refers to, that no living transaction
// uses and that were not modified within age.
func (s *Store) Prune(ctx context.Context, age time.Duration) (*Removal, error) {
	var r *Removal
	err := s.gate(ctx, func() error {
		orphans, err := s.storedBlobs()
		if err != nil {
			return err
		}
		old := orphans[:0]
		for _, l := range orphans {
			info, err := os.Stat(s.BlobPath(l.Digest))
			if err == nil && time.Since(info.ModTime()) >= age {
				old = append(old, l)
			}
		}
		r, err = s.removeUnused(ctx, old)
		return err
	})
	return r, err
}

// storedBlobs returns all blobs, as layers without a media type.
func (s *Store) storedBlobs() ([]Layer, error) {
	entries, err := os.ReadDir(s.blobs())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Layer
	for _, e := range entries {
		d, err := ParseDigest(e.Name())
		if err != nil {
			continue
		}
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() {
			all = append(all, Layer{Digest: d, Size: info.Size()})
		}
	}
	return all, nil
}

// removeUnused removes those of the blobs that nothing uses. It is called under
// the gate.
func (s *Store) removeUnused(ctx context.Context, blobs []Layer) (*Removal, error) {
	used, err := s.living()
	if err != nil {
		return nil, err
	}
	models, bad, err := s.Models(ctx)
	if err != nil {
		return nil, err
	}
	r := &Removal{Kept: bad}
	if len(bad) > 0 {
		return r, nil
	}
	for _, m := range models {
		for _, l := range m.Manifest.Blobs() {
			used[l.Digest.key()] = true
		}
	}
	for _, l := range blobs {
		if used[l.Digest.key()] {
			continue
		}
		used[l.Digest.key()] = true // listed twice
		path := s.BlobPath(l.Digest)
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil {
			return r, s.failed(fmt.Errorf("remove a blob that nothing uses: %w", err))
		}
		r.Blobs++
		r.Bytes += info.Size()
	}
	return r, nil
}

// Copy gives a model a second name. Without replace, another model of that name
// is an error that wraps ErrExists.
func (s *Store) Copy(ctx context.Context, src, dst Name, replace bool) error {
	tx, err := s.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Close()
	m, err := s.Read(src)
	if err != nil {
		return err
	}
	return tx.Commit(dst, m.Raw, replace)
}
