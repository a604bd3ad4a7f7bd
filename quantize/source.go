package quantize

import (
	"encoding/binary"

	"github.com/gguftool/gguftool/gguf"
)

// A Source is a model to quantize: a GGUF file, or anything else that can be
// seen as one, such as a checkpoint that is converted on the way.
type Source struct {
	Path     string         // that errors about the model name
	Files    []string       // that are read; the tensors of Files[i] have Shard i
	Metadata *gguf.Metadata // of the model as a GGUF file
	Tensors  []*gguf.Tensor // in file order
	Rows     Rows
}

// Rows reads tensors of a Source. Its methods may be called by several
// goroutines at once.
type Rows interface {
	// Data returns rows from ≤ row < to of t, little-endian bytes of t.Type.
	// Either they are mapped and must not be written to, or they are read into
	// buf or made in it, which grows as needed.
	Data(t *gguf.Tensor, from, to int64, buf *[]byte) ([]byte, error)

	// Fetch returns when rows that will be read soon are in memory, as far as
	// that can be arranged. DontNeed says that they will not be read again. Both
	// may do nothing.
	Fetch(t *gguf.Tensor, from, to int64)
	DontNeed(t *gguf.Tensor, from, to int64)
}

// FileSource returns the model in f, which must stay open as long as the source
// is in use.
func FileSource(f *gguf.File) *Source {
	s := &Source{Path: f.Path, Metadata: f.Metadata, Tensors: f.Tensors, Rows: fileRows{f}}
	for _, shard := range f.Shards {
		s.Files = append(s.Files, shard.Path)
	}
	return s
}

// fileRows reads rows of a GGUF file.
type fileRows struct{ *gguf.File }

func (f fileRows) Data(t *gguf.Tensor, from, to int64, buf *[]byte) ([]byte, error) {
	if _, _, known := t.Type.Block(); !known && f.ByteOrder == binary.LittleEndian && from == 0 && to == t.Rows() {
		return f.Stored(t), nil // copied whole, as its layout is not known
	}
	return f.Load(t, from, to, buf)
}

// file returns the path of the file that holds t.
func (s *Source) file(t *gguf.Tensor) string { return s.Files[t.Shard] }
