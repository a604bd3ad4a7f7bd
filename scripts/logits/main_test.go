package main

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/internal/synth"
)

// floats runs the program on a small decoder and returns what it prints.
func floats(t *testing.T, o options, input string) ([]float32, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := (synth.Decoder{Layers: 1, Width: 32, Heads: 2, Vocab: 20}).Model().WriteGGUF(path, nil); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := o.run(path, strings.NewReader(input), &out); err != nil {
		return nil, err
	}
	numbers := make([]float32, out.Len()/4)
	if _, err := binary.Decode(out.Bytes(), binary.LittleEndian, numbers); err != nil {
		t.Fatal(err)
	}
	return numbers, nil
}

func TestTexts(t *testing.T) {
	const vocab, width = 20, 32
	alone, err := floats(t, options{precision: "f32"}, "[3, 1, 4]")
	if err != nil {
		t.Fatal(err)
	}
	several, err := floats(t, options{precision: "auto"}, "[5]\n[3, 1, 4]\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(alone) != 3*vocab || len(several) != 4*vocab {
		t.Fatalf("%d and %d numbers, want %d and %d", len(alone), len(several), 3*vocab, 4*vocab)
	}
	for i, v := range alone {
		if several[vocab+i] != v || v == 0 {
			t.Fatalf("logit %d is %v alone and %v after another text", i, v, several[vocab+i])
		}
	}
	states, err := floats(t, options{precision: "f32", states: true}, "[3, 1, 4]")
	if err != nil {
		t.Fatal(err)
	}
	if len(states) != 3*width {
		t.Errorf("%d numbers of states, want %d", len(states), 3*width)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ precision, input, want string }{
		{"f64", "", "unknown precision"},
		{"int8", "", "needs quantized weights"},
		{"f32", "[20]", "has id 20"},
		{"f32", "[]", "no tokens"},
		{"f32", "[1", "standard input"},
		{"f32", `{"ids": [1]}`, "standard input"},
	} {
		if _, err := floats(t, options{precision: c.precision}, c.input); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: error %v, want one with %q", c.precision, c.input, err, c.want)
		}
	}
}
