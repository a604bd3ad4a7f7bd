package imatrix

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/color"
	"image/png"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

func figure(t *testing.T, name string) Figure {
	t.Helper()
	f, ok := FigureByName(name)
	if !ok {
		t.Fatalf("no figure %s", name)
	}
	return f
}

func TestLayerMap(t *testing.T) {
	_, s := statistics(t)
	m, err := s.LayerMap(figure(t, "max"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"attn_q", "ffn_up", "ffn_up_exps", "ffn_down", "output"}; !slices.Equal(m.Rows, want) {
		t.Errorf("rows are %q, want %q", m.Rows, want)
	}
	if want := []string{"–", "0", "1", "2"}; !slices.Equal(m.Columns, want) {
		t.Errorf("columns are %q, want %q", m.Columns, want)
	}
	for _, x := range s.Tensors {
		got := m.Values[slices.Index(m.Rows, x.Part)][x.Layer+1]
		if got != x.Max && !(x.Elements == 0 && math.IsNaN(got)) {
			t.Errorf("%s: %v, want %v", x.Name, got, x.Max)
		}
	}
	if got := m.Values[0][0]; !math.IsNaN(got) {
		t.Errorf("attn_q outside of layers is %v", got)
	}
}

func TestColumnMap(t *testing.T) {
	f := &File{Entries: map[string]*Entry{
		"blk.0.a.weight": {SumSquares: []float32{1, 2, 3, 6}, Counts: []int64{2}},                     // 64 places each
		"blk.1.a.weight": {SumSquares: make([]float32, 512), Counts: []int64{1}},                      // two in a place
		"blk.2.a.weight": {SumSquares: []float32{1, 1, 5, 1, 9, 9}, Counts: []int64{1, 1, 0}},         // experts
		"blk.3.a.weight": {SumSquares: []float32{0, 0}, Counts: []int64{1}},                           // no mean
		"b.weight":       {SumSquares: slices.Repeat([]float32{4}, columnBins), Counts: []int64{128}}, // one each
	}}
	f.Entries["blk.1.a.weight"].SumSquares[511] = 2
	s, err := f.Statistics()
	if err != nil {
		t.Fatal(err)
	}
	m, err := f.ColumnMap(s)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"b", "0 a", "1 a", "2 a", "3 a"}; !slices.Equal(m.Rows, want) {
		t.Errorf("rows are %q, want %q", m.Rows, want)
	}
	check := func(row, column int, want float64) {
		t.Helper()
		if got := m.Values[row][column]; got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%s, %d: %v, want %v", m.Rows[row], column, got, want)
		}
	}
	for i, want := range []float64{1. / 3, 2. / 3, 1, 2} {
		check(1, 64*i, want)
		check(1, 64*i+63, want)
	}
	check(0, 255, 1)
	check(2, 254, 0)
	check(2, 255, 512)
	check(3, 0, 2.5) // the larger of 1/2 and 5/2
	check(3, 255, 0.5)
	check(4, 7, math.NaN())
}

func TestScale(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		m    HeatMap
		v    float64
		want float64
	}{
		{HeatMap{Values: [][]float64{{1, 3, nan}}}, 2, 0.5},
		{HeatMap{Values: [][]float64{{-1, 3}}}, 3, 1},
		{HeatMap{Values: [][]float64{{1, 100}, {0, nan}}, Log: true}, 10, 0.5},
		{HeatMap{Values: [][]float64{{1, 100}}, Log: true}, 0, 0},
		{HeatMap{Values: [][]float64{{4, 4}}}, 4, 0.5},
		{HeatMap{Values: [][]float64{{nan}}}, 1, 0.5},
	} {
		if got := c.m.newScale().at(c.v); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v at %v: %v, want %v", c.m.Values, c.v, got, c.want)
		}
	}
	if shade(0) != ramp[0] || shade(1) != ramp[len(ramp)-1] {
		t.Error("the ends of the ramp are not its colours")
	}
}

// Both pictures have a cell of the right colour for each number.
func TestPictures(t *testing.T) {
	m := &HeatMap{Title: `a < b & "c"`, Across: "layer", Rows: []string{"up", strings.Repeat("long", 20)}, Columns: []string{"0", "1"},
		Values: [][]float64{{1, 2}, {3, math.NaN()}}}
	var svg bytes.Buffer
	if err := m.WriteSVG(&svg); err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(svg.Bytes())); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"a &lt; b &amp; &#34;c&#34;", ">up<", "…<", ">layer<", ">2<", hex(blank), hex(ramp[0]), hex(ramp[len(ramp)-1])} {
		if !strings.Contains(svg.String(), want) {
			t.Errorf("no %s in the SVG", want)
		}
	}
	var out bytes.Buffer
	if err := m.WritePNG(&out); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&out)
	if err != nil {
		t.Fatal(err)
	}
	p := m.draw()
	if size := img.Bounds().Size(); size.X != 2*p.width || size.Y != 2*p.height {
		t.Errorf("the PNG is %v", size)
	}
	for i, want := range []color.RGBA{ramp[0], shade(0.5), ramp[len(ramp)-1], blank} {
		b := p.boxes[i]
		if got := color.RGBAModel.Convert(img.At(2*b.x+1, 2*b.y+1)); got != want || b.fill != want {
			t.Errorf("cell %d is %v and %v, want %v", i, got, b.fill, want)
		}
	}
}

// Labels stay inside the picture and apart from each other.
func TestLabelsFit(t *testing.T) {
	for _, layers := range []int{1, 12, 40, 200} {
		m := &HeatMap{Title: "title", Across: "layer", Rows: []string{"attn_output"}, Values: table(1, layers)}
		for i := range layers {
			m.Columns = append(m.Columns, fmt.Sprint(i))
			m.Values[0][i] = 1234.5 + float64(i)
		}
		p := m.draw()
		type place struct{ y, from, to int }
		var places []place
		for _, l := range p.labels {
			from, width := l.x, textWidth(l.text, l.size)
			switch l.align {
			case alignMiddle:
				from -= width / 2
			case alignEnd:
				from -= width
			}
			if from < 0 || from+width > p.width || l.y > p.height || l.y < l.size {
				t.Errorf("%d layers: %q is at %d to %d, %d", layers, l.text, from, from+width, l.y)
			}
			for _, other := range places {
				if other.y == l.y && from < other.to && other.from < from+width {
					t.Errorf("%d layers: %q is on another label", layers, l.text)
				}
			}
			places = append(places, place{l.y, from, from + width})
		}
	}
}

// Files that would make pictures without end are refused.
func TestHugeMaps(t *testing.T) {
	f := &File{Entries: make(map[string]*Entry)}
	for i := range maxMapColumns + 1 {
		f.Entries[fmt.Sprintf("blk.%d.a.weight", 1000*i)] = &Entry{SumSquares: []float32{1}, Counts: []int64{1}}
	}
	s, err := f.Statistics()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.LayerMap(figure(t, "sum")); err == nil || !strings.Contains(err.Error(), "1025 columns cannot be looked at") {
		t.Errorf("error is %v", err)
	}
	for i := range maxMapRows {
		f.Entries[fmt.Sprintf("w%d", i)] = &Entry{SumSquares: []float32{1}, Counts: []int64{1}}
	}
	if s, err = f.Statistics(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ColumnMap(s); err == nil || !strings.Contains(err.Error(), "rows") {
		t.Errorf("error is %v", err)
	}
}
