package gemm

import (
	"fmt"
	"slices"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// panelCols is the number of output columns of a panel.
const panelCols = 16

// A Matrix holds packed weights. The zero Matrix is empty and ready for the
// methods that pack.
type Matrix struct {
	outputs, inputs int
	height          int       // inputs of a panel, of which a part may use the first
	panels          []float32 // (⌈outputs/16⌉, height, 16), missing columns are zero
	spare           []float32 // scratch memory for the last panel
}

// Pack returns weights of the given shape. rows returns rows from ≤ i < to of
// the weights, each the inputs of an output; buf has room for them and may be
// what it returns. It is asked for at most 16 rows at a time, for each once, by
// several workers. An error of rows ends the packing; it is that of the lowest
// rows that failed.
func Pack(p *cpu.Pool, outputs, inputs int, rows func(buf []float32, from, to int) (View, error)) (*Matrix, error) {
	m := new(Matrix)
	m.resize(outputs, inputs)
	buffers := make([][]float32, p.Workers()) // a buffer for each worker that gets work
	err := p.Try(m.panelCount(), func(worker, i int) error {
		if buffers[worker] == nil {
			buffers[worker] = make([]float32, panelCols*inputs)
		}
		from, width := i*panelCols, m.width(i)
		w, err := rows(buffers[worker][:width*inputs], from, from+width)
		if err != nil {
			return err
		}
		m.packPanel(i, w)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Weights returns the number of weights.
func (m *Matrix) Weights() int64 { return int64(m.outputs) * int64(m.inputs) }

// PackRows makes m the weights whose rows are the rows of w, reusing its memory:
// x·m is x·wᵀ.
func (m *Matrix) PackRows(w View) {
	w.check()
	m.resize(w.Rows, w.Cols)
	for i := range m.panelCount() {
		from := i * panelCols
		m.packPanel(i, w.Part(from, from+m.width(i), 0, w.Cols))
	}
}

// First returns the weights of the first outputs and inputs of m, which share
// its memory.
func (m *Matrix) First(outputs, inputs int) Matrix {
	if outputs < 0 || outputs > m.outputs || inputs < 0 || inputs > m.inputs {
		panic(fmt.Sprintf("gemm: the first %d x %d of weights of %d x %d", outputs, inputs, m.outputs, m.inputs))
	}
	return Matrix{outputs: outputs, inputs: inputs, height: m.height, panels: m.panels}
}

// packPanel stores rows, as many as panel i has columns in use.
func (m *Matrix) packPanel(i int, rows View) {
	if rows.Cols == 0 {
		return
	}
	panel, done := m.panel(i), 0
	if active.transpose != nil {
		if rows.Rows < panelCols {
			m.spare = slices.Grow(m.spare[:0], panelCols*rows.Cols)[:panelCols*rows.Cols]
			full := Dense(m.spare, panelCols, rows.Cols)
			for r := range panelCols {
				if r < rows.Rows {
					copy(full.Row(r), rows.Row(r))
				} else {
					clear(full.Row(r))
				}
			}
			rows = full
		}
		done = active.transpose(panel, rows.Data, rows.Stride, rows.Cols)
	}
	for r := range rows.Rows {
		for k, v := range rows.Row(r)[done:] {
			panel[(done+k)*panelCols+r] = v
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
	m.outputs, m.inputs, m.height = outputs, inputs, inputs
	size := m.panelCount() * inputs * panelCols
	if size > cap(m.panels) {
		m.panels = make([]float32, size) // memory that is new need not be cleared, as slices.Grow would
	}
	m.panels = m.panels[:size]
	if last := m.panelCount() - 1; last >= 0 && m.width(last) < panelCols {
		clear(m.panel(last))
	}
}

func (m *Matrix) panelCount() int { return (m.outputs + panelCols - 1) / panelCols }

func (m *Matrix) panel(i int) []float32 {
	size := m.height * panelCols
	return m.panels[i*size : (i+1)*size]
}

// width returns the number of columns of panel i that are in use.
func (m *Matrix) width(i int) int { return min(panelCols, m.outputs-i*panelCols) }
