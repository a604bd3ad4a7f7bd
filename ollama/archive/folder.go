package archive

import (
	"context"
	"os"
	"path/filepath"

	"github.com/gguftool/gguftool/ollama"
)

// ExportFolder puts a model alone into the folder dir, in the layout of a store.
// Where the file system can share the bytes of files, no second copy is made.
func ExportFolder(ctx context.Context, from *ollama.Store, name ollama.Name, dir string, progress ollama.Progress) error {
	layers, text, err := portable(from, name)
	if err != nil {
		return err
	}
	into, err := ollama.Open(dir)
	if err != nil {
		return err
	}
	tx, err := into.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Close()
	done, total := int64(0), bytesOf(layers)
	for _, l := range layers {
		var part ollama.Progress
		if progress != nil {
			part = func(n, _ int64) { progress(done+n, total) }
		}
		if _, err := tx.PutFile(from.BlobPath(l.Digest), l.MediaType, ollama.ShareClone, part); err != nil {
			return err
		}
		done += l.Size
	}
	if err := tx.Commit(name, text, true); err != nil {
		return err
	}
	// Nobody adds to the folder, so that its locks serve no more.
	return os.RemoveAll(filepath.Join(dir, ".gguftool"))
}
