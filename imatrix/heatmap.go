package imatrix

import (
	"cmp"
	"fmt"
	"image/color"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A HeatMap is a table of numbers that is drawn in colours.
type HeatMap struct {
	Title   string
	Across  string      // what columns are
	Rows    []string    // names, from top to bottom
	Columns []string    // names, from left to right; an empty one is not shown
	Values  [][]float64 // (rows, columns); NaN where there is none
	Log     bool        // colours follow the logarithm

	fine bool // columns are narrow, rows low
}

// Most rows and columns of a heat map. Files that would give more are hostile,
// or pictures of them would show nothing.
const (
	maxMapRows    = 4096
	maxMapColumns = 1024
)

// LayerMap returns a figure as a table with a row for each part of a layer and a
// column for each layer.
func (s *Statistics) LayerMap(figure Figure) (*HeatMap, error) {
	parts := make(map[string]int) // by name, in the order of the first layer that has them
	layers := make(map[int]int)
	var names []string
	for i := range s.Tensors {
		t := &s.Tensors[i]
		layers[t.Layer] = 0
		if _, ok := parts[t.Part]; !ok {
			parts[t.Part] = 0
			names = append(names, t.Part)
		}
	}
	if err := checkMap(len(names), len(layers)); err != nil {
		return nil, err
	}
	slices.SortFunc(names, comparePlaces)
	for i, name := range names {
		parts[name] = i
	}
	m := &HeatMap{Title: figure.Title, Across: "layer", Rows: names, Log: figure.Log}
	for i, layer := range slices.Sorted(maps.Keys(layers)) {
		layers[layer] = i
		name := strconv.Itoa(layer)
		if layer < 0 {
			name = "–"
		}
		m.Columns = append(m.Columns, name)
	}
	m.Values = table(len(names), len(layers))
	for i := range s.Tensors {
		t := &s.Tensors[i]
		m.Values[parts[t.Part]][layers[t.Layer]] = figure.Of(t)
	}
	return m, nil
}

// places orders the parts of a layer as data flows through them.
var places = []string{"attn_qkv", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate_inp", "ffn_gate", "ffn_up", "ffn_down", "output"}

func comparePlaces(a, b string) int {
	return cmp.Or(cmp.Compare(place(a), place(b)), strings.Compare(a, b))
}

// place returns the index of the longest entry of places that name begins with.
func place(name string) int {
	at := len(places)
	for i, p := range places {
		if strings.HasPrefix(name, p) && (at == len(places) || len(p) > len(places[at])) {
			at = i
		}
	}
	return at
}

// columnBins is how many numbers a row of a ColumnMap has at most.
const columnBins = 256

// ColumnMap returns the mean squares in f with a row for each weight: those of
// its columns one after the other, each divided by their mean, so that outliers
// are seen. Where there are more columns than fit, or several experts, the
// largest that share a place stand for them.
func (f *File) ColumnMap(s *Statistics) (*HeatMap, error) {
	if err := checkMap(len(s.Tensors), columnBins); err != nil {
		return nil, err
	}
	tensors := slices.Clone(s.Tensors)
	slices.SortStableFunc(tensors, func(a, b TensorStatistics) int {
		return cmp.Or(cmp.Compare(a.Layer, b.Layer), comparePlaces(a.Part, b.Part))
	})
	m := &HeatMap{
		Title:   "mean square of each column, divided by the mean over the columns",
		Across:  "columns",
		Columns: make([]string, columnBins),
		Values:  table(len(tensors), columnBins),
		Log:     true,
		fine:    true,
	}
	for i := range 5 { // a quarter of the columns each
		at := min(i*columnBins/4, columnBins-1)
		m.Columns[at] = fmt.Sprintf("%d%%", 25*i)
	}
	for i, t := range tensors {
		name := t.Part
		if t.Layer >= 0 {
			name = fmt.Sprintf("%d %s", t.Layer, t.Part)
		}
		m.Rows = append(m.Rows, name)
		if t.Mean <= 0 {
			continue
		}
		row := m.Values[i]
		for j, v := range f.Entries[t.Name].coveredMeans() {
			column := j % t.Columns
			// A bin may get several columns, or a column several bins.
			from := column * columnBins / t.Columns
			to := max((column+1)*columnBins/t.Columns, from+1)
			for bin := from; bin < to; bin++ {
				if share := v / t.Mean; !(row[bin] >= share) {
					row[bin] = share
				}
			}
		}
	}
	return m, nil
}

// table returns rows of NaNs.
func table(rows, columns int) [][]float64 {
	all := make([][]float64, rows)
	for i := range all {
		all[i] = slices.Repeat([]float64{math.NaN()}, columns)
	}
	return all
}

func checkMap(rows, columns int) error {
	if rows > maxMapRows || columns > maxMapColumns {
		return fmt.Errorf("a heat map of %d rows and %d columns cannot be looked at; at most %d and %d are drawn", rows, columns, maxMapRows, maxMapColumns)
	}
	return nil
}

// A scale turns numbers into colours.
type scale struct {
	low, high float64
	log       bool
}

// newScale returns the scale from the smallest to the largest number of m. On a
// logarithmic one numbers that are not positive have the lowest colour.
func (m *HeatMap) newScale() scale {
	s := scale{math.Inf(1), math.Inf(-1), m.Log}
	for _, row := range m.Values {
		for _, v := range row {
			if !math.IsNaN(v) && (v > 0 || !m.Log) {
				s.low, s.high = min(s.low, v), max(s.high, v)
			}
		}
	}
	if s.low > s.high { // there are none
		s.low, s.high = 1, 1
	}
	return s
}

// at returns where v is between low (0) and high (1).
func (s scale) at(v float64) float64 {
	low, high := s.low, s.high
	if s.log {
		if v <= 0 {
			return 0
		}
		low, high, v = math.Log(low), math.Log(high), math.Log(v)
	}
	if high <= low {
		return 0.5
	}
	return min(max((v-low)/(high-low), 0), 1)
}

// ramp are the colours from low to high: light to dark, so that it reads without
// colours too.
var ramp = []color.RGBA{
	{0xfd, 0xf6, 0xd8, 0xff},
	{0xc9, 0xe4, 0xb9, 0xff},
	{0x72, 0xc3, 0xb4, 0xff},
	{0x2f, 0x8f, 0xb0, 0xff},
	{0x24, 0x59, 0x96, 0xff},
	{0x1b, 0x25, 0x5c, 0xff},
}

// shade returns the colour at x, from 0 to 1.
func shade(x float64) color.RGBA {
	x *= float64(len(ramp) - 1)
	i := min(int(x), len(ramp)-2)
	a, b, t := ramp[i], ramp[i+1], x-float64(i)
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + t*(float64(b)-float64(a)))) }
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 0xff}
}

// short returns v with three digits, as labels show it.
func short(v float64) string {
	switch abs := math.Abs(v); {
	case v == 0:
		return "0"
	case abs >= 1e4 || abs < 1e-3:
		return strconv.FormatFloat(v, 'e', 1, 64)
	case abs >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	default:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
}
