package atomicfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The kernel's own file system takes no files, not even from root.
func TestReadOnlyFolder(t *testing.T) {
	_, err := Create("/sys/out", false)
	want := "; choose a folder that you may write to instead of /sys"
	if err == nil || !strings.HasPrefix(err.Error(), "create /sys/out: ") || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error is %v", err)
	}
}

// /dev/full fails every write like a full disk.
func TestFullDisk(t *testing.T) {
	f, err := Create("/dev/full", false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Abort()
	_, err = f.Write([]byte("x"))
	want := "write /dev/full: no space left on device; free space on the disk of /dev or choose another one"
	if err == nil || err.Error() != want {
		t.Errorf("error is %v, not %s", err, want)
	}
}

// A shell may have sent standard output to the destination itself.
func TestOpenDestination(t *testing.T) {
	dest := filepath.Join(t.TempDir(), "out")
	out, err := os.Create(dest)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := create(t, procPath(out), "new", true, false).Commit(true); err != nil {
		t.Fatal(err)
	}
	if got := read(t, dest); got != "new" {
		t.Errorf("content is %q", got)
	}
}
