//go:build unix

package mmap

import (
	"os"

	"golang.org/x/sys/unix"
)

func open(f *os.File, size int) (*Map, error) {
	data, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	m := &Map{data: data}
	// Where this fails, the map alone serves.
	if fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0); err == nil {
		m.file = os.NewFile(uintptr(fd), f.Name())
	}
	return m, nil
}

func (m *Map) unmap() error { return unix.Munmap(m.data) }

// Sequential says that the file will be read from front to back once, so that
// the system reads ahead.
func (m *Map) Sequential() { m.advise(m.data, unix.MADV_SEQUENTIAL) }

// WillNeed says that the n bytes at offset will be read soon.
func (m *Map) WillNeed(offset, n int64) {
	// Whole pages, those at both ends too.
	page := int64(os.Getpagesize())
	from := offset / page * page
	m.advise(m.data[from:offset+n], unix.MADV_WILLNEED)
}

// DontNeed gives the pages that lie wholly within the n bytes at offset back to
// the system. The bytes stay valid: touching them reads the file again.
func (m *Map) DontNeed(offset, n int64) {
	page := int64(os.Getpagesize())
	from := (offset + page - 1) / page * page
	to := offset + n
	if to < int64(len(m.data)) {
		to = to / page * page
	}
	if from < to {
		m.advise(m.data[from:to], unix.MADV_DONTNEED)
	}
}

// advise ignores errors: advice changes speed, never results.
func (m *Map) advise(p []byte, advice int) {
	if len(p) > 0 {
		_ = unix.Madvise(p, advice)
	}
}
