package atomicfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// startWriting begins to put n bytes at offset on the disk. What goes wrong shows
// again when the file is synced.
func startWriting(f *os.File, offset, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), offset, n, unix.SYNC_FILE_RANGE_WRITE)
}
