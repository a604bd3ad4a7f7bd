package quantize

import (
	"slices"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

// /dev/full fails every write like a full disk.
func TestFullDisk(t *testing.T) {
	t.Chdir(t.TempDir())
	f := open(t, several(), weights(nil))
	err := run(t, f, &Options{FileType: gguf.FileQ8_0}, "/dev/full", &RunOptions{Overwrite: true})
	checkPlain(t, err, "write /dev/full: no space left on device; free space on the disk of /dev or choose another one")
	if got := listFolder(t); !slices.Equal(got, []string{"in.gguf"}) {
		t.Errorf("folder has %q", got)
	}
}
