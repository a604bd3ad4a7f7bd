//go:build unix

package atomicfile

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gguftool/gguftool/internal/emulator"
)

// child names the part that a test plays in a second process of itself.
const child = "ATOMICFILE_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(child) {
	case "writer":
		os.Exit(writer(os.Args[1]))
	case "stuck":
		os.Exit(stuck(os.Args[1]))
	case "limited":
		os.Exit(limited(os.Args[1]))
	}
	os.Exit(m.Run())
}

func start(t *testing.T, part, dest string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := emulator.Command(os.Args[0], dest)
	cmd.Env = append(os.Environ(), child+"="+part)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd, bufio.NewReader(out)
}

const (
	pieces    = 64
	pieceSize = 1 << 14
)

// writer replaces dest again and again by a file of one repeated letter, and
// says so after each step.
func writer(dest string) int {
	for i := 0; ; i++ {
		f, err := Create(dest, true)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		piece := []byte(strings.Repeat(string(rune('a'+i%26)), pieceSize))
		for range pieces {
			if _, err := f.Write(piece); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			fmt.Println("wrote")
		}
		if err := f.Commit(true); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println("committed")
	}
}

// Whenever the writer is killed, the destination is absent or whole.
func TestKill(t *testing.T) {
	for i := range 24 {
		dir := t.TempDir()
		dest := filepath.Join(dir, "out")
		cmd, out := start(t, "writer", dest)
		// From within the first file to within the third.
		for range 1 + i*6 {
			if _, err := out.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Duration(i) * 50 * time.Microsecond)
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()

		data, err := os.ReadFile(dest)
		switch {
		case os.IsNotExist(err):
		case err != nil:
			t.Fatal(err)
		case len(data) != pieces*pieceSize || strings.Trim(string(data), string(data[:1])) != "":
			t.Fatalf("kill %d left %d bytes of a broken file", i, len(data))
		}
		for _, name := range names(t, dir) {
			if name == "out" || !hasUnnamed(t) {
				continue
			}
			// A name for replacing another file is given to complete files only.
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if info.Size() != pieces*pieceSize {
				t.Errorf("kill %d left %s with %d bytes", i, name, info.Size())
			}
		}
	}
}

// stuck writes a part of dest and waits to be killed.
func stuck(dest string) int {
	f, err := Create(dest, false)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintln(f, "half")
	fmt.Println("wrote")
	for {
		time.Sleep(time.Hour)
	}
}

func TestKillBeforeCommit(t *testing.T) {
	dir := t.TempDir()
	cmd, out := start(t, "stuck", filepath.Join(dir, "out"))
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	for _, name := range names(t, dir) {
		if hasUnnamed(t) || !strings.HasPrefix(name, ".gguftool-") {
			t.Errorf("%s was left behind", name)
		}
	}
}

// hasUnnamed reports whether files without names exist here.
func hasUnnamed(t *testing.T) bool {
	f := createUnnamed(t.TempDir())
	if f != nil {
		f.Close()
	}
	return f != nil
}

// limited writes more than a limit allows, as on a full disk, and prints the error.
func limited(dest string) int {
	limit := unix.Rlimit{Cur: 1 << 16, Max: 1 << 16}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	f, err := Create(dest, false)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer f.Abort()
	_, err = f.Write(make([]byte, 1<<20))
	fmt.Println(err)
	return 0
}

func TestFileTooLarge(t *testing.T) {
	dir := t.TempDir()
	dest := filepath.Join(dir, "out")
	cmd, out := start(t, "limited", dest)
	said, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("write %s: %v; the file system or a limit (ulimit -f) allows no file of this size\n", dest, syscall.EFBIG)
	if string(said) != want {
		t.Errorf("error is %q, not %q", said, want)
	}
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("folder has %q", got)
	}
}

func TestPermissions(t *testing.T) {
	old := unix.Umask(0o027)
	defer unix.Umask(old)
	forEachWay(t, func(t *testing.T, named bool) {
		dest := filepath.Join(t.TempDir(), "out")
		if err := create(t, dest, "", false, named).Commit(false); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(dest)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o640 {
			t.Errorf("mode is %v", got)
		}
	})
}

func TestNamedPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o666); err != nil {
		t.Fatal(err)
	}
	got := make(chan string)
	go func() {
		b, err := os.ReadFile(path)
		if err != nil {
			b = []byte(err.Error())
		}
		got <- string(b)
	}()
	if err := create(t, path, "through", false, false).Commit(false); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != "through" {
		t.Errorf("the reader of the pipe got %q", s)
	}
}

// The messages of errors that a test cannot provoke everywhere: root ignores
// permissions, and a full or read-only disk takes a mount.
func TestExplain(t *testing.T) {
	dest := filepath.FromSlash("some/dir/out")
	for _, c := range []struct {
		err  error
		want string
	}{
		{syscall.ENOSPC, "free space on the disk of some/dir or choose another one"},
		{syscall.EDQUOT, "free space on the disk of some/dir or choose another one"},
		{syscall.EROFS, "choose a folder that you may write to instead of some/dir"},
		{syscall.EACCES, "choose a folder that you may write to instead of some/dir"},
		{syscall.EIO, "choose another destination"},
	} {
		err := explain("write", dest, &os.PathError{Op: "write", Path: "some/dir/.temp", Err: c.err})
		want := fmt.Sprintf("write some/dir/out: %v; %s", c.err, c.want)
		if err.Error() != want {
			t.Errorf("%q, not %q", err, want)
		}
	}
}
