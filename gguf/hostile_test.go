package gguf_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/hostile"
)

func kind(err error) hostile.Kind {
	if _, ok := errors.AsType[*gguf.FormatError](err); ok {
		return hostile.Malformed
	}
	if _, ok := errors.AsType[*gguf.UnsupportedError](err); ok {
		return hostile.Unsupported
	}
	if errors.Is(err, fs.ErrNotExist) {
		return hostile.Missing
	}
	return -1
}

// hint returns what the error says to do.
func hint(err error) string {
	if e, ok := errors.AsType[*gguf.FormatError](err); ok {
		return e.Hint
	}
	if e, ok := errors.AsType[*gguf.UnsupportedError](err); ok {
		return e.Hint
	}
	return ""
}

func TestHostile(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range hostile.Cases() {
		if seen[c.Name] {
			t.Errorf("two cases are called %q", c.Name)
		}
		seen[c.Name] = true
		t.Run(c.Name, func(t *testing.T) {
			path, err := c.Write(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if c.Kind == hostile.Valid {
				f := open(t, path)
				for _, x := range f.Tensors {
					littleEndian(t, f, x)
				}
				return
			}
			f, err := gguf.Open(path)
			if err == nil {
				f.Close()
				t.Fatal("was opened")
			}
			if !strings.Contains(err.Error(), c.Want) || c.Want == "" || kind(err) != c.Kind {
				t.Errorf("kind %d: %v\nnot kind %d: %s", kind(err), err, c.Kind, c.Want)
			}
			if hint(err) == "" && c.Kind != hostile.Missing {
				t.Errorf("no advice: %v", err)
			}
			// The path once, and never a line break.
			if !strings.HasPrefix(err.Error(), path[:len(path)-len("-00001-of-00002.gguf")]) || strings.Contains(err.Error(), "\n") {
				t.Errorf("not one line that begins with the path: %v", err)
			}
		})
	}
	if len(seen) < 80 {
		t.Errorf("only %d cases", len(seen))
	}
}

// copied returns a copy of a file that may be changed, and its content.
func copied(t *testing.T, path string) (*os.File, []byte) {
	t.Helper()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "copy.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if _, err := file.Write(whole); err != nil {
		t.Fatal(err)
	}
	return file, whole
}

// A file cut off anywhere is malformed, unless only padding is missing.
func TestTruncated(t *testing.T) {
	const path = "testdata/plain.gguf"
	whole := open(t, path)
	last := whole.Tensors[len(whole.Tensors)-1]
	file, data := copied(t, path)
	for n := int64(len(data)) - 1; n >= 0; n-- {
		if err := file.Truncate(n); err != nil {
			t.Fatal(err)
		}
		f, err := gguf.Open(file.Name())
		if err == nil {
			f.Close()
		}
		if complete := n >= last.Offset+last.Size; complete != (err == nil) || err != nil && kind(err) != hostile.Malformed {
			t.Errorf("%d of %d bytes: %v", n, len(data), err)
		}
	}
}

// No single wrong byte leads to anything but an orderly error or a file that
// can be read.
func TestWrongByte(t *testing.T) {
	const path = "testdata/plain.gguf"
	file, data := copied(t, path)
	put := func(i int64, b byte) {
		if _, err := file.WriteAt([]byte{b}, i); err != nil {
			t.Fatal(err)
		}
	}
	for i := range open(t, path).Shards[0].DataAt {
		for _, b := range []byte{0, 1, 0x7f, 0xff, data[i] ^ 0x80} {
			put(i, b)
			f, err := gguf.Open(file.Name())
			if err != nil {
				if k := kind(err); k != hostile.Malformed && k != hostile.Unsupported {
					t.Errorf("byte %d is %d: %v", i, b, err)
				}
				continue
			}
			for _, x := range f.Tensors {
				littleEndian(t, f, x)
			}
			f.Close()
		}
		put(i, data[i])
	}
}
