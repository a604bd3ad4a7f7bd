package bench

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gguftool/gguftool/embedding"
	"github.com/gguftool/gguftool/kernels/cpu"
)

// How similarity rows are compared.
const (
	// Neighbours is how many nearest texts are compared, fewer where there are
	// fewer.
	Neighbours = 10

	// Sharpness is what cosines are multiplied with before the softmax. It is the
	// scale with which sentence-transformers trains by contrast, 1 / 0.05.
	Sharpness = 20

	// mostRows bounds the texts whose row of similarities is compared; those that
	// are, are spread evenly over all.
	mostRows = 1000

	// MinTexts is the fewest texts whose vectors are compared: each has two others,
	// as a rank correlation needs.
	MinTexts = 3
)

// A VectorFidelity tells how far the vectors of a model are from those of a
// reference, for the same texts.
//
// A similarity row holds the cosines of one text and all others, by one model.
type VectorFidelity struct {
	Dimensions int `json:"dimensions"` // that were kept of each vector
	Texts      int `json:"texts"`
	Rows       int `json:"rows"` // similarity rows that were compared

	// Loss is the mean of 1 - cosine of both vectors of a text. Losses are
	// percentiles of it; Worst is the largest, of text number WorstText.
	Loss      Estimate   `json:"loss"`
	Losses    Percentile `json:"losses"`
	Worst     float64    `json:"worst"`
	WorstText int        `json:"worst_text"`

	Overlap     Estimate `json:"overlap"`          // mean part of the nearest texts that both models name
	Correlation Estimate `json:"rank_correlation"` // mean rank correlation of similarity rows
	KL          Estimate `json:"kl"`               // mean divergence of the softmax of similarity rows from the reference's, in nats
}

// Percentile holds the values below which a part of all lies.
type Percentile struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
}

// CompareVectors compares vectors of the same texts: other[i] and reference[i]
// are the vectors of text i, with the given dimensions or more, of which the first
// are compared at length 1. There are MinTexts texts or more, in no meaningful
// order, and all numbers are finite.
func CompareVectors(ctx context.Context, pool *cpu.Pool, reference, other [][]float32, dimensions int) (*VectorFidelity, error) {
	n := len(reference)
	switch {
	case n != len(other):
		return nil, fmt.Errorf("there are %d vectors to compare with those of %d texts", len(other), n)
	case n < MinTexts:
		return nil, tooFewTexts(n)
	case dimensions < 1:
		return nil, fmt.Errorf("vectors of %d dimensions cannot be compared", dimensions)
	}
	for i := range n {
		if len(reference[i]) < dimensions || len(other[i]) < dimensions {
			return nil, fmt.Errorf("the vectors of text %d have %d and %d dimensions, fewer than %d", i, len(reference[i]), len(other[i]), dimensions)
		}
	}
	f := &VectorFidelity{Dimensions: dimensions, Texts: n}
	f.addLosses(reference, other)

	want, got := shortened(reference, dimensions), shortened(other, dimensions)
	var texts []int // whose rows are compared
	for r := range min(n, mostRows) {
		texts = append(texts, r*n/min(n, mostRows))
	}
	f.Rows = len(texts)
	overlaps, correlations, kls := make([]float64, f.Rows), make([]float64, f.Rows), make([]float64, f.Rows)
	// As many rows at a time as the scores of the reference fit in memory.
	step := max(1, searchBytes/4/n)
	for from := 0; from < f.Rows; from += step {
		part := texts[from:min(from+step, f.Rows)]
		rows := make([][]float32, len(part))
		err := eachScores(ctx, pool, pick(want, part), want, func(r int, scores []float32) { rows[r] = slices.Clone(scores) })
		if err != nil {
			return nil, err
		}
		err = eachScores(ctx, pool, pick(got, part), got, func(r int, scores []float32) {
			c := compareRows(rows[r], scores, part[r])
			overlaps[from+r], correlations[from+r], kls[from+r] = c.overlap, c.correlation, c.kl
		})
		if err != nil {
			return nil, err
		}
	}
	f.Overlap, f.Correlation, f.KL = estimateMean(overlaps), estimateMean(correlations), estimateMean(kls)
	return f, nil
}

func tooFewTexts(n int) error {
	return fmt.Errorf("too few texts to compare similarities: %d; take at least %d", n, MinTexts)
}

// addLosses compares each vector with that of the reference.
func (f *VectorFidelity) addLosses(reference, other [][]float32) {
	losses := make([]float64, f.Texts)
	for i := range losses {
		losses[i] = 1 - embedding.Cosine(reference[i][:f.Dimensions], other[i][:f.Dimensions])
		if losses[i] > losses[f.WorstText] {
			f.WorstText = i
		}
	}
	f.Worst = losses[f.WorstText]
	f.Loss = estimateMean(losses)
	slices.Sort(losses)
	f.Losses = Percentile{quantile(losses, 0.5), quantile(losses, 0.9), quantile(losses, 0.99)}
}

func pick(vectors [][]float32, texts []int) [][]float32 {
	picked := make([][]float32, len(texts))
	for i, t := range texts {
		picked[i] = vectors[t]
	}
	return picked
}

type rowComparison struct{ overlap, correlation, kl float64 }

// compareRows compares the similarities of text number self and all texts, without
// that to itself, by the reference and by another model.
func compareRows(reference, other []float32, self int) rowComparison {
	var c rowComparison
	want, got := highest(reference, Neighbours, self), highest(other, Neighbours, self)
	for _, w := range want {
		if slices.ContainsFunc(got, func(g Hit) bool { return g.Text == w.Text }) {
			c.overlap++
		}
	}
	c.overlap /= float64(len(want))
	x, y := without(reference, self), without(other, self)
	c.correlation = correlation(ranks(x), ranks(y))
	c.kl = divergence(x, y)
	return c
}

// without returns row without element skip.
func without(row []float32, skip int) []float32 {
	return slices.Concat(row[:skip], row[skip+1:])
}

// divergence returns KL(p‖q) in nats, where p and q are the softmax of
// Sharpness·x and Sharpness·y.
func divergence(x, y []float32) float64 {
	lx, ly := logSumExp(x), logSumExp(y)
	var kl float64
	for i := range x {
		logP, logQ := Sharpness*float64(x[i])-lx, Sharpness*float64(y[i])-ly
		kl += math.Exp(logP) * (logP - logQ)
	}
	return max(0, kl)
}

// logSumExp returns log Σ exp(Sharpness·x[i]).
func logSumExp(x []float32) float64 {
	top := float64(slices.Max(x))
	var sum float64
	for _, v := range x {
		sum += math.Exp(Sharpness * (float64(v) - top))
	}
	return math.Log(sum) + Sharpness*top
}
