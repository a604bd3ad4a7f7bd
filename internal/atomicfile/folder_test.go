package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestFolder(t *testing.T) {
	parent := t.TempDir()
	dest := filepath.Join(parent, "folder")
	writes := func(name string) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), nil, 0o644) }
	}
	holds := func(name string) {
		t.Helper()
		in, err := os.ReadDir(dest)
		if err != nil || len(in) != 1 || in[0].Name() != name {
			t.Errorf("the folder holds %v, error %v; want %s", in, err, name)
		}
		if beside, _ := os.ReadDir(parent); len(beside) != 1 {
			t.Errorf("%v are in its parent", beside)
		}
	}
	if err := Folder(dest, false, writes("a")); err != nil {
		t.Fatal(err)
	}
	holds("a")
	if err := Folder(dest, false, writes("b")); !errors.Is(err, ErrExists) {
		t.Errorf("over a folder: %v", err)
	}
	holds("a")
	wrong := errors.New("wrong")
	if err := Folder(dest, true, func(string) error { return wrong }); !errors.Is(err, wrong) {
		t.Errorf("a folder that fails: %v", err)
	}
	holds("a")
	if err := Folder(dest+"/", true, writes("b")); err != nil {
		t.Fatal(err)
	}
	holds("b")
}
