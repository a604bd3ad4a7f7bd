package allocate

import (
	"context"
	"math"

	"github.com/gguftool/gguftool/gguf"
)

// A Range is the texts (of encoders) or windows (of decoders) First ≤ i < End of
// a sample, in the one shuffled order that it has. Whatever is measured on a
// range is measured on the same texts, so that differences between two measures
// are not blurred by differences between texts.
type Range struct{ First, End int }

// Len returns the number of texts of r.
func (r Range) Len() int { return r.End - r.First }

// A Loss is what a change cost, for each text of a range: 0 is nothing. Two
// losses of one range are compared text by text.
type Loss []float64

// Mean returns the mean over the texts, and its standard error, which is
// infinite where there are fewer than two.
func (l Loss) Mean() (mean, standardError float64) {
	n := float64(len(l))
	if n == 0 {
		return 0, math.Inf(1)
	}
	for _, x := range l {
		mean += x
	}
	mean /= n
	if n < 2 {
		return mean, math.Inf(1)
	}
	for _, x := range l {
		standardError += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(standardError / (n - 1) / n)
}

// Minus returns l - m, text by text. Both are of one range.
func (l Loss) Minus(m Loss) Loss {
	d := make(Loss, len(l))
	for i := range l {
		d[i] = l[i] - m[i]
	}
	return d
}

// A Tensor is one of a model's, and what it may become.
type Tensor struct {
	Name  string
	Shape []int64   // fastest dimension first
	Type  gguf.Type // of the source

	// Types are those that the tensor can be stored in: its rows fit their blocks,
	// they can be encoded with the importance at hand, and programs that read GGUF
	// take them in this place. Empty for a tensor that must stay as it is; Fixed
	// then says why.
	Types []gguf.Type
	Fixed string

	Weighted bool // there is importance for its columns
}

// Elements returns the number of weights.
func (t *Tensor) Elements() int64 {
	n := int64(1)
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// An Evaluator measures losses of one model on one sample of texts. Results
// depend on the model, the sample and the importance alone, not on threads, nor
// on what was measured before. One goroutine uses it at a time.
type Evaluator interface {
	// Tensors returns all tensors, in the order of the file.
	Tensors() []Tensor

	// Texts returns the number of texts, or windows, of the sample.
	Texts() int

	// Single measures one tensor in each of several types, with all other tensors
	// as in the source. Its result has a Loss of r.Len() texts for each type.
	Single(ctx context.Context, tensor string, types []gguf.Type, r Range) ([]Loss, error)

	// Combined measures a whole choice. Tensors that it does not name stay as in
	// the source.
	Combined(ctx context.Context, choice map[string]gguf.Type, r Range) (Loss, error)

	// Unit says what a loss is, as in "1 - cosine".
	Unit() string
}

// Units of losses.
const (
	UnitCosine = "1 - cosine"
	UnitKL     = "KL divergence (nats)"
	UnitError  = "weighted error" // Σ importance·(weight - decoded)² relative to Σ importance·weight²
)
