package gemm

import (
	"fmt"

	"github.com/gguftool/gguftool/kernels/cpu"
	"github.com/gguftool/gguftool/kernels/vec"
)

// An Epilogue says what happens to a product x·m before it is stored, and to its
// rows once they are.
type Epilogue struct {
	Bias []float32  // one for each output, added to every row; nil for none
	Add  bool       // then what dst holds is added
	Act  Activation // then applied to each element

	// Rows, when set, is called for rows first ≤ i < end of dst whose columns are
	// all stored: for what takes a complete row, such as a norm, a gate of one half
	// by the other, or QuantizeRow of other activations than those multiplied. Every
	// row is in one call, and several workers may make calls at once.
	Rows func(first, end int)
}

func (ep *Epilogue) check(outputs int) {
	if ep.Bias != nil && len(ep.Bias) != outputs {
		panic(fmt.Sprintf("gemm: %d biases for %d outputs", len(ep.Bias), outputs))
	}
}

// An Activation is a function that is applied to each element of a product.
type Activation uint8

// Activations.
const (
	Identity Activation = iota
	GELU                // vec.GELU
	GELUTanh            // vec.GELUTanh
	SiLU                // vec.SiLU
)

// Mul stores x·m, after the epilogue, in dst. x is (rows, inputs), dst is (rows,
// outputs) and shares no memory with x. The columns are divided among the
// workers of p.
//
//	for i, j:
//		sum = 0
//		for k: sum += x[i][k] * weights[j][k]
//		dst[i][j] = Act(sum + Bias[j] + dst[i][j])
//	for ranges of i: Rows(first, end)
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
	ep.check(m.outputs)
	if x.Rows == 0 {
		return
	}
	panels := m.panelCount()
	width := active.panels
	if p.Workers() == 1 {
		for from := 0; from < panels; from += width {
			m.mulColumns(&active, dst, x, from, min(from+width, panels), &ep)
		}
	} else {
		m.mulShared(p, dst, x, ep)
	}
	ep.finish(p, x.Rows)
}

// finish calls Rows for all rows, which are divided among the workers, a few pieces
// for each.
//
// It comes after the last column, not after blocks of rows that would still be in
// the nearest caches: a strip of weights would have to be loaded anew for each
// block, and what that costs, 1 to 3 % of a forward pass with blocks of 24 to 96
// rows in bytes and up to 2 % in floats, is more than a second look at rows does.
// With 128 rows and more the two are equal.
func (ep *Epilogue) finish(p *cpu.Pool, rows int) {
	f := ep.Rows // workers refer to that only, so that ep stays off the heap
	switch {
	case f == nil:
	case p.Workers() == 1:
		f(0, rows)
	default:
		pieces := min(rows, 4*p.Workers())
		p.Each(pieces, func(_, i int) { f(i*rows/pieces, (i+1)*rows/pieces) })
	}
}

// mulShared is the part of Mul whose arguments workers refer to, so that they
// are moved to the heap here only.
func (m *Matrix) mulShared(p *cpu.Pool, dst, x View, ep Epilogue) {
	panels, width := m.panelCount(), active.panels
	p.Each((panels+width-1)/width, func(_, i int) {
		m.mulColumns(&active, dst, x, i*width, min((i+1)*width, panels), &ep)
	})
}

// mulColumns computes the columns of dst that panels from ≤ i < to give, at most
// as many as a tile has.
func (m *Matrix) mulColumns(kern *kernel, dst, x View, from, to int, ep *Epilogue) {
	left, right := from*panelCols, min(to*panelCols, m.outputs)
	var bias []float32
	if ep.Bias != nil {
		bias = ep.Bias[left:right]
	}
	// Tiles of about equal height, as low ones waste the weights that they load.
	count := (x.Rows + kern.rows - 1) / kern.rows
	for c := range count {
		top, bottom := c*x.Rows/count, (c+1)*x.Rows/count
		kern.mulTile(dst, x, top, bottom, left, right, m, from, bias, ep.Add)
		if ep.Act != Identity {
			ep.activate(dst.Part(top, bottom, left, right))
		}
	}
}

// activate applies the activation to a tile, which is still in the nearest cache.
func (ep *Epilogue) activate(tile View) {
	switch ep.Act {
	case GELU:
		vec.GELURows(tile.Data, tile.Rows, tile.Cols, tile.Stride)
	case GELUTanh:
		vec.GELUTanhRows(tile.Data, tile.Rows, tile.Cols, tile.Stride)
	case SiLU:
		vec.SiLURows(tile.Data, tile.Rows, tile.Cols, tile.Stride)
	}
}

// mulTile computes out from x and the panels of m from one on, in plain Go.
func mulTile(out, x View, m *Matrix, panel int, bias []float32, add bool) {
	for left := 0; left < out.Cols; left += panelCols {
		width := min(panelCols, out.Cols-left)
		weights := m.panel(panel + left/panelCols)
		for r := range out.Rows {
			var sums [panelCols]float32
			if x.Cols > 0 {
				dotPanel(&sums, x.Row(r), weights, width)
			}
			row := out.Row(r)[left : left+width]
			for j, sum := range sums[:width] {
				if bias != nil {
					sum += bias[left+j]
				}
				if add {
					sum += row[j]
				}
				row[j] = sum
			}
		}
	}
}
