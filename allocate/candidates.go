package allocate

import (
	"cmp"
	"slices"

	"github.com/gguftool/gguftool/gguf"
)

// A format is a row of the table of candidates: what the type loses of rows of
// normally distributed weights, as a part of their sum of squares, without
// importance and weighted by it. The test of the table measures it again.
//
// What a model loses is another matter, which the search measures. The table only
// says which types are not worth measuring: those that lose more than another of
// no more bits.
type format struct {
	t               gguf.Type
	plain, weighted float64
	portable        bool // read by llama.cpp since the middle of 2023, and by what was built on it then
}

var formats = []format{
	{gguf.TypeQ1_0, 0.360, 0.359, false},
	{gguf.TypeIQ1S, 0.194, 0.194, false}, // never without importance
	{gguf.TypeIQ1M, 0.336, 0.152, false},
	{gguf.TypeIQ2XXS, 0.0883, 0.0883, false}, // never without importance
	{gguf.TypeQ2_0, 0.515, 0.513, false},
	{gguf.TypeIQ2XS, 0.0669, 0.0669, false}, // never without importance
	{gguf.TypeIQ2S, 0.0699, 0.0503, false},
	{gguf.TypeQ2_K, 0.0873, 0.0555, true},
	{gguf.TypeIQ3XXS, 0.0458, 0.0234, false},
	{gguf.TypeIQ3S, 0.0277, 0.0143, false},
	{gguf.TypeQ3_K, 0.0227, 0.0180, true},
	{gguf.TypeMXFP4, 0.0139, 0.0140, false},
	{gguf.TypeIQ4XS, 0.00588, 0.00504, false},
	{gguf.TypeNVFP4, 0.00922, 0.00925, false},
	{gguf.TypeIQ4NL, 0.00579, 0.00492, false},
	{gguf.TypeQ4_0, 0.00739, 0.00595, true},
	{gguf.TypeQ4_K, 0.00508, 0.00414, true},
	{gguf.TypeQ4_1, 0.00612, 0.00402, true},
	{gguf.TypeQ5_0, 0.00182, 0.00145, true},
	{gguf.TypeQ5_K, 0.00131, 0.00107, true},
	{gguf.TypeQ5_1, 0.00144, 0.000936, true},
	{gguf.TypeQ6_K, 0.000313, 0.000262, true},
	{gguf.TypeQ8_0, 0.0000277, 0.0000277, true},
	{gguf.TypeF16, 4.3e-8, 4.3e-8, true},
}

// pays is by how much of its error a type must be better than another of fewer
// bits to be measured too. Q4_1 and Q5_1 of rows that hold Q4_K and Q5_K are not.
const pays = 0.15

// Types returns all types that a choice can be made of, from the fewest bits to
// the most. Portable ones are those that old programs read too: neither IQ types
// nor those of 2025.
func Types(portable bool) (types []gguf.Type) {
	for _, f := range formats {
		if f.portable || !portable {
			types = append(types, f.t)
		}
	}
	return types
}

// apart is how many bits there are at least between two types of fewer than four
// bits that are both measured.
const apart = 0.35

// Front returns those of types, all of which fit the rows of a tensor, that pay:
// the Pareto front of bits against error, with or without importance, without those
// that lie close to another. Types that Types does not return are left in.
func Front(types []gguf.Type, importance bool) (front []gguf.Type) {
	known := func(t gguf.Type) (f format, ok bool) {
		i := slices.IndexFunc(formats, func(f format) bool { return f.t == t })
		if i < 0 {
			return f, false
		}
		return formats[i], true
	}
	loss := func(f format) float64 {
		if importance {
			return f.weighted
		}
		return f.plain
	}
	sorted := slices.SortedStableFunc(slices.Values(types), func(a, b gguf.Type) int {
		x, _ := known(a)
		y, _ := known(b)
		return cmp.Or(cmp.Compare(bitsOf(a), bitsOf(b)), cmp.Compare(loss(x), loss(y)))
	})
	best := 1.0
	for _, t := range sorted {
		f, ok := known(t)
		switch {
		case !ok:
		case loss(f) > best*(1-pays):
			continue
		case len(front) > 0 && bitsOf(t) < 4 && bitsOf(t)-bitsOf(front[len(front)-1]) < apart:
			continue
		default:
			best = loss(f)
		}
		front = append(front, t)
	}
	return front
}

// bitsOf returns the bits of an element of t, whose layout must be known.
func bitsOf(t gguf.Type) float64 {
	elements, bytes, _ := t.Block()
	return 8 * float64(bytes) / float64(max(elements, 1))
}
