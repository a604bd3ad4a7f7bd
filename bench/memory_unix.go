//go:build unix && !linux

package bench

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// residentMemory is not known here.
func residentMemory() int64 { return 0 }

// peakMemory returns the most bytes of memory that this process had.
func peakMemory() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return int64(u.Maxrss)
	}
	return int64(u.Maxrss) << 10
}

// resetPeak is not possible here.
func resetPeak() bool { return false }
