//go:build !linux

package atomicfile

import "os"

// startWriting does nothing: no other system has such a call.
func startWriting(f *os.File, offset, n int64) {}
