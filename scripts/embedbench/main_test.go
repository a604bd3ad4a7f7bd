package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/internal/synth"
)

// answers runs the program on a small model and returns the lines it prints.
func answers(t *testing.T, precision, requests string) ([]string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := (synth.BERT{}).WriteGGUF(path); err != nil {
		t.Fatal(err)
	}
	return answersOf(path, precision, requests)
}

func answersOf(path, precision, requests string) ([]string, error) {
	var out bytes.Buffer
	err := run(path, 0, precision, strings.NewReader(requests), json.NewEncoder(&out))
	return strings.Split(strings.TrimSpace(out.String()), "\n"), err
}

func TestRequests(t *testing.T) {
	lines, err := answers(t, "auto", `{"ids": [[2, 7, 3], [2, 8, 9, 3]], "seconds": 0, "vectors": true}
{"texts": ["a b"], "seconds": 0.02}
{"ids": [[2, 8, 9, 3]], "seconds": 0, "vectors": true}
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 4 || !strings.HasPrefix(lines[0], `{"load_ns":`) {
		t.Fatalf("printed %q; want the time of loading and three answers", lines)
	}
	var a [3]answer
	for i := range a {
		if err := json.Unmarshal([]byte(lines[i+1]), &a[i]); err != nil {
			t.Fatal(err)
		}
	}
	if len(a[0].NS) != 1 || len(a[0].Vectors) != 2 || len(a[0].Vectors[0]) != 64 {
		t.Errorf("no seconds: %d repetitions and %d vectors; want 1 and 2 of 64 numbers", len(a[0].NS), len(a[0].Vectors))
	}
	if len(a[1].NS) < 1 || a[1].Vectors != nil {
		t.Errorf("0.02 seconds: %d repetitions and %d vectors; want some and none", len(a[1].NS), len(a[1].Vectors))
	}
	var sum int64
	for _, ns := range a[1].NS {
		sum += ns
	}
	if sum < 20e6 || slices.Min(a[1].NS) <= 0 {
		t.Errorf("0.02 seconds: repetitions of %v ns make %d", a[1].NS, sum)
	}
	if !slices.Equal(a[2].Vectors[0], a[0].Vectors[1]) {
		t.Error("a text alone has another vector than in a batch")
	}
}

func TestPrefill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "decoder.gguf")
	if err := (synth.Decoder{Layers: 1, Width: 32, Heads: 2, Vocab: 20}).Model().WriteGGUF(path, nil); err != nil {
		t.Fatal(err)
	}
	lines, err := answersOf(path, "f32", `{"ids": [[2, 7, 3]], "seconds": 0.01, "prefill": true}`)
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal([]byte(lines[1]), &a); err != nil || len(a.NS) < 1 || slices.Min(a.NS) <= 0 {
		t.Errorf("printed %s; want the times of repetitions", lines[1])
	}
	for request, want := range map[string]string{
		`{"ids": [[2], [3]], "prefill": true}`: "the ids of one text",
		`{"texts": ["a"], "prefill": true}`:    "the ids of one text",
		`{"ids": [[20]], "prefill": true}`:     "has id 20",
	} {
		if _, err := answersOf(path, "f32", request); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", request, err, want)
		}
	}
	if _, err := answers(t, "f32", `{"ids": [[2]], "prefill": true}`); err == nil || !strings.Contains(err.Error(), "predict no tokens") {
		t.Errorf("an encoder: error %v", err)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ precision, request, want string }{
		{"f64", ``, "unknown precision"},
		{"f32", `{"seconds": 1}`, "either ids or texts"},
		{"f32", `{"ids": [[2]], "texts": ["a"]}`, "either ids or texts"},
		{"f32", `{"ids": [[-1]]}`, "has id -1"},
		{"f32", `{"ids"`, "standard input"},
	} {
		if _, err := answers(t, c.precision, c.request); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: error %v, want one with %q", c.precision, c.request, err, c.want)
		}
	}
}
