// Package atomicfile writes files that appear whole or not at all, even when
// the process is killed or the machine loses power.
//
// On Linux the file has no name until it is complete, so that a killed process
// leaves nothing behind. Elsewhere, and on file systems that cannot do this, it
// has a temporary name beside its destination.
//
// A symbolic link is followed: its target is replaced and the link stays. A
// destination that is neither a file nor a folder, such as a named pipe or
// /dev/null, is written to directly, as nothing there could be replaced. A file
// that replaces another gets the permissions of a new one.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrExists is wrapped by errors about a destination that exists and may not be
// replaced.
var ErrExists = fs.ErrExist

// A File is being written and becomes visible when it is committed.
type File struct {
	f      *os.File
	dest   string // symbolic links resolved
	dir    string // where temporary names are
	temp   string // current name, or "" while there is none
	direct bool   // f is the destination itself
	synced bool   // its bytes are on the disk
	done   bool

	back *writeBack // puts settled bytes on the disk, or nil
}

// Create begins writing dest. Unless overwrite is set, an existing destination
// is refused, at Create and again at Commit.
func Create(dest string, overwrite bool) (*File, error) {
	info, err := os.Stat(dest)
	if err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		f, err := os.OpenFile(dest, os.O_WRONLY, 0)
		if err != nil {
			return nil, explain("open", dest, err)
		}
		return &File{f: f, dest: dest, direct: true}, nil
	}
	if dest, err = resolve(dest); err != nil {
		return nil, err
	}
	if err := checkFree(dest, overwrite); err != nil {
		return nil, err
	}
	return begin(filepath.Dir(dest), dest)
}

// CreateIn begins writing a file in the folder dir, whose name CommitAs gives.
func CreateIn(dir string) (*File, error) {
	return begin(dir, filepath.Join(dir, "(new file)"))
}

// begin makes a file in dir that is to become dest.
func begin(dir, dest string) (*File, error) {
	if f := createUnnamed(dir); f != nil {
		return &File{f: f, dest: dest, dir: dir}, nil
	}
	temp := TempName(dir)
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, explain("create", dest, err)
	}
	return &File{f: f, dest: dest, dir: dir, temp: temp}, nil
}

// CommitAs is Commit for a file of CreateIn. The folder of dest must be on the
// same file system.
func (f *File) CommitAs(dest string, overwrite bool) error {
	f.dest = dest
	return f.Commit(overwrite)
}

// ReadAt reads what was written.
func (f *File) ReadAt(p []byte, offset int64) (int, error) { return f.f.ReadAt(p, offset) }

// Clone makes the file share the bytes of src, all of them, until either is
// changed. Where the file system cannot, it fails and the file stays empty.
func (f *File) Clone(src *os.File) error { return clone(f.f, src) }

// Write appends to the file.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.f.Write(p)
	return n, explain("write", f.dest, err)
}

// WriteAt writes at a place of its own, also over what was written, which
// Replaceable must allow. Several goroutines may do so at once.
func (f *File) WriteAt(p []byte, offset int64) (int, error) {
	n, err := f.f.WriteAt(p, offset)
	return n, explain("write", f.dest, err)
}

// Replaceable reports whether the file will replace its destination as a whole.
// Otherwise the destination, such as a named pipe, is written to as it comes.
func (f *File) Replaceable() bool { return !f.direct }

// Expect says that the file will have size bytes, and fails where the disk
// clearly has no room for them, before any time is spent on making them. It
// reserves nothing: on some file systems, writing to reserved space is slow.
func (f *File) Expect(size int64) error {
	if f.direct {
		return nil
	}
	if free, known := FreeSpace(filepath.Dir(f.dest)); known && size > 0 && uint64(size) > free {
		return explain(fmt.Sprintf("write %d bytes to", size), f.dest, errFull)
	}
	return nil
}

// Settled says that the bytes before offset are written and will not change, so
// that the system may begin to put them on the disk, which leaves less to do at
// the end. It does not wait for that, and reports no errors: Sync does.
func (f *File) Settled(offset int64) {
	if f.direct || f.done {
		return
	}
	if f.back == nil {
		f.back = newWriteBack(f.f)
	}
	f.back.settled(offset)
}

// Sync puts what was written on the disk. Nothing may be written afterwards.
func (f *File) Sync() error {
	if f.direct || f.synced {
		return nil
	}
	f.back.stop()
	f.back = nil
	if err := f.f.Sync(); err != nil {
		return explain("write", f.dest, err)
	}
	f.synced = true
	return nil
}

// Commit makes the file durable and gives it its name. After an error it is
// gone, unless the error is of the last step, which makes the name durable too.
// Without overwrite, a file that has appeared at the destination since Create
// stays and is reported by an error that wraps ErrExists.
func (f *File) Commit(overwrite bool) error {
	defer f.Abort()
	if f.direct {
		f.done = true
		return explain("write", f.dest, f.f.Close())
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.publish(overwrite); err != nil {
		return err
	}
	return explain("write", f.dest, syncDir(filepath.Dir(f.dest)))
}

// publish gives the file its name.
func (f *File) publish(overwrite bool) error {
	if f.temp == "" {
		err := linkUnnamed(f.f, f.dest)
		if err == nil || !overwrite || !errors.Is(err, fs.ErrExist) {
			return exists("create", f.dest, err)
		}
		// No call links over an existing file, so replacing it takes a name.
		temp := TempName(f.dir)
		if err := linkUnnamed(f.f, temp); err != nil {
			return explain("create", f.dest, err)
		}
		f.temp = temp
	}
	// Windows renames no open file.
	if err := f.f.Close(); err != nil {
		return explain("write", f.dest, err)
	}
	if !overwrite {
		// A link fails where a rename would replace.
		err := os.Link(f.temp, f.dest)
		if err == nil || errors.Is(err, fs.ErrExist) {
			return exists("create", f.dest, err)
		}
		// The file system has no links, so a file may still appear in between.
		if err := checkFree(f.dest, false); err != nil {
			return err
		}
	}
	if err := os.Rename(f.temp, f.dest); err != nil {
		return explain("replace", f.dest, err)
	}
	f.temp = ""
	return nil
}

// Abort removes what was written. It does nothing after Commit, so that it can
// be deferred right after Create.
func (f *File) Abort() {
	if f.done {
		return
	}
	f.done = true
	f.back.stop()
	f.f.Close()
	if f.temp != "" {
		os.Remove(f.temp)
	}
}

const tempPrefix, tempSuffix = ".gguftool-", ".tmp"

// TempName returns the path of a file in dir that does not exist. It does not
// contain the destination's name, which may be as long as the file system
// allows.
func TempName(dir string) string {
	return filepath.Join(dir, fmt.Sprintf("%s%016x%s", tempPrefix, rand.Uint64(), tempSuffix))
}

// IsTemp reports whether a file's name, without folder, is one of TempName.
func IsTemp(name string) bool {
	return len(name) == len(tempPrefix)+16+len(tempSuffix) && strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, tempSuffix)
}

// resolve follows symbolic links at path, also to a target that does not exist.
func resolve(path string) (string, error) {
	for range 40 { // the limit of Linux
		target, err := os.Readlink(path)
		if err != nil {
			return path, nil // not a link
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return "", fmt.Errorf("%s: too many levels of symbolic links", path)
}

func checkFree(dest string, overwrite bool) error {
	info, err := os.Lstat(dest)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return explain("create", dest, err)
	case info.IsDir():
		return fmt.Errorf("%s is a directory; name a file in it", dest)
	case !overwrite:
		return exists("create", dest, fs.ErrExist)
	}
	return nil
}

// exists is explain for an operation that fails on an existing destination.
func exists(verb, dest string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w; use --force to replace it", dest, ErrExists)
	}
	return explain(verb, dest, err)
}

// explain names the destination instead of the temporary file and says what to
// do.
func explain(verb, dest string, err error) error {
	if err == nil {
		return nil
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	} else if l, ok := errors.AsType[*os.LinkError](err); ok {
		err = l.Err
	}
	dir := filepath.Dir(dest)
	hint := "choose another destination"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		hint = fmt.Sprintf("create the folder %s first", dir)
	case errors.Is(err, syscall.ENOTDIR):
		hint = fmt.Sprintf("%s is not a folder", dir)
	case errors.Is(err, fs.ErrPermission), isReadOnly(err):
		hint = fmt.Sprintf("choose a folder that you may write to instead of %s", dir)
	case IsFull(err):
		hint = fmt.Sprintf("free space on the disk of %s or choose another one", dir)
	case errors.Is(err, syscall.EFBIG):
		hint = "the file system or a limit (ulimit -f) allows no file of this size"
	}
	return fmt.Errorf("%s %s: %w; %s", verb, dest, err, hint)
}
