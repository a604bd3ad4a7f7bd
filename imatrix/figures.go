package imatrix

import "math"

// A Figure is one of the numbers in TensorStatistics, as tables, orders and
// pictures take it by name.
type Figure struct {
	Name  string // as on command lines and in JSON
	Title string // for people
	Log   bool   // varies by powers of ten
	of    func(t *TensorStatistics) float64
}

// Figures returns all figures.
func Figures() []Figure {
	return []Figure{
		{"sum", "sum of mean squares", true, func(t *TensorStatistics) float64 { return t.Sum }},
		{"mean", "mean of mean squares", true, func(t *TensorStatistics) float64 { return t.Mean }},
		{"deviation", "standard deviation of mean squares", true, func(t *TensorStatistics) float64 { return t.Deviation }},
		{"min", "smallest mean square", true, func(t *TensorStatistics) float64 { return t.Min }},
		{"max", "largest mean square", true, func(t *TensorStatistics) float64 { return t.Max }},
		{"active", "share of columns with a mean square above 1e-5", false, func(t *TensorStatistics) float64 { return t.Active }},
		{"entropy", "entropy of the columns' shares, in bits", false, func(t *TensorStatistics) float64 { return t.Entropy }},
		{"normalized_entropy", "entropy as a part of the largest possible", false, func(t *TensorStatistics) float64 { return t.NormalizedEntropy }},
		{"outliers", "share of columns more than a standard deviation above the mean", false, func(t *TensorStatistics) float64 { return t.Outliers }},
		{"similarity", "cosine with the same tensor of the previous layer", false, func(t *TensorStatistics) float64 {
			if !t.Compared {
				return math.NaN()
			}
			return t.Similarity
		}},
		{"coverage", "share of matrices that saw tokens", false, func(t *TensorStatistics) float64 { return float64(t.Covered) / float64(t.Matrices) }},
		{"rows", "rows that were summed up", true, func(t *TensorStatistics) float64 { return float64(t.Rows) }},
	}
}

// FigureByName returns the figure called name.
func FigureByName(name string) (Figure, bool) {
	for _, f := range Figures() {
		if f.Name == name {
			return f, true
		}
	}
	return Figure{}, false
}

// Of returns the figure of t, NaN where it has none: nothing was measured, or
// there is nothing to compare with.
func (f Figure) Of(t *TensorStatistics) float64 {
	if t.Elements == 0 && f.Name != "coverage" && f.Name != "rows" {
		return math.NaN()
	}
	return f.of(t)
}
