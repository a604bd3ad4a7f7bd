package mmap

import (
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

func open(f *os.File, size int) (*Map, error) {
	h, err := windows.CreateFileMapping(windows.Handle(f.Fd()), nil, windows.PAGE_READONLY, 0, 0, nil)
	if err != nil {
		return nil, os.NewSyscallError("CreateFileMapping", err)
	}
	// A view keeps its mapping object alive.
	defer windows.CloseHandle(h)
	addr, err := windows.MapViewOfFile(h, windows.FILE_MAP_READ, 0, 0, uintptr(size))
	if err != nil {
		return nil, os.NewSyscallError("MapViewOfFile", err)
	}
	// The address is memory that Go does not manage, so reading it through a
	// pointer of a pointer keeps vet's check for stale uintptrs content.
	data := unsafe.Slice(*(**byte)(unsafe.Pointer(&addr)), size)
	return &Map{data: data}, nil
}

func (m *Map) unmap() error {
	addr := uintptr(unsafe.Pointer(unsafe.SliceData(m.data)))
	return os.NewSyscallError("UnmapViewOfFile", windows.UnmapViewOfFile(addr))
}
