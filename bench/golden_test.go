package bench

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/internal/synth"
)

var writeModel = flag.String("write-model", "", "write the model of TestGolden to `FILE` and do nothing else")

// The figures are those of llama-perplexity on the same model and the same ids
// (testdata/golden.py).
func TestGolden(t *testing.T) {
	path := *writeModel
	if path == "" {
		path = filepath.Join(t.TempDir(), "model.gguf")
	}
	if err := (synth.Decoder{Layers: 2, Width: 64, Heads: 4, KVHeads: 2, Words: true}).Model().WriteGGUF(path, nil); err != nil {
		t.Fatal(err)
	}
	if *writeModel != "" {
		return
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := infer.Load(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	bos, ok := f.Metadata.Int("tokenizer.ggml.bos_token_id")
	if !ok {
		t.Fatal("the model has no BOS token")
	}
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		IDs   []int32 `json:"ids"`
		Cases []struct {
			Size          int       `json:"size"`
			BOS           bool      `json:"bos"`
			Running       []float64 `json:"running"`
			Perplexity    float64   `json:"perplexity"`
			StandardError float64   `json:"standard_error"`
		} `json:"cases"`
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Cases) == 0 {
		t.Fatal("testdata/golden.json has no cases")
	}
	for _, c := range golden.Cases {
		o, ids := &PerplexityOptions{ContextSize: c.Size}, golden.IDs
		if c.BOS {
			o.Prefix = []int32{int32(bos)}
			ids = append([]int32{int32(bos)}, ids...)
		}
		var running []float64
		o.Progress = func(p Perplexity, _ int) { running = append(running, p.Value()) }
		p, err := MeasurePerplexity(t.Context(), m, ids, o)
		if err != nil {
			t.Fatal(err)
		}
		if len(running) != len(c.Running) {
			t.Errorf("chunks of %d, BOS %v: %d of them, want %d", c.Size, c.BOS, len(running), len(c.Running))
			continue
		}
		// Their exponentials and activations are in lower precision than ours.
		const bar = 2e-5
		for i, v := range running {
			if !near(v, c.Running[i], bar) {
				t.Errorf("chunks of %d, BOS %v: %.4f after chunk %d, want %.4f", c.Size, c.BOS, v, i+1, c.Running[i])
			}
		}
		if !near(p.Value(), c.Perplexity, bar) || !near(p.StandardError(), c.StandardError, 10*bar) {
			t.Errorf("chunks of %d, BOS %v: %.4f ± %.5f, want %.4f ± %.5f", c.Size, c.BOS, p.Value(), p.StandardError(), c.Perplexity, c.StandardError)
		}
	}
}
