package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gguftool/gguftool/internal/emulator"
	"github.com/gguftool/gguftool/internal/synth"
)

// The test binary runs as gguftool when a script calls that name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gguftool": main})
}

func TestScripts(t *testing.T) {
	emulator.Shadow(t, "gguftool")
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"fails": fails,
			"size":  size,
			"synth": synthesize,
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

// synthesize makes a small BERT: synth gguf FILE [WIDTH], or synth checkpoint DIR.
func synthesize(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: synth gguf FILE [WIDTH] | synth checkpoint DIR")
	}
	var bert synth.BERT
	if len(args) == 3 {
		width, err := strconv.Atoi(args[2])
		ts.Check(err)
		bert.Width = width
	}
	path := ts.MkAbs(args[1])
	switch args[0] {
	case "gguf":
		ts.Check(bert.WriteGGUF(path))
	case "checkpoint":
		ts.Check(os.MkdirAll(path, 0o777))
		ts.Check(bert.WriteCheckpoint(path, nil))
	default:
		ts.Fatalf("synth: unknown %q", args[0])
	}
}
