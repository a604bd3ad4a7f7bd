//go:build unix

package inspect

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

// TestOnlyTheHead describes a model of 100 GB, of which only the head exists: the
// file is a hole, which is cut off once the model is open. From then on touching
// tensor data faults.
func TestOnlyTheHead(t *testing.T) {
	s := shard{metadata: bert.shards[0].metadata}
	for i := range 25 {
		s.tensors = append(s.tensors, gguf.TensorInfo{
			Name: fmt.Sprintf("blk.%d.ffn_up.weight", i), Type: gguf.TypeF32, Shape: []int64{10_000, 100_000},
		})
	}
	path := filepath.Join(t.TempDir(), "large.gguf")
	writeModel(t, path, s, nil, false)
	size, err := gguf.FileSize(s.metadata, s.tensors, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, f.Shards[0].DataAt); err != nil {
		t.Fatal(err)
	}

	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	if touch(f) {
		t.Fatal("tensor data can still be read, so this test shows nothing")
	}
	r := Describe(f)
	if r.Totals.Bytes != 100e9 || r.Totals.Parameters != 25e9 || r.Size != size {
		t.Errorf("totals are %+v in %d bytes", r.Totals, r.Size)
	}
	writeText(t, r, Options{Full: true})
	if _, err := r.JSON(true); err != nil {
		t.Error(err)
	}
}

// touch reports whether tensor data can be read.
func touch(f *gguf.File) (ok bool) {
	defer func() { ok = recover() == nil }()
	data := f.Stored(f.Tensors[12])
	sink = data[len(data)/2]
	return true
}

var sink byte
