//go:build unix

// Package fence gives tests memory whose neighbours cannot be touched.
package fence

import (
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Around returns n elements at an edge of memory of its own: the process ends
// with a fault when one beside them, behind the last or else before the first,
// is read or written.
func Around[T any](t *testing.T, n int, behind bool) []T {
	t.Helper()
	var element T
	bytes := n * int(unsafe.Sizeof(element))
	page := os.Getpagesize()
	size := (bytes + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, size+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(mem); err != nil {
			t.Error(err)
		}
	})
	for _, fence := range [][]byte{mem[:page], mem[page+size:]} {
		if err := unix.Mprotect(fence, unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	if n == 0 {
		return nil
	}
	from := page
	if behind {
		from = page + size - bytes
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&mem[from])), n)
}
