package gemm

import (
	"slices"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// panelCols is the number of output columns of a panel.
const panelCols = 16

// A Matrix holds packed weights. The zero Matrix is empty and ready for the
// methods that pack.
type Matrix struct {
	outputs, inputs int
	panels          []float32 // (⌈outputs/16⌉, inputs, 16), missing columns are zero
}

// Pack returns weights of the given shape. row stores row i of the weights, the
// inputs of output i, in dst; rows are asked for once each, by several workers
// at a time. An error of row ends the packing; it is that of the lowest row that
// failed.
func Pack(p *cpu.Pool, outputs, inputs int, row func(dst []float32, i int) error) (*Matrix, error) {
	m := new(Matrix)
	m.resize(outputs, inputs)
	rows := make([][]float32, p.Workers()) // a buffer for each worker that gets work
	err := p.Try(m.panelCount(), func(worker, i int) error {
		if rows[worker] == nil {
			rows[worker] = make([]float32, inputs)
		}
		panel := m.panel(i)
		for j := range m.width(i) {
			if err := row(rows[worker], i*panelCols+j); err != nil {
				return err
			}
			for k, v := range rows[worker] {
				panel[k*panelCols+j] = v
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// PackRows makes m the weights whose rows are the rows of w, reusing its memory:
// x·m is x·wᵀ.
func (m *Matrix) PackRows(w View) {
	w.check()
	m.resize(w.Rows, w.Cols)
	for i := range m.panelCount() {
		panel := m.panel(i)
		for j := range m.width(i) {
			for k, v := range w.Row(i*panelCols + j) {
				panel[k*panelCols+j] = v
			}
		}
	}
}

// PackColumns makes m the weights whose rows are the columns of w, reusing its
// memory: x·m is x·w.
func (m *Matrix) PackColumns(w View) {
	w.check()
	m.resize(w.Cols, w.Rows)
	for i := range m.panelCount() {
		panel, from := m.panel(i), i*panelCols
		for k := range w.Rows {
			copy(panel[k*panelCols:], w.Row(k)[from:from+m.width(i)])
		}
	}
}

// resize gives m a shape and clears it where the last panel has columns to spare.
func (m *Matrix) resize(outputs, inputs int) {
	m.outputs, m.inputs = outputs, inputs
	size := m.panelCount() * inputs * panelCols
	m.panels = slices.Grow(m.panels[:0], size)[:size]
	if last := m.panelCount() - 1; last >= 0 && m.width(last) < panelCols {
		clear(m.panel(last))
	}
}

func (m *Matrix) panelCount() int { return (m.outputs + panelCols - 1) / panelCols }

func (m *Matrix) panel(i int) []float32 {
	size := m.inputs * panelCols
	return m.panels[i*size : (i+1)*size]
}

// width returns the number of columns of panel i that are in use.
func (m *Matrix) width(i int) int { return min(panelCols, m.outputs-i*panelCols) }
