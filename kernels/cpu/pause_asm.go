//go:build (amd64 || arm64) && !purego

package cpu

// pause tells the processor that this is a loop that waits.
//
//go:noescape
func pause()
