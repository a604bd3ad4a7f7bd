package mmap

import (
	"errors"
	"sync"

	"golang.org/x/sys/unix"
)

var fetchBuffers = sync.Pool{New: func() any { return new([1 << 18]byte) }}

// Fetch reads the n bytes at offset into the page cache, unless they are there,
// so that touching them does not wait. It returns when that is done, and is for a
// goroutine that has nothing else to do.
//
// A page fault stops a thread and what the Go scheduler would run on it, and
// madvise(MADV_WILLNEED) reads page by page, which takes more time than all other
// ways; reads in large pieces keep the disk busy.
func (m *Map) Fetch(offset, n int64) {
	if n <= 0 {
		return
	}
	if m.file == nil {
		m.WillNeed(offset, n)
		return
	}
	first, err := m.cached(offset)
	if err != nil {
		m.WillNeed(offset, n) // the file system does not tell
		return
	}
	if last, err := m.cached(offset + n - 1); first && last && err == nil {
		return
	}
	buf := fetchBuffers.Get().(*[1 << 18]byte)
	defer fetchBuffers.Put(buf)
	for n > 0 {
		// What cannot be read shows again when the map is touched.
		k, err := m.file.ReadAt(buf[:min(n, int64(len(buf)))], offset)
		if err != nil {
			return
		}
		offset, n = offset+int64(k), n-int64(k)
	}
}

// cached reports whether the byte at offset is in the page cache.
func (m *Map) cached(offset int64) (bool, error) {
	var b [1]byte
	_, err := unix.Preadv2(int(m.file.Fd()), [][]byte{b[:]}, offset, unix.RWF_NOWAIT)
	if errors.Is(err, unix.EAGAIN) {
		return false, nil
	}
	return true, err
}
