package mmap

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpen(t *testing.T) {
	page := os.Getpagesize()
	for _, size := range []int{0, 1, page - 1, page, page + 1, 5*page + 7} {
		content := bytes.Repeat([]byte{'x'}, size)
		m, err := Open(write(t, content))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(m.Bytes(), content) {
			t.Errorf("%d bytes: content differs", size)
		}
		for range 2 {
			if err := m.Close(); err != nil {
				t.Errorf("%d bytes: Close: %v", size, err)
			}
		}
		if m.Bytes() != nil {
			t.Errorf("%d bytes: bytes after Close", size)
		}
	}
}

func TestLoad(t *testing.T) {
	page := int64(os.Getpagesize())
	size := 3*page + 7
	content := bytes.Repeat([]byte("0123456789abcde"), int(size)/15+1)[:size]
	m, err := Open(write(t, content))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	file := m.file
	for _, m.file = range []*os.File{file, nil} {
		var buf []byte
		for _, from := range []int64{0, 1, page - 1, size - 1, size} {
			for _, n := range []int64{0, 1, page, size} {
				if from+n > size {
					continue
				}
				if got := m.Load(from, n, &buf); !bytes.Equal(got, content[from:from+n]) || int64(cap(got)) < n {
					t.Errorf("%d bytes at %d differ", n, from)
				}
			}
		}
	}
	m.file = file
}

// Advice never changes the content, wherever it points.
func TestAdvice(t *testing.T) {
	page := int64(os.Getpagesize())
	size := 5*page + 7
	content := bytes.Repeat([]byte("0123456789abcde"), int(size)/15+1)[:size]
	m, err := Open(write(t, content))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.Sequential()
	for _, from := range []int64{0, 1, page, page + 1, size - 1, size} {
		for _, to := range []int64{from, from + 1, from + page, size} {
			if to > size {
				continue
			}
			m.WillNeed(from, to-from)
			m.Fetch(from, to-from)
			m.DontNeed(from, to-from)
			if !bytes.Equal(m.Bytes(), content) {
				t.Fatalf("advice on bytes %d to %d changed the content", from, to)
			}
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "none"), "none"},
		{dir, "is a directory; name a file in it"},
		{os.DevNull, "is not a regular file"},
	} {
		m, err := Open(c.path)
		if err == nil {
			m.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, not %q", c.path, err, c.want)
		}
	}
}
