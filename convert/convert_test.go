package convert_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/convert"
	"github.com/gguftool/gguftool/embedding"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/hostilecheckpoint"
)

const (
	minilm = "testdata/checkpoints/all-MiniLM-L6-v2"
	mxbai  = "testdata/checkpoints/mxbai-embed-large-v1"
)

func run(t *testing.T, dir string, opts *convert.Options) (*convert.Report, *gguf.File) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.gguf")
	report, err := convert.Run(context.Background(), dir, out, opts)
	if err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return report, f
}

func TestParseFileType(t *testing.T) {
	for name, want := range map[string]gguf.FileType{
		"f32": gguf.FileF32, "F16": gguf.FileF16, "bf16": gguf.FileBF16, "q8_0": gguf.FileQ8_0, "Auto": gguf.FileGuessed,
	} {
		if got, err := convert.ParseFileType(name); err != nil || got != want {
			t.Errorf("%s is %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "q4_k_m", "Q4_0", "1", "f64"} {
		if _, err := convert.ParseFileType(name); err == nil || !strings.Contains(err.Error(), "f32, f16, bf16, q8_0 or auto") {
			t.Errorf("%q: error %v", name, err)
		}
	}
	_, err := convert.Open(minilm, &convert.Options{FileType: gguf.FileQ4_K_M})
	if err == nil || !strings.Contains(err.Error(), "not to Q4_K") {
		t.Errorf("error %v", err)
	}
}

func TestName(t *testing.T) {
	_, f := run(t, minilm, &convert.Options{Name: "My Model"})
	if name := f.Metadata.Text("general.name"); name != "My Model" {
		t.Errorf("name %q", name)
	}
}

// What llama.cpp's converter leaves out is reported, and stored where asked for.
func TestExtras(t *testing.T) {
	plain, without := run(t, mxbai, nil)
	stored, with := run(t, mxbai, &convert.Options{Extras: true})
	for k := range without.Metadata.All() {
		if strings.HasPrefix(k, "gguftool.") {
			t.Errorf("%s without being asked", k)
		}
	}
	if !slices.ContainsFunc(plain.Notes, func(n string) bool { return strings.Contains(n, "prompts") }) {
		t.Errorf("notes %q do not mention the prompts", plain.Notes)
	}
	if slices.ContainsFunc(stored.Notes, func(n string) bool { return strings.Contains(n, "prompts") }) {
		t.Errorf("notes %q mention prompts that are stored", stored.Notes)
	}
	names, _ := gguf.Array[string](with.Metadata, "gguftool.prompt.names")
	texts, _ := gguf.Array[string](with.Metadata, "gguftool.prompt.texts")
	if !slices.Equal(names, []string{"passage", "query"}) ||
		!slices.Equal(texts, []string{"", "Represent this sentence for searching relevant passages: "}) {
		t.Errorf("prompts %q: %q", names, texts)
	}
	if normalize, ok := with.Metadata.Bool("gguftool.normalize"); !ok || normalize {
		t.Errorf("normalize is %v, %v", normalize, ok)
	}

	if _, ok := with.Metadata.Lookup("gguftool.include_prompt"); ok {
		t.Error("include_prompt is stored although the prompt's tokens are pooled")
	}

	report, f := run(t, minilm, &convert.Options{Extras: true})
	if n, _ := f.Metadata.Int("gguftool.max_seq_length"); n != 16 {
		t.Errorf("max_seq_length is %d", n)
	}
	if normalize, _ := f.Metadata.Bool("gguftool.normalize"); !normalize {
		t.Error("normalize is not stored")
	}
	if len(report.Dropped) != 3 {
		t.Errorf("dropped %v", report.Dropped)
	}
}

// Whether the tokens of a prompt are pooled is stored with it.
func TestPromptLeftOut(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(mxbai)); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"1_Pooling/config.json":             `{"pooling_mode": "mean", "include_prompt": false}`,
		"config_sentence_transformers.json": `{"prompts": {"query": "query: "}, "default_prompt_name": "query"}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(file)), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	_, f := run(t, dir, &convert.Options{Extras: true})
	got, err := embedding.PromptsOf(f.Metadata)
	want := &embedding.Prompts{Names: []string{"query"}, Texts: []string{"query: "}, Default: "query", Unpooled: true}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	_, f = run(t, dir, nil)
	if got, err := embedding.PromptsOf(f.Metadata); err != nil || !reflect.DeepEqual(got, new(embedding.Prompts)) {
		t.Errorf("without extras: %+v, %v", got, err)
	}
}

func TestDropModules(t *testing.T) {
	for _, c := range hostilecheckpoint.Cases() {
		if c.Name != "Dense module" {
			continue
		}
		dir := t.TempDir()
		if err := c.Write(dir); err != nil {
			t.Fatal(err)
		}
		report, f := run(t, dir, &convert.Options{DropModules: true})
		if !strings.Contains(strings.Join(report.Notes, "\n"), `the modules ["Dense"] are left out`) {
			t.Errorf("notes %q", report.Notes)
		}
		if n, _ := f.Metadata.Int("bert.pooling_type"); n != 1 {
			t.Errorf("pooling type %d", n)
		}
		return
	}
	t.Fatal("no case of a Dense module")
}

func TestOverwrite(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.gguf")
	if err := os.WriteFile(out, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := convert.Run(context.Background(), minilm, out, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v", err)
	}
	if data, err := os.ReadFile(out); err != nil || string(data) != "mine" {
		t.Errorf("the file is now %q, %v", data, err)
	}
	if _, err := convert.Run(context.Background(), minilm, out, &convert.Options{Overwrite: true}); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(out); err != nil || info.Size() < 1000 {
		t.Errorf("the file is %v, %v", info, err)
	}
}

func TestProgressAndCancel(t *testing.T) {
	var last, total int64
	report, f := run(t, minilm, &convert.Options{Progress: func(done, of int64) {
		if done <= last || done > of {
			t.Errorf("%d of %d after %d", done, of, last)
		}
		last, total = done, of
	}})
	var bytes int64
	for _, x := range f.Tensors {
		bytes += x.Size
	}
	if last != bytes || total != bytes || report.Parameters != bytes/4 {
		t.Errorf("progress ended at %d of %d for %d parameters, want %d bytes", last, total, report.Parameters, bytes)
	}

	ctx, cancel := context.WithCancel(context.Background())
	dir := t.TempDir()
	_, err := convert.Run(ctx, minilm, filepath.Join(dir, "out.gguf"), &convert.Options{Progress: func(int64, int64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A Model gives any rows of its tensors, as bytes and as numbers, without a file:
// also where rows or numbers are changed on the way.
func TestRows(t *testing.T) {
	for _, checkpoint := range []string{minilm, "testdata/checkpoints/" + llama2, "testdata/checkpoints/" + llama3, "testdata/checkpoints/" + embGemma} {
		for _, typ := range []gguf.FileType{gguf.FileF32, gguf.FileF16, gguf.FileBF16, gguf.FileQ8_0} {
			compareRows(t, checkpoint, typ)
		}
	}
}

func compareRows(t *testing.T, checkpoint string, typ gguf.FileType) {
	m, err := convert.Open(checkpoint, &convert.Options{FileType: typ})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	_, f := run(t, checkpoint, &convert.Options{FileType: typ})
	var b convert.Buffer
	for i, x := range m.Tensors {
		stored := f.Stored(f.Tensors[i])
		n := x.Rows()
		rowBytes := int64(len(stored)) / n
		for _, rows := range [][2]int64{{0, n}, {0, 1}, {n / 2, n}, {n, n}, {n / 3, n/2 + 1}, {n - 1, n}} {
			data, err := x.Data(rows[0], rows[1], &b)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(data, stored[rows[0]*rowBytes:rows[1]*rowBytes]) {
				t.Errorf("%s: %s of %s: rows %v differ", checkpoint, x.Name, typ, rows)
			}
			x.Done(rows[0], rows[1])
		}
		if floats := x.Floats(0, n, &b); x.Type == gguf.TypeF32 &&
			math.Float32bits(floats[len(floats)-1]) != binary.LittleEndian.Uint32(stored[len(stored)-4:]) {
			t.Errorf("%s: %s ends with %v", checkpoint, x.Name, floats[len(floats)-1])
		}
	}
}

func TestNotes(t *testing.T) {
	for dir, want := range map[string][]string{
		"all-MiniLM-L6-v2":                                {"cuts texts off at 16 tokens (max_seq_length); the file allows 24"},
		"bge-small-en-v1.5":                               nil,
		"mxbai-embed-large-v1":                            {`puts prompts before texts (["passage" "query"])`},
		"ms-marco-MiniLM-L6-12x4M-chat":                   {"the classifier reads the output of the pooler"},
		"distilbert-base-uncased-finetuned-sst-2-english": nil,
	} {
		m, err := convert.Open(filepath.Join("testdata/checkpoints", dir), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		notes := slices.DeleteFunc(m.Notes, func(n string) bool { return strings.HasPrefix(n, "the vocabulary is none") })
		for i, n := range notes {
			if i >= len(want) || !strings.Contains(n, want[i]) {
				t.Errorf("%s: %s", dir, n)
			}
		}
		if len(notes) < len(want) {
			t.Errorf("%s: notes %q, want %q", dir, notes, want)
		}
	}
}
