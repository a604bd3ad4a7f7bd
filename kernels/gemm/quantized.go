package gemm

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// blockInputs is the number of inputs that share a scale of activations.
const blockInputs = 32

// A Quantized holds packed weights that are small integers:
//
//	weight[j][k] = scale[j][k/group]·quant[j][k] + offset[j][k/group]
//
// with a group of 16 or 32 inputs, which covers the block formats exactly. A
// panel of 16 outputs holds
//
//	quants   four inputs of 16 outputs after the other: q[0][k..k+3] q[1][k..k+3] ... q[15][k..k+3],
//	         in bytes or, of few values, in four bits (expand.go)
//	scales   for each group, 16 scales, then 16 times -128·Σ quant in int32, with which integer sums begin
//
// Offsets are left to an ordinary product by the sums of activations.
type Quantized struct {
	outputs, inputs int
	group           int
	hasOffsets      bool
	narrow          bool // all quants are within ±64

	levels  *[levelCount]int8 // that panels of four bits stand for; nil for bytes
	quants  []byte            // (panels, inputs/4, 16, 4), or half of that
	scales  []float32         // (panels, groups, 2, 16), the second half are the bits of integers
	offsets Matrix            // (outputs, groups)
	bias    []float32         // (outputs)
}

// A QuantizedShape describes weights before they are packed.
type QuantizedShape struct {
	Outputs, Inputs int       // Inputs is a multiple of 32
	Group           int       // inputs of a scale, 16 or 32
	HasOffsets      bool      // there is an offset for each scale
	Bias            []float32 // (Outputs), or nil for none

	// Levels are the values that quants have, nil where these are more than 16. Such
	// quants are kept in four bits where that makes products no slower.
	Levels *[levelCount]int8
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
	m := &Quantized{outputs: outputs, inputs: inputs, group: group, hasOffsets: shape.HasOffsets}
	if l := shape.Levels; l != nil && active.int8(group, isNarrow(l)).fourBits {
		m.levels = l
	}
	groups, panels := inputs/group, m.panelCount()
	if m.hasOffsets {
		m.offsets.resize(outputs, groups)
	}
	size := inputs * panelCols // of a panel of quants
	var codes *[256]byte
	if m.levels != nil {
		size, codes = size/2, codesOf(m.levels)
	}
	m.quants = make([]byte, panels*size)
	m.scales = make([]float32, panels*groups*2*panelCols)
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
		for j := range min(panelCols, outputs-i*panelCols) {
			if err := row(r, i*panelCols+j); err != nil {
				return err
			}
			panel := m.quants[i*size : (i+1)*size]
			if codes == nil {
				placeBytes(panel, r.Quants, j)
			} else if !placeCodes(panel, r.Quants, j, codes) {
				return fmt.Errorf("gemm: output %d has quants that are not among the levels", i*panelCols+j)
			}
			m.place(r, i, j)
			wide[worker] = wide[worker] || m.levels == nil && beyond64(r.Quants)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	m.narrow = m.levels == nil || isNarrow(m.levels)
	for _, w := range wide {
		m.narrow = m.narrow && !w
	}
	return m, nil
}

// Weights returns the number of weights.
func (m *Quantized) Weights() int64 { return int64(m.outputs) * int64(m.inputs) }

// Bytes returns the memory that a product reads of m.
func (m *Quantized) Bytes() int64 {
	return int64(len(m.quants)) + 4*int64(len(m.scales)+len(m.offsets.panels)+len(m.bias))
}

func (m *Quantized) panelCount() int { return (m.outputs + panelCols - 1) / panelCols }

// placeBytes stores quants as column j of a panel of bytes.
func placeBytes(panel, quants []byte, j int) {
	for k := 0; k < len(quants); k += 4 {
		at := k*panelCols + 4*j
		copy(panel[at:at+4], quants[k:k+4])
	}
}

// place stores what a row has but its quants as column j of panel i.
func (m *Quantized) place(r *QuantRow, i, j int) {
	groups := len(r.Scales)
	scales := m.scales[i*groups*2*panelCols:]
	for g, s := range r.Scales {
		sum := sumSigned(r.Quants[g*m.group : (g+1)*m.group])
		scales[2*g*panelCols+j] = s
		scales[(2*g+1)*panelCols+j] = math.Float32frombits(uint32(-zeroQuant * sum))
	}
	if m.hasOffsets {
		offsets := m.offsets.panel(i)
		for g, v := range r.Offsets {
			offsets[g*panelCols+j] = v
		}
	}
}

// sumSigned returns the sum of signed bytes, of which there are eight or a
// multiple of them, up to 256: 128 more than each fits an unsigned byte, and four
// sums of those fit a word.
func sumSigned(q []byte) int32 {
	const evenBytes = 0x00ff_00ff_00ff_00ff
	sums, n := uint64(0), int32(len(q))
	for ; len(q) >= 8; q = q[8:] {
		v := binary.LittleEndian.Uint64(q) ^ 0x8080_8080_8080_8080
		sums += v&evenBytes + v>>8&evenBytes
	}
	return int32(sums*0x0001_0001_0001_0001>>48) - 128*n
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
