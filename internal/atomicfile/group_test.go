package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeGroup begins a group of files in dir, each with its name as content.
func writeGroup(t *testing.T, dir string, overwrite bool, files ...string) Group {
	t.Helper()
	var paths []string
	for _, name := range files {
		paths = append(paths, filepath.Join(dir, name))
	}
	g, err := CreateGroup(paths, overwrite)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range g {
		if _, err := f.Write([]byte(files[i])); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

func TestGroup(t *testing.T) {
	dir := t.TempDir()
	g := writeGroup(t, dir, false, "a", "b", "c")
	if err := g.Commit(false); err != nil {
		t.Fatal(err)
	}
	g.Abort()
	for _, name := range []string{"a", "b", "c"} {
		if got := read(t, filepath.Join(dir, name)); got != name {
			t.Errorf("%s holds %q", name, got)
		}
	}
	writeGroup(t, dir, true, "a", "x").Abort()
	if got := strings.Join(names(t, dir), " "); got != "a b c" {
		t.Errorf("after Abort the folder has %s", got)
	}
}

// TestGroupExists finds a file of the group there at the beginning.
func TestGroupExists(t *testing.T) {
	dir := t.TempDir()
	b := filepath.Join(dir, "b")
	write(t, b, "")
	if _, err := CreateGroup([]string{filepath.Join(dir, "a"), b}, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if got := strings.Join(names(t, dir), " "); got != "b" {
		t.Errorf("the folder has %s", got)
	}
}

// TestGroupAppeared finds one there at the end only: those that have their names
// already lose them, and the one that appeared stays.
func TestGroupAppeared(t *testing.T) {
	dir := t.TempDir()
	g := writeGroup(t, dir, false, "a", "b", "c")
	b := filepath.Join(dir, "b")
	write(t, b, "mine")
	if err := g.Commit(false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if got := strings.Join(names(t, dir), " "); got != "b" {
		t.Errorf("the folder has %s", got)
	}
	if got := read(t, b); got != "mine" {
		t.Errorf("b holds %q", got)
	}
}

func TestRefuseInputs(t *testing.T) {
	dir := t.TempDir()
	a, link := filepath.Join(dir, "a"), filepath.Join(dir, "link")
	write(t, a, "")
	if err := os.Link(a, link); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(dir, "none")
	if err := RefuseInputs([]string{none, filepath.Join(dir, "new")}, []string{a, none}); err != nil {
		t.Error(err)
	}
	for _, out := range []string{a, link} {
		if err := RefuseInputs([]string{none, out}, []string{none, a}); err == nil || !strings.Contains(err.Error(), "give it another name") {
			t.Errorf("%s: got %v", out, err)
		}
	}
}
