package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/internal/hostile"
	"github.com/gguftool/gguftool/internal/hostilecheckpoint"
)

// execute runs a command line in this process.
func execute(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(context.Background(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// TestHostileFiles opens every hostile file with every verb that reads models.
func TestHostileFiles(t *testing.T) {
	codes := map[hostile.Kind]int{
		hostile.Malformed:   exitMalformed,
		hostile.Unsupported: exitUnsupported,
		hostile.Missing:     exitFailed,
		hostile.Valid:       exitDone,
	}
	for _, c := range hostile.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			dir := t.TempDir()
			path, err := c.Write(dir)
			if err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr := execute("inspect", path)
			if code != codes[c.Kind] {
				t.Errorf("inspect: exit code %d, want %d; it said %s", code, codes[c.Kind], stderr)
			}
			if c.Kind != hostile.Valid && (stdout != "" || !strings.Contains(stderr, c.Want)) {
				t.Errorf("inspect printed %q and %q, want only an error with %q", stdout, stderr, c.Want)
			}
			out := filepath.Join(dir, "out.gguf")
			for _, args := range [][]string{
				{"quantize", "Q8_0", path, out},
				{"embed", path, "text"},
				{"tokenize", path, "text"},
				{"modelfile", "init", path, "-o", filepath.Join(dir, "Modelfile")},
				{"inspect", "split", path, filepath.Join(dir, "part")},
				{"inspect", "merge", path, out, "--force"},
			} {
				code, _, stderr := execute(args...)
				if c.Kind != hostile.Valid && (code != codes[c.Kind] || !strings.Contains(stderr, c.Want)) {
					t.Errorf("%s: exit code %d and %q, want %d and %q", args[0], code, stderr, codes[c.Kind], c.Want)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".gguftool-*")); len(left) > 0 {
				t.Errorf("%v are left behind", left)
			}
		})
	}
}

// TestHostileCheckpoints converts every hostile checkpoint.
func TestHostileCheckpoints(t *testing.T) {
	codes := map[hostilecheckpoint.Kind]int{
		hostilecheckpoint.Malformed:   exitMalformed,
		hostilecheckpoint.Unsupported: exitUnsupported,
	}
	for _, c := range hostilecheckpoint.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "model")
			if err := c.Write(dir); err != nil {
				t.Fatal(err)
			}
			want, ok := codes[c.Kind]
			if !ok {
				want = exitFailed
			}
			out := filepath.Join(t.TempDir(), "out.gguf")
			code, _, stderr := execute("convert", dir, "-o", out)
			if code != want || !strings.Contains(stderr, c.Want) {
				t.Errorf("exit code %d and %q, want %d and %q", code, stderr, want, c.Want)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), "*")); len(left) > 0 {
				t.Errorf("%v are left behind", left)
			}
		})
	}
}
