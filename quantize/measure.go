package quantize

import (
	"math"

	"github.com/gguftool/gguftool/kernels/block"
)

// A Deviation tells how far elements that were written are from those of the
// input. The zero value is that of no elements.
type Deviation struct {
	Elements int64

	squares  float64 // sum of the squared differences
	power    float64 // sum of the squared elements of the input
	weighted float64 // sum of the squared differences, each times its importance
	weights  float64 // sum of that importance
}

// RMSE returns the root of the mean squared difference.
func (d Deviation) RMSE() float64 { return root(d.squares, float64(d.Elements)) }

// Relative returns RMSE divided by the root of the mean square of the input.
func (d Deviation) Relative() float64 { return root(d.squares, d.power) }

// WeightedRMSE returns the root of the mean squared difference in which every
// element counts as much as its importance says; ok is false where no element
// has any.
func (d Deviation) WeightedRMSE() (rmse float64, ok bool) {
	return root(d.weighted, d.weights), d.weights > 0
}

func root(sum, of float64) float64 {
	if of == 0 {
		return 0
	}
	return math.Sqrt(sum / of)
}

// Add makes d the deviation of its elements and those of e.
func (d *Deviation) Add(e Deviation) {
	d.Elements += e.Elements
	d.squares += e.squares
	d.power += e.power
	d.weighted += e.weighted
	d.weights += e.weights
}

// measure compares out, what the rows were encoded to, with them: it decodes out
// as a reader of the file would.
func (p *piece) measure(t *Tensor, out []byte, d *Deviation) {
	codec, ok := block.Lookup(t.To)
	if !ok {
		return // copied without a look at it
	}
	columns, rows := t.Shape[0], p.floats()
	if t.copied() {
		d.Add(Deviation{Elements: int64(len(rows)), power: sumOfSquares(rows)})
		return
	}
	size, _ := t.To.Size(columns)
	p.reread = grow(p.reread, int(columns))
	for i := range p.to - p.from {
		codec.Decode(p.reread, out[i*size:(i+1)*size])
		importance, _ := t.rowImportance(p.from + i)
		d.add(rows[i*columns:(i+1)*columns], p.reread, importance)
	}
}

// add takes in a row: its elements before and after. importance may be nil.
func (d *Deviation) add(before, after, importance []float32) {
	d.Elements += int64(len(before))
	d.squares += squaredDistance(before, after)
	d.power += sumOfSquares(before)
	after = after[:len(before)]
	for i, w := range importance {
		e := float64(before[i]) - float64(after[i])
		d.weighted += float64(float64(w) * float64(e*e))
		d.weights += float64(w)
	}
}

// squaredDistance returns Σ (x[i]-y[i])², in four sums that are added at the
// end, so that additions need not wait for each other.
func squaredDistance(x, y []float32) float64 {
	var s0, s1, s2, s3 float64
	y = y[:len(x)]
	for ; len(x) >= 4 && len(y) >= 4; x, y = x[4:], y[4:] {
		d0, d1 := float64(x[0])-float64(y[0]), float64(x[1])-float64(y[1])
		d2, d3 := float64(x[2])-float64(y[2]), float64(x[3])-float64(y[3])
		s0 += float64(d0 * d0)
		s1 += float64(d1 * d1)
		s2 += float64(d2 * d2)
		s3 += float64(d3 * d3)
	}
	for i := range x {
		d := float64(x[i]) - float64(y[i])
		s0 += float64(d * d)
	}
	return s0 + s1 + (s2 + s3)
}

// sumOfSquares returns Σ x[i]², in four sums.
func sumOfSquares(x []float32) float64 {
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		v0, v1, v2, v3 := float64(x[0]), float64(x[1]), float64(x[2]), float64(x[3])
		s0 += float64(v0 * v0)
		s1 += float64(v1 * v1)
		s2 += float64(v2 * v2)
		s3 += float64(v3 * v3)
	}
	for _, v := range x {
		s0 += float64(float64(v) * float64(v))
	}
	return s0 + s1 + (s2 + s3)
}
