//go:build !unix

package mmap

// Sequential says that the file will be read from front to back once.
func (m *Map) Sequential() {}

// WillNeed says that the n bytes at offset will be read soon.
func (m *Map) WillNeed(offset, n int64) {}

// DontNeed says that the n bytes at offset will not be read again soon.
func (m *Map) DontNeed(offset, n int64) {}
