package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/convert"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/tokenizer"
)

// float32s is a little-endian array in base64.
type float32s []float32

func (f *float32s) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return err
	}
	*f = make([]float32, len(raw)/4)
	_, err = binary.Decode(raw, binary.LittleEndian, []float32(*f))
	return err
}

// modelOutputs is what transformers computes from a small checkpoint; see
// convert/testdata/models.py.
type modelOutputs struct {
	Width, Vocabulary int
	Texts             []struct {
		Text      string
		IDs       []int32
		States    float32s // (tokens, width)
		At        []int    // positions of the logits
		Logits    float32s // (positions, vocabulary), of decoders
		Embedding float32s // of models that give vectors
	}
}

// A small checkpoint of every architecture, converted, tokenizes as Hugging Face
// does and gives the states, logits and vectors of transformers.
func TestCheckpointToOutputs(t *testing.T) {
	const data = "../../convert/testdata"
	files, err := filepath.Glob(data + "/outputs/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files of outputs, error %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want modelOutputs
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(t.TempDir(), "model.gguf")
			if _, err := convert.Run(t.Context(), filepath.Join(data, "checkpoints", name), out, &convert.Options{Extras: true}); err != nil {
				t.Fatal(err)
			}
			f, err := gguf.Open(out)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			tok, err := tokenizer.FromGGUF(f.Metadata)
			if err != nil {
				t.Fatal(err)
			}
			var opts infer.Options
			if strings.HasSuffix(name, "-long") {
				opts.Context = 64 // more than the model was trained with
			}
			m, err := infer.Load(f, &opts)
			if err != nil {
				t.Fatal(err)
			}
			// Rows of embeddings that no token has are left out of some files.
			vocabulary := m.Vocabulary()
			if m.Width() != want.Width || vocabulary > want.Vocabulary || vocabulary < want.Vocabulary && !strings.HasPrefix(name, "gemma-3-tiny-pt") {
				t.Errorf("width %d and vocabulary %d, want %d and %d", m.Width(), vocabulary, want.Width, want.Vocabulary)
			}
			for _, x := range want.Texts {
				if ids := tok.Encode(x.Text, true); !slices.Equal(ids, x.IDs) {
					t.Fatalf("%q is %v, want %v", x.Text, ids, x.IDs)
				}
				states, err := m.States(t.Context(), x.IDs)
				if err != nil {
					t.Fatal(err)
				}
				nearRows(t, "state", states, x.States, want.Width)
				if len(x.Logits) > 0 {
					var logits []float32
					err := m.Logits(t.Context(), x.IDs, 0, func(p int, l []float32) error {
						if slices.Contains(x.At, p) {
							logits = append(logits, l...)
						}
						return nil
					})
					if err != nil {
						t.Fatal(err)
					}
					var kept []float32
					for row := range slices.Chunk(x.Logits, want.Vocabulary) {
						kept = append(kept, row[:vocabulary]...)
					}
					nearRows(t, "logits", logits, kept, vocabulary)
				}
				if len(x.Embedding) > 0 {
					vectors, err := m.Embed(t.Context(), [][]int32{x.IDs}, nil)
					if err != nil {
						t.Fatal(err)
					}
					nearRows(t, "vector", vectors[0], x.Embedding, m.Dimensions())
				}
			}
		})
	}
}

// nearRows fails the test where rows differ by more than rounding.
func nearRows(t *testing.T, what string, got, want []float32, width int) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for at := 0; at < len(want); at += width {
		var dot, g, w float64
		for i, v := range want[at : at+width] {
			dot += float64(got[at+i]) * float64(v)
			g += float64(got[at+i]) * float64(got[at+i])
			w += float64(v) * float64(v)
		}
		if !(dot >= (1-1e-6)*math.Sqrt(g*w)) || !(math.Abs(math.Sqrt(g/w)-1) < 1e-4) {
			t.Fatalf("%s %d: cosine %.9f, length %g, want length %g", what, at/width, dot/math.Sqrt(g*w), math.Sqrt(g), math.Sqrt(w))
		}
	}
}
