package atomicfile

import (
	"os"

	"golang.org/x/sys/unix"
)

func clone(dst, src *os.File) error {
	return os.NewSyscallError("FICLONE", unix.IoctlFileClone(int(dst.Fd()), int(src.Fd())))
}
