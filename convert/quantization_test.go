package convert_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/convert"
)

// withoutField returns a copy of a checkpoint with a config.json that lacks a
// field.
func withoutField(t *testing.T, checkpoint, field string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), checkpoint)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata/checkpoints", checkpoint))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	delete(config, field)
	if data, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Scales are found by their names where config.json does not tell of them, as
// long as it takes no sizes of blocks; and so are those that are not needed.
func TestScalesByName(t *testing.T) {
	for checkpoint, dropped := range map[string]int{"fp8-channel": 0, "fp8-tensor": 7, "int8-channel": 0} {
		dir := withoutField(t, checkpoint, "quantization_config")
		report, f := run(t, dir, nil)
		_, want := run(t, filepath.Join("testdata/checkpoints", checkpoint), nil)
		for i, x := range f.Tensors {
			if !bytes.Equal(f.Stored(x), want.Stored(want.Tensors[i])) {
				t.Errorf("%s: %s differs", checkpoint, x.Name)
			}
		}
		if !slices.ContainsFunc(report.Notes, func(n string) bool { return strings.Contains(n, "become their numbers times their scales") }) {
			t.Errorf("notes %q", report.Notes)
		}
		scales := slices.DeleteFunc(report.Dropped, func(d convert.Dropped) bool { return !strings.HasSuffix(d.Name, "_scale") })
		if len(scales) != dropped {
			t.Errorf("%s: dropped %v, want %d scales", checkpoint, scales, dropped)
		}
	}
	_, err := convert.Open(withoutField(t, "fp8-block", "quantization_config"), nil)
	if err == nil || !strings.Contains(err.Error(), "weight_scale_inv\": its shape [2 2] fits no weight of shape [32 32]") {
		t.Errorf("error %v", err)
	}
}

// A file of weights stands for its folder, and alone for a model that other files
// of the folder do not belong to.
func TestFileOfWeights(t *testing.T) {
	dir := filepath.Join(t.TempDir(), filepath.Base(minilm))
	if err := os.CopyFS(dir, os.DirFS(minilm)); err != nil {
		t.Fatal(err)
	}
	_, want := run(t, dir, nil)
	weights := filepath.Join(dir, "model.safetensors")
	other := filepath.Join(dir, "weights.v1.safetensors")
	if err := os.Rename(weights, other); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(weights, []byte("damaged"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, got := run(t, other, nil)
	if a, b := want.Metadata.Text("general.name"), got.Metadata.Text("general.name"); a != b {
		t.Errorf("name %q, want %q", b, a)
	}
	for i, x := range got.Tensors {
		if !bytes.Equal(got.Stored(x), want.Stored(want.Tensors[i])) {
			t.Errorf("%s differs", x.Name)
		}
	}

	// One of several shards stands for all of them.
	for _, path := range []string{
		"e5-base-v2/model-00001-of-00002.safetensors", "gte-small-30K-instruct/pytorch_model-00002-of-00002.bin", "bert_base_uncased/pytorch_model.bin",
	} {
		path = filepath.Join("testdata/checkpoints", filepath.FromSlash(path))
		m, err := convert.Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		all, err := convert.Open(filepath.Dir(path), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer all.Close()
		if len(m.Tensors) != len(all.Tensors) || m.FileName != all.FileName {
			t.Errorf("%s: %d tensors for %s, want %d for %s", path, len(m.Tensors), m.FileName, len(all.Tensors), all.FileName)
		}
	}

	for path, want := range map[string]string{
		filepath.Join(dir, "missing.safetensors"): "missing.safetensors",
		filepath.Join(dir, "config.json"):         "config.json is a file; name the folder of a checkpoint",
		weights:                                   "not a valid safetensors file",
	} {
		if _, err := convert.Open(path, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", path, err, want)
		}
	}
}

// No output takes the place of the weights, whatever is allowed to be replaced.
func TestOutputIsInput(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "m")
	if err := os.CopyFS(dir, os.DirFS(minilm)); err != nil {
		t.Fatal(err)
	}
	weights := filepath.Join(dir, "model.safetensors")
	_, err := convert.Run(context.Background(), dir, weights, &convert.Options{Overwrite: true})
	if err == nil || !strings.Contains(err.Error(), "is the input") {
		t.Errorf("error %v", err)
	}
}
