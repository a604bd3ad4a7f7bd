package gguf

import "github.com/gguftool/gguftool/internal/fault"

// A FormatError reports a file that breaks the rules of GGUF.
type FormatError = fault.FormatError

// An UnsupportedError reports a valid file that this package cannot read.
type UnsupportedError = fault.UnsupportedError
