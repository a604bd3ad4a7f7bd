package atomicfile

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// createUnnamed creates a file without a name on the file system of dir, or
// returns nil where that is not possible.
func createUnnamed(dir string) *os.File {
	f, err := os.OpenFile(dir, unix.O_TMPFILE|os.O_RDWR, 0o666)
	if err != nil {
		return nil
	}
	// Without /proc it could never be given a name.
	if _, err := os.Stat(procPath(f)); err != nil {
		f.Close()
		return nil
	}
	return f
}

// linkUnnamed gives f the name path and fails when path exists.
func linkUnnamed(f *os.File, path string) error {
	err := unix.Linkat(unix.AT_FDCWD, procPath(f), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	if err != nil {
		return &os.LinkError{Op: "linkat", Old: procPath(f), New: path, Err: err}
	}
	return nil
}

func procPath(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }
