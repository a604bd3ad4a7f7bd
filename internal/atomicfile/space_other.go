//go:build !linux && !darwin && !windows

package atomicfile

// FreeSpace does not know.
func FreeSpace(dir string) (free uint64, known bool) { return 0, false }
