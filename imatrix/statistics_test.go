package imatrix

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/internal/fault"
)

const statisticsFile = "testdata/statistics/imatrix.gguf"

func statistics(t *testing.T) (*File, *Statistics) {
	t.Helper()
	f, err := Read(statisticsFile)
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Statistics()
	if err != nil {
		t.Fatal(err)
	}
	return f, s
}

// A goldenColumn is a column of llama-imatrix, printed with so many decimals.
type goldenColumn struct {
	name     string
	decimals int
	of       func(t *TensorStatistics) float64
}

var goldenColumns = []goldenColumn{
	{"sum", 2, func(t *TensorStatistics) float64 { return t.Sum }},
	{"min", 4, func(t *TensorStatistics) float64 { return t.Min }},
	{"max", 4, func(t *TensorStatistics) float64 { return t.Max }},
	{"mean", 2, func(t *TensorStatistics) float64 { return t.Mean }},
	{"deviation", 2, func(t *TensorStatistics) float64 { return t.Deviation }},
	{"active", 2, func(t *TensorStatistics) float64 { return 100 * t.Active }},
	{"elements", 0, func(t *TensorStatistics) float64 { return float64(t.Elements) }},
	{"entropy", 4, func(t *TensorStatistics) float64 { return t.Entropy }},
	{"normalized entropy", 2, func(t *TensorStatistics) float64 { return 100 * t.NormalizedEntropy }},
	{"outliers", 2, func(t *TensorStatistics) float64 { return 100 * t.Outliers }},
	{"similarity", 4, func(t *TensorStatistics) float64 { return t.Similarity }},
}

// near reports whether got is what was printed as want: theirs is computed in
// float32, which shows in the digits of large numbers.
func near(t *testing.T, want string, got float64, decimals int) bool {
	t.Helper()
	w, err := strconv.ParseFloat(strings.TrimSuffix(want, "%"), 64)
	if err != nil {
		t.Fatal(err)
	}
	return math.Abs(w-got) <= 0.501*math.Pow10(-decimals)+2e-6*math.Abs(w)
}

// testdata/statistics.py made the golden with llama-imatrix.
func TestStatisticsGolden(t *testing.T) {
	_, s := statistics(t)
	golden, err := os.ReadFile("testdata/statistics/figures.txt")
	if err != nil {
		t.Fatal(err)
	}
	tensors := make(map[string]*TensorStatistics)
	for i := range s.Tensors {
		x := &s.Tensors[i]
		layer := "-"
		if x.Layer >= 0 {
			layer = strconv.Itoa(x.Layer)
		}
		tensors[layer+" "+x.Part] = x
	}
	rows, layers := 0, 0
	for line := range strings.Lines(string(golden)) {
		fields := strings.Split(line, "\t")
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		switch {
		case strings.HasPrefix(fields[0], "Layer"):
		case len(fields) == 2+len(goldenColumns):
			rows++
			name := fields[0] + " " + fields[1]
			x := tensors[name]
			if x == nil {
				t.Fatalf("no statistics of %s", name)
			}
			for i, c := range goldenColumns {
				if got := c.of(x); !near(t, fields[2+i], got, c.decimals) {
					t.Errorf("%s: %s is %v, want %s", name, c.name, got, fields[2+i])
				}
			}
		case len(fields) == 4:
			l := s.Layers[layers]
			layers++
			if fields[0] != strconv.Itoa(l.Layer) || !near(t, fields[1], l.Sum, 2) || !near(t, fields[2], 100*l.Outliers, 4) || !near(t, fields[3], l.Similarity, 4) {
				t.Errorf("layer %+v, want %s", l, line)
			}
		default:
			t.Fatalf("line %q", line)
		}
	}
	if rows != len(s.Tensors)-1 || layers != 3 { // the experts of layer 2 saw nothing
		t.Errorf("%d tensors and %d layers", rows, layers)
	}
}

func TestCoverage(t *testing.T) {
	_, s := statistics(t)
	for name, want := range map[string]string{
		"blk.0.attn_q.weight":      "1 of 1, 300 rows, compared false",
		"blk.1.attn_q.weight":      "1 of 1, 300 rows, compared true",
		"blk.0.ffn_up_exps.weight": "2 of 3, 57 rows, compared false",
		"blk.1.ffn_up_exps.weight": "3 of 3, 18 rows, compared true",
		"blk.2.ffn_up_exps.weight": "0 of 3, 0 rows, compared false", // it is wider than that of layer 1
	} {
		for _, x := range s.Tensors {
			if x.Name != name {
				continue
			}
			if got := fmt.Sprintf("%d of %d, %d rows, compared %v", x.Covered, x.Matrices, x.Rows, x.Compared); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
			for _, f := range Figures() {
				if v := f.Of(&x); math.IsNaN(v) != (x.Covered == 0 && f.Name != "coverage" && f.Name != "rows" || f.Name == "similarity" && !x.Compared) {
					t.Errorf("%s: %s is %v", name, f.Name, v)
				}
			}
		}
	}
}

func TestParseName(t *testing.T) {
	for name, want := range map[string]string{
		"blk.3.attn_q.weight":            "3 attn_q blk.2.attn_q.weight",
		"blk.0.attn_q.weight":            "0 attn_q ",
		"enc.blk.12.ffn_up.weight":       "12 ffn_up enc.blk.11.ffn_up.weight",
		"output.weight":                  "-1 output ",
		"blk.x.a.weight":                 "-1 a ",
		"blk.99999999999.a.weight":       "-1 a ",
		"weight":                         "-1 weight ",
		"":                               "-1  ",
		"blk.1.blk.2.weight":             "1 2 blk.0.blk.2.weight",
		"blk.1.ffn.weight.second.weight": "1 ffn blk.0.ffn.weight.second.weight",
	} {
		layer, part, previous := parseName(name)
		if got := fmt.Sprintf("%d %s %s", layer, part, previous); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// Numbers that a file may hold make numbers that can be printed.
func TestStatisticsOfOddNumbers(t *testing.T) {
	f := &File{Path: "odd", Entries: map[string]*Entry{
		"zeros":    {SumSquares: []float32{0, 0}, Counts: []int64{3}},
		"one":      {SumSquares: []float32{7}, Counts: []int64{1}},
		"huge":     {SumSquares: []float32{math.MaxFloat32, math.MaxFloat32}, Counts: []int64{1}},
		"negative": {SumSquares: []float32{-1, 1}, Counts: []int64{1}},
		"blk.1.a":  {SumSquares: []float32{0}, Counts: []int64{1}},
		"blk.2.a":  {SumSquares: []float32{1}, Counts: []int64{1}},
	}}
	s, err := f.Statistics()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range s.Tensors {
		for _, figure := range Figures() {
			if v := figure.Of(&x); math.IsInf(v, 0) || math.IsNaN(v) && figure.Name != "similarity" {
				t.Errorf("%s: %s is %v", x.Name, figure.Name, v)
			}
		}
	}
	f.Entries["one"].SumSquares[0] = float32(math.Inf(1))
	_, err = f.Statistics()
	if _, ok := errors.AsType[*fault.FormatError](err); !ok || !strings.Contains(err.Error(), `odd: weight "one": sum 0 is +Inf`) {
		t.Errorf("error is %v", err)
	}
}
