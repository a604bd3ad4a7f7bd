//go:build unix

package gemm

import (
	"math/rand/v2"
	"testing"

	"github.com/gguftool/gguftool/internal/fence"
	"github.com/gguftool/gguftool/kernels/cpu"
)

// A product reads and writes nothing beside its operands.
func TestMulStaysInside(t *testing.T) { onEachPath(t, testMulStaysInside) }

func testMulStaysInside(t *testing.T, _ cpu.Path) {
	rng := rand.New(rand.NewPCG(6, 2))
	view := func(rows, cols int, behind bool) View {
		v := Dense(fence.Around[float32](t, rows*cols, behind), rows, cols)
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
				panels := fence.Around[float32](t, len(m.panels), behind)
				copy(panels, m.panels)
				m.panels = panels
				Mul(nil, dst, x, m, Epilogue{})
				Mul(nil, dst, x, m, Epilogue{Bias: bias.Data, Add: true})
			}
		}
	}
}

// A product of bytes, and the quantization before it, neither.
func TestMulQuantizedStaysInside(t *testing.T) { onEachInt8(t, testMulQuantizedStaysInside) }

func testMulQuantizedStaysInside(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 2))
	leveledShapes(func(shape QuantizedShape) {
		for _, behind := range []bool{true, false} {
			for _, shape.Outputs = range []int{1, 2, 3, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 47, 49} {
				for _, shape.Inputs = range []int{32, 64, 128, 160} {
					m, _ := randomQuantized(t, rng, shape)
					m.quants = moved(t, m.quants, behind)
					m.scales = moved(t, m.scales, behind)
					m.bias = moved(t, m.bias, behind)
					m.offsets.panels = moved(t, m.offsets.panels, behind)
					rows := 1 + rng.IntN(stripeRows+2)
					var a Activations
					a.Resize(rows, m)
					a.quants = moved(t, a.quants, behind)
					a.scales = moved(t, a.scales, behind)
					a.peaks = moved(t, a.peaks, behind)
					a.sums = moved(t, a.sums, behind)
					a.outliers = moved(t, a.outliers, behind)
					width := min(m.panelCount(), active.int8(m.group, m.narrow).panels)
					a.expanded = [][]byte{fence.Around[byte](t, width*m.inputs*panelCols, behind)}
					x := fence.Around[float32](t, shape.Inputs, behind)
					for r := range rows {
						for k := range x {
							x[k] = rng.Float32()
						}
						a.QuantizeRow(r, x)
					}
					dst := Dense(fence.Around[float32](t, rows*shape.Outputs, behind), rows, shape.Outputs)
					MulQuantized(nil, dst, &a, m, Epilogue{})
					MulQuantized(nil, dst, &a, m, Epilogue{Add: true})
				}
			}
		}
	})
}

// moved returns s between fences.
func moved[T any](t *testing.T, s []T, behind bool) []T {
	to := fence.Around[T](t, len(s), behind)
	copy(to, s)
	return to
}
