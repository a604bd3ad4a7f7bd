//go:build !linux

package cpu

import "runtime"

// PhysicalCores returns the number of processors of this process: here the
// system does not tell which of them share a core.
func PhysicalCores() int { return runtime.NumCPU() }
