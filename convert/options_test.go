package convert_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/convert"
	"github.com/gguftool/gguftool/gguf"
)

// An optionsGolden is what llama.cpp's converter makes of a checkpoint with some
// options; see testdata/options.py.
type optionsGolden struct {
	Checkpoint string             // "" stands for all-MiniLM-L6-v2
	Files      map[string]*string // beside those of the checkpoint; null for one that is taken away
	Metadata   json.RawMessage
	Args       []string
	Out        string
	Outputs    map[string]string // hashes by name
	Keys       []string          // of the first of them: some
}

// options returns the options that stand for args.
func (g *optionsGolden) options(t *testing.T) *convert.Options {
	t.Helper()
	o := new(convert.Options)
	number := func(s string) int64 {
		unit := int64(1)
		for i, u := range []string{"K", "M", "G"} {
			if digits, ok := strings.CutSuffix(s, u); ok {
				s, unit = digits, []int64{1e3, 1e6, 1e9}[i]
			}
		}
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n * unit
	}
	args := g.Args
	next := func() string {
		args = args[1:]
		return args[0]
	}
	for ; len(args) > 0; args = args[1:] {
		switch args[0] {
		case "--outtype":
			o.FileType = parseFileType(t, next())
		case "--model-name":
			o.Name = next()
		case "--fp8-as-q8":
			o.Float8AsQ8 = true
		case "--vocab-only":
			o.VocabOnly = true
		case "--no-tensor-first-split":
			o.Split.NoTensorsFirst = true
		case "--split-max-tensors":
			o.Split.MaxTensors = int(number(next()))
		case "--split-max-size":
			o.Split.MaxSize = number(next())
		default:
			t.Fatalf("unknown argument %s", args[0])
		}
	}
	return o
}

// write writes the checkpoint into a folder of its name, which it returns.
func (g *optionsGolden) write(t *testing.T) string {
	t.Helper()
	name := g.Checkpoint
	if name == "" {
		name = filepath.Base(minilm)
	}
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata/checkpoints", name))); err != nil {
		t.Fatal(err)
	}
	for name, content := range g.Files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if content == nil {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(*content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestOptions compares whole files with those of llama.cpp's converter.
func TestOptions(t *testing.T) {
	data, err := os.ReadFile("testdata/options.json")
	if err != nil {
		t.Fatal(err)
	}
	var goldens map[string]*optionsGolden
	if err := json.Unmarshal(data, &goldens); err != nil {
		t.Fatal(err)
	}
	for name, g := range goldens {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, out := g.write(t), t.TempDir()
			o := g.options(t)
			if g.Metadata != nil {
				o.MetadataFile = filepath.Join(t.TempDir(), "override.json")
				if err := os.WriteFile(o.MetadataFile, g.Metadata, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			report, err := convert.Run(context.Background(), dir, filepath.Join(out, g.Out), o)
			if err != nil {
				t.Fatal(err)
			}
			entries, err := os.ReadDir(out)
			if err != nil {
				t.Fatal(err)
			}
			if len(entries) != len(g.Outputs) || len(report.Outputs) != len(entries) {
				t.Errorf("%v and %d in the report, want %d files", entries, len(report.Outputs), len(g.Outputs))
			}
			for i, e := range entries {
				path := filepath.Join(out, e.Name())
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if r := report.Outputs[i]; r.Path != path || r.Bytes != int64(len(data)) {
					t.Errorf("%s of %d bytes is %s of %d in the report", path, len(data), r.Path, r.Bytes)
				}
				want, ok := g.Outputs[e.Name()]
				if !ok {
					t.Errorf("%s has another name", e.Name())
				}
				if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != want {
					t.Errorf("%s differs", e.Name())
					compareLists(t, someKeys(t, filepath.Join(out, entries[0].Name())), g.Keys)
				}
			}
		})
	}
}

// someKeys returns the keys of a file that testdata/options.py lists.
func someKeys(t *testing.T, path string) []string {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var keys []string
	for k, v := range f.Metadata.All() {
		if slices.ContainsFunc([]string{"general.", "split.", "tokenizer.chat_template"}, func(p string) bool { return strings.HasPrefix(k, p) }) {
			keys = append(keys, k+" "+valueText(t, v))
		}
	}
	return keys
}

// A dry run tells what would be written, and writes nothing.
func TestDryRun(t *testing.T) {
	out := t.TempDir()
	o := &convert.Options{Split: gguf.ShardLimits{MaxTensors: 30}, DryRun: true}
	report, err := convert.Run(context.Background(), minilm, filepath.Join(out, "m.gguf"), o)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(out); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	o.DryRun = false
	written, err := convert.Run(context.Background(), minilm, filepath.Join(out, "m.gguf"), o)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range written.Outputs {
		r := report.Outputs[i]
		info, err := os.Stat(w.Path)
		if err != nil || r.Path != w.Path || r.Bytes != info.Size() || len(r.Tensors) != len(w.Tensors) {
			t.Errorf("%s with %d tensors in %d bytes was announced for %s with %d in %d: %v",
				r.Path, len(r.Tensors), r.Bytes, w.Path, len(w.Tensors), info.Size(), err)
		}
	}
	if len(report.Outputs) != 2 || report.Bytes != written.Bytes {
		t.Errorf("%d outputs of %d bytes, want 2 of %d", len(report.Outputs), report.Bytes, written.Bytes)
	}
}
