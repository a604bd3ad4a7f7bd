//go:build unix

package quantize

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/emulator"
)

// child makes the test binary quantize in.gguf to out.gguf, line by line as
// chunks are written.
const child = "QUANTIZE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(child) != "" {
		if err := quantizeTalking(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func quantizeTalking() error {
	f, err := gguf.Open("in.gguf")
	if err != nil {
		return err
	}
	p, err := NewPlan(f, &Options{FileType: gguf.FileQ8_0})
	if err != nil {
		return err
	}
	return p.Run(context.Background(), "out.gguf", &RunOptions{Threads: 2, Progress: func(Progress) { fmt.Println("wrote") }})
}

// Whenever the process is killed, the output is absent or whole.
func TestKill(t *testing.T) {
	t.Chdir(t.TempDir())
	f := open(t, several(), weights(nil))
	if err := run(t, f, &Options{FileType: gguf.FileQ8_0}, "whole.gguf", nil); err != nil {
		t.Fatal(err)
	}
	whole := string(readFile(t, "whole.gguf"))
	for chunks := range 16 {
		cmd := emulator.Command(os.Args[0])
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		scan := bufio.NewScanner(out)
		for range chunks {
			scan.Scan()
		}
		time.Sleep(time.Duration(chunks) * 300 * time.Microsecond)
		cmd.Process.Kill()
		cmd.Wait()
		if data, err := os.ReadFile("out.gguf"); err == nil && string(data) != whole {
			t.Errorf("killed after %d chunks, it left %d bytes of %d", chunks, len(data), len(whole))
		}
		os.Remove("out.gguf")
	}
}
