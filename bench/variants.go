package bench

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
	"slices"
	"strings"

	"github.com/gguftool/gguftool/convert"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/imatrix"
	"github.com/gguftool/gguftool/internal/atomicfile"
	"github.com/gguftool/gguftool/kernels/block"
	"github.com/gguftool/gguftool/quantize"
)

// A Workshop makes the files of a model that are measured, and keeps them in a
// cache:
//
//	FOLDER/NAME-HASH/NAME-F32.gguf           of a checkpoint
//	FOLDER/NAME-HASH/NAME-Q4_K_M.gguf
//	FOLDER/NAME-HASH/NAME-Q4_K_M-HASH.gguf   with importance
//	FOLDER/NAME-HASH/NAME-imatrix-HASH.gguf  importance
//
// A hash is of what the files are made of, so that a file that is there is the one
// that would be made: contents, not names or times, and Version. Nothing is ever
// removed; who deletes a folder has it made again.
type Workshop struct {
	Folder  string // of the cache
	Version string // of the program: what another one has made is not taken

	Threads  int                     // workers; 0: one for each processor
	Progress func(quantize.Progress) // when set, is told how quantizing proceeds
}

// Reference returns the F32 file of a checkpoint: a folder, or a file of its
// weights. name stands for the name of the folder where that is another, as in the
// cache of a hub, and may be empty. Prompts of the checkpoint are in the file.
func (w *Workshop) Reference(ctx context.Context, checkpoint, name string) (string, error) {
	dir := checkpoint
	if info, err := os.Stat(checkpoint); err != nil {
		return "", err
	} else if !info.IsDir() {
		dir = filepath.Dir(checkpoint)
	}
	if name == "" {
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return "", err
		}
		name = filepath.Base(absolute)
	}
	files, err := checkpointFiles(dir)
	if err != nil {
		return "", err
	}
	if base := filepath.Base(checkpoint); dir != checkpoint && !slices.Contains(files, base) {
		files = append(files, base)
	}
	hash, err := w.hash(ctx, dir, files, filepath.Base(checkpoint))
	if err != nil {
		return "", err
	}
	out, exists, err := place(filepath.Join(w.Folder, name+"-"+hash), name+"-F32")
	if err != nil || exists {
		return out, err
	}
	_, err = convert.Run(ctx, checkpoint, out, &convert.Options{FileType: gguf.FileF32, FolderName: name, Extras: true, Overwrite: true})
	return out, err
}

// Quantized returns the files of the model in the file reference that are quantized
// to types, in their order. importance is the path of an importance file, or empty.
func (w *Workshop) Quantized(ctx context.Context, reference string, types []gguf.FileType, importance string) ([]string, error) {
	f, err := gguf.Open(reference)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	dir, name, err := w.folderOf(ctx, f)
	if err != nil {
		return nil, err
	}
	o := quantize.Options{}
	suffix := ""
	if importance != "" {
		m, err := imatrix.Read(importance)
		if err != nil {
			return nil, err
		}
		content, err := w.hash(ctx, filepath.Dir(importance), []string{filepath.Base(importance)}, "")
		if err != nil {
			return nil, err
		}
		o.Importance = m.Importance()
		o.ImportanceInfo = quantize.ImportanceInfo{File: filepath.Base(importance), Datasets: m.Datasets, Chunks: m.Chunks}
		suffix = "-" + content
	}
	source := quantize.FileSource(f)
	var outs []string
	var jobs []quantize.Job
	for _, t := range types {
		out, exists, err := place(dir, name+"-"+t.String()+suffix)
		if err != nil {
			return nil, err
		}
		outs = append(outs, out)
		if exists {
			continue
		}
		library := o
		library.FileType = t
		plan, err := source.Plan(&library)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, quantize.Job{Plan: plan, Out: out})
	}
	if len(jobs) == 0 {
		return outs, nil
	}
	_, err = quantize.Run(ctx, jobs, &quantize.RunOptions{Threads: w.Threads, Overwrite: true, Progress: w.Progress})
	return outs, err
}

// Importance returns the importance file of the model in the file reference, which
// measure makes unless it is there. basis is what importance depends on besides
// the model: the texts, and how it is shown them.
func (w *Workshop) Importance(ctx context.Context, reference, basis string, measure func() (*imatrix.File, error)) (string, error) {
	f, err := gguf.Open(reference)
	if err != nil {
		return "", err
	}
	dir, name, err := w.folderOf(ctx, f)
	f.Close()
	if err != nil {
		return "", err
	}
	hash := sha256.Sum256([]byte(basis))
	path, exists, err := place(dir, name+"-imatrix-"+hex.EncodeToString(hash[:8]))
	if err != nil || exists {
		return path, err
	}
	m, err := measure()
	if err != nil {
		return "", err
	}
	out, err := atomicfile.Create(path, true)
	if err != nil {
		return "", err
	}
	defer out.Abort()
	if err := m.WriteGGUF(out); err != nil {
		return "", err
	}
	return path, out.Commit(true)
}

// importanceOf names what the errors of weights in a file were weighed with: the
// text that importance was measured on, or the importance file. It is empty where
// none of the types that the file holds makes use of importance.
func importanceOf(f *gguf.File) string {
	name := ""
	for _, key := range []string{quantize.KeyImatrixDataset, quantize.KeyImatrixFile} {
		if name == "" {
			name = f.Metadata.Text(key)
		}
	}
	for _, t := range f.Tensors {
		if codec, ok := block.Lookup(t.Type); ok && codec.Weighs() {
			return name
		}
	}
	return ""
}

// folderOf returns where the quantized files of the model in f belong, and how
// their names begin.
func (w *Workshop) folderOf(ctx context.Context, f *gguf.File) (dir, name string, err error) {
	name = strings.TrimSuffix(filepath.Base(f.Path), ".gguf")
	dir = filepath.Dir(f.Path)
	if made, ok := strings.CutSuffix(name, "-F32"); ok && filepath.Dir(dir) == filepath.Clean(w.Folder) &&
		strings.HasPrefix(filepath.Base(dir), made+"-") {
		return dir, made, nil // a Reference, whose folder says what it is made of
	}
	var shards []string
	for _, s := range f.Shards {
		shards = append(shards, filepath.Base(s.Path))
	}
	hash, err := w.hash(ctx, dir, shards, "")
	return filepath.Join(w.Folder, name+"-"+hash), name, err
}

// place returns the path of a file in a folder, which it makes, and whether the
// file is there.
func place(dir, file string) (path string, exists bool, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", false, err
	}
	path = filepath.Join(dir, file+".gguf")
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return path, err == nil, err
	}
	return path, false, nil
}

// hash returns 16 digits of the SHA-256 of files in a folder, their names, the
// version and what.
func (w *Workshop) hash(ctx context.Context, dir string, files []string, what string) (string, error) {
	all := sha256.New()
	fmt.Fprintf(all, "%q %q\n", w.Version, what)
	for _, name := range files {
		f, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return "", err
		}
		content := sha256.New()
		_, err = io.Copy(content, reader{ctx, f})
		f.Close()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(all, "%q %x\n", name, content.Sum(nil))
	}
	return hex.EncodeToString(all.Sum(nil))[:16], nil
}

// A reader ends with its context.
type reader struct {
	ctx context.Context
	io.Reader
}

// Read is that of the Reader.
func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// checkpointFiles returns the files of a checkpoint that conversion may read, with
// slashes, sorted.
func checkpointFiles(dir string) ([]string, error) {
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(d.Name(), ".") && path != dir
		switch {
		case d.IsDir() && (hidden || strings.Count(relative, string(filepath.Separator)) > 0):
			return fs.SkipDir // a module of sentence-transformers is one folder deep
		case d.IsDir() || hidden:
			return nil
		}
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return err
		}
		all = append(all, filepath.ToSlash(relative))
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(all)
	files, err := convert.SelectFiles(all, true)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return files, nil
}
