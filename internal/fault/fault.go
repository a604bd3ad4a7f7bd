// Package fault holds the two kinds of bad input that the whole program tells
// apart: malformed input, which breaks the rules of its format, and unsupported
// input, which keeps them but asks for something gguftool does not do.
//
// Both kinds say what is wrong, where (file, part, offset) and what to do next.
// The command line maps them to exit codes 3 and 4.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// NoOffset is the Offset of an error that has no position in a file.
const NoOffset = -1

// A FormatError reports input that breaks the rules of its own format: it is
// damaged, truncated or hostile.
type FormatError struct {
	File    string // path as the user gave it; may be empty
	Part    string // what inside the file, as in `tensor "blk.0.attn_q.weight"`; may be empty
	Offset  int64  // byte offset in File, or NoOffset
	Problem string // what is wrong, with the offending value
	Hint    string // what to do next; may be empty
}

func (e *FormatError) Error() string {
	return sentence(e.File, e.Part, e.Offset, e.Problem, e.Hint)
}

// An UnsupportedError reports valid input that needs something gguftool lacks.
type UnsupportedError struct {
	File    string
	Part    string
	Problem string
	Hint    string
}

func (e *UnsupportedError) Error() string {
	return sentence(e.File, e.Part, NoOffset, e.Problem, e.Hint)
}

// Malformed returns a FormatError without position; callers that know more set
// its fields.
func Malformed(file, part, format string, args ...any) *FormatError {
	return &FormatError{File: file, Part: part, Offset: NoOffset, Problem: fmt.Sprintf(format, args...)}
}

// Unsupported returns an UnsupportedError.
func Unsupported(file, part, hint, format string, args ...any) *UnsupportedError {
	return &UnsupportedError{File: file, Part: part, Problem: fmt.Sprintf(format, args...), Hint: hint}
}

// InFile fills in the file name of a FormatError or UnsupportedError that was
// made where only the bytes were known. Other errors pass unchanged. It comes
// before fmt.Errorf wraps the error, which fixes the text.
func InFile(err error, file string) error {
	if f, ok := errors.AsType[*FormatError](err); ok && f.File == "" {
		f.File = file
	}
	if u, ok := errors.AsType[*UnsupportedError](err); ok && u.File == "" {
		u.File = file
	}
	return err
}

func sentence(file, part string, offset int64, problem, hint string) string {
	var b strings.Builder
	for _, s := range []string{file, part} {
		if s != "" {
			b.WriteString(s)
			b.WriteString(": ")
		}
	}
	b.WriteString(problem)
	if offset != NoOffset {
		fmt.Fprintf(&b, " (at byte %d)", offset)
	}
	if hint != "" {
		b.WriteString("; ")
		b.WriteString(hint)
	}
	return b.String()
}
