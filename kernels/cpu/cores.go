package cpu

import (
	"fmt"
	"io/fs"
	"strings"
)

// countCores returns the number of physical cores that the given logical
// processors belong to. sys is /sys/devices/system/cpu of Linux, where
//
//	cpu3/topology/thread_siblings_list    1,3
//
// lists the processors that share the core of processor 3. A processor about
// which there is no such file has a core of its own.
func countCores(sys fs.FS, processors []int) int {
	cores := map[string]bool{}
	for _, p := range processors {
		core := fmt.Sprintf("processor %d", p)
		list, err := fs.ReadFile(sys, fmt.Sprintf("cpu%d/topology/thread_siblings_list", p))
		if siblings := strings.TrimSpace(string(list)); err == nil && siblings != "" {
			core = siblings
		}
		cores[core] = true
	}
	return len(cores)
}
