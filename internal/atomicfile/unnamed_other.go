//go:build !linux

package atomicfile

import (
	"errors"
	"os"
)

// createUnnamed returns nil: only Linux has files without names.
func createUnnamed(dir string) *os.File { return nil }

func linkUnnamed(f *os.File, path string) error { return errors.ErrUnsupported }
