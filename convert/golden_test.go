package convert_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/convert"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// A golden is what llama.cpp's converter makes of a checkpoint; see
// testdata/golden.py and testdata/models.py.
type golden struct {
	Keys    []string // of the F32 file: name, type and value
	Tensors []string // name and shape
	Files   map[string]struct {
		Name    string
		SHA256  string
		Tensors []string // type and the start of the hash of the data
	}
}

func readGoldens(t *testing.T) map[string]golden {
	t.Helper()
	goldens := make(map[string]golden)
	for _, file := range []string{"testdata/golden.json", "testdata/models.json"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &goldens); err != nil {
			t.Fatal(err)
		}
	}
	return goldens
}

func parseFileType(t *testing.T, outtype string) gguf.FileType {
	t.Helper()
	if outtype == "auto" {
		return gguf.FileGuessed
	}
	ft, err := gguf.ParseFileType(outtype)
	if err != nil {
		t.Fatal(err)
	}
	return ft
}

// TestGolden compares whole files with those of llama.cpp's converter, and says
// what differs.
func TestGolden(t *testing.T) {
	for name, want := range readGoldens(t) {
		for outtype, file := range want.Files {
			for _, threads := range []int{1, 5} {
				t.Run(fmt.Sprintf("%s/%s/%d", name, outtype, threads), func(t *testing.T) {
					out := filepath.Join(t.TempDir(), "out.gguf")
					opts := &convert.Options{FileType: parseFileType(t, outtype), Threads: threads}
					report, err := convert.Run(context.Background(), filepath.Join("testdata/checkpoints", name), out, opts)
					if err != nil {
						t.Fatal(err)
					}
					data, err := os.ReadFile(out)
					if err != nil {
						t.Fatal(err)
					}
					if report.Bytes != int64(len(data)) {
						t.Errorf("report says %d bytes, the file has %d", report.Bytes, len(data))
					}
					if report.FileName != file.Name {
						t.Errorf("file name %q, want %q", report.FileName, file.Name)
					}
					if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != file.SHA256 {
						t.Error("the file differs")
						explain(t, out, want, outtype)
					}
				})
			}
		}
	}
}

// explain reports the keys and tensors that differ.
func explain(t *testing.T, path string, want golden, outtype string) {
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var keys, tensors, data []string
	for k, v := range f.Metadata.All() {
		keys = append(keys, k+" "+valueText(t, v))
	}
	for _, x := range f.Tensors {
		tensors = append(tensors, x.Name+" "+strings.ReplaceAll(strings.Trim(fmt.Sprint(x.Shape), "[]"), " ", "x"))
		data = append(data, fmt.Sprintf("%s %x", x.Type, sha256.Sum256(f.Stored(x)))[:len(x.Type.String())+9])
	}
	if outtype == "f32" {
		compareLists(t, keys, want.Keys)
	}
	compareLists(t, tensors, want.Tensors)
	for i, d := range data {
		if i < len(want.Files[outtype].Tensors) && d != want.Files[outtype].Tensors[i] {
			t.Errorf("%s: %s, want %s", tensors[i], d, want.Files[outtype].Tensors[i])
		}
	}
}

func compareLists(t *testing.T, got, want []string) {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing: %s", want[i])
		case i >= len(want):
			t.Errorf("too much: %s", got[i])
		case got[i] != want[i]:
			t.Errorf("%s\nwant %s", got[i], want[i])
		}
	}
}

// valueText prints a value as testdata/golden.py does.
func valueText(t *testing.T, v gguf.Value) string {
	names := map[gguf.ValueType]string{
		gguf.ValueUint32: "uint32", gguf.ValueInt32: "int32", gguf.ValueFloat32: "float32",
		gguf.ValueBool: "bool", gguf.ValueString: "string",
	}
	typ, value := names[v.Type()], v.Any()
	if v.Type() == gguf.ValueArray {
		typ = "array " + names[v.Elem()]
	}
	bits := func(f float32) string {
		return hex.EncodeToString(binary.LittleEndian.AppendUint32(nil, math.Float32bits(f)))
	}
	switch v := value.(type) {
	case float32:
		value = bits(v)
	case []float32:
		texts := make([]string, len(v))
		for i, f := range v {
			texts[i] = bits(f)
		}
		value = texts
	}
	parts := []any{value}
	list, isList := value.([]string)
	if isList {
		parts = nil
		for _, e := range list {
			parts = append(parts, e)
		}
	}
	var texts []string
	for _, part := range parts {
		var text strings.Builder
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(part); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, strings.TrimSpace(text.String()))
	}
	if isList {
		return typ + " [" + strings.Join(texts, ", ") + "]"
	}
	if v.Type() == gguf.ValueArray {
		return typ + " " + strings.ReplaceAll(texts[0], ",", ", ")
	}
	return typ + " " + texts[0]
}

// Infinities and NaN pass through the float types, as TestGolden checks; a block
// type cannot hold them.
func TestNonFiniteQ8(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.gguf")
	_, err := convert.Run(context.Background(), "testdata/checkpoints/non-finite", out, &convert.Options{FileType: gguf.FileQ8_0})
	if err == nil || !strings.Contains(err.Error(), `tensor "encoder.layer.0.attention.self.value.weight", row 3`) {
		t.Errorf("error %v does not name the row", err)
	}
	if _, ok := errors.AsType[*fault.FormatError](err); !ok {
		t.Errorf("%T, want a FormatError", err)
	}
	entries, err := os.ReadDir(filepath.Dir(out))
	if err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
