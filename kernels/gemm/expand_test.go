package gemm

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// Panels of four bits expand to those of bytes, on each path.
func TestExpand(t *testing.T) { onEachPath(t, testExpand) }

func testExpand(t *testing.T, _ cpu.Path) {
	rng := rand.New(rand.NewPCG(1, 3))
	for _, levels := range []*[16]int8{narrowLevels, wideLevels} {
		for _, inputs := range []int{32, 64, 96, 128, 160, 416} {
			for panels := 1; panels <= 2; panels++ {
				size := inputs * panelCols
				want, packed := make([]byte, panels*size), make([]byte, panels*size/2)
				quants := make([]byte, inputs)
				for p := range panels {
					for j := range panelCols {
						for k := range quants {
							quants[k] = byte(levels[rng.IntN(16)])
						}
						placeBytes(want[p*size:(p+1)*size], quants, j)
						if !placeCodes(packed[p*size/2:(p+1)*size/2], quants, j, codesOf(levels)) {
							t.Fatal("levels have no codes")
						}
					}
				}
				const guard = 64
				got := make([]byte, guard+len(want)+guard)
				for i := range got {
					got[i] = 0xa5
				}
				active.expand(got[guard:guard+len(want)], packed, levels)
				for i, v := range got {
					if i -= guard; i < 0 || i >= len(want) {
						if v != 0xa5 {
							t.Fatalf("%d inputs, %d panels: byte %d is written", inputs, panels, i)
						}
					} else if v != want[i] {
						t.Fatalf("%d inputs, %d panels: byte %d is %d, want %d", inputs, panels, i, v, want[i])
					}
				}
			}
		}
	}
}

// Products of weights in four bits have the bits of those in bytes.
func TestFourBitsAreExact(t *testing.T) { onEachInt8(t, testFourBitsAreExact) }

func testFourBitsAreExact(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	leveledShapes(func(shape QuantizedShape) {
		if shape.Levels == nil {
			return
		}
		shape.Inputs, shape.Outputs = 96, 75
		rng := rand.New(rand.NewPCG(2, 3))
		four, _ := randomQuantized(t, rng, shape)
		if want := active.int8(shape.Group, isNarrow(shape.Levels)).fourBits; (four.levels != nil) != want {
			t.Fatalf("%+v: in four bits %v, want %v", shape, four.levels != nil, want)
		}
		bytes := bytesOf(four)
		for rows := 1; rows <= 2*stripeRows+1; rows += 1 + rows/8 {
			x, _ := randomView(t, rng, rows, shape.Inputs)
			want := Dense(make([]float32, rows*shape.Outputs), rows, shape.Outputs)
			MulQuantized(nil, want, quantizeRows(x, bytes), bytes, Epilogue{Act: GELU})
			for threads := 1; threads <= 3; threads++ {
				got := Dense(make([]float32, rows*shape.Outputs), rows, shape.Outputs)
				MulQuantized(cpu.NewPool(threads), got, quantizeRows(x, four), four, Epilogue{Act: GELU})
				if !slices.Equal(got.Data, want.Data) {
					t.Fatalf("%+v, %d rows, %d workers: not the same", shape, rows, threads)
				}
			}
		}
	})
}

// bytesOf returns m with panels of bytes.
func bytesOf(m *Quantized) *Quantized {
	b := *m
	if m.levels != nil {
		b.levels, b.quants = nil, make([]byte, 2*len(m.quants))
		expand(b.quants, m.quants, m.levels)
	}
	return &b
}

// Four bits take half the memory of bytes, and what they cannot hold is refused.
func TestPackLevels(t *testing.T) {
	onEachInt8(t, func(t *testing.T) {
		shape := QuantizedShape{Outputs: 40, Inputs: 64, Group: 32, Levels: narrowLevels}
		pack := func(bad byte) (*Quantized, error) {
			return PackQuantized(nil, shape, func(dst *QuantRow, i int) error {
				for k := range dst.Quants {
					dst.Quants[k] = byte(shape.Levels[(i+k)%16])
				}
				if i == 37 {
					dst.Quants[63] = bad
				}
				return nil
			})
		}
		m, err := pack(1)
		if err != nil {
			t.Fatal(err)
		}
		size := 3 * 64 * panelCols
		if m.levels != nil {
			size /= 2
		}
		if len(m.quants) != size || m.Bytes() != int64(size+4*(3*2*2*panelCols+40)) || !m.narrow {
			t.Errorf("%d bytes of quants, %d in all, narrow %v", len(m.quants), m.Bytes(), m.narrow)
		}
		for _, j := range []int{0, 15, 16, 37, 39} {
			for k := range 64 {
				want := shape.Levels[(j+k)%16]
				if j == 37 && k == 63 {
					want = 1
				}
				if q, _ := m.at(j, k); q != want {
					t.Fatalf("output %d, input %d is %d, want %d", j, k, q, want)
				}
			}
		}
		if _, err := pack(65); m.levels != nil && (err == nil || !strings.Contains(err.Error(), "output 37")) {
			t.Errorf("a quant that is no level: error %v", err)
		}
	})
}

func BenchmarkExpand(b *testing.B) {
	defer func(k kernel) { active = k }(active)
	for _, path := range cpu.Paths() {
		active = kernelOf(path)
		for _, inputs := range []int{384, 1536} {
			b.Run(fmt.Sprintf("%s/%d", path, inputs), func(b *testing.B) {
				packed := make([]byte, inputs*panelCols)
				bytes := make([]byte, 2*len(packed))
				b.SetBytes(int64(len(bytes)))
				for b.Loop() {
					active.expand(bytes, packed, narrowLevels)
				}
			})
		}
	}
}
