package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/internal/atomicfile"
	"github.com/gguftool/gguftool/internal/npy"
)

// outputOptions say where results go.
type outputOptions struct {
	path  string
	force bool
}

func (o *outputOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.path, "output", "o", "", "write to `FILE` instead of standard output")
	cmd.Flags().BoolVar(&o.force, "force", false, "replace an existing output")
}

// toFile reports whether results go to a file that has a name.
func (o *outputOptions) toFile() bool { return o.path != "" && o.path != "-" }

// A destination is standard output, or a file that appears whole when it is
// committed.
type destination struct {
	io.Writer
	file  *atomicfile.File // nil for standard output
	force bool
	spool *os.File // what is written before it goes to Writer, or nil
	named bool     // the spool has a name that is to be removed
}

func (o *outputOptions) open(cmd *cobra.Command) (*destination, error) {
	if !o.toFile() {
		return &destination{Writer: cmd.OutOrStdout()}, nil
	}
	f, err := atomicfile.Create(o.path, o.force)
	if err != nil {
		return nil, err
	}
	return &destination{Writer: f, file: f, force: o.force}, nil
}

// correctable returns where to write what is changed once more at the end. That
// is the file, or where bytes cannot be taken back a temporary file, which
// commit copies to the destination.
func (d *destination) correctable() (npy.Destination, error) {
	if d.file != nil && d.file.Replaceable() {
		return d.file, nil
	}
	f, err := os.CreateTemp("", "gguftool-*.tmp")
	if err != nil {
		// The error is not wrapped, as the path is none that the user gave.
		return nil, fmt.Errorf("collect the output in a temporary file: %v; write it to a file with -o, or name another folder in TMPDIR", err)
	}
	// Without a name it is gone when the process ends, however that happens.
	// Windows keeps the name until the file is closed.
	d.spool, d.named = f, os.Remove(f.Name()) != nil
	return f, nil
}

// commit completes the output.
func (d *destination) commit() error {
	if d.spool != nil {
		if _, err := d.spool.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.Copy(d.Writer, d.spool); err != nil {
			return err
		}
	}
	if d.file == nil {
		return nil
	}
	return d.file.Commit(d.force)
}

// abort removes what is not committed. It can be deferred right after open.
func (d *destination) abort() {
	if d.spool != nil {
		d.spool.Close()
		if d.named {
			os.Remove(d.spool.Name())
		}
	}
	if d.file != nil {
		d.file.Abort()
	}
}
