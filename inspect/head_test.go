//go:build unix

package inspect

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/emulator"
)

// TestOnlyTheHead describes a model of 100 GB, of which only the head exists: the
// file is a hole, which is cut off once the model is open. From then on touching
// tensor data faults. Under an emulator it is one of 1 GB: qemu 7.2 finds room for
// a map in memory that it asks to be reserved first.
func TestOnlyTheHead(t *testing.T) {
	rows := int64(100_000)
	if emulator.On() {
		rows = 1000
	}
	s := shard{metadata: bert.shards[0].metadata}
	for i := range 25 {
		s.tensors = append(s.tensors, gguf.TensorInfo{
			Name: fmt.Sprintf("blk.%d.ffn_up.weight", i), Type: gguf.TypeF32, Shape: []int64{10_000, rows},
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
	if r.Totals.Bytes != 25*4*10_000*rows || r.Totals.Parameters != 25*10_000*rows || r.Size != size {
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
