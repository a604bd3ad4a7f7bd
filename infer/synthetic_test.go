package infer

import (
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/synth"
	"github.com/gguftool/gguftool/kernels/block"
)

// A synthetic is a model for one test, which may change it before it is written.
type synthetic struct {
	md      *gguf.Metadata
	tensors []gguf.TensorInfo
	weights func(t gguf.TensorInfo) []float32
	stored  map[string]Stored // data of tensors, instead of their weights
}

// goldenBERT is the model of testdata/golden.py.
var goldenBERT = synth.BERT{Vocab: 512, Context: 20, Width: 32, Layers: 2, Heads: 4, FF: 64}

func newSynthetic(b synth.BERT) *synthetic {
	m := b.Model()
	return &synthetic{md: m.Metadata, tensors: m.Tensors, weights: steepWeights}
}

// steepWeights gives weights whose attention and activations are far from flat,
// so that mistakes show. testdata/golden.py has the same.
func steepWeights(t gguf.TensorInfo) []float32 {
	n := 1
	for _, d := range t.Shape {
		n *= int(d)
	}
	offset, spread := 0.0, 1.0 // embeddings
	switch {
	case strings.HasSuffix(t.Name, "norm.weight"):
		offset, spread = 1, 0.25
	case strings.HasSuffix(t.Name, ".bias"):
		spread = 0.25
	case strings.HasPrefix(t.Name, "blk."):
		spread = 16 / float64(t.Shape[0])
	}
	return uniform(t.Name, n, offset, spread)
}

// uniform returns n values offset + spread·u, u from -1 to 1 by splitmix64,
// seeded by the FNV-1a hash of name.
func uniform(name string, n int, offset, spread float64) []float32 {
	state := uint64(14695981039346656037)
	for i := range len(name) {
		state = (state ^ uint64(name[i])) * 1099511628211
	}
	x := make([]float32, n)
	for i := range x {
		state += 0x9e3779b97f4a7c15
		z := (state ^ state>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		u := float64((z^z>>31)>>40)/(1<<23) - 1
		x[i] = float32(offset + float64(spread*u))
	}
	return x
}

// set gives a hyperparameter of BERT a value.
func set[T gguf.Scalar](s *synthetic, name string, v T) { s.md.Set("bert."+name, gguf.ValueOf(v)) }

// tensor returns the tensor called name for changes.
func (s *synthetic) tensor(name string) *gguf.TensorInfo {
	i := slices.IndexFunc(s.tensors, func(t gguf.TensorInfo) bool { return t.Name == name })
	if i < 0 {
		panic("no tensor " + name)
	}
	return &s.tensors[i]
}

// drop removes the tensors with the given names.
func (s *synthetic) drop(names ...string) {
	s.tensors = slices.DeleteFunc(s.tensors, func(t gguf.TensorInfo) bool { return slices.Contains(names, t.Name) })
}

// write writes the model to w; tensors that are not F32 are encoded.
func (s *synthetic) write(w io.Writer, opts *gguf.WriterOptions) error {
	gw, err := gguf.NewWriter(w, s.md, s.tensors, opts)
	if err != nil {
		return err
	}
	for _, t := range s.tensors {
		data := s.stored[t.Name].Data
		if data == nil {
			if data, err = encode(t, s.weights(t)); err != nil {
				return err
			}
		}
		if _, err := gw.Write(data); err != nil {
			return err
		}
	}
	return gw.Close()
}

func encode(t gguf.TensorInfo, weights []float32) ([]byte, error) {
	if t.Type == gguf.TypeF32 {
		return binary.Append(nil, binary.LittleEndian, weights)
	}
	size, ok := t.Type.Size(int64(len(weights)))
	if !ok {
		size = 0 // a type without codec; the file is refused before it is read
	}
	data := make([]byte, size)
	codec, ok := block.Lookup(t.Type)
	if !ok {
		return data, nil
	}
	rows := len(weights) / int(t.Shape[0])
	for i := range rows {
		row := weights[i*int(t.Shape[0]):][:t.Shape[0]]
		var importance []float32 // all alike, where the format asks for it
		if codec.NeedsImportance() {
			importance = slices.Repeat([]float32{1}, len(row))
		}
		if err := codec.EncodeRow(data[i*len(data)/rows:][:len(data)/rows], row, importance); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// open writes the model to a file and opens it.
func (s *synthetic) open(t testing.TB, opts *gguf.WriterOptions) *gguf.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.write(out, opts); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// load opens and loads the model.
func (s *synthetic) load(t testing.TB, o *Options) *Model {
	t.Helper()
	m, err := Load(s.open(t, nil), o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// withProcs gives the test n processors, so that models run on up to n workers
// on any machine.
func withProcs(t *testing.T, n int) {
	old := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}

// text returns n token ids that depend on seed.
func text(n, seed, vocab int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32((37*i + 11*seed) % vocab)
	}
	return ids
}

// embed embeds a batch and fails the test on an error.
func embed(t testing.TB, m *Model, batch [][]int32, o *EmbedOptions) [][]float32 {
	t.Helper()
	vectors, err := m.Embed(t.Context(), batch, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(vectors) != len(batch) {
		t.Fatalf("%d vectors for %d texts", len(vectors), len(batch))
	}
	return vectors
}
