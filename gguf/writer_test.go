package gguf_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

func keys(pairs ...any) *gguf.Metadata {
	var md gguf.Metadata
	for i := 0; i < len(pairs); i += 2 {
		md.Set(pairs[i].(string), pairs[i+1].(gguf.Value))
	}
	return &md
}

func one(t gguf.Type, shape ...int64) []gguf.TensorInfo {
	return []gguf.TensorInfo{{Name: "t", Type: t, Shape: shape}}
}

func nested(depth int) gguf.Value {
	v := gguf.ArrayOf([]uint8{1})
	for range depth - 1 {
		v = gguf.ArrayOfArrays([]gguf.Value{v})
	}
	return v
}

// What the reader refuses cannot be written.
func TestWriterRefuses(t *testing.T) {
	big := &gguf.WriterOptions{ByteOrder: binary.BigEndian}
	none := keys()
	for _, c := range []struct {
		want    string
		md      *gguf.Metadata
		tensors []gguf.TensorInfo
		opts    *gguf.WriterOptions
	}{
		{"GGUF version 1 in LittleEndian order cannot be written; use version 3", none, nil, &gguf.WriterOptions{Version: 1}},
		{"GGUF version 4 in ", none, nil, &gguf.WriterOptions{Version: 4}},
		{"GGUF version 2 in BigEndian order", none, nil, &gguf.WriterOptions{Version: 2, ByteOrder: binary.BigEndian}},
		{`key "": name is empty`, keys("", gguf.ValueOf("x")), nil, nil},
		{`key "k": has no value`, keys("k", gguf.Value{}), nil, nil},
		{`key "\xff": name "\xff" is not UTF-8`, keys("\xff", gguf.ValueOf("x")), nil, nil},
		{`name has 65536 bytes, more than 65535`, keys(strings.Repeat("k", 1<<16), gguf.ValueOf("x")), nil, nil},
		{`key "k": arrays are nested deeper than 8`, keys("k", nested(9)), nil, nil},
		{`key "k": element 0 is a u8, not an array`, keys("k", gguf.ArrayOfArrays([]gguf.Value{gguf.ValueOf[uint8](1)})), nil, nil},
		{`key "general.alignment": is 3, not a power of two`, keys(gguf.KeyAlignment, gguf.ValueOf[uint32](3)), nil, nil},
		{`tensor "t": occurs twice`, none, append(one(gguf.TypeF32, 1), one(gguf.TypeF32, 1)...), nil},
		{`name has 64 bytes, more than 63`, none, []gguf.TensorInfo{{Name: strings.Repeat("n", 64), Shape: []int64{1}}}, nil},
		{`tensor "t": has 0 dimensions, not 1 to 4`, none, one(gguf.TypeF32), nil},
		{`tensor "t": has 5 dimensions, not 1 to 4`, none, one(gguf.TypeF32, 1, 1, 1, 1, 1), nil},
		{`tensor "t": shape [-1] has a negative dimension`, none, one(gguf.TypeF32, -1), nil},
		{`tensor "t": rows of 33 elements are not whole blocks of 32, as Q8_0 needs`, none, one(gguf.TypeQ8_0, 33), nil},
		{`tensor "t": shape [9223372036854775807] of F32 has more bytes than fit into 63 bits`, none, one(gguf.TypeF32, math.MaxInt64), nil},
		{`tensor "t": the file would be larger than 2^63 bytes`, none, one(gguf.TypeI8, math.MaxInt64), nil},
		{`tensor "t": type 43 is not known`, none, one(43, 1), nil},
		{`tensor "t": IQ2_KS has a layout that is not known, so its size must be given`, none, one(145, 256), nil},
		{`tensor "t": has 4 bytes, not 5`, none, []gguf.TensorInfo{{Name: "t", Shape: []int64{1}, Size: 5}}, nil},
		{`tensor "t": the big-endian layout of IQ2_S is not defined; write the file in little-endian order`, none, one(gguf.TypeIQ2S, 256), big},
	} {
		_, err := gguf.NewWriter(io.Discard, c.md, c.tensors, c.opts)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, not %s", err, c.want)
		}
		if _, err2 := gguf.FileSize(c.md, c.tensors, c.opts); err2 == nil || err == nil || err2.Error() != err.Error() {
			t.Errorf("FileSize: %v, not %v", err2, err)
		}
	}
}

func TestWriterAmount(t *testing.T) {
	tensors := []gguf.TensorInfo{
		{Name: "empty", Type: gguf.TypeF32, Shape: []int64{0, 3}},
		{Name: "a", Type: gguf.TypeI8, Shape: []int64{3}},
		{Name: "b", Type: gguf.TypeI8, Shape: []int64{2}},
		{Name: "none", Type: gguf.TypeF32, Shape: []int64{4, 0}},
	}
	w, err := gguf.NewWriter(io.Discard, keys(), tensors, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.Write([]byte{1, 2, 3, 4}); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	if err := w.Close(); err == nil || err.Error() != `tensor "b": 1 of its 2 bytes were not written` {
		t.Errorf("Close: %v", err)
	}
	if n, err := w.Write([]byte{5, 6, 7}); n != 1 || err == nil || err.Error() != "2 bytes more than the tensors hold" {
		t.Errorf("Write: %d, %v", n, err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// A failing writer takes n bytes.
type failing struct{ n int }

var errFull = errors.New("full")

func (f *failing) Write(p []byte) (int, error) {
	if len(p) > f.n {
		return f.n, errFull
	}
	f.n -= len(p)
	return len(p), nil
}

// An error of the file below surfaces, wherever it strikes.
func TestWriterError(t *testing.T) {
	for _, opts := range []*gguf.WriterOptions{nil, {ByteOrder: binary.BigEndian}} {
		tensors := append(one(gguf.TypeQ4_0, 32, 2), gguf.TensorInfo{Name: "u", Type: gguf.TypeF32, Shape: []int64{5}})
		size, err := gguf.FileSize(keys(), tensors, opts)
		if err != nil {
			t.Fatal(err)
		}
		for n := range size + 1 {
			w, err := gguf.NewWriter(&failing{int(n)}, keys(), tensors, opts)
			if err == nil {
				if _, err = w.Write(make([]byte, 36+20)); err == nil {
					err = w.Close()
				}
			}
			if (n < size) != errors.Is(err, errFull) {
				t.Errorf("after %d of %d bytes: %v", n, size, err)
			}
		}
	}
}

// Formats of other projects are copied as they are.
func TestForeignTypes(t *testing.T) {
	tensors := []gguf.TensorInfo{
		{Name: "a", Type: 144, Shape: []int64{256, 2}, Size: 280},
		{Name: "b", Type: gguf.TypeF32, Shape: []int64{2}},
		{Name: "c", Type: 31, Shape: []int64{32}, Size: 18},
	}
	path := filepath.Join(t.TempDir(), "foreign.gguf")
	var out bytes.Buffer
	w, err := gguf.NewWriter(&out, keys(), tensors, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(bytes.Repeat([]byte{7}, 280+8+18)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	// Where the layout is not known, the padding counts as data.
	for i, size := range []int64{288, 8, 32} {
		if f.Tensors[i].Size != size {
			t.Errorf("%s has %d bytes, not %d", f.Tensors[i].Name, f.Tensors[i].Size, size)
		}
	}
	_, err = f.Data(f.Tensors[0], 0, 1, nil)
	if _, ok := errors.AsType[*gguf.UnsupportedError](err); !ok || !strings.Contains(err.Error(), `tensor "a": the layout of IQ4_KS is not known`) {
		t.Errorf("Data: %v", err)
	}
	if got := rewrite(t, f, 0); !bytes.Equal(got, out.Bytes()) {
		t.Error("differs after rewriting")
	}
}
