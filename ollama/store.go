package ollama

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/gguftool/gguftool/internal/fault"
)

// A Store is a folder with models. It may be used by several goroutines and by
// several processes at once.
type Store struct {
	Dir string // absolute
}

// DefaultDir returns the folder that an Ollama server of this user keeps models
// in: $OLLAMA_MODELS, or .ollama/models in the home folder.
func DefaultDir() (string, error) {
	// Ollama allows for blanks and quotes around the value.
	if dir := strings.Trim(strings.TrimSpace(os.Getenv("OLLAMA_MODELS")), `"'`); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the store: %w; name its folder in OLLAMA_MODELS", err)
	}
	return filepath.Join(home, ".ollama", "models"), nil
}

// Open returns the store in dir, or in DefaultDir where dir is empty. Nothing is
// created before something is written.
func Open(dir string) (*Store, error) {
	if dir == "" {
		var err error
		if dir, err = DefaultDir(); err != nil {
			return nil, err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("the store %s is no folder; name another one in OLLAMA_MODELS", dir)
	}
	return &Store{Dir: dir}, nil
}

func (s *Store) blobs() string     { return filepath.Join(s.Dir, "blobs") }
func (s *Store) manifests() string { return filepath.Join(s.Dir, "manifests") }

// BlobPath returns where the blob with a digest lies, whether it exists or not.
func (s *Store) BlobPath(d Digest) string {
	return filepath.Join(s.blobs(), "sha256-"+d.Hex())
}

// ManifestPath returns where the manifest of a model lies, whether it exists or
// not.
func (s *Store) ManifestPath(n Name) string {
	return filepath.Join(append([]string{s.manifests()}, n.parts()...)...)
}

// OpenBlob opens the content of a layer and checks its size. It must be closed.
func (s *Store) OpenBlob(l Layer) (*os.File, error) {
	path := s.BlobPath(l.Digest)
	if err := s.checkBlob(l); err != nil {
		return nil, err
	}
	return os.Open(path)
}

// checkBlob finds out whether a blob is there and as large as the layer says.
func (s *Store) checkBlob(l Layer) error {
	path := s.BlobPath(l.Digest)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &MissingError{Digest: l.Digest, Path: path}
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fault.Malformed(path, "", "a blob is a file, and this is none")
	case info.Size() != l.Size:
		return fault.Malformed(path, "", "the blob has %d bytes, and its manifest says %d", info.Size(), l.Size)
	}
	return nil
}

// A MissingError reports a blob that a manifest refers to and that is not there.
type MissingError struct {
	Digest Digest
	Path   string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("the blob %s is missing in the store; create or pull the model again", e.Path)
}

// ReadBlob returns the content of a small layer, such as a template, after
// checking its digest.
func (s *Store) ReadBlob(l Layer) ([]byte, error) {
	if l.Size > maxText {
		return nil, fault.Malformed(s.BlobPath(l.Digest), "", "%d bytes are more than the %d that %s may have", l.Size, maxText, l.MediaType)
	}
	f, err := s.OpenBlob(l)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if err != nil {
		return nil, err
	}
	if got := digestOf(data); got.key() != l.Digest.key() {
		return nil, fault.Malformed(f.Name(), "", "the content has the digest %s, which is not the blob's name", got)
	}
	return data, nil
}

func digestOf(data []byte) Digest {
	sum := sha256.Sum256(data)
	return Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// ReadConfig returns the config of a model.
func (s *Store) ReadConfig(m *Manifest) (*Config, error) {
	if m.Config.Digest == "" {
		return &Config{}, nil
	}
	data, err := s.ReadBlob(m.Config)
	if err != nil {
		return nil, err
	}
	c, err := DecodeConfig(data)
	return c, fault.InFile(err, s.BlobPath(m.Config.Digest))
}

// A Model is an entry of the store.
type Model struct {
	Name     Name
	ID       string    // sha256 of the manifest, in hexadecimal digits
	Modified time.Time // when the manifest was written
	Manifest *Manifest
	Raw      []byte // the manifest as it stands in its file
}

// ErrNotFound is wrapped by errors about a model that is not in the store.
var ErrNotFound = errors.New("there is no such model in the store")

// Read returns a model of which the name is in the case of the store; see Find.
func (s *Store) Read(n Name) (*Model, error) {
	path := s.ManifestPath(n)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w; 'gguftool modelfile list' shows what is there", n.Short(), ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fault.Malformed(path, "", "a manifest is a file, and this is none")
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxManifest+1))
	if err != nil {
		return nil, err
	}
	m, err := DecodeManifest(data)
	if err != nil {
		return nil, fault.InFile(err, path)
	}
	return &Model{Name: n, ID: digestOf(data).Hex(), Modified: info.ModTime(), Manifest: m, Raw: data}, nil
}

// Find returns n with its parts in the case that they have in the store, where
// case does not tell names apart. What the store does not have stays as it is.
func (s *Store) Find(n Name) (Name, error) {
	dir, scheme := s.manifests(), n.Scheme
	parts := n.parts()
	for i, part := range parts {
		if _, err := os.Lstat(filepath.Join(dir, part)); err != nil {
			entries, err := os.ReadDir(dir)
			if errors.Is(err, fs.ErrNotExist) {
				break
			}
			if err != nil {
				return Name{}, err
			}
			for _, e := range entries {
				if strings.EqualFold(e.Name(), part) {
					parts[i] = e.Name()
					break
				}
			}
		}
		dir = filepath.Join(dir, parts[i])
	}
	return Name{scheme, parts[0], parts[1], parts[2], parts[3]}, nil
}

// An Unreadable is what lies among the manifests and cannot be read as one.
type Unreadable struct {
	Path string
	Err  error
}

// Models returns all models, those that were modified last first, and what
// cannot be read. It is no error when the store does not exist.
func (s *Store) Models(ctx context.Context) ([]*Model, []Unreadable, error) {
	var models []*Model
	var bad []Unreadable
	err := walkManifests(ctx, s.manifests(), nil, func(parts []string, err error) {
		path := filepath.Join(append([]string{s.manifests()}, parts...)...)
		var m *Model
		if err == nil {
			m, err = s.readAt(parts)
		}
		switch {
		case err == nil:
			models = append(models, m)
		case !isGone(path): // else it was removed just now
			bad = append(bad, Unreadable{path, err})
		}
	})
	sort.SliceStable(models, func(i, j int) bool {
		if a, b := models[i].Modified, models[j].Modified; !a.Equal(b) {
			return a.After(b)
		}
		return models[i].Name.String() < models[j].Name.String()
	})
	return models, bad, err
}

// walkManifests visits the files in the folders that are as deep as those of
// manifests, and the folders that cannot be listed. Symbolic links are followed,
// as Ollama follows them.
func walkManifests(ctx context.Context, dir string, above []string, visit func(parts []string, err error)) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		visit(above, err)
		return nil
	}
	for _, e := range entries {
		parts := append(above[:len(above):len(above)], e.Name())
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path)
		switch {
		case err != nil:
			visit(parts, err)
		case info.IsDir() && len(parts) < 4:
			if err := walkManifests(ctx, path, parts, visit); err != nil {
				return err
			}
		case !info.IsDir() && len(parts) == 4:
			visit(parts, nil)
		}
	}
	return nil
}

// readAt returns the model whose manifest lies in these folders.
func (s *Store) readAt(parts []string) (*Model, error) {
	n := Name{Host: parts[0], Namespace: parts[1], Model: parts[2], Tag: parts[3]}
	if err := n.check(); err != nil {
		return nil, fmt.Errorf("%s: no name of a model: %w", s.ManifestPath(n), err)
	}
	return s.Read(n)
}

func isGone(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}
