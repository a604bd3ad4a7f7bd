package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gguftool/gguftool/imatrix"
	"github.com/gguftool/gguftool/internal/synth"
)

// Ctrl-C keeps what was measured, and --resume comes to the bytes of a run that
// was not interrupted.
func TestImatrixInterrupted(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := (synth.BERT{Width: 256}).WriteGGUF(path("model.gguf")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path("texts.txt"), []byte(strings.Repeat("the quick brown fox jumped over the lazy dog\nthe book of the river\n", 1500)), 0o666); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	measure := func(ctx context.Context, out string, more ...string) int {
		stderr.Reset()
		args := append([]string{"imatrix", path("model.gguf"), "--text", path("texts.txt"), "-o", out}, more...)
		return run(ctx, args, nil, new(bytes.Buffer), &stderr)
	}
	if code := measure(t.Context(), path("whole.gguf")); code != exitDone {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	// The signal comes as soon as something was saved.
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(path("part.gguf")); err == nil {
				cancel()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if code := measure(ctx, path("part.gguf"), "--save-every", "20"); code != exitFailed {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	said := regexp.MustCompile(`^gguftool: interrupted; \S+part\.gguf holds the first \d+ of 3000 texts; --resume goes on from there\n$`)
	if !said.MatchString(stderr.String()) {
		t.Errorf("it said %q", &stderr)
	}
	f, err := imatrix.Read(path("part.gguf"))
	if err != nil || f.State == nil || f.State.Done < 20 || f.State.Done == 3000 {
		t.Fatalf("state %+v, error %v", f.State, err)
	}
	if code := measure(t.Context(), path("part.gguf"), "--resume", "--prompt-text", "a"); code != exitFailed || !strings.Contains(stderr.String(), "was measured on other texts, or with other options") {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
	if code := measure(t.Context(), path("part.gguf"), "--resume", "--threads", "1"); code != exitDone {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	whole, err1 := os.ReadFile(path("whole.gguf"))
	part, err2 := os.ReadFile(path("part.gguf"))
	if err1 != nil || err2 != nil || !bytes.Equal(whole, part) {
		t.Errorf("the bytes are others than without an interruption; errors %v, %v", err1, err2)
	}
	// Before anything is done there is nothing to keep.
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if code := measure(ctx, path("none.gguf")); code != exitFailed || stderr.String() != "gguftool: interrupted; no output was written\n" {
		t.Errorf("exit code %d: %q", code, &stderr)
	}
}
