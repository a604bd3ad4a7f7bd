package ollama_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/modelfile"
	"github.com/gguftool/gguftool/ollama"
)

// The test binary runs as a program that creates models, when it is told so.
const childVariable = "GGUFTOOL_TEST_CREATE"

func TestMain(m *testing.M) {
	if args := os.Getenv(childVariable); args != "" {
		parts := strings.Split(args, "|")
		if err := createAsChild(parts[0], parts[1], parts[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// createAsChild creates the model "killed" of the file at path, in one of the ways
// that a file comes into the store.
func createAsChild(store, path, way string) error {
	s, err := ollama.Open(store)
	if err != nil {
		return err
	}
	n, err := ollama.ParseName("killed")
	if err != nil {
		return err
	}
	f, err := modelfile.Parse(fmt.Appendf(nil, "FROM %s\nSYSTEM %s\nPARAMETER num_ctx 5\n", path, way))
	if err != nil {
		return err
	}
	o := ollama.CreateOptions{Replace: true, Share: ollama.ShareNone}
	switch way {
	case "link":
		o.Share = ollama.ShareLink
	case "make":
		o.Make = func(_ context.Context, from, to string) (bool, error) {
			data, err := os.ReadFile(from)
			if err != nil {
				return false, err
			}
			return true, os.WriteFile(to, data, 0o666)
		}
	}
	_, err = s.Create(context.Background(), n, f, &o)
	return err
}

// writeModel writes a GGUF file with so many bytes of weights.
func writeModel(t *testing.T, path string, size int64, seed byte) {
	t.Helper()
	md := &gguf.Metadata{}
	md.Set(gguf.KeyArchitecture, gguf.ValueOf("bert"))
	md.Set("general.type", gguf.ValueOf("model"))
	layout, err := gguf.NewLayout(md, []gguf.TensorInfo{{Name: "token_embd.weight", Type: gguf.TypeF32, Shape: []int64{size / 4}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte{seed, 1, 2, 3}, int(layout.Size)/4+1)[:layout.Size]
	copy(data, layout.Head)
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

func child(ctx context.Context, store, model, way string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+strings.Join([]string{store, model, way}, "|"))
	return cmd
}

// Whenever a process that creates a model is killed, the store is valid, and the
// next run completes and clears away what was left.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	models := []string{filepath.Join(dir, "a.gguf"), filepath.Join(dir, "b.gguf")}
	for i, path := range models {
		writeModel(t, path, 16<<20, byte(i))
	}
	ways := []string{"copy", "link", "make"}
	start := time.Now()
	if out, err := child(t.Context(), store, models[0], ways[0]).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	whole := time.Since(start)
	rounds, killed, left := 40, 0, 0
	if testing.Short() {
		rounds = 10
	}
	for i := range rounds {
		way := ways[i%3]
		cmd := child(t.Context(), store, models[i%2], way)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(whole) + int64(whole)/10)))
		_ = cmd.Process.Kill()
		if cmd.Wait() != nil {
			killed++
		}
		left += len(leftovers(t, store))
		readIndependently(t, store, 1)
		if i%8 != 7 {
			continue
		}
		if out, err := child(t.Context(), store, models[i%2], way).CombinedOutput(); err != nil {
			t.Fatalf("after being killed: %v\n%s", err, out)
		}
		kinds := readIndependently(t, store, 1)
		if got := fmt.Sprint(kinds["killed:latest"]); got != "[model system params]" {
			t.Errorf("the model has %s", got)
		}
		if files := leftovers(t, store); len(files) > 0 {
			t.Errorf("left after a run that completed: %q", files)
		}
	}
	t.Logf("%d of %d were killed before their end, which left %d files", killed, rounds, left)
	if killed < rounds/4 {
		t.Errorf("only %d of %d were killed", killed, rounds)
	}
	s, err := ollama.Open(store)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prune(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	v, err := s.Verify(t.Context(), nil)
	if err != nil || len(v.Problems)+len(v.Orphans)+len(v.Leftover) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

// leftovers returns files that are neither blobs nor manifests nor the gate.
func leftovers(t *testing.T, store string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(store, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		_, digest := ollama.ParseDigest(e.Name())
		rel, _ := filepath.Rel(store, path)
		if digest != nil && e.Name() != "gate" && !(strings.HasPrefix(rel, "manifests") && strings.Count(rel, string(filepath.Separator)) == 4) {
			files = append(files, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Several processes that create the same name at once all succeed, while models
// with the same blobs are removed beside them.
func TestProcesses(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	path := filepath.Join(dir, "model.gguf")
	writeModel(t, path, 4<<20, 3)
	s, err := ollama.Open(store)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		var all []*exec.Cmd
		var outputs []*bytes.Buffer
		for i := range 4 {
			cmd, out := child(t.Context(), store, path, []string{"copy", "link", "make"}[i%3]), &bytes.Buffer{}
			cmd.Stderr = out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			all, outputs = append(all, cmd), append(outputs, out)
		}
		for range 5 {
			n := name(t, "beside")
			if _, err := s.Create(t.Context(), n, parse(t, "FROM "+path+"\nSYSTEM copy\n"), &ollama.CreateOptions{}); err != nil {
				t.Error(err)
			}
			if _, err := s.Remove(t.Context(), n); err != nil {
				t.Error(err)
			}
		}
		for i, cmd := range all {
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v: %s", err, outputs[i])
			}
		}
		readIndependently(t, store, 1)
		if files := leftovers(t, store); len(files) > 0 {
			t.Errorf("left %q", files)
		}
	}
	v, err := s.Verify(t.Context(), nil)
	if err != nil || len(v.Problems)+len(v.Orphans) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
}
