package gemm

import (
	"fmt"
	"math"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// MulQuantized stores a·m, after the epilogue, in dst (a.rows, outputs). The
// bias is that of m. The columns are divided among the workers of p.
//
//	for i, j:
//		sum = bias[j]
//		sum += dst[i][j]                                                    (Add)
//		for the outliers of row i: sum += value * weight[j][index]          (without offset)
//		sum += Σ sums[i][g]*offset[j][g], as Mul does
//		rest = 0
//		for each group g of inputs, of block b:
//			rest += float32(Σ (quant[i][k] - 128)·quant'[j][k]) * (scale[i][b]*scale'[j][g])
//		dst[i][j] = Act(sum + rest)
//	for ranges of i: Rows(first, end)
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
	if a.rows == 0 {
		return
	}
	panels := m.panelCount()
	tiles := active.int8(m.group, m.narrow)
	width := tiles.panels
	a.reserve(p.Workers())
	if p.Workers() == 1 {
		for from := 0; from < panels; from += width {
			m.mulColumns(&active, tiles, dst, a, 0, from, min(from+width, panels), &ep)
		}
	} else {
		m.mulShared(p, tiles, dst, a, ep)
	}
	ep.finish(p, a.rows)
}

// mulShared is the part of MulQuantized whose arguments workers refer to.
func (m *Quantized) mulShared(p *cpu.Pool, tiles *int8Tiles, dst View, a *Activations, ep Epilogue) {
	panels, width := m.panelCount(), tiles.panels
	p.Each((panels+width-1)/width, func(worker, i int) {
		m.mulColumns(&active, tiles, dst, a, worker, i*width, min((i+1)*width, panels), &ep)
	})
}

// stripeRows is a multiple of the rows of all tiles. A stripe of few rows stays
// in the nearest cache from its first sums to its activation.
const stripeRows = 24

// mulColumns computes the columns of dst that panels from ≤ i < to give, at most
// as many as a tile has. It is called by the given worker.
func (m *Quantized) mulColumns(kern *kernel, tiles *int8Tiles, dst View, a *Activations, worker, from, to int, ep *Epilogue) {
	panels := kern.panelsOf(m, tiles, from, to, &a.expanded[worker])
	left, right := from*panelCols, min(to*panelCols, m.outputs)
	for top := 0; top < dst.Rows; top += stripeRows {
		bottom := min(top+stripeRows, dst.Rows)
		out := dst.Part(top, bottom, left, right)
		kern.mulOutliers(out, a, top, m, &panels, m.bias[left:right], ep.Add)
		if m.hasOffsets {
			sums := Dense(a.sums[:a.rows*a.groups()], a.rows, a.groups())
			kern.mulTile(dst, sums, top, bottom, left, right, &m.offsets, from, nil, true)
		}
		tiles.addQuantized(out, a, top, m, &panels)
		ep.activate(out)
	}
}

// mulOutliers stores the bias, what out holds where add is set, and the products
// of outliers. The rows of out are those of a from top on, its columns those of
// panels p of m.
func mulOutliers(out View, a *Activations, top int, m *Quantized, p *stepPanels, bias []float32, add bool) {
	groups := m.inputs / m.group
	for r := range out.Rows {
		row, list := out.Row(r), &a.outliers[top+r]
		for j := range row {
			sum := bias[j]
			if add {
				sum += row[j]
			}
			for slot, k := range list.index {
				at, col := j/panelCols, j%panelCols
				quant := int8(p.quants[quantAt(at, col, int(k), m.inputs)])
				scale := m.scales[((p.first+at)*groups+int(k)/m.group)*2*panelCols+col]
				sum += float32(list.value[slot] * float32(float32(quant)*scale))
			}
			row[j] = sum
		}
	}
}

// quantAt returns where panels of bytes have the quant of a column of one of them.
func quantAt(panel, col, input, inputs int) int {
	return panel*inputs*panelCols + input/4*4*panelCols + 4*col + input%4
}

// addQuantized adds the products of quants to out.
func addQuantized(out View, a *Activations, top int, m *Quantized, p *stepPanels) {
	groups := m.inputs / m.group
	for r := range out.Rows {
		row := out.Row(r)
		q := a.quants[(top+r)*m.inputs : (top+r+1)*m.inputs]
		for j := range row {
			at, col := j/panelCols, j%panelCols
			weights, scales := p.quants[at*m.inputs*panelCols:], m.scales[(p.first+at)*groups*2*panelCols:]
			sum := float32(0)
			for g := range groups {
				dot := int32(math.Float32bits(scales[(2*g+1)*panelCols+col]))
				for k := g * m.group; k < (g+1)*m.group; k++ {
					dot += int32(q[k]) * int32(int8(weights[quantAt(0, col, k, m.inputs)]))
				}
				scale := a.scales[(top+r)*(m.inputs/blockInputs)+g*m.group/blockInputs] * scales[2*g*panelCols+col]
				sum += float32(float32(dot) * scale)
			}
			row[j] += sum
		}
	}
}
