package convert

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/gguf"
)

// An Output is a file that Run writes.
type Output struct {
	Path    string
	Tensors []*Tensor // in the order of the file
	Bytes   int64     // of the file

	layout *gguf.Layout
}

// outputPath returns the path of the file that becomes of m where out was asked
// for; see Run.
func (m *Model) outputPath(out string) string {
	if out == "" {
		return m.FileName
	}
	if info, err := os.Stat(out); err == nil && info.IsDir() {
		return filepath.Join(out, m.FileName)
	}
	dir, name := filepath.Split(out)
	upper := strings.ToUpper(m.FileType.String())
	lower := strings.ToLower(upper)
	return dir + strings.NewReplacer("{ftype}", lower, "{outtype}", lower, "{FTYPE}", upper, "{OUTTYPE}", upper).Replace(name)
}

// plan lays out the file at path, or the shards that are named after it.
func (m *Model) plan(path string, o Options) ([]Output, error) {
	infos := make([]gguf.TensorInfo, len(m.Tensors))
	sizes := make([]int64, len(m.Tensors))
	for i, t := range m.Tensors {
		infos[i], sizes[i] = t.TensorInfo, t.Size
	}
	shards := []int{len(m.Tensors)}
	if !o.VocabOnly {
		shards = o.Split.Divide(sizes)
	}
	metadata := []*gguf.Metadata{m.Metadata}
	if len(shards) > 1 {
		var err error
		if metadata, err = gguf.ConvertedOrder.Metadata(m.Metadata, len(shards), len(infos)); err != nil {
			return nil, err
		}
	} else if o.Split != (gguf.ShardLimits{}) {
		m.Notes = append(m.Notes, fmt.Sprintf("the model fits one shard, so that it is not split: %s", path))
	}
	outputs := make([]Output, len(shards))
	from := 0
	for i, n := range shards {
		layout, err := gguf.NewLayout(metadata[i], infos[from:from+n], &gguf.WriterOptions{KeysOnly: o.VocabOnly})
		if err != nil {
			return nil, err
		}
		outputs[i] = Output{Path: path, Tensors: m.Tensors[from : from+n], Bytes: layout.Size, layout: layout}
		if len(shards) > 1 {
			outputs[i].Path = gguf.ShardPath(strings.TrimSuffix(path, ".gguf"), i, len(shards))
		}
		from += n
	}
	return outputs, nil
}

// inputs returns the files that the weights are in.
func (m *Model) inputs() []string {
	var files []string
	for _, t := range m.weights.Tensors {
		files = append(files, t.File)
	}
	slices.Sort(files)
	return slices.Compact(files)
}
