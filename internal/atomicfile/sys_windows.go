package atomicfile

import (
	"errors"

	"golang.org/x/sys/windows"
)

// errFull is what writing to a full disk gives.
const errFull = windows.ERROR_DISK_FULL

// FreeSpace returns the bytes that may be written to the disk of dir; known is
// false where it does not tell.
func FreeSpace(dir string) (free uint64, known bool) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, false
	}
	err = windows.GetDiskFreeSpaceEx(path, &free, nil, nil)
	return free, err == nil
}

// IsFull reports whether err says that a disk or a quota is full.
func IsFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

func isReadOnly(err error) bool { return errors.Is(err, windows.ERROR_WRITE_PROTECT) }

// syncDir does nothing: Windows makes renames durable itself.
func syncDir(dir string) error { return nil }
