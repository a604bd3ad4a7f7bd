package imatrix

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/gguftool/gguftool/internal/fault"
)

// parseLegacy reads the older format.
func parseLegacy(path string, data []byte) (*File, error) {
	c := cursor{path: path, data: data}
	n, err := c.count("the number of entries", 1)
	if err != nil {
		return nil, err
	}
	f := &File{Path: path, Entries: make(map[string]*Entry)}
	for i := range n {
		name, e, err := c.entry(i)
		if err != nil {
			return nil, err
		}
		if f.Entries[name] != nil {
			return nil, c.malformed("entry %d is for %q like one before it", i, name)
		}
		f.Entries[name] = e
	}
	if c.left() == 0 {
		return f, nil
	}

	chunks, err := c.int32("the number of chunks")
	if err != nil {
		return nil, err
	}
	f.Chunks = int(max(chunks, 0))
	if c.left() > 0 {
		name, err := c.text("the dataset", 0)
		if err != nil {
			return nil, err
		}
		if name != "" {
			f.Datasets = []string{name}
		}
	}
	if c.left() > 0 {
		return nil, c.malformed("%d bytes follow the end", c.left())
	}
	return f, nil
}

// A cursor reads the older format.
type cursor struct {
	path string
	data []byte
	at   int
}

func (c *cursor) left() int { return len(c.data) - c.at }

func (c *cursor) malformed(format string, args ...any) error {
	e := fault.Malformed(c.path, "", format, args...)
	e.Offset = int64(c.at)
	e.Hint = "it is neither GGUF nor a whole .dat importance file"
	return e
}

func (c *cursor) entry(i int) (name string, e *Entry, err error) {
	what := fmt.Sprintf("entry %d", i)
	if name, err = c.text("the name of "+what, 1); err != nil {
		return "", nil, err
	}
	calls, err := c.int32("the calls of " + what)
	if err != nil {
		return "", nil, err
	}
	n, err := c.count("the values of "+what, 4)
	if err != nil {
		return "", nil, err
	}
	e = &Entry{SumSquares: decodeF32(c.data[c.at:][:4*n]), Counts: []int64{int64(calls)}}
	if calls <= 0 {
		e.Counts[0] = 1 // the values are means already
	}
	c.at += 4 * n
	return name, e, nil
}

func (c *cursor) int32(what string) (int32, error) {
	if c.left() < 4 {
		return 0, c.malformed("the file ends in %s", what)
	}
	n := int32(binary.LittleEndian.Uint32(c.data[c.at:]))
	c.at += 4
	return n, nil
}

// count reads how many things of at least size bytes follow, one or more.
func (c *cursor) count(what string, size int) (int, error) {
	n, err := c.int32(what)
	if err != nil {
		return 0, err
	}
	if n < 1 || int(n) > c.left()/size {
		return 0, c.malformed("%s: %d do not fit into the %d bytes that follow", what, n, c.left())
	}
	return int(n), nil
}

// text reads a string of at least least bytes.
func (c *cursor) text(what string, least int) (string, error) {
	n, err := c.int32(what)
	if err != nil {
		return "", err
	}
	if int(n) < least || int(n) > c.left() {
		return "", c.malformed("%s: %d bytes of the %d that follow", what, n, c.left())
	}
	s := string(c.data[c.at:][:n])
	if strings.IndexByte(s, 0) >= 0 {
		return "", c.malformed("%s holds a zero byte", what)
	}
	c.at += int(n)
	return s, nil
}

func decodeF32(p []byte) []float32 {
	v := make([]float32, len(p)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(p[4*i:]))
	}
	return v
}
