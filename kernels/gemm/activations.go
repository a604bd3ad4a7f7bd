package gemm

import (
	"fmt"
	"math"
	"slices"
)

// Activations are rows of numbers in unsigned bytes, with a scale and a zero for
// each block of 32:
//
//	x[r][k] ≈ scale[r][k/32]·quant[r][k] + zero[r][k/32]
//
// An error is at most half a scale, which is the range of the block by 255. So
// a product with quantized weights is, for each pair of blocks,
//
//	Σ x·w = scale·scale'·Σ quant·quant' + zero·scale'·Σ quant' + Σ (scale·quant + zero)·offset'
//
// The first sum is exact in integers. The rest is a product of few inputs: the
// zeros of a row and the sums of its groups, by what Quantized.commons holds.
//
// The memory is reused from one Quantize to the next.
type Activations struct {
	rows, inputs int
	format
	quants  []byte    // (rows, inputs)
	scales  []float32 // (rows, blocks)
	commons []float32 // (rows, blocks [+ groups]): zeros, sums
}

// Resize prepares a for the given number of rows, which are to be multiplied by
// m, and by others that it Fits.
func (a *Activations) Resize(rows int, m *Quantized) {
	a.rows, a.inputs, a.format = rows, m.inputs, m.format
	a.quants = resized(a.quants, rows*a.inputs)
	a.scales = resized(a.scales, rows*a.inputs/blockInputs)
	a.commons = resized(a.commons, rows*a.commonInputs(a.inputs))
}

// Fits reports whether a, once it has its rows, can be multiplied by m.
func (a *Activations) Fits(m *Quantized) bool {
	return a.inputs == m.inputs && a.fixed == m.fixed && a.floor == m.floor &&
		(!m.hasOffsets || a.hasOffsets && a.group == m.group)
}

// HasOffsets reports whether the weights have offsets: activations that are
// quantized for weights with offsets fit those without, too.
func (m *Quantized) HasOffsets() bool { return m.hasOffsets }

func resized[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }

// QuantizeRow stores x as row r; different rows may be stored at the same time.
func (a *Activations) QuantizeRow(r int, x []float32) {
	if len(x) != a.inputs || r < 0 || r >= a.rows {
		panic(fmt.Sprintf("gemm: %d activations for row %d of %d x %d", len(x), r, a.rows, a.inputs))
	}
	blocks, common := a.inputs/blockInputs, a.commonInputs(a.inputs)
	q := a.quants[r*a.inputs : (r+1)*a.inputs]
	scales := a.scales[r*blocks : (r+1)*blocks]
	zeros := a.commons[r*common : (r+1)*common]
	sums := zeros[blocks:]
	active.quantize(a, x, q, scales, zeros[:blocks], sums)
}

const (
	leastRange = 1e-30 // of a block, so that its inverse is finite
	topQuant   = 255
)

// quantizeBlocks is the specification of what kernels do: each operation is
// rounded to float32. Where an element is NaN, so is the scale of its block, and
// kernels may give that to other blocks of the row.
func quantizeBlocks(a *Activations, x []float32, q []byte, scales, zeros, sums []float32) {
	for b := range scales {
		from := x[b*blockInputs : (b+1)*blockInputs]
		low, high := from[0], from[0]
		for _, v := range from[1:] {
			low, high = min(low, v), max(high, v)
		}
		if a.fixed {
			low = a.floor
		} else {
			zeros[b] = low
		}
		width := high - low
		if width < leastRange {
			width = leastRange
		}
		scales[b] = width * float32(1.0/topQuant)
		inverse := topQuant / width
		to := q[b*blockInputs : (b+1)*blockInputs]
		for i, v := range from {
			to[i] = byte(max(0, min(topQuant, math.RoundToEven(float64(float32(v-low)*inverse)))))
		}
		if !a.hasOffsets {
			continue
		}
		for g := range blockInputs / a.group {
			sum := int32(0)
			for _, v := range to[g*a.group : (g+1)*a.group] {
				sum += int32(v)
			}
			sums[b*(blockInputs/a.group)+g] = float32(scales[b]*float32(sum)) + float32(float32(a.group)*low)
		}
	}
}
