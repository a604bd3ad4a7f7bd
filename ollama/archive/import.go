package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/gguftool/gguftool/internal/atomicfile"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/ollama"
)

// What is allowed to grow when it is decompressed: weights never get much smaller,
// and a few kilobytes that become a full disk are an attack.
const (
	maxExpansion  = 200     // times its size,
	freeExpansion = 1 << 28 // once it is more bytes than this
)

// ImportOptions say how models are taken in.
type ImportOptions struct {
	As       ollama.Name     // instead of the name in the archive, where it is not the zero value
	Replace  bool            // a model of that name
	Progress ollama.Progress // of the bytes of all blobs; may be nil
}

// Import adds the model of an archive to a store and returns its name. The archive
// may also be a tar file that is not compressed. Blobs that are there already are
// not written again, so that an import that was interrupted does only the rest.
func Import(ctx context.Context, into *ollama.Store, r io.Reader, o *ImportOptions) (name ollama.Name, err error) {
	plain, done, err := decompress(r)
	if err != nil {
		return name, err
	}
	defer done()
	t := tar.NewReader(plain)
	name, text, err := readFirst(t)
	if err != nil {
		return name, err
	}
	take, err := begin(ctx, into, text, name, o)
	if err != nil {
		return name, err
	}
	defer take.tx.Close()
	expected := map[string]ollama.Layer{}
	for _, l := range take.layers {
		expected[blobPath(l.Digest)] = l
	}
	for len(expected) > 0 {
		h, err := t.Next()
		if err == io.EOF {
			return name, damaged("ends without %s", anyOf(expected))
		} else if err != nil {
			return name, damaged("%w", err)
		}
		l, ok := expected[h.Name]
		switch {
		case h.Typeflag != tar.TypeReg:
			return name, damaged("%q is not a file", h.Name)
		case !ok:
			return name, unexpected(h.Name)
		case h.Size != l.Size:
			return name, damaged("%q has %d bytes, the manifest says %d", h.Name, h.Size, l.Size)
		}
		delete(expected, h.Name)
		if err := take.add(l, t); err != nil {
			return name, err
		}
	}
	if h, err := t.Next(); err == nil {
		return name, unexpected(h.Name)
	} else if err != io.EOF {
		return name, damaged("%w", err)
	}
	return take.name, take.commit()
}

// readFirst reads the first entry of an archive, the manifest of a model.
func readFirst(t *tar.Reader) (name ollama.Name, text []byte, err error) {
	h, err := t.Next()
	if err == io.EOF {
		return name, nil, damaged("has no entries")
	} else if err != nil {
		return name, nil, damaged("%w", err)
	}
	path, ok := strings.CutPrefix(h.Name, "manifests/")
	switch {
	case !ok || h.Typeflag != tar.TypeReg:
		return name, nil, damaged("begins with %q, expected the manifest of a model", h.Name)
	case h.Size > ollama.MaxManifest:
		return name, nil, damaged("the manifest has %d bytes, more than %d", h.Size, ollama.MaxManifest)
	}
	if name, err = parsePath(path); err != nil {
		return name, nil, damaged("the name of its model: %w", err)
	}
	if text, err = io.ReadAll(t); err != nil {
		return name, nil, damaged("manifest: %w", err)
	}
	return name, text, nil
}

// parsePath reads the path of a manifest, host/namespace/model/tag.
func parsePath(path string) (ollama.Name, error) {
	parts := strings.Split(path, "/")
	if len(parts) != 4 {
		return ollama.Name{}, fmt.Errorf("%q is not host/namespace/model/tag", path)
	}
	return ollama.ParseName(strings.Join(parts[:3], "/") + ":" + parts[3])
}

func unexpected(name string) error {
	return damaged("%q is no blob of the model, or there twice", name)
}

// An intake is a model that is being added to a store.
type intake struct {
	tx     *ollama.Transaction
	name   ollama.Name
	text   []byte // the manifest
	layers []ollama.Layer
	count  counter
	o      *ImportOptions
}

// begin checks a manifest and starts to take its model in.
func begin(ctx context.Context, into *ollama.Store, text []byte, name ollama.Name, o *ImportOptions) (*intake, error) {
	m, err := readManifest(text)
	if err != nil {
		return nil, err
	}
	if o.As != (ollama.Name{}) {
		name = o.As
	}
	// What is in the store in another case is the same name.
	if name, err = into.Find(name); err != nil {
		return nil, err
	}
	take := &intake{name: name, text: text, layers: m.Distinct(), o: o}
	take.count = counter{ctx: ctx, total: bytesOf(take.layers), progress: o.Progress}
	if take.tx, err = into.Begin(ctx); err != nil {
		return nil, err
	}
	if err := take.room(into); err != nil {
		take.tx.Close()
		return nil, err
	}
	return take, nil
}

// add stores a blob, or passes it over where it is there.
func (t *intake) add(l ollama.Layer, r io.Reader) error {
	t.count.r = r
	if t.tx.Use(l) == nil {
		if _, err := io.Copy(io.Discard, &t.count); err != nil {
			return damaged("%q: %w", blobPath(l.Digest), err)
		}
		return nil
	}
	if _, err := t.tx.PutExpected(&t.count, l, nil); err != nil {
		return damaged("%q: %w", blobPath(l.Digest), err)
	}
	return nil
}

func (t *intake) commit() error { return t.tx.Commit(t.name, t.text, t.o.Replace) }

func anyOf(expected map[string]ollama.Layer) string {
	return slices.Min(slices.Collect(maps.Keys(expected)))
}

// room fails where what is missing does not fit.
func (t *intake) room(into *ollama.Store) error {
	missing := int64(0)
	for _, l := range t.layers {
		if info, err := os.Stat(into.BlobPath(l.Digest)); err != nil || info.Size() != l.Size {
			missing += l.Size
		}
	}
	if free, known := atomicfile.FreeSpace(into.Dir); known && free < uint64(missing) {
		return fmt.Errorf("the model needs %d bytes more, but the disk of the store has room for %d", missing, free)
	}
	return nil
}

func damaged(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	// What ended the reading from outside is no fault of the archive.
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if outside, ok := errors.AsType[*fs.PathError](err); ok {
		return outside
	}
	if known, ok := errors.AsType[*fault.UnsupportedError](err); ok {
		return known
	}
	if known, ok := errors.AsType[*fault.FormatError](err); ok {
		return known
	}
	return fault.Malformed("", "archive", "%v", err)
}

// decompress returns the tar file in r, which is in zstd frames or as it is.
func decompress(r io.Reader) (plain io.Reader, done func(), err error) {
	packed := &measured{r: r}
	b := bufio.NewReaderSize(packed, 1<<20)
	magic, err := b.Peek(4)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	if !bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
		return b, func() {}, nil
	}
	d, err := newFrameReader(b)
	if err != nil {
		return nil, nil, err
	}
	return &expansion{r: d, packed: packed}, d.Close, nil
}

// A measured reader counts.
type measured struct {
	r     io.Reader
	bytes atomic.Int64 // zstd reads ahead in a goroutine of its own
}

func (m *measured) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.bytes.Add(int64(n))
	return n, err
}

// An expansion reader fails when it has given out far more than went in.
type expansion struct {
	r      io.Reader
	packed *measured
	bytes  int64
}

func (e *expansion) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	e.bytes += int64(n)
	if e.bytes > freeExpansion && e.bytes > maxExpansion*e.packed.bytes.Load() {
		return 0, fault.Unsupported("", "archive", "unpack it with zstd if you trust it, and import the tar file",
			"grows to more than %d times its size, as weights do not", maxExpansion)
	}
	return n, err
}
