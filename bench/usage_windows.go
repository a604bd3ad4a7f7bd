package bench

import (
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// processTime returns the processor time of this process.
func processTime() time.Duration {
	var created, exited, kernel, user windows.Filetime
	if windows.GetProcessTimes(windows.CurrentProcess(), &created, &exited, &kernel, &user) != nil {
		return 0
	}
	// Times are in units of 100 ns; these two are durations.
	ticks := func(t windows.Filetime) int64 { return int64(t.HighDateTime)<<32 | int64(t.LowDateTime) }
	return time.Duration(100 * (ticks(kernel) + ticks(user)))
}

// memoryCounters is PROCESS_MEMORY_COUNTERS of psapi.h.
type memoryCounters struct {
	size, pageFaults             uint32
	peakWorkingSet, workingSet   uintptr
	_, _, _, _, pagefile, peakPF uintptr
}

var getMemory = windows.NewLazySystemDLL("kernel32.dll").NewProc("K32GetProcessMemoryInfo")

func readMemory() (m memoryCounters) {
	m.size = uint32(unsafe.Sizeof(m))
	if getMemory.Find() == nil {
		getMemory.Call(uintptr(windows.CurrentProcess()), uintptr(unsafe.Pointer(&m)), uintptr(m.size))
	}
	return m
}

// residentMemory returns the bytes of memory that this process has now.
func residentMemory() int64 { return int64(readMemory().workingSet) }

// peakMemory returns the most that it had.
func peakMemory() int64 { return int64(readMemory().peakWorkingSet) }

// resetPeak is not possible here.
func resetPeak() bool { return false }
