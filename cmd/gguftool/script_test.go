package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/emulator"
	"github.com/gguftool/gguftool/internal/synth"
)

// The test binary runs as gguftool when a script calls that name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gguftool": main})
}

func TestScripts(t *testing.T) {
	emulator.Shadow(t, "gguftool")
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("ROOT", root) // of the repository
			return setUpHub(e)
		},
		RequireExplicitExec: true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"atmost":      atMost,
			"fails":       fails,
			"hub":         commandHub,
			"sametensors": sameTensors,
			"size":        size,
			"synth":       synthesize,
			"schema":      matchSchema,
		},
	})
}

// fails CODE ARG... runs gguftool and wants it to end with that exit code. What
// it printed is left for the commands stdout and stderr.
func fails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: fails CODE ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("gguftool", args[1:]...)
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		ts.Fatalf("gguftool ended with %v, want exit code %d", err, want)
	}
	if exit.ExitCode() != want {
		ts.Fatalf("exit code %d, want %d", exit.ExitCode(), want)
	}
}

// size FILE BYTES wants a file of that size.
func size(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: size FILE BYTES")
	}
	want, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if info.Size() != want {
		ts.Fatalf("%s has %d bytes, want %d", args[0], info.Size(), want)
	}
}

// atmost FILE LIMIT wants a file of at most as many bytes as another file, or as
// the number says, and of more than 90 % of that.
func atMost(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: atmost FILE LIMIT")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	limit, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		other, err := os.Stat(ts.MkAbs(args[1]))
		ts.Check(err)
		limit = other.Size()
	}
	if info.Size() > limit || info.Size() < limit*9/10 {
		ts.Fatalf("%s has %d bytes, want at most %d and not much less", args[0], info.Size(), limit)
	}
}

// sametensors FILE OTHER wants two models to have the same tensors, byte for byte.
func sameTensors(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sametensors FILE OTHER")
	}
	var files [2]*gguf.File
	for i := range files {
		f, err := gguf.Open(ts.MkAbs(args[i]))
		ts.Check(err)
		defer f.Close()
		files[i] = f
	}
	if len(files[0].Tensors) != len(files[1].Tensors) {
		ts.Fatalf("%d tensors and %d", len(files[0].Tensors), len(files[1].Tensors))
	}
	for _, t := range files[0].Tensors {
		other := files[1].Tensor(t.Name)
		if other == nil || other.Type != t.Type || !bytes.Equal(files[0].Stored(t), files[1].Stored(other)) {
			ts.Fatalf("%s differs", t.Name)
		}
	}
}

// synthesize makes a small BERT: synth gguf FILE [WIDTH], or synth checkpoint DIR
// [WIDTH]; a small decoder, that of package bench's golden figures: synth decoder
// FILE, with a chat template: synth decoder FILE TEMPLATE; or importance for all matrices of a model: synth imatrix FILE MODEL.
func synthesize(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: synth gguf FILE [WIDTH] | synth checkpoint DIR [WIDTH] | synth decoder FILE [TEMPLATE] | synth imatrix FILE MODEL [PREFIX]")
	}
	if args[0] == "imatrix" {
		prefix := strings.Join(args[3:], "")
		ts.Check(writeImatrix(ts.MkAbs(args[1]), ts.MkAbs(args[2]), prefix))
		return
	}
	var bert synth.BERT
	if len(args) == 3 && args[0] != "decoder" {
		width, err := strconv.Atoi(args[2])
		ts.Check(err)
		bert.Width = width
	}
	path := ts.MkAbs(args[1])
	switch args[0] {
	case "gguf":
		ts.Check(bert.WriteGGUF(path))
	case "decoder":
		m := synth.Decoder{Layers: 2, Width: 64, Heads: 4, KVHeads: 2, Words: true}.Model()
		if len(args) == 3 {
			m.Metadata.Set("tokenizer.chat_template", gguf.ValueOf(ts.ReadFile(args[2])))
		}
		ts.Check(m.WriteGGUF(path, nil))
	case "checkpoint":
		ts.Check(os.MkdirAll(path, 0o777))
		ts.Check(bert.WriteCheckpoint(path, nil))
	default:
		ts.Fatalf("synth: unknown %q", args[0])
	}
}

// writeImatrix writes importance for the matrices of a model, one value larger
// than the other in every row.
func writeImatrix(path, model, prefix string) error {
	f, err := gguf.Open(model)
	if err != nil {
		return err
	}
	defer f.Close()
	md := new(gguf.Metadata)
	md.Set("general.type", gguf.ValueOf("imatrix"))
	md.Set("imatrix.datasets", gguf.ArrayOf([]string{"none"}))
	md.Set("imatrix.chunk_count", gguf.ValueOf(uint32(1)))
	md.Set("imatrix.chunk_size", gguf.ValueOf(uint32(512)))
	var infos []gguf.TensorInfo
	var data []float32
	for _, t := range f.Tensors {
		if len(t.Shape) < 2 {
			continue
		}
		infos = append(infos,
			gguf.TensorInfo{Name: prefix + t.Name + ".in_sum2", Type: gguf.TypeF32, Shape: []int64{t.RowLen(), 1}},
			gguf.TensorInfo{Name: prefix + t.Name + ".counts", Type: gguf.TypeF32, Shape: []int64{1, 1}})
		for i := range t.RowLen() {
			data = append(data, float32(1+i))
		}
		data = append(data, 1)
	}
	layout, err := gguf.NewLayout(md, infos, nil)
	if err != nil {
		return err
	}
	all := make([]byte, layout.Size)
	copy(all, layout.Head)
	for i, t := range layout.Tensors {
		n := int(t.Size / 4)
		if _, err := binary.Encode(all[layout.Offsets[i]:], binary.LittleEndian, data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return os.WriteFile(path, all, 0o666)
}
