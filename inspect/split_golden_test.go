package inspect

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/synth"
)

var llamaSplit = flag.String("llama-gguf-split", "", "path of llama-gguf-split; writes testdata/split.txt with it")

const splitGoldens = "testdata/split.txt"

// splitRuns are ways to divide a model, in the words of llama-gguf-split.
var splitRuns = []struct {
	args    string
	options SplitOptions
}{
	{"", SplitOptions{}},
	{"--split-max-tensors 1", SplitOptions{MaxTensors: 1}},
	{"--split-max-tensors 7", SplitOptions{MaxTensors: 7}},
	{"--split-max-tensors 8", SplitOptions{MaxTensors: 8}},
	{"--split-max-tensors 1000 --no-tensor-first-split", SplitOptions{MaxTensors: 1000, NoTensorsFirst: true}},
	{"--split-max-tensors 5 --no-tensor-first-split", SplitOptions{MaxTensors: 5, NoTensorsFirst: true}},
	{"--split-max-size 1M", SplitOptions{MaxSize: 1e6}},
	{"--split-max-size 2M --no-tensor-first-split", SplitOptions{MaxSize: 2e6, NoTensorsFirst: true}},
	{"--split-max-size 1G", SplitOptions{MaxSize: 1e9}},
}

// splitModels are named by their files. The second was split and merged before.
func splitModels() map[string]*synth.Model {
	plain := &synth.Model{Seed: 3, Metadata: metadata(
		pair{"general.architecture", gguf.ValueOf("llama")},
		pair{"general.alignment", gguf.ValueOf(uint32(32))},
		pair{"tokenizer.ggml.tokens", gguf.ArrayOf(vocabulary(300))},
		pair{"a.u8", gguf.ArrayOf([]uint8{1, 2})}, pair{"a.bool", gguf.ArrayOf([]bool{true, false})},
		pair{"a.f64", gguf.ValueOf(1e300)}, pair{"a.i64", gguf.ArrayOf([]int64{-1})}, pair{"a.none", gguf.ArrayOf([]float32{})},
	)}
	add := func(name string, t gguf.Type, shape ...int64) {
		plain.Tensors = append(plain.Tensors, gguf.TensorInfo{Name: name, Type: t, Shape: shape})
	}
	add("token_embd.weight", gguf.TypeF16, 256, 1900) // 972,800 bytes: fits into 1M
	add("large", gguf.TypeF32, 256, 1200)             // 1,228,800 bytes: does not
	for i := range 6 {
		name := func(s string) string { return fmt.Sprintf("blk.%d.%s", i, s) }
		add(name("attn_q.weight"), gguf.TypeQ4_K, 256, int64(300+i))
		add(name("attn_v.weight"), gguf.TypeQ6_K, 512, 201)
		add(name("bias"), gguf.TypeF32, 5) // 20 bytes: is padded
		add(name("ffn.weight"), gguf.TypeQ8_0, 96, 1, 1201)
		add(name("row.weight"), gguf.TypeBF16, 255, 1)
	}
	add("exact", gguf.TypeI8, 1000, 1000) // 1,000,000 bytes, which are 1M
	add("output.weight", gguf.TypeQ5_0, 32, 3, 2, 1)

	merged := &synth.Model{Seed: 4, Metadata: plain.Metadata.Clone(), Tensors: plain.Tensors[:20]}
	merged.Metadata.Set(gguf.KeySplitCount, gguf.ValueOf(uint16(0)))
	merged.Metadata.Set(gguf.KeySplitNo, gguf.ValueOf(uint16(0)))
	merged.Metadata.Set(gguf.KeySplitTensors, gguf.ValueOf(int32(40)))
	merged.Metadata.Set("z.last", gguf.ValueOf(true))
	return map[string]*synth.Model{"plain": plain, "merged": merged}
}

// TestSplitGoldens compares shards, what they are merged to, and what those are
// divided into anew, with what llama-gguf-split wrote.
func TestSplitGoldens(t *testing.T) {
	goldens := map[string]string{}
	var written bytes.Buffer
	written.WriteString("# SHA-256 of what llama-gguf-split writes for the models of the tests: all shards of a model together, the file that\n" +
		"# they are merged to, and the shards of three tensors of that file. Made by go test -args -llama-gguf-split=PATH.\n")
	for line := range strings.Lines(readFile(t, splitGoldens)) {
		if title, golden, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			goldens[title] = golden
		}
	}
	models := splitModels()
	for _, name := range []string{"plain", "merged"} {
		dir := t.TempDir()
		input := filepath.Join(dir, name+".gguf")
		if err := models[name].WriteGGUF(input, nil); err != nil {
			t.Fatal(err)
		}
		for _, run := range splitRuns {
			title := strings.TrimSpace(name + " " + run.args)
			t.Run(title, func(t *testing.T) {
				if *llamaSplit != "" {
					goldens[title] = splitLikeLlama(t, input, run.args)
					fmt.Fprintf(&written, "%s: %s\n", title, goldens[title])
				}
				if got := splitLikeUs(t, input, run.options); got != goldens[title] {
					t.Errorf("got %s, llama-gguf-split wrote %s", got, goldens[title])
				}
			})
		}
	}
	if *llamaSplit != "" {
		if err := os.WriteFile(splitGoldens, written.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func splitLikeLlama(t *testing.T, input, args string) string {
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		if output, err := exec.Command(*llamaSplit, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", args, err, output)
		}
	}
	shards, merged, again := filepath.Join(dir, "shards"), filepath.Join(dir, "merged.gguf"), filepath.Join(dir, "again")
	run(append(append([]string{"--split"}, strings.Fields(args)...), input, shards)...)
	run("--merge", glob(t, shards)[0], merged)
	run("--split", "--split-max-tensors", "3", merged, again)
	return fmt.Sprintf("%s %s %s", digest(t, glob(t, shards)), digest(t, []string{merged}), digest(t, glob(t, again)))
}

// splitLikeUs divides the shards anew without merging them first.
func splitLikeUs(t *testing.T, input string, o SplitOptions) string {
	dir := t.TempDir()
	shards, merged, again := filepath.Join(dir, "shards"), filepath.Join(dir, "merged.gguf"), filepath.Join(dir, "again.gguf")
	rewrite(t, input, func(f *gguf.File) (*Rewrite, error) { return Split(f, shards, &o) })
	first := glob(t, shards)[0]
	if len(glob(t, shards)) > 1 {
		rewrite(t, glob(t, shards)[1], func(f *gguf.File) (*Rewrite, error) { return Merge(f, merged, nil) })
	} else {
		rewrite(t, first, func(f *gguf.File) (*Rewrite, error) { return Merge(f, merged, nil) })
	}
	rewrite(t, first, func(f *gguf.File) (*Rewrite, error) { return Split(f, again, &SplitOptions{MaxTensors: 3}) })
	return fmt.Sprintf("%s %s %s", digest(t, glob(t, shards)), digest(t, []string{merged}), digest(t, glob(t, strings.TrimSuffix(again, ".gguf"))))
}

// rewrite carries a plan for the model at path out and returns it.
func rewrite(t *testing.T, path string, plan func(f *gguf.File) (*Rewrite, error)) *Rewrite {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := plan(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, out := range r.Outputs {
		if info, err := os.Stat(out.Path); err != nil || info.Size() != out.Size {
			t.Fatalf("%s: planned %d bytes, got %v, %v", out.Path, out.Size, info, err)
		}
	}
	return r
}

// glob returns the shards of prefix in order.
func glob(t *testing.T, prefix string) []string {
	t.Helper()
	paths, err := filepath.Glob(prefix + "-?????-of-?????.gguf")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no shards of %s: %v", prefix, err)
	}
	slices.Sort(paths)
	return paths
}

// digest hashes names and contents of files.
func digest(t *testing.T, paths []string) string {
	t.Helper()
	h := sha256.New()
	for _, path := range paths {
		data := readFile(t, path)
		name := filepath.Base(path)
		fmt.Fprintf(h, "%s %d\n", name[strings.IndexAny(name, "-."):], len(data))
		h.Write([]byte(data))
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
