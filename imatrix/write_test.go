package imatrix

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

// What llama-imatrix made of the inputs in testdata/golden, to the byte. Where
// an entry has counts of a matrix that saw nothing, the .dat format has ones.
func TestGolden(t *testing.T) {
	for _, c := range []struct {
		output string
		chunk  int
		inputs []string
	}{
		{"a-again.gguf", 0, []string{"a.gguf"}},
		{"a.dat", 512, []string{"a.gguf"}},
		{"b.dat", 512, []string{"b.gguf"}},
		{"a+b.gguf", 0, []string{"a.gguf", "b.gguf"}},
		{"a+b-128.dat", 128, []string{"a.gguf", "b.gguf"}},
		{"old-64.gguf", 64, []string{"old.dat"}},
		{"old+a.gguf", 0, []string{"old.dat", "a.gguf"}},
		{"old+a.dat", 512, []string{"old.dat", "a.gguf"}},
	} {
		t.Run(c.output, func(t *testing.T) {
			var files []*File
			for _, name := range c.inputs {
				files = append(files, readGolden(t, name))
			}
			merged, err := Merge(c.chunk, files...)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if strings.HasSuffix(c.output, ".dat") {
				err = merged.WriteLegacy(&b)
			} else {
				err = merged.WriteGGUF(&b)
			}
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(goldenPath(c.output))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b.Bytes(), want) {
				t.Errorf("%d bytes that differ from the %d of llama-imatrix", b.Len(), len(want))
			}
		})
	}
}

func goldenPath(name string) string { return filepath.Join("testdata", "golden", name) }

func readGolden(t testing.TB, name string) *File {
	t.Helper()
	f, err := Read(goldenPath(name))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What llama-imatrix wrote is read and written without a change.
func TestRewrite(t *testing.T) {
	for _, name := range []string{"a.gguf", "a-again.gguf", "old+a.gguf", "a.dat", "b.dat", "old.dat"} {
		f := readGolden(t, name)
		var b bytes.Buffer
		encode := f.WriteGGUF
		if f.ChunkSize == 0 {
			encode = f.WriteLegacy
		}
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(goldenPath(name))
		if err != nil {
			t.Fatal(err)
		}
		// The inputs are the script's: their numbers are the same, but not all bytes.
		if !bytes.Equal(b.Bytes(), want) && name != "a.gguf" {
			t.Errorf("%s changes when it is written", name)
		}
		again, err := Read(write(t, name, b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		again.Path = f.Path
		if !reflect.DeepEqual(f, again) {
			t.Errorf("%s: %+v becomes %+v", name, f, again)
		}
	}
}

func TestMergeShapes(t *testing.T) {
	file := func(path string, sums []float32, counts ...int64) *File {
		return &File{Path: path, ChunkSize: 16, Entries: map[string]*Entry{"w": {SumSquares: sums, Counts: counts}}}
	}
	one, four := file("one", []float32{1, 2, 3, 4}, 10), file("four", []float32{5, 6, 7, 8}, 1, 2, 3, 4)
	for _, c := range []struct {
		files  []*File
		sums   []float32
		counts []int64
	}{
		{[]*File{one, four}, []float32{6, 8, 10, 12}, []int64{11, 12, 13, 14}},
		{[]*File{four, one}, []float32{6, 8, 10, 12}, []int64{11, 12, 13, 14}},
		{[]*File{four}, []float32{5, 6, 7, 8}, []int64{1, 2, 3, 4}},
	} {
		m, err := Merge(0, c.files...)
		if err != nil {
			t.Fatal(err)
		}
		if e := m.Entries["w"]; !reflect.DeepEqual(e.SumSquares, c.sums) || !reflect.DeepEqual(e.Counts, c.counts) || m.ChunkSize != 16 {
			t.Errorf("%v of %v in chunks of %d, want %v of %v", e.SumSquares, e.Counts, m.ChunkSize, c.sums, c.counts)
		}
	}
	for _, c := range []struct {
		file *File
		want string
	}{
		{file("short", []float32{1, 2}, 10), `short: weight "w": it has 2 sums, and 4 in a file before; is it of another model?`},
		{file("halves", []float32{1, 2, 3, 4}, 10, 10), `halves: weight "w": it has 2 matrices, and 4 in a file before`},
	} {
		if _, err := Merge(0, four, c.file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error is %v, want %q in it", err, c.want)
		} else {
			checkError(t, err)
		}
	}
	// Three files give the sum that is rounded once.
	small, large := file("", []float32{1}, 1), file("", []float32{1 << 24}, 1)
	if m, err := Merge(0, large, small, small); err != nil || m.Entries["w"].SumSquares[0] != 1<<24+2 {
		t.Errorf("sums %v, error %v", m.Entries["w"].SumSquares, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	empty := &File{ChunkSize: 512, Entries: map[string]*Entry{"w": {SumSquares: []float32{1, 2, 3}, Counts: []int64{1, 1}}}}
	unsized := &File{Entries: map[string]*Entry{"w": {SumSquares: []float32{1}, Counts: []int64{1}}}}
	long := &File{ChunkSize: 512, Entries: map[string]*Entry{strings.Repeat("w", 70000): {SumSquares: []float32{1}, Counts: []int64{1}}}}
	for _, c := range []struct {
		err  error
		want string
	}{
		{empty.WriteGGUF(io.Discard), `"w" has 3 sums and 2 counts`},
		{empty.WriteLegacy(io.Discard), `"w" has 3 sums and 2 counts`},
		{unsized.WriteGGUF(io.Discard), "the size of a chunk is not known"},
		{long.WriteGGUF(io.Discard), "write an importance file"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("error is %v, want %q in it", c.err, c.want)
		}
	}
	if _, err := Merge(0, empty); err == nil {
		t.Error("sums that counts do not divide are merged")
	}
}

// A file of a measurement that is not complete says where it stands; others
// read it as any.
func TestState(t *testing.T) {
	sums := tensor{"a.in_sum2", []int64{2}, []float32{1, 2}}
	counts := tensor{"a.counts", []int64{1}, []float32{1}}
	state := State{Model: "m", Work: "w", Done: 3, Total: 4, Tokens: 510, NLL: 1.25, Square: 2.5}
	f := &File{ChunkSize: 512, Datasets: []string{"d"}, State: &state, Entries: map[string]*Entry{
		"a": {SumSquares: []float32{1, 2}, Counts: []int64{1}, exact: []float64{1 + 0x1p-40, 2}}}}
	var b bytes.Buffer
	if err := f.WriteGGUF(&b); err != nil {
		t.Fatal(err)
	}
	f.Path = write(t, "partial.gguf", b.Bytes())
	if got, err := Read(f.Path); err != nil || !reflect.DeepEqual(got, f) {
		t.Errorf("got %+v, error %v, want %+v", got, err, f)
	}
	with := func(key string, v gguf.Value) *gguf.Metadata {
		return metadata(func(md *gguf.Metadata) { state.set(md); md.Set(key, v) })
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"more done than there is", encodeGGUF(t, with(keyDone, gguf.ValueOf(uint32(5))), sums, counts), `key "gguftool.imatrix.done": must be at most`},
		{"a model that is a number", encodeGGUF(t, with(keyModel, gguf.ValueOf(uint32(5))), sums, counts), `key "gguftool.imatrix.model": must be a string`},
		{"a negative total", encodeGGUF(t, with(keyTotal, gguf.ValueOf(int32(-1))), sums, counts), `key "gguftool.imatrix.total": must be a count`},
		{"a sum that is text", encodeGGUF(t, with(keyNLL, gguf.ValueOf("1")), sums, counts), `key "gguftool.imatrix.perplexity_nll": must be a finite float`},
		{"exact sums that are not", encodeGGUF(t, metadata(), sums, counts, tensor{"a.in_sum2_exact", []int64{2}, []float32{1, 2}}), `tensor "a.in_sum2_exact": is 2 numbers of type F32, not 2 of F64`},
		{"exact sums too few", encodeGGUF(t, metadata(), sums, counts, tensor{"a.in_sum2_exact", []int64{1}, []float64{1}}), `is 1 numbers of type F64`},
		{"exact sums of others", encodeGGUF(t, metadata(), sums, counts, tensor{"a.in_sum2_exact", []int64{2}, []float64{1, 3}}), "sum 1 is 3, and 2 in a.in_sum2"},
	} {
		if _, err := Read(write(t, "state.gguf", c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want %q in it", c.name, err, c.want)
		} else {
			checkError(t, err)
		}
	}
}
