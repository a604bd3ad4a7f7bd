package quantize

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

// residentLimit is what a run may need besides mapped files, whatever the size of
// the model: here rows are as long as those of 7 billion weights.
const residentLimit = 100 << 20

// TestMemory quantizes matrices with the rows of Llama 2 7B, from a sparse file, to
// two types at once and looks at the memory that is not that of mapped files. The
// outputs, and what comes in between, are larger than the limit.
func TestMemory(t *testing.T) {
	t.Chdir(t.TempDir())
	m := newModel("llama", "llama", 32, 32, 32, 0).
		addType(gguf.TypeF16, []int64{4096, 2000}, "token_embd.weight").
		addType(gguf.TypeF16, []int64{11008, 2048}, "blk.0.ffn_down.weight").
		addType(gguf.TypeF16, []int64{4096, 4096}, "blk.0.attn_q.weight")
	layout, err := gguf.NewLayout(m.metadata(), m.tensors, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("in.gguf", layout.Head, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate("in.gguf", layout.Size); err != nil {
		t.Fatal(err)
	}
	before := anonymous(t)
	var most int64
	all := jobs(t, FileSource(reopen(t, "in.gguf")), Options{}, gguf.FileQ8_0, gguf.FileF16)
	_, err = Run(t.Context(), all, &RunOptions{Threads: 4, Progress: func(Progress) { most = max(most, anonymous(t)) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MB more than the %d MB before", (most-before)>>20, before>>20)
	if most-before > residentLimit {
		t.Errorf("the run takes %d bytes of memory beyond mapped files", most-before)
	}
}

// anonymous returns the bytes of memory of this process that belong to no file.
func anonymous(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(status), "RssAnon:")
	var kB int64
	if _, err := fmt.Sscan(rest, &kB); !ok || err != nil {
		t.Fatalf("no RssAnon in %q: %v", status, err)
	}
	return kB << 10
}
