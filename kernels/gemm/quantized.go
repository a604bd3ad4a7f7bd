package gemm

import (
	"fmt"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// blockInputs is the number of inputs that share a scale of activations.
const blockInputs = 32

// A Quantized holds packed weights that are small integers:
//
//	weight[j][k] = scale[j][k/group]·quant[j][k] + offset[j][k/group]
//
// with a group of 16 or 32 inputs, which covers the block formats exactly. A
// panel of 16 outputs holds, for each block of 32 inputs,
//
//	quants   eight times four inputs of 16 outputs   64 bytes: q[0][k..k+3] q[1][k..k+3] ... q[15][k..k+3]
//	scales   one or two groups of 16 outputs
//
// What a block's activations have in common, zero, and what the weights of a
// group have in common, offset, are left to an ordinary product of few inputs
// (see Activations).
type Quantized struct {
	outputs, inputs int
	format
	narrow bool // all quants are within ±64

	quants  []byte    // (panels, blocks, 8, 16, 4)
	scales  []float32 // (panels, groups, 16)
	commons Matrix    // (outputs, blocks [+ groups]): Σ scale·quant of each block, the offset of each group
	bias    []float32 // (outputs)
}

// A format is what activations have to know of the weights that they meet.
type format struct {
	group      int     // inputs of a scale of the weights
	hasOffsets bool    // of the weights
	fixed      bool    // the zeros of all activations are floor
	floor      float32 // 0 unless fixed
}

// commonInputs returns the number of inputs of the product of what blocks and
// groups have in common.
func (f *format) commonInputs(inputs int) int {
	n := inputs / blockInputs
	if f.hasOffsets {
		n += inputs / f.group
	}
	return n
}

// A QuantizedShape describes weights before they are packed.
type QuantizedShape struct {
	Outputs, Inputs int       // Inputs is a multiple of 32
	Group           int       // inputs of a scale, 16 or 32
	HasOffsets      bool      // there is an offset for each scale
	Bias            []float32 // (Outputs), or nil for none

	// Floor, where it is not nil, is a number that activations are not below but
	// by rounding, as -0.17 is for GELU. It becomes the zero of all their blocks,
	// which makes products cheaper.
	Floor *float32
}

// A QuantRow is the weights of one output as package block unpacks them.
type QuantRow struct {
	Quants  []byte    // (inputs), signed bytes
	Scales  []float32 // (inputs / group)
	Offsets []float32 // (inputs / group), or nil
}

// PackQuantized returns weights of the given shape. row fills in the weights of
// output i; rows are asked for once each, by several workers at a time. An error
// of row ends the packing; it is that of the lowest row that failed.
func PackQuantized(p *cpu.Pool, shape QuantizedShape, row func(dst *QuantRow, i int) error) (*Quantized, error) {
	outputs, inputs, group := shape.Outputs, shape.Inputs, shape.Group
	if inputs%blockInputs != 0 || group != 16 && group != 32 || shape.Bias != nil && len(shape.Bias) != outputs {
		panic(fmt.Sprintf("gemm: %d inputs in groups of %d, %d biases for %d outputs", inputs, group, len(shape.Bias), outputs))
	}
	m := &Quantized{outputs: outputs, inputs: inputs, format: format{group: group, hasOffsets: shape.HasOffsets}}
	if shape.Floor != nil {
		m.fixed, m.floor = true, *shape.Floor
	}
	groups := inputs / group
	m.commons.resize(outputs, m.commonInputs(inputs))
	panels := m.commons.panelCount()
	m.quants = make([]byte, panels*inputs*panelCols)
	m.scales = make([]float32, panels*groups*panelCols)
	m.bias = make([]float32, outputs)
	copy(m.bias, shape.Bias)
	rows := make([]QuantRow, p.Workers())
	wide := make([]bool, p.Workers())
	err := p.Try(panels, func(worker, i int) error {
		r := &rows[worker]
		if r.Quants == nil {
			r.Quants, r.Scales = make([]byte, inputs), make([]float32, groups)
			if m.hasOffsets {
				r.Offsets = make([]float32, groups)
			}
		}
		for j := range m.commons.width(i) {
			if err := row(r, i*panelCols+j); err != nil {
				return err
			}
			m.place(r, i, j)
			wide[worker] = wide[worker] || beyond64(r.Quants)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	m.narrow = true
	for _, w := range wide {
		m.narrow = m.narrow && !w
	}
	return m, nil
}

// place stores a row as column j of panel i.
func (m *Quantized) place(r *QuantRow, i, j int) {
	groups := len(r.Scales)
	quants := m.quants[i*m.inputs*panelCols:]
	for k := 0; k < m.inputs; k += 4 {
		copy(quants[k*panelCols+4*j:k*panelCols+4*j+4], r.Quants[k:k+4])
	}
	scales := m.scales[i*groups*panelCols:]
	commons := m.commons.panel(i)
	var total float64
	blocks, perBlock := m.inputs/blockInputs, blockInputs/m.group
	for g, s := range r.Scales {
		scales[g*panelCols+j] = s
		sum := int32(0)
		for _, q := range r.Quants[g*m.group : (g+1)*m.group] {
			sum += int32(int8(q))
		}
		weights := float64(s) * float64(sum)
		if m.hasOffsets {
			commons[(blocks+g)*panelCols+j] = r.Offsets[g]
		}
		if at := g/perBlock*panelCols + j; g%perBlock == 0 {
			commons[at] = float32(weights)
		} else {
			commons[at] += float32(weights)
		}
		total += weights
	}
	m.bias[i*panelCols+j] += float32(float64(m.floor) * total)
}

// beyond64 reports whether a signed byte of q is below -64 or above 64.
func beyond64(q []byte) bool {
	for _, v := range q {
		if uint8(v+64) > 128 {
			return true
		}
	}
	return false
}

// Outputs and Inputs return the shape.
func (m *Quantized) Outputs() int { return m.outputs }

// Inputs returns the number of inputs of each output.
func (m *Quantized) Inputs() int { return m.inputs }

// QuantizedPays reports whether products of quantized weights are faster than
// those of the same weights in f32 on the path of this process. narrow says that
// all quants are within ±64, which is so in all block formats but Q8_0.
func QuantizedPays(narrow bool) bool { return active.int8(16, narrow).pays }
