//go:build !linux

package atomicfile

import (
	"errors"
	"os"
)

// clone fails: macOS clones only to a name that is new, Windows only piece by
// piece on volumes that few have.
func clone(dst, src *os.File) error { return errors.ErrUnsupported }
