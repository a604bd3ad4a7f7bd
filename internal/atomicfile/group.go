package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// A Group is several files that appear together or not at all, such as the
// shards of a model. Between the first name and the last a reader sees some of
// them; the first file of the group gets its name last, so that it should be the
// one without which nobody looks at the others.
type Group []*File

// CreateGroup begins writing files at paths, as Create does for each.
func CreateGroup(paths []string, overwrite bool) (Group, error) {
	var g Group
	for _, path := range paths {
		f, err := Create(path, overwrite)
		if errors.Is(err, syscall.EMFILE) {
			err = fmt.Errorf("%d files at once are more than this process may open; make fewer, or allow more with ulimit -n", len(paths))
		}
		if err != nil {
			g.Abort()
			return nil, err
		}
		g = append(g, f)
	}
	return g, nil
}

// Abort removes what was written. It does nothing after Commit, so that it can
// be deferred right after CreateGroup.
func (g Group) Abort() {
	for _, f := range g {
		f.Abort()
	}
}

// Commit makes all files durable, then gives them their names, the last first.
// When that fails in between, the names are taken back; what was overwritten is
// lost then.
func (g Group) Commit(overwrite bool) error {
	defer g.Abort()
	for _, f := range g {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	for i := len(g) - 1; i >= 0; i-- {
		if err := g[i].Commit(overwrite); err != nil {
			errs := []error{err}
			for _, f := range g[i+1:] {
				if f.Replaceable() {
					errs = append(errs, os.Remove(f.dest))
				}
			}
			return errors.Join(errs...)
		}
	}
	return nil
}

// RefuseInputs fails when one of the outputs is a file that is read.
func RefuseInputs(outputs, inputs []string) error {
	for _, output := range outputs {
		out, err := os.Stat(output)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return explain("look at", output, err)
		}
		for _, input := range inputs {
			if in, err := os.Stat(input); err == nil && os.SameFile(in, out) {
				return fmt.Errorf("the output %s is the input %s; give it another name", output, input)
			}
		}
	}
	return nil
}
