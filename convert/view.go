package convert

import (
	"slices"
	"sync"

	"github.com/gguftool/gguftool/gguf"
)

// A View shows a Model as the GGUF file that Run would write, without writing
// it: whatever reads rows of such a file can read them from the checkpoint. Its
// methods may be called by several goroutines at once, as long as the Model is
// open.
type View struct {
	Files   []string       // of the checkpoint; Files[i] holds the tensors with Shard i
	Tensors []*gguf.Tensor // in the order of the file; they have no Offset

	sources map[*gguf.Tensor]*Tensor
	scratch sync.Pool // of *Buffer
}

// View returns the view of m.
func (m *Model) View() *View {
	v := &View{sources: make(map[*gguf.Tensor]*Tensor, len(m.Tensors)), scratch: sync.Pool{New: func() any { return new(Buffer) }}}
	for _, t := range m.Tensors {
		shard := slices.Index(v.Files, t.source.File)
		if shard < 0 {
			shard = len(v.Files)
			v.Files = append(v.Files, t.source.File)
		}
		seen := &gguf.Tensor{Name: t.Name, Type: t.Type, Shape: t.Shape, Size: t.Size, Shard: shard}
		v.Tensors = append(v.Tensors, seen)
		v.sources[seen] = t
	}
	return v
}

// Data returns rows from ≤ row < to of one of v.Tensors, little-endian bytes of
// its type. They are the mapped checkpoint, which must not be written to, or are
// made in buf, which grows as needed.
func (v *View) Data(t *gguf.Tensor, from, to int64, buf *[]byte) ([]byte, error) {
	source := v.sources[t]
	if source.stored() && source.change == asIs {
		return source.load(from, to, buf, buf), nil
	}
	b := v.scratch.Get().(*Buffer)
	defer v.scratch.Put(b)
	b.out = *buf
	data, err := source.Data(from, to, b)
	*buf, b.out = b.out, nil
	return data, err
}

// Fetch brings rows from ≤ row < to of t into memory, which may take its time.
func (v *View) Fetch(t *gguf.Tensor, from, to int64) { v.sources[t].fetch(from, to) }

// DontNeed says that rows from ≤ row < to of t will not be read again.
func (v *View) DontNeed(t *gguf.Tensor, from, to int64) { v.sources[t].Done(from, to) }
