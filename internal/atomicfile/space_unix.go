//go:build linux || darwin

package atomicfile

import "golang.org/x/sys/unix"

// FreeSpace returns the bytes that may be written to the file system of dir;
// known is false where it does not tell.
func FreeSpace(dir string) (free uint64, known bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil || s.Blocks == 0 {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true
}
