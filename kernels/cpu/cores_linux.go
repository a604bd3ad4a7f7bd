package cpu

import (
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// PhysicalCores returns the number of physical cores that this process may run
// on, found once: the threads of a core (SMT) count as one where the system
// tells which they are, that is on Linux. Elsewhere every processor counts.
var PhysicalCores = sync.OnceValue(func() int {
	allowed := affinity()
	if len(allowed) == 0 {
		return runtime.NumCPU()
	}
	return countCores(os.DirFS("/sys/devices/system/cpu"), allowed)
})

// affinity returns the processors that this process may run on, none where the
// system does not tell.
func affinity() []int {
	const most = 1 << 16 // Linux refuses a mask that is shorter than its own
	mask := unix.NewCPUSet(most)
	if err := unix.SchedGetaffinityDynamic(0, mask); err != nil {
		return nil
	}
	var allowed []int
	for i := range most {
		if mask.IsSet(i) {
			allowed = append(allowed, i)
		}
	}
	return allowed
}
