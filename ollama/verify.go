package ollama

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gguftool/gguftool/internal/atomicfile"
	"github.com/gguftool/gguftool/internal/fault"
)

// A Verification is what Verify found.
type Verification struct {
	Models   int      // that were looked at
	Blobs    int      // that were read and hashed
	Bytes    int64    // of them
	Problems []error  // what does not hold
	Orphans  []Layer  // blobs that no model refers to, without a media type
	Leftover []string // paths of files that were never completed
}

// A VerifyError reports that a store is not what it should be.
type VerifyError struct{ Problems int }

func (e *VerifyError) Error() string {
	if e.Problems == 1 {
		return "1 problem was found"
	}
	return fmt.Sprintf("%d problems were found", e.Problems)
}

// Err returns a *VerifyError where there are problems.
func (v *Verification) Err() error {
	if len(v.Problems) == 0 {
		return nil
	}
	return &VerifyError{len(v.Problems)}
}

// Verify checks models: that their manifests and configs can be read, that each
// blob that they refer to is there with the size they say, and that its content
// has the digest. Without names it checks all of them, and looks for blobs and
// files that belong to none, which are no problems. The error is about what kept
// it from checking.
func (s *Store) Verify(ctx context.Context, progress Progress, names ...Name) (*Verification, error) {
	v := &Verification{}
	var models []*Model
	if len(names) == 0 {
		all, bad, err := s.Models(ctx)
		if err != nil {
			return nil, err
		}
		models = all
		for _, b := range bad {
			v.Problems = append(v.Problems, b.Err)
		}
	}
	for _, n := range names {
		m, err := s.Read(n)
		if _, damaged := errors.AsType[*fault.FormatError](err); damaged {
			v.Problems = append(v.Problems, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		models = append(models, m)
	}
	v.Models = len(models)
	references, users := referencesOf(models)
	damaged := map[string]bool{}
	var total, done int64
	for _, l := range references {
		if s.checkBlob(l) == nil {
			total += l.Size
		}
	}
	for _, l := range references {
		report := progress
		if progress != nil {
			before := done
			report = func(n, _ int64) { progress(before+n, total) }
		}
		problem, err := s.verifyBlob(ctx, l, report)
		if err != nil {
			return nil, err
		}
		if problem != nil {
			damaged[l.Digest.key()] = true
			v.Problems = append(v.Problems, fmt.Errorf("%s: %w", strings.Join(users[l.Digest.key()], ", "), problem))
			continue
		}
		v.Blobs++
		v.Bytes += l.Size
		done += l.Size
	}
	for _, m := range models {
		if damaged[m.Manifest.Config.Digest.key()] {
			continue
		}
		if _, err := s.ReadConfig(m.Manifest); err != nil {
			v.Problems = append(v.Problems, fmt.Errorf("%s: %w", m.Name.Short(), err))
		}
	}
	if len(names) > 0 {
		return v, nil
	}
	return v, s.findOrphans(v, users)
}

// referencesOf returns each blob that models refer to once for every size that
// they say it has, in the order of the models, and who refers to it.
func referencesOf(models []*Model) (references []Layer, users map[string][]string) {
	users = map[string][]string{}
	type reference struct {
		key  string
		size int64
	}
	seen := map[reference]bool{}
	for _, m := range models {
		for _, l := range m.Manifest.Blobs() {
			key := l.Digest.key()
			if list := users[key]; len(list) == 0 || list[len(list)-1] != m.Name.Short() {
				users[key] = append(list, m.Name.Short())
			}
			if r := (reference{key, l.Size}); !seen[r] {
				seen[r] = true
				references = append(references, l)
			}
		}
	}
	return references, users
}

// verifyBlob returns what is wrong with a blob; err is what kept it from finding
// out.
func (s *Store) verifyBlob(ctx context.Context, l Layer, progress Progress) (problem, err error) {
	f, err := s.OpenBlob(l)
	if err != nil {
		return err, nil
	}
	defer f.Close()
	h := sha256.New()
	n, err := s.transfer(ctx, nil, f, h, l.Size, progress)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return err, nil
	}
	if got := sum(h); n != l.Size || got.key() != l.Digest.key() {
		return fault.Malformed(f.Name(), "", "the content has the digest %s, which is not the blob's name", got), nil
	}
	return nil, nil
}

// findOrphans adds what belongs to no model.
func (s *Store) findOrphans(v *Verification, users map[string][]string) error {
	blobs, err := s.storedBlobs()
	if err != nil {
		return err
	}
	for _, l := range blobs {
		if len(users[l.Digest.key()]) == 0 {
			v.Orphans = append(v.Orphans, l)
		}
	}
	for _, dir := range []string{s.blobs(), s.manifests()} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			if atomicfile.IsTemp(e.Name()) || strings.Contains(e.Name(), "-partial") {
				v.Leftover = append(v.Leftover, filepath.Join(dir, e.Name()))
			}
		}
	}
	return nil
}
