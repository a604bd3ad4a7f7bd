package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/ollama"
)

// Export writes the archive of a model to w. Every blob is read as it is: what
// reads the archive checks the digests.
func Export(ctx context.Context, from *ollama.Store, name ollama.Name, w io.Writer, progress ollama.Progress) error {
	layers, text, err := portable(from, name)
	if err != nil {
		return err
	}
	frames, err := newFrameWriter(w)
	if err != nil {
		return err
	}
	t := tar.NewWriter(frames)
	err = writeEntry(t, manifestPath(name), int64(len(text)), bytes.NewReader(text))
	if err == nil {
		err = writeBlobs(ctx, from, layers, progress, func(l ollama.Layer, r io.Reader) error {
			return writeEntry(t, blobPath(l.Digest), l.Size, r)
		})
	}
	if err == nil {
		err = t.Close()
	}
	// An error of the writer below has stopped the others, so it is the one to tell.
	if closed := frames.Close(); closed != nil {
		return closed
	}
	return err
}

// portable returns what a model refers to, each digest once, and its manifest as it
// is exported.
func portable(from *ollama.Store, name ollama.Name) ([]ollama.Layer, []byte, error) {
	model, err := from.Read(name)
	if err != nil {
		return nil, nil, err
	}
	text, err := Portable(model.Manifest).Encode()
	if err != nil {
		return nil, nil, err
	}
	m, err := readManifest(text)
	if err != nil {
		return nil, nil, fault.InFile(err, from.ManifestPath(name))
	}
	return m.Distinct(), text, nil
}

// manifestPath and blobPath are the paths of entries, those below a store.
func manifestPath(n ollama.Name) string {
	return "manifests/" + n.Host + "/" + n.Namespace + "/" + n.Model + "/" + n.Tag
}

func blobPath(d ollama.Digest) string { return "blobs/sha256-" + d.Hex() }

// writeBlobs calls write for each layer, which reads as many bytes as the layer
// has or fails.
func writeBlobs(ctx context.Context, from *ollama.Store, layers []ollama.Layer, progress ollama.Progress, write func(l ollama.Layer, r io.Reader) error) error {
	c := counter{ctx: ctx, total: bytesOf(layers), progress: progress}
	for _, l := range layers {
		f, err := from.OpenBlob(l)
		if err != nil {
			return err
		}
		c.r = f
		err = write(l, &c)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name(), err)
		}
	}
	return nil
}

// A counter reads, tells progress and ends with its context.
type counter struct {
	ctx         context.Context
	r           io.Reader
	done, total int64
	progress    ollama.Progress
}

func (c *counter) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.done += int64(n)
	if c.progress != nil {
		c.progress(c.done, c.total)
	}
	return n, err
}

// writeEntry writes a file of an archive, the same wherever it comes from.
func writeEntry(t *tar.Writer, name string, size int64, r io.Reader) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	if size < 8<<30 && len(name) <= 100 {
		h.Format = tar.FormatUSTAR // without a header of its own for what is the default
	}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	return copyExactly(t, r, size)
}

// copyExactly copies size bytes and fails where r has fewer or more.
func copyExactly(w io.Writer, r io.Reader, size int64) error {
	buffer := make([]byte, 1<<20)
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{io.LimitReader(r, size)}, buffer)
	switch {
	case err != nil:
		return err
	case n < size:
		return fmt.Errorf("has %d bytes, the manifest says %d: %w", n, size, io.ErrUnexpectedEOF)
	}
	if n, err := r.Read(buffer[:1]); n > 0 || err != io.EOF {
		if err != nil && err != io.EOF {
			return err
		}
		return fmt.Errorf("has more than the %d bytes that the manifest says: %w", size, fs.ErrInvalid)
	}
	return nil
}
