package imatrix

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/kernels/vec"
)

// Statistics describe the importance in a file. The figures are those of
// llama-imatrix --show-statistics, computed in float64.
type Statistics struct {
	Tensors []TensorStatistics // by layer, then by name
	Layers  []LayerStatistics  // in order
}

// TensorStatistics describe the importance of one weight: its mean squares, of
// all matrices that saw something.
type TensorStatistics struct {
	Name    string // of the weight
	Layer   int    // that it is in, or -1
	Part    string // what it is in the layer, as in "attn_q"
	Columns int    // of a matrix

	Matrices int   // 1, or the number of experts
	Covered  int   // matrices that saw something
	Rows     int64 // that all matrices saw

	Elements          int     // mean squares that the figures below are of: columns of the covered matrices
	Sum               float64 // of them
	Mean              float64
	Deviation         float64 // standard deviation
	Min, Max          float64
	Active            float64 // share that is larger than 1e-5
	Entropy           float64 // of the shares in Sum, in bits
	NormalizedEntropy float64 // Entropy divided by its largest value, that of equal shares
	Outliers          float64 // share that is more than a standard deviation above Mean

	// Similarity is the cosine between the sums of squares and those of the same
	// weight in the previous layer. Compared tells whether there is such a weight.
	Similarity float64
	Compared   bool
}

// LayerStatistics are means over the weights of a layer, each weighted by its
// elements. A weight that is not Compared has similarity 0.
type LayerStatistics struct {
	Layer      int
	Tensors    int
	Elements   int
	Sum        float64
	Outliers   float64
	Similarity float64
}

// least is the smallest mean square that counts as active.
const least = 1e-5

// Statistics computes the statistics of f. A sum that is not finite is a
// *fault.FormatError.
func (f *File) Statistics() (*Statistics, error) {
	s := new(Statistics)
	layers := make(map[int]*LayerStatistics)
	for _, name := range slices.Sorted(maps.Keys(f.Entries)) {
		if i := vec.NotFinite(f.Entries[name].SumSquares); i >= 0 {
			return nil, fault.Malformed(f.Path, fmt.Sprintf("weight %q", name), "sum %d is %v", i, f.Entries[name].SumSquares[i])
		}
		t := f.tensorStatistics(name)
		s.Tensors = append(s.Tensors, t)
		if t.Layer < 0 || t.Elements == 0 {
			continue
		}
		l := layers[t.Layer]
		if l == nil {
			l = &LayerStatistics{Layer: t.Layer}
			layers[t.Layer] = l
		}
		n := float64(t.Elements)
		l.Tensors++
		l.Elements += t.Elements
		l.Sum += n * t.Sum
		l.Outliers += n * t.Outliers
		l.Similarity += n * t.Similarity
	}
	slices.SortStableFunc(s.Tensors, func(a, b TensorStatistics) int { return cmp.Compare(a.Layer, b.Layer) })
	for _, i := range slices.Sorted(maps.Keys(layers)) {
		l := layers[i]
		n := float64(l.Elements)
		l.Sum /= n
		l.Outliers /= n
		l.Similarity /= n
		s.Layers = append(s.Layers, *l)
	}
	return s, nil
}

func (f *File) tensorStatistics(name string) TensorStatistics {
	e := f.Entries[name]
	layer, part, previous := parseName(name)
	t := TensorStatistics{Name: name, Layer: layer, Part: part, Columns: e.columns(), Matrices: len(e.Counts)}
	for _, n := range e.Counts {
		t.Rows += n
		if n > 0 {
			t.Covered++
		}
	}
	t.describe(e.coveredMeans())
	if p := f.Entries[previous]; p != nil && len(p.SumSquares) == len(e.SumSquares) {
		t.Similarity, t.Compared = cosine(e, p), true
	}
	return t
}

// coveredMeans returns the mean squares of the matrices that saw something.
func (e *Entry) coveredMeans() []float64 {
	var means []float64
	columns := e.columns()
	for i, n := range e.Counts {
		if n <= 0 {
			continue
		}
		for _, sum := range e.SumSquares[i*columns:][:columns] {
			means = append(means, float64(sum)/float64(n))
		}
	}
	return means
}

// describe fills in the figures of mean squares.
func (t *TensorStatistics) describe(means []float64) {
	if len(means) == 0 {
		return
	}
	n := float64(len(means))
	t.Elements = len(means)
	for _, v := range means {
		t.Sum += v
	}
	t.Mean = t.Sum / n
	t.Min, t.Max = slices.Min(means), slices.Max(means)
	var variance, active float64
	for _, v := range means {
		variance += float64((v - t.Mean) * (v - t.Mean))
		if math.Abs(v) > least {
			active++
		}
		if share := v / t.Sum; t.Sum > 0 && share > 0 {
			t.Entropy -= share * math.Log2(share)
		}
	}
	t.Deviation = math.Sqrt(variance / n)
	t.Active = active / n
	if t.Elements > 1 {
		t.NormalizedEntropy = t.Entropy / math.Log2(n)
	}
	var outliers float64
	for _, v := range means {
		if t.Deviation > 0 && v-t.Mean > t.Deviation {
			outliers++
		}
	}
	t.Outliers = outliers / n
}

// cosine returns the cosine between the sums of squares of two entries of equal
// size, 0 where one of them has none.
func cosine(a, b *Entry) float64 {
	var ab, aa, bb float64
	for i, x := range a.SumSquares {
		x, y := float64(x), float64(b.SumSquares[i])
		ab += float64(x * y)
		aa += float64(x * x)
		bb += float64(y * y)
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return min(ab/math.Sqrt(aa)/math.Sqrt(bb), 1)
}

// parseName takes the name of a weight apart: "blk.3.attn_q.weight" is attn_q in
// layer 3, and "blk.2.attn_q.weight" is the same in the previous layer. What is
// in no layer has layer -1 and no previous name.
func parseName(name string) (layer int, part, previous string) {
	fields := strings.Split(name, ".")
	layer, part = -1, name
	for i, field := range fields {
		if i == 0 {
			continue
		}
		if n, err := strconv.ParseUint(field, 10, 31); err == nil && fields[i-1] == "blk" && layer < 0 {
			layer = int(n)
			if layer > 0 {
				earlier := slices.Clone(fields)
				earlier[i] = strconv.Itoa(layer - 1)
				previous = strings.Join(earlier, ".")
			}
		}
		if field == "weight" && part == name {
			part = fields[i-1]
		}
	}
	return layer, part, previous
}
