// Package synth makes small models for tests: GGUF files and Hugging Face
// checkpoints with the names, keys and shapes of real ones and weights that
// depend only on the seed.
package synth

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strings"

	"github.com/gguftool/gguftool/gguf"
)

// A Model is a GGUF file to be made.
type Model struct {
	Metadata *gguf.Metadata
	Tensors  []gguf.TensorInfo
	Seed     uint64
	// Encode turns the weights of a tensor into bytes of its type. Without it,
	// tensors of types other than F32 get random bytes.
	Encode func(t gguf.TensorInfo, weights []float32) ([]byte, error)
}

// WriteGGUF writes the model to path. opts may be nil.
func (m *Model) WriteGGUF(path string, opts *gguf.WriterOptions) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b := bufio.NewWriterSize(f, 1<<20)
	w, err := gguf.NewWriter(b, m.Metadata, m.Tensors, opts)
	if err != nil {
		return err
	}
	for _, t := range m.Tensors {
		data, err := m.data(t)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func (m *Model) data(t gguf.TensorInfo) ([]byte, error) {
	n := int64(1)
	for _, d := range t.Shape {
		n *= d
	}
	switch {
	case t.Type == gguf.TypeF32:
		return littleEndian(Weights(m.Seed, t.Name, int(n))), nil
	case m.Encode != nil:
		return m.Encode(t, Weights(m.Seed, t.Name, int(n)))
	}
	size, ok := t.Type.Size(n)
	if !ok {
		size = t.Size
	}
	p := make([]byte, (size+7)/8*8)
	r := random(m.Seed, t.Name)
	for i := 0; i < len(p); i += 8 {
		binary.LittleEndian.PutUint64(p[i:], r.Uint64())
	}
	return p[:size], nil
}

// Weights returns the n weights of the tensor called name: nearly normal with a
// deviation of 0.05, around 1 for the weight of a norm and around 0 otherwise.
// They are the same on every machine.
func Weights(seed uint64, name string, n int) []float32 {
	// The sum of four uniform 16-bit numbers has mean 131070 and deviation 37837.
	const scale = 0.05 / 37837
	var mean float32
	if strings.Contains(strings.ToLower(name), "norm") && strings.HasSuffix(name, "weight") {
		mean = 1
	}
	r := random(seed, name)
	w := make([]float32, n)
	for i := range w {
		u := r.Uint64()
		sum := int32(u&0xffff) + int32(u>>16&0xffff) + int32(u>>32&0xffff) + int32(u>>48) - 131070
		w[i] = mean + float32(float32(sum)*scale)
	}
	return w
}

func random(seed uint64, name string) *rand.PCG {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.NewPCG(seed, h.Sum64())
}

func littleEndian(w []float32) []byte {
	p, err := binary.Append(nil, binary.LittleEndian, w)
	if err != nil {
		panic(err) // a slice of float32 cannot fail
	}
	return p
}
