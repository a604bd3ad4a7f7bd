package atomicfile

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Pieces that several goroutines write while others settle become one file, also
// where it was settled out of step, and whether it is committed or not.
func TestSettled(t *testing.T) {
	want := make([]byte, 5*writeBackLen+7)
	for i := range want {
		want[i] = byte(i * 7 >> 3)
	}
	for _, named := range []bool{false, true} {
		for _, commit := range []bool{false, true} {
			dir := t.TempDir()
			dest := filepath.Join(dir, "file")
			f := create(t, dest, "", false, named)
			var wg sync.WaitGroup
			const piece = 1 << 20
			for at := 0; at < len(want); at += piece {
				wg.Go(func() {
					if _, err := f.WriteAt(want[at:min(at+piece, len(want))], int64(at)); err != nil {
						t.Error(err)
					}
				})
				if at%(3*piece) == 0 {
					wg.Wait()
					f.Settled(int64(at + piece))
				}
			}
			wg.Wait()
			f.Settled(int64(len(want)))
			f.Settled(int64(len(want)))
			if !commit {
				f.Abort()
				f.Settled(int64(len(want)))
				if got := names(t, dir); len(got) != 0 {
					t.Errorf("left %q", got)
				}
				continue
			}
			for range 2 {
				if err := f.Sync(); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.Commit(false); err != nil {
				t.Fatal(err)
			}
			if got := read(t, dest); !bytes.Equal([]byte(got), want) {
				t.Errorf("named %v: the file has %d other bytes", named, len(got))
			}
		}
	}
}

// What is written to as it comes has nothing to settle.
func TestSettledDevice(t *testing.T) {
	f, err := Create(os.DevNull, true)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Abort()
	f.Settled(100 * writeBackLen)
	if f.back != nil {
		t.Error("a goroutine puts a device on the disk")
	}
	if err := f.Sync(); err != nil {
		t.Error(err)
	}
	if err := f.Commit(true); err != nil {
		t.Error(err)
	}
}
