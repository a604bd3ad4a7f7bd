package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gguftool/gguftool/internal/atomicfile"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/ollama"
)

const (
	layoutFile    = "oci-layout"
	layoutVersion = "1.0.0"
	indexType     = "application/vnd.oci.image.index.v1+json"
	refName       = "org.opencontainers.image.ref.name"
)

// maxEntries bounds the files of an image layout, which may hold other images too.
const maxEntries = 100_000

// An index is index.json of an image layout.
type index struct {
	SchemaVersion int       `json:"schemaVersion"`
	MediaType     string    `json:"mediaType,omitempty"`
	Manifests     []indexed `json:"manifests"`
}

// indexed refers to a manifest of an image layout.
type indexed struct {
	MediaType   string            `json:"mediaType"`
	Digest      ollama.Digest     `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// ExportLayout writes a model as an image layout: each file through write, whose
// reader has size bytes.
func ExportLayout(ctx context.Context, from *ollama.Store, name ollama.Name, progress ollama.Progress, write func(path string, size int64, r io.Reader) error) error {
	layers, text, err := portable(from, name)
	if err != nil {
		return err
	}
	digest := ollama.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(text)))
	all, err := json.Marshal(index{2, indexType, []indexed{{ollama.TypeManifest, digest, int64(len(text)), map[string]string{refName: name.String()}}}})
	if err != nil {
		return err
	}
	for _, f := range []struct {
		path string
		text []byte
	}{
		{layoutFile, []byte(`{"imageLayoutVersion":"` + layoutVersion + `"}`)},
		{"index.json", all},
		{layoutBlob(digest), text},
	} {
		if err := write(f.path, int64(len(f.text)), bytes.NewReader(f.text)); err != nil {
			return err
		}
	}
	return writeBlobs(ctx, from, layers, progress, func(l ollama.Layer, r io.Reader) error { return write(layoutBlob(l.Digest), l.Size, r) })
}

// layoutBlob returns the path of a blob in an image layout.
func layoutBlob(d ollama.Digest) string { return "blobs/sha256/" + d.Hex() }

// ExportLayoutTar writes an image layout as a tar file.
func ExportLayoutTar(ctx context.Context, from *ollama.Store, name ollama.Name, w io.Writer, progress ollama.Progress) error {
	t := tar.NewWriter(w)
	err := ExportLayout(ctx, from, name, progress, func(path string, size int64, r io.Reader) error {
		return writeEntry(t, path, size, r)
	})
	if err != nil {
		return err
	}
	return t.Close()
}

// ExportLayoutDir writes an image layout into a folder that it makes, whole or not
// at all.
func ExportLayoutDir(ctx context.Context, from *ollama.Store, name ollama.Name, dir string, progress ollama.Progress) error {
	return atomicfile.Folder(dir, false, func(made string) error {
		return ExportLayout(ctx, from, name, progress, func(path string, size int64, r io.Reader) error {
			at := filepath.Join(made, filepath.FromSlash(path))
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				return err
			}
			f, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if err != nil {
				return err
			}
			err = copyExactly(f, r, size)
			if err == nil {
				err = f.Sync()
			}
			return errors.Join(err, f.Close())
		})
	})
}

// files opens the files of an image layout by their paths in it.
type files func(path string) (r io.ReadCloser, size int64, err error)

// IsLayout reports whether path is a folder or a tar file with an image layout.
func IsLayout(path string) bool {
	open, done, err := openLayout(path)
	if err != nil {
		return false
	}
	defer done()
	r, _, err := open(layoutFile)
	if err != nil {
		return false
	}
	r.Close()
	return true
}

// openLayout finds the files of a folder or of a tar file.
func openLayout(path string) (open files, done func() error, err error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, nil, err
	case info.IsDir():
		root, err := os.OpenRoot(path) // no link in it leads elsewhere
		if err != nil {
			return nil, nil, err
		}
		return func(path string) (io.ReadCloser, int64, error) { return openIn(root, path) }, root.Close, nil
	case !info.Mode().IsRegular():
		return nil, nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("is neither a file nor a folder")}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	places, err := placesIn(f)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return func(name string) (io.ReadCloser, int64, error) {
		p, ok := places[name]
		if !ok {
			return nil, 0, &fs.PathError{Op: "find", Path: name, Err: fs.ErrNotExist}
		}
		return io.NopCloser(io.NewSectionReader(f, p.at, p.size)), p.size, nil
	}, f.Close, nil
}

func openIn(root *os.Root, name string) (io.ReadCloser, int64, error) {
	info, err := root.Stat(filepath.FromSlash(name))
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, &fs.PathError{Op: "read", Path: name, Err: errors.New("is not a file")}
	}
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// A place is where the content of an entry lies in a tar file.
type place struct{ at, size int64 }

// placesIn finds the files of a tar file; links and the like are passed over.
func placesIn(f *os.File) (map[string]place, error) {
	places := map[string]place{}
	t := tar.NewReader(f)
	for n := 0; ; n++ {
		h, err := t.Next()
		if err == io.EOF {
			return places, nil
		} else if err != nil {
			return nil, damaged("%w", err)
		}
		if n == maxEntries {
			return nil, fault.Unsupported("", "archive", "", "has more than %d entries", maxEntries)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		at, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(h.Name, "./")
		if _, twice := places[name]; twice {
			return nil, damaged("has %q twice", h.Name)
		}
		places[name] = place{at, h.Size}
	}
}

// ImportLayout adds a model of an image layout, a folder or a tar file, to a store
// and returns its name. which chooses the one with that reference where there are
// several.
func ImportLayout(ctx context.Context, into *ollama.Store, path, which string, o *ImportOptions) (name ollama.Name, err error) {
	open, done, err := openLayout(path)
	if err != nil {
		return name, err
	}
	defer done()
	var version struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := readJSON(open, layoutFile, &version); err != nil {
		return name, err
	}
	if version.Version != layoutVersion {
		return name, fault.Unsupported("", layoutFile, "", "says version %q, expected %s", version.Version, layoutVersion)
	}
	var all index
	if err := readJSON(open, "index.json", &all); err != nil {
		return name, err
	}
	chosen, err := all.choose(which)
	if err != nil {
		return name, err
	}
	text, err := readBlob(open, chosen)
	if err != nil {
		return name, err
	}
	if o.As == (ollama.Name{}) {
		if name, err = ollama.ParseName(chosen.Annotations[refName]); err != nil {
			return name, fault.Malformed("", "index.json", "names its model: %v; another name can be given", err)
		}
	}
	take, err := begin(ctx, into, text, name, o)
	if err != nil {
		return name, err
	}
	defer take.tx.Close()
	for _, l := range take.layers {
		r, size, err := open(layoutBlob(l.Digest))
		if errors.Is(err, fs.ErrNotExist) {
			return name, damaged("has no %s", layoutBlob(l.Digest))
		} else if err != nil {
			return name, err
		}
		if size != l.Size {
			err = damaged("%q has %d bytes, the manifest says %d", layoutBlob(l.Digest), size, l.Size)
		} else {
			err = take.add(l, r)
		}
		r.Close()
		if err != nil {
			return name, err
		}
	}
	return take.name, take.commit()
}

// choose finds the manifest of a model.
func (x *index) choose(which string) (*indexed, error) {
	var found *indexed
	var names []string
	for i := range x.Manifests {
		name := x.Manifests[i].Annotations[refName]
		if which != "" && name != which {
			names = append(names, fmt.Sprintf("%q", name))
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("the image layout has several models, of which one must be chosen: %q, %q", found.Annotations[refName], name)
		}
		found = &x.Manifests[i]
	}
	switch {
	case found == nil && which != "":
		return nil, fmt.Errorf("the image layout has no %q, only %s", which, strings.Join(names[:min(len(names), 20)], ", "))
	case found == nil:
		return nil, fault.Malformed("", "index.json", "lists no model")
	}
	var err error
	if found.Digest, err = ollama.ParseDigest(string(found.Digest)); err != nil {
		return nil, fault.Malformed("", "index.json", "%v", err)
	}
	return found, nil
}

// readBlob returns a small blob whose digest holds.
func readBlob(open files, d *indexed) ([]byte, error) {
	text, err := readSmall(open, layoutBlob(d.Digest))
	if err != nil {
		return nil, err
	}
	if fmt.Sprintf("%x", sha256.Sum256(text)) != strings.ToLower(d.Digest.Hex()) {
		return nil, damaged("%q has another digest than its name says", layoutBlob(d.Digest))
	}
	return text, nil
}

// readJSON reads a small file of an image layout.
func readJSON(open files, name string, into any) error {
	text, err := readSmall(open, name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fault.Malformed("", name, "is not what it should be: %v", err)
	}
	return nil
}

func readSmall(open files, name string) ([]byte, error) {
	r, size, err := open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, damaged("has no %s", name)
	} else if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > ollama.MaxManifest {
		return nil, fault.Unsupported("", name, "", "has %d bytes, more than the %d that are read", size, ollama.MaxManifest)
	}
	return io.ReadAll(io.LimitReader(r, ollama.MaxManifest))
}
