package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Folder makes the folder dest with what fill writes into the folder that it is
// given, beside dest: whole, or not at all. Unless replace is set, an existing dest
// is refused with an error that wraps ErrExists; else the new folder takes its
// place once it is complete.
func Folder(dest string, replace bool, fill func(dir string) error) error {
	dest = filepath.Clean(dest)
	_, err := os.Lstat(dest)
	exists := err == nil
	switch {
	case exists && !replace:
		return &fs.PathError{Op: "make", Path: dest, Err: ErrExists}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	made, err := os.MkdirTemp(filepath.Dir(dest), tempPrefix+"*"+tempSuffix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(made)
	if err := fill(made); err != nil {
		return err
	}
	if err := os.Chmod(made, 0o755); err != nil {
		return err
	}
	if !exists {
		return os.Rename(made, dest)
	}
	// A folder cannot take the place of another in one step everywhere.
	aside := made + ".old"
	if err := os.Rename(dest, aside); err != nil {
		return err
	}
	if err := os.Rename(made, dest); err != nil {
		return errors.Join(err, os.Rename(aside, dest))
	}
	return os.RemoveAll(aside)
}
