//go:build !linux && !darwin && !windows

package atomicfile

// freeSpace does not know.
func freeSpace(dir string) (free uint64, known bool) { return 0, false }
