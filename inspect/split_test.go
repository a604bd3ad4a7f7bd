package inspect

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// randomModel draws a model as this package writes it, except that shapes may
// end in ones. Keys of shards are left out.
func randomModel(rt *rapid.T) shard {
	s := shard{metadata: metadata()}
	key := rapid.StringMatching(`[a-z]{1,8}\.[a-z]{1,8}`)
	for _, k := range rapid.SliceOfN(key, 0, 6).Draw(rt, "keys") {
		s.metadata.Set(k, value(2).Draw(rt, "value"))
	}
	if rapid.Bool().Draw(rt, "aligned") {
		s.metadata.Set(gguf.KeyAlignment, gguf.ValueOf(rapid.SampledFrom([]uint32{1, 8, 32, 64, 4096}).Draw(rt, "alignment")))
	}
	for i := range rapid.IntRange(0, 12).Draw(rt, "tensors") {
		x := gguf.TensorInfo{
			Name:  fmt.Sprintf("t.%d", i),
			Type:  rapid.SampledFrom(knownTypes()).Draw(rt, "type"),
			Shape: rapid.SliceOfN(rapid.Int64Range(0, 5), 1, 4).Draw(rt, "shape"),
		}
		if block, _, ok := x.Type.Block(); ok {
			x.Shape[0] *= int64(block)
		} else {
			x.Size = rapid.Int64Range(1, 10).Draw(rt, "size") * 4096
		}
		s.tensors = append(s.tensors, x)
	}
	return s
}

// writeRandom writes s with random bytes and returns the path and the bytes.
func writeRandom(t *testing.T, dir, name string, s shard, order binary.ByteOrder) (string, []byte) {
	t.Helper()
	var b bytes.Buffer
	w, err := gguf.NewWriter(&b, s.metadata, s.tensors, &gguf.WriterOptions{ByteOrder: order})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, uint64(len(s.tensors))))
	for _, x := range s.tensors {
		data := make([]byte, sizeOf(t, x))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	return path, b.Bytes()
}

// TestSplitAndMerge divides random models in random ways. Put together again
// they are the files they were, and divided once more the shards they were.
func TestSplitAndMerge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		s := randomModel(rt)
		for i := range s.tensors {
			s.tensors[i].Shape = (&gguf.Tensor{Shape: s.tensors[i].Shape}).Dimensions()
		}
		order := binary.ByteOrder(binary.LittleEndian)
		if swappable(s) && rapid.Bool().Draw(rt, "big-endian") {
			order = binary.BigEndian
		}
		path, want := writeRandom(t, dir, "model.gguf", s, order)
		o := &SplitOptions{NoTensorsFirst: rapid.Bool().Draw(rt, "no tensors first")}
		if rapid.Bool().Draw(rt, "by size") {
			o.MaxSize = rapid.Int64Range(1, 50_000).Draw(rt, "size")
		} else {
			o.MaxTensors = rapid.IntRange(1, 14).Draw(rt, "number")
		}
		prefix, merged, plain := filepath.Join(dir, "s"), filepath.Join(dir, "merged.gguf"), filepath.Join(dir, "plain.gguf")
		r := rewrite(t, path, func(f *gguf.File) (*Rewrite, error) { return Split(f, prefix, o) })
		checkLimits(t, r, o)
		any := r.Outputs[rapid.IntRange(0, len(r.Outputs)-1).Draw(rt, "shard")].Path
		rewrite(t, any, func(f *gguf.File) (*Rewrite, error) { return Merge(f, merged, nil) })
		rewrite(t, any, func(f *gguf.File) (*Rewrite, error) { return Merge(f, plain, &MergeOptions{DropSplitKeys: true}) })
		if readFile(t, plain) != string(want) {
			t.Error("the merged file is not the one that was split")
		}
		again := filepath.Join(dir, "again")
		rewrite(t, merged, func(f *gguf.File) (*Rewrite, error) { return Split(f, again, o) })
		if digest(t, glob(t, prefix)) != digest(t, glob(t, again)) {
			t.Error("the merged file is divided into other shards than the original")
		}
		if readFile(t, path) != string(want) {
			t.Error("the input has changed")
		}
		if t.Failed() {
			rt.FailNow()
		}
	})
}

// swappable reports whether s can be written in big-endian order.
func swappable(s shard) bool {
	_, err := gguf.NewLayout(s.metadata, s.tensors, &gguf.WriterOptions{ByteOrder: binary.BigEndian})
	return err == nil
}

func checkLimits(t *testing.T, r *Rewrite, o *SplitOptions) {
	t.Helper()
	for i, out := range r.Outputs {
		var size int64
		for _, x := range out.Tensors {
			size += (x.Size + 31) / 32 * 32
		}
		switch {
		case i == 0 && o.NoTensorsFirst && len(out.Tensors) > 0:
			t.Errorf("the first shard has %d tensors", len(out.Tensors))
		case i > 0 && len(out.Tensors) == 0 && !o.NoTensorsFirst:
			t.Errorf("shard %d is empty", i)
		case o.MaxTensors > 0 && len(out.Tensors) > o.MaxTensors, o.MaxSize > 0 && size > o.MaxSize && len(out.Tensors) > 1:
			t.Errorf("shard %d has %d tensors and %d bytes, more than %+v allows", i, len(out.Tensors), size, *o)
		}
	}
}

// openModel writes a model of n tensors of 4 KiB and opens it.
func openModel(t *testing.T, dir string, n int) *gguf.File {
	t.Helper()
	s := shard{metadata: metadata(pair{gguf.KeyArchitecture, gguf.ValueOf("llama")})}
	for i := range n {
		s.tensors = append(s.tensors, gguf.TensorInfo{Name: fmt.Sprintf("t.%d", i), Type: gguf.TypeF32, Shape: []int64{1024}})
	}
	path, _ := writeRandom(t, dir, "model.gguf", s, nil)
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

// TestSplitStopped ends a split in the middle: nothing is left behind.
func TestSplitStopped(t *testing.T) {
	dir := t.TempDir()
	f := openModel(t, dir, 8)
	r, err := Split(f, filepath.Join(dir, "s"), &SplitOptions{MaxTensors: 2})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var last int64
	err = r.Run(ctx, &RunOptions{Progress: func(done, total int64) {
		if last = done; done > total/2 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || last == 0 {
		t.Errorf("got %v after %d bytes", err, last)
	}
	if got := names(t, dir); got != "model.gguf" {
		t.Errorf("the folder has %s", got)
	}
}

// TestSplitExisting finds one of the shards there: it stays and no other appears.
func TestSplitExisting(t *testing.T) {
	dir := t.TempDir()
	f := openModel(t, dir, 3)
	r, err := Split(f, filepath.Join(dir, "s"), &SplitOptions{MaxTensors: 1})
	if err != nil {
		t.Fatal(err)
	}
	taken := r.Outputs[1].Path
	if err := os.WriteFile(taken, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context(), nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if got := names(t, dir); got != "model.gguf "+filepath.Base(taken) || readFile(t, taken) != "mine" {
		t.Errorf("the folder has %s", got)
	}
	var done, total int64
	if err := r.Run(t.Context(), &RunOptions{Overwrite: true, Progress: func(d, n int64) { done, total = d, n }}); err != nil {
		t.Fatal(err)
	}
	if done != total || total < 3*4096 {
		t.Errorf("progress ends at %d of %d bytes", done, total)
	}
	g, err := gguf.Open(taken)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if len(g.Shards) != 3 {
		t.Errorf("there are %d shards", len(g.Shards))
	}
}

// TestInputAsOutput writes to a file that is read, also by another name.
func TestInputAsOutput(t *testing.T) {
	dir := t.TempDir()
	f := openModel(t, dir, 3)
	rewrite(t, f.Path, func(f *gguf.File) (*Rewrite, error) {
		return Split(f, filepath.Join(dir, "s"), &SplitOptions{MaxTensors: 1})
	})
	shards := glob(t, filepath.Join(dir, "s"))
	link := filepath.Join(dir, "link.gguf")
	if err := os.Link(shards[2], link); err != nil {
		t.Fatal(err)
	}
	s, err := gguf.Open(shards[0])
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, out := range append(shards, link) {
		r, err := Merge(s, out, nil)
		if err != nil {
			t.Fatal(err)
		}
		before := readFile(t, out)
		if err := r.Run(t.Context(), &RunOptions{Overwrite: true}); err == nil || !strings.Contains(err.Error(), "is the input") {
			t.Errorf("%s: got %v", out, err)
		}
		if readFile(t, out) != before {
			t.Errorf("%s has changed", out)
		}
	}
	r, err := Split(s, filepath.Join(dir, "s"), &SplitOptions{MaxTensors: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context(), &RunOptions{Overwrite: true}); err == nil || !strings.Contains(err.Error(), "is the input") {
		t.Errorf("got %v", err)
	}
}

// TestSplitRefusals asks for what cannot be done.
func TestSplitRefusals(t *testing.T) {
	f := openModel(t, t.TempDir(), 2)
	for _, o := range []SplitOptions{{MaxTensors: -1}, {MaxSize: -1}, {MaxTensors: 1, MaxSize: 1}} {
		if _, err := Split(f, "s", &o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	if _, err := Merge(f, "m", nil); err == nil || !strings.Contains(err.Error(), "was not split") {
		t.Errorf("got %v", err)
	}

	var tensors []*gguf.Tensor
	for i := range 1<<16 + 1 {
		tensors = append(tensors, &gguf.Tensor{Name: fmt.Sprint(i), Shape: []int64{0}})
	}
	many := &gguf.File{Path: "many.gguf", ByteOrder: binary.LittleEndian, Metadata: metadata(), Tensors: tensors}
	if _, err := Split(many, "s", &SplitOptions{MaxTensors: 1}); err == nil || !strings.Contains(err.Error(), "65537 shards are more than the 65535") {
		t.Errorf("got %v", err)
	}

	// A type whose bytes cannot be turned round stays in the order it has.
	big := &gguf.File{Path: "big.gguf", ByteOrder: binary.BigEndian, Metadata: metadata(),
		Tensors: []*gguf.Tensor{{Name: "x", Type: gguf.TypeIQ1M, Shape: []int64{256}, Size: 56}}}
	_, err := Split(big, "s", nil)
	if _, ok := errors.AsType[*fault.UnsupportedError](err); !ok || !strings.Contains(err.Error(), "big.gguf") {
		t.Errorf("got %v", err)
	}
}
