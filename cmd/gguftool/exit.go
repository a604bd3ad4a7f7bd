package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/modelfile"
	"github.com/gguftool/gguftool/ollama"
	"github.com/gguftool/gguftool/quantize"
)

// Exit codes, the same for every verb.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitMalformed   = 3
	exitUnsupported = 4
	exitCheckFailed = 5
)

const exitHelp = `Exit codes:
  0  done
  1  failed
  2  wrong usage
  3  damaged or hostile input
  4  valid but unsupported input
  5  a check did not hold`

// A usageError reports a command line that does not make sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*fault.FormatError](err); ok {
		return exitMalformed
	}
	if _, ok := errors.AsType[*fault.UnsupportedError](err); ok {
		return exitUnsupported
	}
	if _, ok := errors.AsType[*quantize.VerifyError](err); ok {
		return exitCheckFailed
	}
	if _, ok := errors.AsType[*bench.RegressionError](err); ok {
		return exitCheckFailed
	}
	if _, ok := errors.AsType[*bench.FloorError](err); ok {
		return exitCheckFailed
	}
	if _, ok := errors.AsType[*modelfile.CheckError](err); ok {
		return exitCheckFailed
	}
	if _, ok := errors.AsType[*ollama.VerifyError](err); ok {
		return exitCheckFailed
	}
	return exitFailed
}

// parts returns the errors that were joined in err, such as those of several
// input files.
func parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		if err == nil {
			return nil
		}
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, parts(e)...)
	}
	return all
}

// message adds the next step to errors that come from the system and do not
// know it.
func message(ctx context.Context, err error) string {
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return "interrupted; no output was written"
	case errors.Is(err, syscall.EPIPE):
		return "the reader of the output went away"
	case errors.Is(err, fs.ErrNotExist):
		return err.Error() + "; check the path"
	}
	return err.Error()
}
