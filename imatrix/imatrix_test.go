package imatrix

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// legacy returns a file of the older format: strings as they are, with their
// length in front, int32 and float32 values.
func legacy(parts ...any) []byte {
	var b bytes.Buffer
	for _, p := range parts {
		if s, ok := p.(string); ok {
			binary.Write(&b, binary.LittleEndian, int32(len(s)))
			b.WriteString(s)
			continue
		}
		if n, ok := p.(int); ok {
			p = int32(n)
		}
		binary.Write(&b, binary.LittleEndian, p)
	}
	return b.Bytes()
}

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLegacy(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		want File
	}{
		{
			"with trailer",
			legacy(2, "blk.0.a.weight", 4, 3, []float32{8, 2, 0}, "b", 1, 1, float32(5), 7, "wiki.txt"),
			File{Chunks: 7, Datasets: []string{"wiki.txt"}, Entries: map[string]*Entry{
				"blk.0.a.weight": {SumSquares: []float32{8, 2, 0}, Counts: []int64{4}}, "b": {SumSquares: []float32{5}, Counts: []int64{1}}}},
		},
		{
			"without dataset",
			legacy(1, "a", 2, 1, float32(3), 9, ""),
			File{Chunks: 9, Entries: map[string]*Entry{"a": {SumSquares: []float32{3}, Counts: []int64{2}}}},
		},
		{
			"with chunks only",
			legacy(1, "a", 2, 1, float32(3), 9),
			File{Chunks: 9, Entries: map[string]*Entry{"a": {SumSquares: []float32{3}, Counts: []int64{2}}}},
		},
		{
			"without trailer or calls",
			legacy(1, "a", 0, 2, []float32{3, 4}),
			File{Entries: map[string]*Entry{"a": {SumSquares: []float32{3, 4}, Counts: []int64{1}}}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Path = write(t, "imatrix.dat", c.data)
			f, err := Read(c.want.Path)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*f, c.want) {
				t.Errorf("got %+v, want %+v", *f, c.want)
			}
		})
	}
}

// metadata returns the keys of the newer format with changes.
func metadata(change ...func(md *gguf.Metadata)) *gguf.Metadata {
	md := new(gguf.Metadata)
	md.Set("general.type", gguf.ValueOf("imatrix"))
	md.Set(keyDatasets, gguf.ArrayOf([]string{"a.txt", "b.txt"}))
	md.Set(keyChunkCount, gguf.ValueOf(uint32(12)))
	md.Set(keyChunkSize, gguf.ValueOf(uint32(512)))
	for _, f := range change {
		f(md)
	}
	return md
}

type tensor struct {
	name  string
	shape []int64
	data  any // []float32, or another slice for another type
}

func encodeGGUF(t testing.TB, md *gguf.Metadata, tensors ...tensor) []byte {
	t.Helper()
	var infos []gguf.TensorInfo
	for _, x := range tensors {
		info := gguf.TensorInfo{Name: x.name, Type: gguf.TypeF32, Shape: x.shape}
		switch x.data.(type) {
		case []int32:
			info.Type = gguf.TypeI32
		case []float64:
			info.Type = gguf.TypeF64
		}
		infos = append(infos, info)
	}
	var b bytes.Buffer
	w, err := gguf.NewWriter(&b, md, infos, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range tensors {
		if err := binary.Write(w, binary.LittleEndian, x.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGGUF(t *testing.T) {
	path := write(t, "imatrix.gguf", encodeGGUF(t, metadata(),
		tensor{"blk.0.attn_q.weight.counts", []int64{1, 1}, []float32{4}},
		tensor{"blk.0.attn_q.weight.in_sum2", []int64{3, 1}, []float32{8, 2, 0}},
		tensor{"blk.0.ffn_up_exps.weight.in_sum", []int64{2, 2}, []float32{-1, -1, -1, -1}},
		tensor{"blk.0.ffn_up_exps.weight.in_sum2", []int64{2, 2}, []float32{5, 10, 7, 7}},
		tensor{"blk.0.ffn_up_exps.weight.counts", []int64{1, 2}, []float32{5, 0}},
	))
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	want := File{Path: path, Chunks: 12, ChunkSize: 512, Datasets: []string{"a.txt", "b.txt"}, Entries: map[string]*Entry{
		"blk.0.attn_q.weight":      {SumSquares: []float32{8, 2, 0}, Counts: []int64{4}},
		"blk.0.ffn_up_exps.weight": {SumSquares: []float32{5, 10, 7, 7}, Counts: []int64{5, 0}},
	}}
	if !reflect.DeepEqual(*f, want) {
		t.Errorf("got %+v, want %+v", *f, want)
	}
	means := map[string][]float32{"blk.0.attn_q.weight": {2, 0.5, 0}, "blk.0.ffn_up_exps.weight": {1, 2, 1, 1}}
	if got := f.Importance(); !reflect.DeepEqual(got, means) {
		t.Errorf("importance is %v, want %v", got, means)
	}
}

func TestSelect(t *testing.T) {
	all := []string{"blk.0.attn_q.weight", "blk.0.attn_v.weight", "blk.1.attn_v.weight", "output.weight"}
	for _, c := range []struct{ include, exclude, want []string }{
		{nil, nil, all},
		{[]string{"attn_v"}, nil, all[1:3]},
		{[]string{"attn_q", "output"}, nil, []string{all[0], all[3]}},
		{nil, []string{"blk.0", "out"}, all[2:3]},
		{[]string{"attn"}, []string{"_q"}, all[1:3]},
		{[]string{"nothing"}, nil, nil},
	} {
		f := &File{Entries: map[string]*Entry{}}
		for _, name := range all {
			f.Entries[name] = new(Entry)
		}
		f.Select(c.include, c.exclude)
		if got := slices.Sorted(maps.Keys(f.Entries)); !slices.Equal(got, c.want) {
			t.Errorf("include %q, exclude %q: %q, want %q", c.include, c.exclude, got, c.want)
		}
	}
}

func TestHostile(t *testing.T) {
	sums := tensor{"a.in_sum2", []int64{4}, []float32{1, 2, 3, 4}}
	counts := tensor{"a.counts", []int64{2}, []float32{1, 1}}
	with := func(key string, v gguf.Value) *gguf.Metadata {
		return metadata(func(md *gguf.Metadata) { md.Set(key, v) })
	}
	without := func(key string) *gguf.Metadata { return metadata(func(md *gguf.Metadata) { md.Delete(key) }) }
	withCounts := func(n ...float32) []byte {
		return encodeGGUF(t, metadata(), sums, tensor{"a.counts", []int64{int64(len(n))}, n})
	}
	whole := legacy(1, "a", 2, 1, float32(3), 9, "data")
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "the file ends in the number of entries"},
		{"three bytes", []byte("abc"), "the file ends in the number of entries"},
		{"no entries", legacy(0), "the number of entries: 0 do not fit into the 0 bytes that follow"},
		{"negative entries", legacy(-1, "a"), "the number of entries: -1 do not fit"},
		{"more entries than bytes", legacy(math.MaxInt32, "a"), "the number of entries: 2147483647 do not fit into the 5 bytes"},
		{"fewer entries than said", legacy(2, "a", 2, 1, float32(3)), "the file ends in the name of entry 1 (at byte 21)"},
		{"empty name", legacy(1, "", 2, 1, float32(3)), "the name of entry 0: 0 bytes of the"},
		{"negative name", legacy(1, -5, 2, 1, float32(3)), "the name of entry 0: -5 bytes of the"},
		{"name beyond the end", legacy(1, 100, "a"), "the name of entry 0: 100 bytes of the 5 that follow"},
		{"zero byte in a name", legacy(1, "a\x00b", 2, 1, float32(3)), "the name of entry 0 holds a zero byte"},
		{"no calls", legacy(1, "a"), "the file ends in the calls of entry 0"},
		{"no values", legacy(1, "a", 2, 0), "the values of entry 0: 0 do not fit"},
		{"negative values", legacy(1, "a", 2, -1, float32(3)), "the values of entry 0: -1 do not fit"},
		{"values beyond the end", legacy(1, "a", 2, 2, float32(3)), "the values of entry 0: 2 do not fit into the 4 bytes that follow (at byte 17)"},
		{"values that overflow", legacy(1, "a", 2, math.MaxInt32, float32(3)), "the values of entry 0: 2147483647 do not fit"},
		{"same name twice", legacy(2, "a", 2, 1, float32(3), "a", 2, 1, float32(3)), `entry 1 is for "a" like one before it`},
		{"cut trailer", whole[:len(whole)-10], "the file ends in the number of chunks"},
		{"cut dataset", whole[:len(whole)-1], "the dataset: 4 bytes of the 3 that follow"},
		{"bytes after the end", append(slices.Clone(whole), 0), "1 bytes follow the end"},

		{"cut GGUF", encodeGGUF(t, metadata(), sums, counts)[:100], ""},
		{"no GGUF tensors", encodeGGUF(t, metadata()), "it holds no measurements"},
		{"a model", encodeGGUF(t, new(gguf.Metadata), tensor{"token_embd.weight", []int64{4}, []float32{1, 2, 3, 4}}), `key "imatrix.datasets": must be an array of strings; it is no importance file`},
		{"datasets of numbers", encodeGGUF(t, with(keyDatasets, gguf.ArrayOf([]int32{1})), sums, counts), `key "imatrix.datasets": must be an array of strings`},
		{"no chunk count", encodeGGUF(t, without(keyChunkCount), sums, counts), `key "imatrix.chunk_count": must be a count`},
		{"negative chunk count", encodeGGUF(t, with(keyChunkCount, gguf.ValueOf(int32(-1))), sums, counts), `key "imatrix.chunk_count": must be a count`},
		{"chunk size of text", encodeGGUF(t, with(keyChunkSize, gguf.ValueOf("512")), sums, counts), `key "imatrix.chunk_size": must be a count`},
		{"huge chunk size", encodeGGUF(t, with(keyChunkSize, gguf.ValueOf(uint64(1<<63))), sums, counts), `key "imatrix.chunk_size": must be a count`},
		{"a number as weighing", encodeGGUF(t, with(keyWeighing, gguf.ValueOf(uint32(1))), sums, counts), `key "gguftool.imatrix.weighing": must be tokens or vectors`},
		{"an unknown weighing", encodeGGUF(t, with(keyWeighing, gguf.ValueOf("rows")), sums, counts), `key "gguftool.imatrix.weighing": must be tokens or vectors`},
		{"no counts", encodeGGUF(t, metadata(), sums), `tensor "a.in_sum2": there is no a.counts to go with it`},
		{"no sums", encodeGGUF(t, metadata(), counts), `tensor "a.counts": there is no a.in_sum2 to go with it`},
		{"integer sums", encodeGGUF(t, metadata(), tensor{"a.in_sum2", []int64{4}, []int32{1, 2, 3, 4}}, counts), `tensor "a.in_sum2": is I32, not F32`},
		{"integer counts", encodeGGUF(t, metadata(), sums, tensor{"a.counts", []int64{2}, []int32{1, 2}}), `tensor "a.counts": is I32, not F32`},
		{"counts that do not divide sums", withCounts(1, 1, 1), `tensor "a.counts": 3 counts for 4 sums`},
		{"more counts than sums", withCounts(1, 1, 1, 1, 1), `tensor "a.counts": 5 counts for 4 sums`},
		{"empty counts", withCounts(), `tensor "a.counts": 0 counts for 4 sums`},
		{"negative count", withCounts(-1, 1), `tensor "a.counts": count 0 is -1`},
		{"count that is no number", withCounts(1, float32(math.NaN())), `tensor "a.counts": count 1 is NaN`},
		{"infinite count", withCounts(1, float32(math.Inf(1))), `tensor "a.counts": count 1 is +Inf`},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, "imatrix", c.data)
			_, err := Read(path)
			f, ok := errors.AsType[*fault.FormatError](err)
			if !ok {
				t.Fatalf("error is %v, no FormatError", err)
			}
			if f.File != path || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %q, want %q in it", err, c.want)
			}
		})
	}
}

func TestAbsent(t *testing.T) {
	if _, err := Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}

// checkMeans verifies what callers rely on: entries whose means they can take.
func checkMeans(t *testing.T, f *File) {
	t.Helper()
	for name, means := range f.Importance() {
		if len(means) != len(f.Entries[name].SumSquares) || len(means) == 0 {
			t.Errorf("%d means of %q", len(means), name)
		}
	}
}

// checkRewrite verifies that a file is the same after it was written and read.
func checkRewrite(t *testing.T, f *File) {
	t.Helper()
	var b bytes.Buffer
	encode := f.WriteGGUF
	if f.ChunkSize == 0 {
		encode = f.WriteLegacy
	}
	if err := encode(&b); err != nil {
		t.Fatalf("what was read cannot be written: %v", err)
	}
	path := f.Path + ".again"
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	again, err := Read(path)
	if err != nil {
		t.Fatalf("what was written cannot be read: %v", err)
	}
	for name, e := range f.Entries {
		a := again.Entries[name]
		if a == nil || !slices.Equal(bits(a.SumSquares), bits(e.SumSquares)) || !slices.Equal(a.Counts, e.Counts) {
			t.Errorf("%q: %+v becomes %+v", name, e, a)
		}
	}
	if len(again.Entries) != len(f.Entries) || !slices.Equal(again.Datasets, f.Datasets) || again.Chunks != f.Chunks || again.ChunkSize != f.ChunkSize ||
		!reflect.DeepEqual(again.State, f.State) {
		t.Errorf("%+v becomes %+v", f, again)
	}
}

func bits(x []float32) (b []uint32) {
	for _, v := range x {
		b = append(b, math.Float32bits(v))
	}
	return b
}

func checkError(t *testing.T, err error) {
	t.Helper()
	_, malformed := errors.AsType[*fault.FormatError](err)
	_, unsupported := errors.AsType[*fault.UnsupportedError](err)
	if !malformed && !unsupported {
		t.Errorf("error of an unknown kind: %v", err)
	}
}

func FuzzLegacy(f *testing.F) {
	f.Add(legacy(2, "a", 4, 3, []float32{8, 2, 0}, "b", 0, 1, float32(5), 7, "data"))
	f.Add(legacy(1, "a", -1, 1, float32(math.NaN())))
	f.Add(legacy(math.MaxInt32, math.MaxInt32))
	path := filepath.Join(f.TempDir(), "imatrix.dat")
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := parseLegacy(path, data)
		if err != nil {
			checkError(t, err)
			return
		}
		checkMeans(t, file)
		checkRewrite(t, file)
		merged, err := Merge(0, file, file)
		if err != nil {
			t.Fatal(err)
		}
		checkMeans(t, merged)
	})
}

func FuzzGGUF(f *testing.F) {
	f.Add(encodeGGUF(f, metadata(),
		tensor{"a.in_sum2", []int64{2, 2}, []float32{1, 2, 3, 4}}, tensor{"a.counts", []int64{1, 2}, []float32{1, 0}}))
	f.Add(encodeGGUF(f, metadata(), tensor{"a.counts", []int64{1}, []float32{1}}))
	f.Add(encodeGGUF(f, metadata((&State{Model: "m", Done: 1, Total: 2, NLL: 1}).set),
		tensor{"a.in_sum2", []int64{2}, []float32{1, 2}}, tensor{"a.counts", []int64{1}, []float32{1}}, tensor{"a.in_sum2_exact", []int64{2}, []float64{1, 2}}))
	path := filepath.Join(f.TempDir(), "imatrix.gguf")
	f.Fuzz(func(t *testing.T, data []byte) {
		if !bytes.HasPrefix(data, []byte("GGUF")) {
			return
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		file, err := Read(path)
		if err != nil {
			checkError(t, err)
			return
		}
		checkMeans(t, file)
		if file.ChunkSize > 0 {
			checkRewrite(t, file)
		}
	})
}
