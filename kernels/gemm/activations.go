package gemm

import (
	"fmt"
	"math"
	"slices"
)

// Activations are rows of numbers in bytes, with a scale for each block of 32,
// and the two of each row that are largest in magnitude as they are:
//
//	x[r][k] ≈ scale[r][k/32]·(quant[r][k] - 128)
//
// The few large numbers of a row, which some inputs of trained models have in
// every text, would make the scales of their blocks coarse; without them, the
// error of a product with quantized weights is a fifth. That of a number is at
// most half a scale, the largest magnitude of the block by 127.
//
// A product with quantized weights is
//
//	Σ x·w = x'·w' + x"·w"                                 the largest two
//	      + Σ scale·scale'·(Σ quant·quant' - 128·Σ quant')   each pair of groups, exact in integers
//	      + Σ (Σ x)·offset'                               each group, where weights have offsets
//
// The memory is reused from one Resize to the next.
type Activations struct {
	rows, inputs int
	group        int        // of the sums; 0 for none
	quants       []byte     // (rows, inputs), 128 in place of the outliers
	peaks        []float32  // (rows, blocks): the largest magnitudes but the outliers
	scales       []float32  // (rows, blocks)
	outliers     []outliers // (rows)
	sums         []float32  // (rows, groups): Σ x

	expanded [][]byte // of each worker, panels that it multiplies with
}

// outliers are the two numbers of a row that are largest in magnitude, the one
// at the lower index first.
type outliers struct {
	index [2]int32
	value [2]float32
	// What finds their weights in a panel: the offset of the four inputs around
	// each, and how far its byte is from the highest of the four, in bits.
	four, shift [2]int32
}

// Resize prepares a for the given number of rows, which are to be multiplied by
// m, and by others that it Fits.
func (a *Activations) Resize(rows int, m *Quantized) {
	a.rows, a.inputs, a.group = rows, m.inputs, 0
	if m.hasOffsets {
		a.group = m.group
	}
	a.quants = resized(a.quants, rows*a.inputs)
	a.scales = resized(a.scales, rows*a.inputs/blockInputs)
	a.peaks = resized(a.peaks, len(a.scales))
	a.outliers = resized(a.outliers, rows)
	a.sums = resized(a.sums, rows*a.groups())
}

// Fits reports whether a, once it has its rows, can be multiplied by m.
func (a *Activations) Fits(m *Quantized) bool {
	return a.inputs == m.inputs && (!m.hasOffsets || a.group == m.group)
}

func resized[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }

// reserve makes room for what workers keep apart.
func (a *Activations) reserve(workers int) {
	for len(a.expanded) < workers {
		a.expanded = append(a.expanded, nil)
	}
}

// groups returns the number of sums of a row.
func (a *Activations) groups() int {
	if a.group == 0 {
		return 0
	}
	return a.inputs / a.group
}

// QuantizeRow stores x as row r; different rows may be stored at the same time.
// x is changed in the meantime, and restored.
func (a *Activations) QuantizeRow(r int, x []float32) {
	if len(x) != a.inputs || r < 0 || r >= a.rows {
		panic(fmt.Sprintf("gemm: %d activations for row %d of %d x %d", len(x), r, a.rows, a.inputs))
	}
	blocks, groups := a.inputs/blockInputs, a.groups()
	peaks := a.peaks[r*blocks : (r+1)*blocks]
	active.peaks(peaks, x)
	out := &a.outliers[r] // a variable would be allocated, as the compiler cannot tell that kernels do not keep it
	active.extract(x, peaks, out)
	active.quantize(a.quants[r*a.inputs:(r+1)*a.inputs], peaks, a.scales[r*blocks:(r+1)*blocks], a.sums[r*groups:(r+1)*groups], a.group, x)
	// In the opposite order, as both may be at one place in a row of NaN.
	for slot := 1; slot >= 0; slot-- {
		at := out.index[slot]
		x[at] = out.value[slot]
		if groups > 0 {
			a.sums[r*groups+int(at)/a.group] += out.value[slot]
		}
	}
	if out.index[0] > out.index[1] {
		out.index[0], out.index[1] = out.index[1], out.index[0]
		out.value[0], out.value[1] = out.value[1], out.value[0]
	}
	for slot, at := range out.index {
		out.four[slot], out.shift[slot] = at&^3*panelCols, (3-at&3)*8
	}
}

// extractTop is the specification of what kernels do: it stores the two elements
// that are largest in magnitude in out, replaces them by 0 and corrects peaks.
func extractTop(x, peaks []float32, out *outliers) {
	for slot := range out.index {
		b := highest(peaks)
		at, rest := top(x[b*blockInputs:][:blockInputs])
		at += b * blockInputs
		out.index[slot], out.value[slot] = int32(at), x[at]
		x[at], peaks[b] = 0, rest
	}
}

// key orders numbers by magnitude, NaN above all, and equal ones by index, the
// first before the others. Maximums of keys need no branches, which the
// processor could not foresee.
func key(v float32, index int) uint64 { return uint64(magnitude(v))<<32 | uint64(^uint32(index)) }

func indexOf(key uint64) int { return int(^uint32(key)) }

// highest returns the index of the largest magnitude.
func highest(peaks []float32) int {
	most := uint64(0)
	for b, peak := range peaks {
		most = max(most, key(peak, b))
	}
	return indexOf(most)
}

// top returns the index of the largest magnitude of a block, and the largest
// without it.
func top(x []float32) (at int, rest float32) {
	var first, second uint64
	for i, v := range x {
		k := key(v, i)
		second = max(second, min(first, k))
		first = max(first, k)
	}
	return indexOf(first), math.Float32frombits(uint32(second >> 32))
}

// magnitude returns the bits of |v|, which are ordered as magnitudes are.
func magnitude(v float32) uint32 { return math.Float32bits(v) &^ (1 << 31) }

// peakOf returns the largest magnitude of a block, or NaN where an element is.
func peakOf(x []float32) float32 {
	peak := uint32(0)
	for _, v := range x {
		peak = max(peak, magnitude(v))
	}
	return math.Float32frombits(peak)
}

// peakBlocks is the specification of what kernels do. Where an element is NaN,
// so is the peak of its block, and kernels may give that to other blocks of the
// row.
func peakBlocks(peaks, x []float32) {
	for b := range peaks {
		peaks[b] = peakOf(x[b*blockInputs : (b+1)*blockInputs])
	}
}

const (
	leastPeak = 1e-30 // of a block, so that its inverse is finite
	topQuant  = 127
	zeroQuant = 128
)

// quantizeBlocks is the specification of what kernels do: each operation is
// rounded to float32.
func quantizeBlocks(q []byte, peaks, scales, sums []float32, group int, x []float32) {
	for b := range scales {
		peak := peaks[b]
		if peak < leastPeak {
			peak = leastPeak
		}
		scales[b] = peak * float32(1.0/topQuant)
		inverse := topQuant / peak
		to := q[b*blockInputs : (b+1)*blockInputs]
		for i, v := range x[b*blockInputs : (b+1)*blockInputs] {
			level := math.RoundToEven(float64(v * inverse))
			to[i] = byte(zeroQuant + int(max(-topQuant, min(topQuant, level))))
		}
		if group == 0 {
			continue
		}
		for g := range blockInputs / group {
			sum := int32(0)
			for _, v := range to[g*group : (g+1)*group] {
				sum += int32(v) - zeroQuant
			}
			sums[b*(blockInputs/group)+g] = scales[b] * float32(sum)
		}
	}
}
