package quantize

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/synth"
)

// A dataFunc gives the bytes of a tensor.
type dataFunc func(info gguf.TensorInfo, size int64) []byte

// weights returns random weights in which the given tensors have their own values.
func weights(own map[string][]float32) dataFunc {
	return func(info gguf.TensorInfo, size int64) []byte {
		w, ok := own[info.Name]
		if !ok {
			w = synth.Weights(seed, info.Name, int(size/4))
		}
		return must(binary.Append(nil, binary.LittleEndian, w))
	}
}

// open writes m to in.gguf of the working folder and opens it.
func open(t *testing.T, m *testModel, data dataFunc) *gguf.File {
	t.Helper()
	writeGGUF(t, "in.gguf", m.metadata(), m.tensors, data)
	return reopen(t, "in.gguf")
}

func reopen(t *testing.T, path string) *gguf.File {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func run(t *testing.T, f *gguf.File, o *Options, out string, ro *RunOptions) error {
	t.Helper()
	p, err := NewPlan(f, o)
	if err != nil {
		t.Fatal(err)
	}
	return p.Run(t.Context(), out, ro)
}

func listFolder(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// several has tensors of several chunks, and long and short rows.
func several() *testModel {
	return newModel("llama", "llama", 1, 8, 8, 0).
		add([]int64{256, 3500}, "token_embd.weight").
		add([]int64{2 * chunkLen, 3}, "blk.0.ffn_down.weight").
		add([]int64{768, 5}, "blk.0.attn_v.weight", "output.weight").
		add([]int64{chunkLen + 7}, "output_norm.weight")
}

func TestThreads(t *testing.T) {
	t.Chdir(t.TempDir())
	f := open(t, several(), weights(nil))
	var want []byte
	for _, threads := range []int{1, 2, 7} {
		var last Progress
		ro := &RunOptions{Threads: threads, Overwrite: true, Progress: func(p Progress) {
			if p.Done < last.Done || p.Index < last.Index || p.Done > p.Total || p.Elapsed < last.Elapsed {
				t.Errorf("progress goes from %+v to %+v", last, p)
			}
			last = p
		}}
		if err := run(t, f, &Options{FileType: gguf.FileQ4_K_M}, "out.gguf", ro); err != nil {
			t.Fatal(err)
		}
		got := readFile(t, "out.gguf")
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d threads write other bytes than one", threads)
		}
		if last.Done != last.Total || last.Tensor != "blk.0.ffn_down.weight" || last.Index != 4 || last.Rate() <= 0 {
			t.Errorf("at the end progress is %+v", last)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Chdir(t.TempDir())
	f := open(t, several(), weights(nil))
	p, err := NewPlan(f, &Options{FileType: gguf.FileQ8_0})
	if err != nil {
		t.Fatal(err)
	}
	for steps := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if steps == 0 {
			cancel()
		}
		err = p.Run(ctx, "out.gguf", &RunOptions{Threads: 2, Progress: func(Progress) {
			if steps--; steps == 0 {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
		if got := listFolder(t); !slices.Equal(got, []string{"in.gguf"}) {
			t.Errorf("folder has %q", got)
		}
	}
}

func TestExistingOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	f := open(t, several(), weights(nil))
	if err := os.WriteFile("out.gguf", []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	o := &Options{FileType: gguf.FileF16}
	if err := run(t, f, o, "out.gguf", nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error is %v", err)
	}
	if got := readFile(t, "out.gguf"); string(got) != "old" {
		t.Errorf("output was changed to %d bytes", len(got))
	}
	if err := run(t, f, o, "out.gguf", &RunOptions{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	reopen(t, "out.gguf")
}

// TestFailedOutput fails in the middle and leaves the old output alone.
func TestFailedOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	bad := make([]float32, 768*5)
	bad[768*3+17] = float32(math.NaN())
	f := open(t, several(), weights(map[string][]float32{"output.weight": bad}))
	if err := os.WriteFile("out.gguf", []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	err := run(t, f, &Options{FileType: gguf.FileQ4_K_M}, "out.gguf", &RunOptions{Overwrite: true})
	checkMalformed(t, err, `in.gguf: tensor "output.weight": row 3, column 17 is NaN; no model has such a weight; get the model again`)
	if got := readFile(t, "out.gguf"); string(got) != "old" {
		t.Errorf("output was changed to %d bytes", len(got))
	}
	if got := listFolder(t); !slices.Equal(got, []string{"in.gguf", "out.gguf"}) {
		t.Errorf("folder has %q", got)
	}
}

func TestInputAsOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	m := decoderModel().splitReversed()
	m.writeData(t)
	second := gguf.ShardPath("llama", 1, 2)
	for _, link := range []struct {
		name string
		make func(old, new string) error
	}{{"symbolic", os.Symlink}, {"hard", os.Link}} {
		if err := link.make(second, link.name); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("importance", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	f := reopen(t, m.name+".gguf")
	before := readFile(t, second)
	for out, want := range map[string]string{
		second:                   "the output " + second + " is the input " + second,
		"./" + m.name + ".gguf":  "is the input " + m.name + ".gguf; give it another name",
		"symbolic":               "the output symbolic is the input " + second,
		"hard":                   "the output hard is the input " + second,
		"importance":             "the output importance is the input importance",
		filepath.Join("..", "."): "is a directory",
	} {
		o := &Options{FileType: gguf.FileQ8_0, ImportanceInfo: ImportanceInfo{File: "importance"}}
		checkPlain(t, run(t, f, o, out, &RunOptions{Overwrite: true}), want)
	}
	for _, out := range []string{"llama", "llama.gguf"} {
		err := run(t, f, &Options{FileType: gguf.FileQ8_0, KeepSplit: true}, out, &RunOptions{Overwrite: true})
		checkPlain(t, err, "the output "+m.name+".gguf is the input "+m.name+".gguf")
	}
	if !bytes.Equal(readFile(t, second), before) {
		t.Error("an input was changed")
	}
}

func TestOutputs(t *testing.T) {
	p := &Plan{opts: &Options{}, shards: 1}
	if got := p.Outputs("a/b.gguf"); !slices.Equal(got, []string{"a/b.gguf"}) {
		t.Errorf("%q", got)
	}
	p = &Plan{opts: &Options{KeepSplit: true}, shards: 2}
	want := []string{"a/b-00001-of-00002.gguf", "a/b-00002-of-00002.gguf"}
	for _, out := range []string{"a/b", "a/b.gguf"} {
		if got := p.Outputs(out); !slices.Equal(got, want) {
			t.Errorf("%s: %q", out, got)
		}
	}
}

// Of several damaged weights the first in the order of the output is reported.
func TestDamagedWeights(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	with := func(n, at int, v float32) []float32 {
		w := make([]float32, n)
		w[at] = v
		return w
	}
	for _, c := range []struct {
		name string
		own  map[string][]float32
		want string
	}{
		{"copied", map[string][]float32{"output_norm.weight": with(chunkLen+7, chunkLen+1, inf)}, `tensor "output_norm.weight": row 0, column 262145 is +Inf`},
		{"quantized", map[string][]float32{"blk.0.attn_v.weight": with(768*5, 768*4, -inf)}, `tensor "blk.0.attn_v.weight": row 4, column 0 is -Inf`},
		{"in a later chunk", map[string][]float32{"token_embd.weight": with(256*3500, 256*3400+255, nan)}, `tensor "token_embd.weight": row 3400, column 255 is NaN`},
		{"several", map[string][]float32{"blk.0.ffn_down.weight": with(6*chunkLen, 0, nan), "token_embd.weight": with(256*3500, 256*3400, nan)}, `tensor "token_embd.weight": row 3400, column 0 is NaN`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			f := open(t, several(), weights(c.own))
			for _, to := range []gguf.FileType{gguf.FileQ4_K_M, gguf.FileF16, gguf.FileF32} {
				err := run(t, f, &Options{FileType: to}, "out.gguf", &RunOptions{Threads: 3})
				checkMalformed(t, err, "in.gguf: "+c.want)
			}
		})
	}
}

// Scales that are not finite in blocks, copied or quantized again.
func TestDamagedBlocks(t *testing.T) {
	t.Chdir(t.TempDir())
	m := newModel("llama", "llama", 1, 8, 8, 0).addType(gguf.TypeQ8_0, []int64{64, 3}, "output.weight")
	f := open(t, m, func(_ gguf.TensorInfo, size int64) []byte {
		data := make([]byte, size)
		data[5*34+1] = 0x7c // the scale of the second block in row 2 is infinite
		data[5*34+2] = 1
		return data
	})
	want := `tensor "output.weight": row 2, column 32 is +Inf`
	checkMalformed(t, run(t, f, &Options{Copy: true}, "out.gguf", nil), want)
	checkMalformed(t, run(t, f, &Options{FileType: gguf.FileQ4_0, AllowRequantize: true}, "out.gguf", nil), want)
}

// Weights that are numbers, but larger than the wanted type can hold.
func TestTooLarge(t *testing.T) {
	t.Chdir(t.TempDir())
	m := newModel("llama", "llama", 1, 8, 8, 0).add([]int64{64, 2}, "output.weight")
	large := make([]float32, 128)
	large[64+40] = 1e30
	f := open(t, m, weights(map[string][]float32{"output.weight": large}))
	err := run(t, f, &Options{FileType: gguf.FileF16}, "out.gguf", nil)
	checkUnsupported(t, err, `in.gguf: tensor "output.weight": row 1: value 40 is too large for F16; give it another type with --tensor-type`)
	err = run(t, f, &Options{FileType: gguf.FileQ8_0}, "out.gguf", nil)
	checkUnsupported(t, err, `tensor "output.weight": row 1: the scale of block 1 (values 32 to 63) is too large for Q8_0`)
	if err := run(t, f, &Options{FileType: gguf.FileBF16}, "out.gguf", nil); err != nil {
		t.Error(err)
	}
}

// A big-endian model gives the same output as its little-endian twin.
func TestBigEndian(t *testing.T) {
	t.Chdir(t.TempDir())
	m := mixedModel()
	m.writeData(t)
	little := reopen(t, m.name+".gguf")
	var infos []gguf.TensorInfo
	for _, x := range little.Tensors {
		infos = append(infos, gguf.TensorInfo{Name: x.Name, Type: x.Type, Shape: x.Shape})
	}
	out, err := os.Create("big.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w, err := gguf.NewWriter(out, little.Metadata, infos, &gguf.WriterOptions{ByteOrder: binary.BigEndian})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range little.Tensors {
		if _, err := w.Write(little.Stored(x)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	big := reopen(t, "big.gguf")
	for _, o := range []*Options{{Copy: true}, {FileType: gguf.FileQ4_K_M, AllowRequantize: true}} {
		for path, f := range map[string]*gguf.File{"a.gguf": little, "b.gguf": big} {
			if err := run(t, f, o, path, &RunOptions{Threads: 2, Overwrite: true}); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(readFile(t, "a.gguf"), readFile(t, "b.gguf")) {
			t.Errorf("outputs differ with %+v", o)
		}
	}
}

func TestAlignment(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, alignment := range []uint32{1, 4, 64, 4096} {
		m := decoderModel().set("general.alignment", gguf.ValueOf(alignment))
		f := open(t, m, weights(nil))
		if err := run(t, f, &Options{FileType: gguf.FileQ5_0}, "out.gguf", &RunOptions{Overwrite: true}); err != nil {
			t.Fatal(err)
		}
		got := reopen(t, "out.gguf")
		plain := decoderModel()
		if err := run(t, open(t, plain, weights(nil)), &Options{FileType: gguf.FileQ5_0}, "plain.gguf", &RunOptions{Overwrite: true}); err != nil {
			t.Fatal(err)
		}
		want := reopen(t, "plain.gguf")
		if got.Alignment != int64(alignment) || len(got.Tensors) != len(want.Tensors) {
			t.Fatalf("alignment is %d", got.Alignment)
		}
		for _, x := range got.Tensors {
			if x.Offset%int64(alignment) != 0 || !bytes.Equal(got.Stored(x), want.Stored(want.Tensor(x.Name))) {
				t.Errorf("alignment %d: %s differs", alignment, x.Name)
			}
		}
	}
}

// What cannot be decoded can still be kept, and what holds nothing too.
func TestOddTensors(t *testing.T) {
	t.Chdir(t.TempDir())
	m := newModel("llama", "llama", 1, 8, 8, 0).
		add([]int64{256, 4}, "output.weight").
		addType(gguf.TypeI32, []int64{3, 2}, "blk.0.ffn_gate_tid2eid.weight").
		addType(gguf.TypeF64, []int64{5}, "scale").
		addType(gguf.TypeIQ2XS, []int64{256, 2}, "blk.0.ffn_gate_inp.weight").
		add([]int64{0, 4}, "none.weight").add([]int64{256, 0}, "empty.weight").
		add([]int64{1, 1, 1}, "one.weight")
	m.tensors = append(m.tensors, gguf.TensorInfo{Name: "foreign_norm.weight", Type: 137, Shape: []int64{256, 3}, Size: 77})
	f := open(t, m, func(info gguf.TensorInfo, size int64) []byte {
		if info.Type == 137 {
			size = 77
		}
		return bytes.Repeat([]byte{7}, int(size))
	})
	if err := run(t, f, &Options{FileType: gguf.FileQ4_K_M}, "out.gguf", nil); err != nil {
		t.Fatal(err)
	}
	out := reopen(t, "out.gguf")
	for _, x := range f.Tensors {
		got := out.Tensor(x.Name)
		want := x.Type
		if x.Name == "output.weight" {
			want = gguf.TypeQ6_K
		}
		if got == nil || got.Type != want || want == x.Type && !bytes.Equal(out.Stored(got), f.Stored(x)) {
			t.Errorf("%s became %+v", x.Name, got)
		}
	}
	if got := out.Tensor("one.weight").Shape; !slices.Equal(got, []int64{1}) {
		t.Errorf("one.weight has shape %v", got)
	}
}

func TestReadOnlyDestination(t *testing.T) {
	t.Chdir(t.TempDir())
	f := open(t, several(), weights(nil))
	err := run(t, f, &Options{FileType: gguf.FileF16}, filepath.Join("no", "such", "out.gguf"), nil)
	checkPlain(t, err, "create the folder "+filepath.Join("no", "such")+" first")
}

// A failure while the first of several outputs gets its name takes the others back.
func TestShardsTogether(t *testing.T) {
	t.Chdir(t.TempDir())
	m := decoderModel().splitReversed()
	m.writeData(t)
	f := reopen(t, m.name+".gguf")
	p, err := NewPlan(f, &Options{FileType: gguf.FileQ4_0, KeepSplit: true})
	if err != nil {
		t.Fatal(err)
	}
	// The first shard's name is taken while the shards are being written.
	first := p.Outputs("out")[0]
	err = p.Run(t.Context(), "out", &RunOptions{Progress: func(Progress) { os.WriteFile(first, []byte("theirs"), 0o666) }})
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("error is %v", err)
	}
	if got := listFolder(t); !slices.Equal(got, []string{m.name + ".gguf", gguf.ShardPath("llama", 1, 2), first}) {
		t.Errorf("folder has %q", got)
	}
	if !strings.Contains(string(readFile(t, first)), "theirs") {
		t.Error("a file that appeared meanwhile was changed")
	}
}
