package convert_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/convert"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/internal/hostilecheckpoint"
)

func TestHostile(t *testing.T) {
	for _, c := range hostilecheckpoint.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			dir, out := t.TempDir(), t.TempDir()
			if err := c.Write(dir); err != nil {
				t.Fatal(err)
			}
			_, err := convert.Run(context.Background(), dir, filepath.Join(out, "out.gguf"), nil)
			if err == nil {
				t.Fatal("it was converted")
			}
			if !strings.Contains(err.Error(), c.Want) {
				t.Errorf("error %q\nwant    %q", err, c.Want)
			}
			_, malformed := errors.AsType[*fault.FormatError](err)
			_, unsupported := errors.AsType[*fault.UnsupportedError](err)
			kind := map[hostilecheckpoint.Kind]bool{
				hostilecheckpoint.Malformed:   malformed && !unsupported,
				hostilecheckpoint.Unsupported: unsupported && !malformed,
				hostilecheckpoint.Missing:     !malformed && !unsupported && errors.Is(err, fs.ErrNotExist),
			}
			if !kind[c.Kind] {
				t.Errorf("error of the wrong kind: %q", err)
			}
			if left, err := os.ReadDir(out); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// The cases mean nothing unless what they change is valid.
func TestHostileBase(t *testing.T) {
	dir := t.TempDir()
	if err := hostilecheckpoint.WriteValid(dir); err != nil {
		t.Fatal(err)
	}
	report, err := convert.Run(context.Background(), dir, filepath.Join(t.TempDir(), "out.gguf"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Tensors) != 21 {
		t.Errorf("%d tensors", len(report.Tensors))
	}
}
