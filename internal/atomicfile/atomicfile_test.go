package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// names lists the entries of dir.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

// create begins dest and writes content. With named set the file has a
// temporary name, as on systems that have no files without one.
func create(t *testing.T, dest, content string, overwrite, named bool) *File {
	t.Helper()
	f, err := Create(dest, overwrite)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Abort)
	if named && f.temp == "" && !f.direct {
		f.f.Close()
		f.temp = TempName(filepath.Dir(f.dest))
		if f.f, err = os.OpenFile(f.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	return f
}

func forEachWay(t *testing.T, test func(t *testing.T, named bool)) {
	t.Run("unnamed", func(t *testing.T) { test(t, false) })
	t.Run("named", func(t *testing.T) { test(t, true) })
}

func TestCommit(t *testing.T) {
	forEachWay(t, func(t *testing.T, named bool) {
		dir := t.TempDir()
		dest := filepath.Join(dir, "out")
		f := create(t, dest, "whole", false, named)
		if _, err := os.Stat(dest); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("before Commit the destination gives %v", err)
		}
		if err := f.Commit(false); err != nil {
			t.Fatal(err)
		}
		f.Abort()
		if got := read(t, dest); got != "whole" {
			t.Errorf("content is %q", got)
		}
		if got := names(t, dir); len(got) != 1 {
			t.Errorf("folder has %q", got)
		}
	})
}

func TestAbort(t *testing.T) {
	forEachWay(t, func(t *testing.T, named bool) {
		dir := t.TempDir()
		f := create(t, filepath.Join(dir, "out"), "half", false, named)
		f.Abort()
		f.Abort()
		if got := names(t, dir); len(got) != 0 {
			t.Errorf("folder has %q", got)
		}
	})
}

func TestOverwrite(t *testing.T) {
	forEachWay(t, func(t *testing.T, named bool) {
		dir := t.TempDir()
		dest := filepath.Join(dir, "out")
		write(t, dest, "old")

		_, err := Create(dest, false)
		if !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), "--force") {
			t.Errorf("Create without overwrite: %v", err)
		}
		f := create(t, dest, "new", true, named)
		if got := read(t, dest); got != "old" {
			t.Errorf("before Commit the content is %q", got)
		}
		if err := f.Commit(true); err != nil {
			t.Fatal(err)
		}
		if got := read(t, dest); got != "new" {
			t.Errorf("after Commit the content is %q", got)
		}
		if got := names(t, dir); len(got) != 1 {
			t.Errorf("folder has %q", got)
		}
	})
}

func TestWriteAt(t *testing.T) {
	forEachWay(t, func(t *testing.T, named bool) {
		dest := filepath.Join(t.TempDir(), "out")
		f := create(t, dest, "one two", false, named)
		if !f.Replaceable() {
			t.Error("a file cannot be replaced")
		}
		if _, err := f.WriteAt([]byte("ten"), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(" three")); err != nil {
			t.Fatal(err)
		}
		if err := f.Commit(false); err != nil {
			t.Fatal(err)
		}
		if got := read(t, dest); got != "ten two three" {
			t.Errorf("content is %q", got)
		}
	})
}

func TestAppearedMeanwhile(t *testing.T) {
	forEachWay(t, func(t *testing.T, named bool) {
		dir := t.TempDir()
		dest := filepath.Join(dir, "out")
		f := create(t, dest, "mine", false, named)
		write(t, dest, "theirs")
		if err := f.Commit(false); !errors.Is(err, ErrExists) {
			t.Errorf("Commit gives %v", err)
		}
		if got := read(t, dest); got != "theirs" {
			t.Errorf("content is %q", got)
		}
		if got := names(t, dir); len(got) != 1 {
			t.Errorf("folder has %q", got)
		}
	})
}

func TestSymbolicLinks(t *testing.T) {
	dir := t.TempDir()
	link := func(target, name string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	target := filepath.Join(dir, "target")
	write(t, target, "old")
	via := link("target", "link")
	if err := create(t, via, "new", true, false).Commit(true); err != nil {
		t.Fatal(err)
	}
	if got := read(t, target); got != "new" {
		t.Errorf("target has %q", got)
	}
	if info, err := os.Lstat(via); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}

	dangling := link(filepath.Join(dir, "later"), "dangling")
	if err := create(t, dangling, "made", false, false).Commit(false); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(dir, "later")); got != "made" {
		t.Errorf("target of a dangling link has %q", got)
	}

	loop := link("loop", "loop")
	if _, err := Create(loop, true); err == nil || !strings.Contains(err.Error(), "symbolic links") {
		t.Errorf("a link to itself gives %v", err)
	}
}

func TestDevice(t *testing.T) {
	f := create(t, os.DevNull, "gone", false, false)
	if f.Replaceable() {
		t.Errorf("%s can be replaced", os.DevNull)
	}
	if err := f.Expect(1 << 40); err != nil {
		t.Error(err)
	}
	if err := f.Commit(false); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatalf("%s became %v, %v", os.DevNull, info.Mode(), err)
	}
}

func TestExpect(t *testing.T) {
	dest := filepath.Join(t.TempDir(), "out")
	f := create(t, dest, "short", false, false)
	for _, size := range []int64{0, 1 << 10} {
		if err := f.Expect(size); err != nil {
			t.Fatal(err)
		}
	}
	if _, known := FreeSpace(filepath.Dir(dest)); known {
		err := f.Expect(1 << 60)
		if want := fmt.Sprintf("write %d bytes to %s: ", int64(1<<60), f.dest); err == nil || !strings.HasPrefix(err.Error(), want) || !IsFull(err) {
			t.Errorf("error is %v, want one with %q", err, want)
		}
	}
	if err := f.Commit(false); err != nil {
		t.Fatal(err)
	}
	if got := read(t, dest); got != "short" {
		t.Errorf("the content is %q", got)
	}
}

func TestBadDestinations(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, "")
	for _, c := range []struct{ dest, want string }{
		{dir, "is a directory; name a file in it"},
		{filepath.Join(dir, "no", "out"), "create the folder " + filepath.Join(dir, "no") + " first"},
		{filepath.Join(file, "out"), file + " is not a folder"},
	} {
		_, err := Create(c.dest, true)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.dest) {
			t.Errorf("%s: %v, not %q", c.dest, err, c.want)
		}
	}
}

func TestLongName(t *testing.T) {
	dest := filepath.Join(t.TempDir(), strings.Repeat("n", 255))
	if err := create(t, dest, "x", false, true).Commit(false); err != nil {
		t.Error(err)
	}
}

// The name of a file may be known only when its content is.
func TestCommitAs(t *testing.T) {
	forEachWay(t, func(t *testing.T, named bool) {
		dir, other := t.TempDir(), t.TempDir()
		f, err := CreateIn(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Abort()
		if named && f.temp == "" {
			f.f.Close()
			f.temp = TempName(dir)
			if f.f, err = os.OpenFile(f.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if named {
			if got := names(t, dir); len(got) != 1 || !IsTemp(got[0]) {
				t.Errorf("folder has %q", got)
			}
		}
		if _, err := f.Write([]byte("content")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 4)
		if n, err := f.ReadAt(buf, 3); n != 4 || err != nil || string(buf) != "tent" {
			t.Errorf("read %q, %v", buf[:n], err)
		}
		dest := filepath.Join(other, "name")
		write(t, dest, "old")
		if err := f.CommitAs(dest, true); err != nil {
			t.Fatal(err)
		}
		if got := read(t, dest); got != "content" {
			t.Errorf("content is %q", got)
		}
		if a, b := names(t, dir), names(t, other); len(a) != 0 || len(b) != 1 {
			t.Errorf("folders have %q and %q", a, b)
		}
	})
}

// A clone has the content, or the file stays empty and can be written to.
func TestClone(t *testing.T) {
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	write(t, src, "content")
	in, err := os.Open(src)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	f, err := CreateIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Abort()
	if f.Clone(in) != nil {
		if _, err := f.Write([]byte("content")); err != nil {
			t.Fatal(err)
		}
	}
	dest := filepath.Join(dir, "dest")
	if err := f.CommitAs(dest, false); err != nil {
		t.Fatal(err)
	}
	if got := read(t, dest); got != "content" {
		t.Errorf("content is %q", got)
	}
}

func TestIsTemp(t *testing.T) {
	if name := filepath.Base(TempName("x")); !IsTemp(name) {
		t.Errorf("%q is not temporary", name)
	}
	for _, name := range []string{"", ".gguftool-.tmp", ".gguftool-0123456789abcdef.tm", "gguftool-0123456789abcdef.tmp", "x.gguftool-0123456789abcdef.tmp"} {
		if IsTemp(name) {
			t.Errorf("%q is temporary", name)
		}
	}
}
