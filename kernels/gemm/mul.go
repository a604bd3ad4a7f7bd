package gemm

import (
	"fmt"

	"github.com/gguftool/gguftool/kernels/cpu"
	"github.com/gguftool/gguftool/kernels/vec"
)

// An Epilogue says what happens to a product x·m before it is stored.
type Epilogue struct {
	Bias []float32  // one for each output, added to every row; nil for none
	Act  Activation // then applied to each element
	Add  bool       // then what dst holds is added
}

// An Activation is a function that is applied to each element of a product.
type Activation uint8

// Activations.
const (
	Identity Activation = iota
	GELU                // vec.GELU
)

// Mul stores x·m, after the epilogue, in dst. x is (rows, inputs), dst is (rows,
// outputs) and shares no memory with x. The columns are divided among the
// workers of p.
//
//	for i, j:
//		sum = 0
//		for k: sum += x[i][k] * weights[j][k]
//		dst[i][j] = Act(sum + Bias[j]) + dst[i][j]
//
// A sum is within inputs·2⁻²⁴·Σ |x[i][k]·weights[j][k]| of the exact one. The
// paths of package cpu differ within that bound: products are rounded before
// they are added in plain Go, and fused with the addition in the assembly of
// any machine.
func Mul(p *cpu.Pool, dst, x View, m *Matrix, ep Epilogue) {
	dst.check()
	x.check()
	if x.Cols != m.inputs || dst.Cols != m.outputs || dst.Rows != x.Rows {
		panic(fmt.Sprintf("gemm: product of %d x %d and %d x %d stored in %d x %d",
			x.Rows, x.Cols, m.inputs, m.outputs, dst.Rows, dst.Cols))
	}
	if ep.Bias != nil && len(ep.Bias) != m.outputs {
		panic(fmt.Sprintf("gemm: %d biases for %d outputs", len(ep.Bias), m.outputs))
	}
	if len(active.tiles) == 0 || m.inputs == 0 {
		p.Each(m.panelCount(), func(_, i int) { m.mulPanel(dst, x, i, &ep) })
		return
	}
	blocks := (m.panelCount() + active.panels - 1) / active.panels
	p.Each(blocks, func(_, i int) { m.mulTiles(&active, dst, x, i*active.panels, &ep) })
}

// mulPanel computes the columns of dst that panel i gives.
func (m *Matrix) mulPanel(dst, x View, i int, ep *Epilogue) {
	panel, width, left := m.panel(i), m.width(i), i*panelCols
	var bias []float32
	if ep.Bias != nil {
		bias = ep.Bias[left : left+width]
	}
	var tile [panelCols]float32
	for r := range x.Rows {
		dotPanel(&tile, x.Row(r), panel, width)
		sums := tile[:width]
		for j, b := range bias {
			sums[j] += b
		}
		if ep.Act == GELU {
			vec.GELU(sums)
		}
		out := dst.Row(r)[left : left+width]
		if ep.Add {
			for j, v := range sums {
				out[j] += v
			}
		} else {
			copy(out, sums)
		}
	}
}
