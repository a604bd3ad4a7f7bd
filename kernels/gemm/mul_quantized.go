package gemm

import (
	"fmt"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// MulQuantized stores a·m, after the epilogue, in dst (a.rows, outputs). a was
// quantized for m. The columns are divided among the workers of p.
//
//	for i, j:
//		sum = bias[j] + zeros and sums of row i by the commons of output j, as in Mul
//		sum += dst[i][j]                                                    (Add)
//		for each group g of inputs, of block b:
//			sum += float32(Σ quant[i][k]·quant'[j][k]) * (scale[i][b]*scale'[j][g])
//		dst[i][j] = Act(sum)
//
// Additions are in that order, the products of a group are summed in exact
// integers. The paths of package cpu differ in rounding only, as in Mul.
func MulQuantized(p *cpu.Pool, dst View, a *Activations, m *Quantized, ep Epilogue) {
	dst.check()
	if !a.Fits(m) || dst.Cols != m.outputs || dst.Rows != a.rows {
		panic(fmt.Sprintf("gemm: product of %d x %d and %d x %d stored in %d x %d",
			a.rows, a.inputs, m.inputs, m.outputs, dst.Rows, dst.Cols))
	}
	if ep.Bias != nil {
		panic("gemm: the bias of quantized weights is given when they are packed")
	}
	if a.rows == 0 || m.outputs == 0 {
		return
	}
	panels := m.commons.panelCount()
	tiles := active.int8(m.group, m.narrow)
	width := tiles.panels
	if p.Workers() == 1 {
		for from := 0; from < panels; from += width {
			m.mulColumns(&active, tiles, dst, a, from, min(from+width, panels), &ep)
		}
		return
	}
	p.Each((panels+width-1)/width, func(_, i int) {
		m.mulColumns(&active, tiles, dst, a, i*width, min((i+1)*width, panels), &ep)
	})
}

// mulColumns computes the columns of dst that panels from ≤ i < to give, at most
// as many as a tile has.
func (m *Quantized) mulColumns(kern *kernel, tiles *int8Tiles, dst View, a *Activations, from, to int, ep *Epilogue) {
	left, right := from*panelCols, min(to*panelCols, m.outputs)
	// A stripe of few rows stays in the nearest cache between its two products.
	for top := 0; top < dst.Rows; top += stripeRows {
		bottom := min(top+stripeRows, dst.Rows)
		m.mulStripe(kern, tiles, dst.Part(top, bottom, left, right), a, top, from, ep)
	}
}

// stripeRows is a multiple of the rows of all tiles.
const stripeRows = 12

// mulStripe computes out, whose rows are those of a from top on and whose
// columns are those of the panels from one on.
func (m *Quantized) mulStripe(kern *kernel, tiles *int8Tiles, out View, a *Activations, top, panel int, ep *Epilogue) {
	add := ep.Add
	bias := m.bias[panel*panelCols : panel*panelCols+out.Cols]
	skip, common, stride := 0, m.commons.inputs, a.commonInputs(a.inputs)
	if m.fixed {
		skip = m.inputs / blockInputs // the zeros are in the bias
	}
	if skip < common {
		kern.mulTile(out, View{a.commons[top*stride+skip:], out.Rows, common - skip, stride}, &m.commons, panel, skip, bias, add)
		bias, add = nil, true
	}
	tiles.mulQuantizedTile(out, a, top, m, panel, bias, add)
	ep.activate(out)
}

// mulQuantizedTile adds the products of quants: the bias and, with add, what out
// holds come first.
func mulQuantizedTile(out View, a *Activations, top int, m *Quantized, panel int, bias []float32, add bool) {
	groups := m.inputs / m.group
	for r := range out.Rows {
		row := out.Row(r)
		q := a.quants[(top+r)*m.inputs : (top+r+1)*m.inputs]
		for j := range row {
			var sum float32
			if bias != nil {
				sum = bias[j]
			}
			if add {
				sum += row[j]
			}
			at := panel + j/panelCols
			quants, scales := m.quants[at*m.inputs*panelCols:], m.scales[at*groups*panelCols:]
			col := j % panelCols
			for g := range groups {
				dot := int32(0)
				for k := g * m.group; k < (g+1)*m.group; k++ {
					dot += int32(q[k]) * int32(int8(quants[k/4*4*panelCols+4*col+k%4]))
				}
				scale := a.scales[(top+r)*(m.inputs/blockInputs)+g*m.group/blockInputs] * scales[g*panelCols+col]
				sum += float32(float32(dot) * scale)
			}
			row[j] = sum
		}
	}
}
