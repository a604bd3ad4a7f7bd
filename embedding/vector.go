package embedding

import (
	"math"

	"github.com/gguftool/gguftool/kernels/vec"
)

// Truncate returns the first n numbers of x, 1 ≤ n ≤ len(x), in the memory of x.
// Where normalize is set they are scaled to length 1.
//
// The vectors of a model that was trained for it (Matryoshka representation
// learning, https://arxiv.org/abs/2205.13147) stay useful; those of others lose
// more.
func Truncate(x []float32, n int, normalize bool) []float32 {
	x = x[:n]
	if normalize {
		vec.Normalize(x)
	}
	return x
}

// Cosine returns the cosine of the angle between a and b, which are equally
// long, from -1 to 1. It is 0 where one of them has no length.
//
// Products and sums are float64, so the result is within len(a)·2⁻⁵¹ of the
// exact one.
func Cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i, x := range a {
		x, y := float64(x), float64(b[i])
		ab += x * y
		aa += x * x
		bb += y * y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return min(max(ab/(math.Sqrt(aa)*math.Sqrt(bb)), -1), 1)
}
