package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gguftool/gguftool/ollama"
	"github.com/gguftool/gguftool/ollama/archive"
)

// The test binary runs as a program that takes models in, when it is told so.
const childVariable = "GGUFTOOL_TEST_TAKE_IN"

func TestMain(m *testing.M) {
	if args := os.Getenv(childVariable); args != "" {
		parts := strings.Split(args, "|")
		if err := takeInAsChild(parts[0], parts[1], parts[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// takeInAsChild imports an archive, or pulls a model.
func takeInAsChild(store, how, from string) error {
	s, err := ollama.Open(store)
	if err != nil {
		return err
	}
	n, err := ollama.ParseName("killed")
	if err != nil {
		return err
	}
	if how == "pull" {
		far, err := ollama.ParseName(from)
		if err != nil {
			return err
		}
		return Pull(context.Background(), s, far, n, quick)
	}
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = archive.Import(context.Background(), s, f, &archive.ImportOptions{As: n, Replace: true})
	return err
}

// Whenever a process that imports or pulls is killed, the store is valid, and the
// next run completes.
func TestKilled(t *testing.T) {
	alone(t)
	r := newRegistry(t)
	from, n := newModel(t, "embed")
	far := parse(t, r.host()+"/team/embed")
	if err := Push(t.Context(), from, n, far, quick); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	if err := archive.Export(t.Context(), from, n, &packed, nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "embed.tar.zst")
	if err := os.WriteFile(path, packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	for how, source := range map[string]string{"import": path, "pull": far.String()} {
		store := filepath.Join(t.TempDir(), "models")
		child := func(store string) *exec.Cmd {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childVariable+"="+strings.Join([]string{store, how, source}, "|"))
			return cmd
		}
		start := time.Now()
		if out, err := child(filepath.Join(t.TempDir(), "other")).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", how, err, out)
		}
		whole, killed := time.Since(start), 0
		for range rounds {
			cmd := child(store)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(rand.Int64N(int64(whole))))
			_ = cmd.Process.Kill()
			if cmd.Wait() != nil {
				killed++
			}
			checkValid(t, store, how)
			if rand.IntN(4) > 0 {
				continue
			}
			if out, err := child(store).CombinedOutput(); err != nil {
				t.Fatalf("%s after being killed: %v\n%s", how, err, out)
			}
			checkValid(t, store, how)
			if err := os.RemoveAll(store); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%s: %d of %d were killed before their end", how, killed, rounds)
		if out, err := child(store).CombinedOutput(); err != nil {
			t.Fatalf("%s in the end: %v\n%s", how, err, out)
		}
		s, err := ollama.Open(store)
		if err != nil {
			t.Fatal(err)
		}
		checkEqual(t, from, s, n, parse(t, "killed"))
	}
}

// checkValid makes sure that a store has the whole model or none.
func checkValid(t *testing.T, dir, how string) {
	t.Helper()
	s, err := ollama.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Verify(t.Context(), nil)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%s: %v", how, err)
	}
	if v != nil && len(v.Problems) > 0 {
		t.Errorf("%s: the store of a process that was killed: %v", how, v.Problems)
	}
}
