//go:build unix

package gemm

import (
	"math/rand/v2"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// fenced returns n elements at an edge of memory of its own: the process ends
// with a fault when one beside them, behind the last or else before the first,
// is read or written.
func fenced(t *testing.T, n int, behind bool) []float32 {
	page := os.Getpagesize()
	size := (4*n + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, size+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(mem); err != nil {
			t.Error(err)
		}
	})
	for _, fence := range [][]byte{mem[:page], mem[page+size:]} {
		if err := unix.Mprotect(fence, unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	if n == 0 {
		return nil
	}
	from := page
	if behind {
		from = page + size - 4*n
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&mem[from])), n)
}

// A product reads and writes nothing beside its operands.
func TestMulStaysInside(t *testing.T) { onEachPath(t, testMulStaysInside) }

func testMulStaysInside(t *testing.T, _ cpu.Path) {
	rng := rand.New(rand.NewPCG(6, 2))
	view := func(rows, cols int, behind bool) View {
		v := Dense(fenced(t, rows*cols, behind), rows, cols)
		for i := range v.Data {
			v.Data[i] = rng.Float32()
		}
		return v
	}
	for _, behind := range []bool{true, false} {
		for outputs := 1; outputs <= 2*maxTileCols; outputs += 1 + outputs/20 {
			for _, inputs := range []int{1, 2, 3, 4, 5, 7, 8, 9} {
				rows := 1 + rng.IntN(maxTileRows+2)
				x, bias, dst := view(rows, inputs, behind), view(1, outputs, behind), view(rows, outputs, behind)
				m := packRows(t, nil, view(outputs, inputs, behind))
				panels := fenced(t, len(m.panels), behind)
				copy(panels, m.panels)
				m.panels = panels
				Mul(nil, dst, x, m, Epilogue{})
				Mul(nil, dst, x, m, Epilogue{Bias: bias.Data, Add: true})
			}
		}
	}
}
