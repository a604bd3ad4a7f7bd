// Package mmap maps files into memory for reading.
//
// The bytes of a Map come from the page cache as they are touched, so that
// opening takes the same time for every size and a large file costs no memory
// of the process. As with every memory map, the process ends with a fault when
// another one truncates the file while it is mapped.
package mmap

import (
	"errors"
	"fmt"
	"math"
	"os"
)

// A Map is a file mapped for reading.
type Map struct {
	data []byte
	file *os.File // the same file, or nil
}

// Open maps the regular file at path. An empty file has an empty map.
func Open(path string) (*Map, error) {
	// A pipe would block in os.Open, so look first.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a directory; name a file in it", path)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file and cannot be mapped; copy it to a file first", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	size := info.Size()
	if size == 0 {
		return &Map{}, nil
	}
	if size > math.MaxInt {
		return nil, fmt.Errorf("%s has %d bytes, more than this system can map", path, size)
	}
	m, err := open(f, int(size))
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	return m, nil
}

// Bytes returns the file's content, which must not be written to. It is invalid
// after Close.
func (m *Map) Bytes() []byte { return m.data }

// Load returns the n bytes at offset for a single pass over them. They are read
// into buf, which grows as needed, or are the mapped file, which must not be
// written to.
//
// A pass over memory that was just read costs less than one over the map, where
// every sixteenth page is a fault and all of them are to be unmapped again.
func (m *Map) Load(offset, n int64, buf *[]byte) []byte {
	mapped := m.data[offset : offset+n : offset+n]
	if m.file == nil || n == 0 {
		return mapped
	}
	if int64(cap(*buf)) < n {
		*buf = make([]byte, n)
	}
	*buf = (*buf)[:n]
	if _, err := m.file.ReadAt(*buf, offset); err != nil {
		return mapped
	}
	return *buf
}

// Close unmaps the file.
func (m *Map) Close() error {
	if m.data == nil {
		return nil
	}
	err := m.unmap()
	m.data = nil
	if m.file != nil {
		err = errors.Join(err, m.file.Close())
	}
	return err
}
