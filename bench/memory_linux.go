package bench

import (
	"os"
	"regexp"
	"strconv"
)

// residentMemory returns the bytes of memory that this process has now.
func residentMemory() int64 { return memoryStatus("VmRSS") }

// peakMemory returns the most that it had since it began, or since resetPeak.
func peakMemory() int64 { return memoryStatus("VmHWM") }

// resetPeak has peakMemory forget what was, and reports whether it did.
func resetPeak() bool {
	// Linux, Documentation/filesystems/proc.rst, "/proc/PID/clear_refs": 5 resets
	// the peak resident set size.
	return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) == nil
}

func memoryStatus(field string) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	match := regexp.MustCompile(`(?m)^` + field + `:\s*(\d+) kB$`).FindSubmatch(status)
	if match == nil {
		return 0
	}
	n, _ := strconv.ParseInt(string(match[1]), 10, 64)
	return n << 10
}
