package gguf

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// What to do about a file.
const (
	hintTruncated = "the file looks truncated: download or copy it again"
	hintDamaged   = "the file is damaged or was written wrongly: get it again from its source"
)

// maxHead limits the part of a file before the data, and with it the memory
// that a hostile file can claim. The largest vocabularies need 40 MiB.
const maxHead = 256 << 20

// A cursor reads the part of a file before the data. It remembers the first
// error; after it, every read returns zero.
type cursor struct {
	file  string
	part  string // "header", "key", "tensor"
	name  string // of the key or tensor being read, once known
	b     []byte
	pos   int
	order binary.ByteOrder
	err   error
}

// fail records a FormatError at the byte at, unless one is recorded already.
func (c *cursor) fail(at int, format string, args ...any) {
	c.failHint(at, hintDamaged, format, args...)
}

func (c *cursor) failHint(at int, hint, format string, args ...any) {
	if c.err == nil {
		c.err = &FormatError{File: c.file, Part: c.where(), Offset: int64(at), Problem: fmt.Sprintf(format, args...), Hint: hint}
	}
}

func (c *cursor) unsupported(hint, format string, args ...any) {
	if c.err == nil {
		c.err = &UnsupportedError{File: c.file, Part: c.where(), Problem: fmt.Sprintf(format, args...), Hint: hint}
	}
}

func (c *cursor) where() string {
	if c.name == "" {
		return c.part
	}
	return fmt.Sprintf("%s %.80q", c.part, c.name)
}

func (c *cursor) left() uint64 { return uint64(len(c.b) - c.pos) }

// ends records that something at the byte at needs more bytes than are left.
func (c *cursor) ends(at int, format string, args ...any) {
	need := fmt.Sprintf(format, args...)
	if len(c.b) == maxHead {
		c.unsupported("remove keys that no reader needs", "%s at byte %d, but keys and tensor table are read only up to byte %d", need, at, maxHead)
		return
	}
	c.failHint(at, hintTruncated, "%s where %d are left", need, c.left())
}

// take returns the next n bytes, or nil.
func (c *cursor) take(n uint64, what string) []byte {
	if c.err != nil {
		return nil
	}
	if n > c.left() {
		c.ends(c.pos, "%s needs %d bytes", what, n)
		return nil
	}
	p := c.b[c.pos : c.pos+int(n)]
	c.pos += int(n)
	return p
}

func (c *cursor) uint32(what string) uint32 {
	if p := c.take(4, what); p != nil {
		return c.order.Uint32(p)
	}
	return 0
}

func (c *cursor) uint64(what string) uint64 {
	if p := c.take(8, what); p != nil {
		return c.order.Uint64(p)
	}
	return 0
}

// count reads the number of things that take at least width bytes each, so
// that nothing is ever allocated for things that cannot be there.
func (c *cursor) count(width uint64, what string) int {
	at := c.pos
	n := c.uint64("count of " + what)
	if c.err != nil {
		return 0
	}
	if n > c.left()/width {
		c.ends(at, "%d %s need %d bytes each", n, what, width)
		return 0
	}
	return int(n)
}

// text reads a string without copying it.
func (c *cursor) text(what string) []byte {
	return c.take(c.uint64(what), what)
}

// identifier reads a key or a tensor name of at most limit bytes. gguf-py
// refuses names that are not UTF-8 and llama.cpp cuts names at a NUL, so that
// two readers would see different names in such a file.
func (c *cursor) identifier(limit int) string {
	at := c.pos
	s := string(c.text("name"))
	if problem := checkIdentifier(s, limit); problem != "" {
		c.fail(at, "name %s", problem)
	}
	return s
}

func checkIdentifier(s string, limit int) string {
	switch {
	case len(s) > limit:
		return fmt.Sprintf("has %d bytes, more than %d", len(s), limit)
	case !utf8.ValidString(s):
		return fmt.Sprintf("%.80q is not UTF-8", s)
	}
	for i := range len(s) {
		if s[i] == 0 {
			return fmt.Sprintf("%.80q contains a NUL byte", s)
		}
	}
	return ""
}
