package ollama_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gguftool/gguftool/ollama"
)

// Models that share their blobs are created, copied and removed by several
// goroutines at once, each with its own locks as separate processes have them.
// Every create ends with a model that is whole until it is removed.
func TestConcurrent(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.gguf")
	writeModel(t, path, 1<<20, 7)
	store := filepath.Join(dir, "store")
	file := parse(t, "FROM "+path+"\nSYSTEM same\n")
	rounds := 15
	if testing.Short() {
		rounds = 4
	}
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			s, err := ollama.Open(store)
			if err != nil {
				t.Error(err)
				return
			}
			n := ollama.Name{Host: ollama.DefaultHost, Namespace: "x", Model: fmt.Sprintf("m%d", worker), Tag: "latest"}
			for i := range rounds {
				share := ollama.ShareNone
				if i%3 == 1 {
					share = ollama.ShareLink
				}
				m, err := s.Create(t.Context(), n, file, &ollama.CreateOptions{Replace: true, Share: share})
				if err != nil {
					t.Errorf("create: %v", err)
					return
				}
				second := n
				second.Tag = "copy"
				if err := s.Copy(t.Context(), n, second, true); err != nil {
					t.Errorf("copy: %v", err)
				}
				for _, l := range m.Manifest.Blobs() {
					if info, err := os.Stat(s.BlobPath(l.Digest)); err != nil || info.Size() != l.Size {
						t.Errorf("blob: %v", err)
					}
				}
				for _, n := range []ollama.Name{n, second} {
					if _, err := s.Remove(t.Context(), n); err != nil {
						t.Errorf("remove: %v", err)
					}
				}
			}
		})
	}
	// One that only prunes.
	wg.Go(func() {
		s, err := ollama.Open(store)
		if err != nil {
			t.Error(err)
			return
		}
		for range rounds {
			if _, err := s.Prune(t.Context(), 0); err != nil {
				t.Errorf("prune: %v", err)
			}
			time.Sleep(time.Millisecond)
		}
	})
	wg.Wait()
	readIndependently(t, store, 0)
	if files, err := filepath.Glob(filepath.Join(store, "blobs", "*")); err != nil || len(files) > 0 {
		t.Errorf("left %q, %v", files, err)
	}
	if files := leftovers(t, store); len(files) > 0 {
		t.Errorf("left %q", files)
	}
}

// Between a blob and its manifest nothing refers to it; a removal of another model
// with the same blob spares it, as long as the transaction is not over.
func TestRemoveBesideTransaction(t *testing.T) {
	s := openStore(t)
	m := create(t, s, "first", "FROM ./encoder.gguf\nSYSTEM text\n")
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	for _, l := range m.Manifest.Blobs() {
		if err := tx.Use(l); err != nil {
			t.Fatal(err)
		}
	}
	r, err := s.Remove(t.Context(), m.Name)
	if err != nil || r.Blobs != 0 {
		t.Errorf("removed %+v, %v", r, err)
	}
	if r, err := s.Prune(t.Context(), 0); err != nil || r.Blobs != 0 {
		t.Errorf("pruned %+v, %v", r, err)
	}
	if err := tx.Commit(name(t, "second"), m.Raw, false); err != nil {
		t.Fatal(err)
	}
	readIndependently(t, s.Dir, 1)
	if r, err := s.Remove(t.Context(), name(t, "second")); err != nil || r.Blobs != 3 {
		t.Errorf("removed %+v, %v", r, err)
	}
}

// A transaction that is not committed leaves nothing, even when it is interrupted.
func TestNotCommitted(t *testing.T) {
	s := openStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	tx, err := s.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tx.PutBytes([]byte("text"), ollama.TypeSystem)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.BlobPath(l.Digest)); err != nil {
		t.Error(err)
	}
	cancel()
	if _, err := tx.PutBytes([]byte("more"), ollama.TypeSystem); !errors.Is(err, context.Canceled) {
		t.Errorf("put after the end: %v", err)
	}
	if err := tx.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.BlobPath(l.Digest)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the blob is still there: %v", err)
	}
	if files := leftovers(t, s.Dir); len(files) > 0 {
		t.Errorf("left %q", files)
	}
}
