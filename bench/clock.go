package bench

import "time"

// A Clock tells the times that measuring is about. Tests have one of their own.
type Clock interface {
	Now() time.Duration // since some moment; never goes back
	CPU() time.Duration // of the processors for this process so far, 0 where the system does not tell
}

// began is when the process did, but for the start of the Go runtime.
var began = time.Now()

// systemClock is the clock of this process.
type systemClock struct{}

func (systemClock) Now() time.Duration { return time.Since(began) }
func (systemClock) CPU() time.Duration { return processTime() }

// Process is what a process has used so far.
type Process struct {
	Seconds    float64 `json:"seconds"`     // since it began
	CPUSeconds float64 `json:"cpu_seconds"` // of all processors, user and system
	PeakBytes  int64   `json:"peak_bytes"`  // of memory
}

// ThisProcess returns what this process has used so far. What the system does not
// tell is 0.
func ThisProcess() Process {
	c := systemClock{}
	return Process{Seconds: c.Now().Seconds(), CPUSeconds: c.CPU().Seconds(), PeakBytes: peakMemory()}
}
