//go:build !linux

package mmap

// Fetch asks the system to bring the n bytes at offset into memory.
func (m *Map) Fetch(offset, n int64) {
	if n > 0 {
		m.WillNeed(offset, n)
	}
}
