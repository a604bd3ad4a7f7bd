package report

import (
	"slices"

	"github.com/go-analyze/charts/chartdraw"
)

// A layer is what all kinds of chartdraw.Series have in common here.
type layer struct{}

// GetName returns none: legends are no part of a drawing.
func (layer) GetName() string { return "" }

// GetYAxis returns the axis on the left.
func (layer) GetYAxis() chartdraw.YAxisType { return chartdraw.YAxisSecondary }

// GetStyle returns none: that of the page counts.
func (layer) GetStyle() chartdraw.Style { return chartdraw.Style{} }

// Validate finds nothing.
func (layer) Validate() error { return nil }

// A grid is lines through the ticks, and a stronger one through 0.
type grid struct {
	layer
	x, y []chartdraw.Tick
}

// Render draws it.
func (g *grid) Render(r chartdraw.Renderer, box chartdraw.Box, x, y chartdraw.Range, _ chartdraw.Style) {
	line := func(v float64, fromX, fromY, toX, toY int) {
		begin(r, "grid")
		if v == 0 {
			begin(r, "grid zero")
		}
		r.MoveTo(fromX, fromY)
		r.LineTo(toX, toY)
		r.Stroke()
	}
	for _, t := range g.x {
		at := box.Left + x.Translate(t.Value)
		line(t.Value, at, box.Top, at, box.Bottom)
	}
	for _, t := range g.y {
		at := box.Bottom - y.Translate(t.Value)
		line(t.Value, box.Left, at, box.Right, at)
	}
}

// A curve draws a Series.
type curve struct {
	layer
	*Series
	style seriesStyle
	shift int // pixels that it is moved down by, so that equal points of several series can be told apart
}

// Render draws intervals, lines and marks, each above those before.
func (c *curve) Render(r chartdraw.Renderer, box chartdraw.Box, x, y chartdraw.Range, _ chartdraw.Style) {
	at := func(px, py float64) (int, int) {
		return box.Left + x.Translate(px), box.Bottom - y.Translate(py) + c.shift
	}
	for _, p := range c.Points {
		begin(r, c.style.class()+" interval")
		if p.LowX != p.HighX {
			left, down := at(p.LowX, p.Y)
			right, _ := at(p.HighX, p.Y)
			r.MoveTo(left, down)
			r.LineTo(right, down)
			r.Stroke()
		}
		if p.LowY != p.HighY {
			across, bottom := at(p.X, p.LowY)
			_, top := at(p.X, p.HighY)
			r.MoveTo(across, bottom)
			r.LineTo(across, top)
			r.Stroke()
		}
	}
	if c.Line && len(c.Points) > 1 {
		begin(r, c.style.class()+" line")
		r.SetStrokeDashArray(c.style.dash())
		for i, p := range c.Points {
			px, py := at(p.X, p.Y)
			if i == 0 {
				r.MoveTo(px, py)
			} else {
				r.LineTo(px, py)
			}
		}
		r.Stroke()
	}
	for _, p := range c.Points {
		if !p.Plain {
			px, py := at(p.X, p.Y)
			c.style.mark(r, px, py)
		}
	}
}

// A seriesStyle is the number of a series, which says how it looks.
type seriesStyle int

// How many colours, marks and dashes differ. No two of 56 series look the same.
const (
	colours = 8
	marks   = 7
)

var classNames = [colours]string{"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"}

// class returns the class of its colour.
func (s seriesStyle) class() string { return classNames[int(s)%colours] }

var dashes = [][]float64{nil, {7, 4}, {2, 3}, {9, 3, 2, 3}, {14, 4}}

// dash returns the lengths of the dashes and gaps of lines.
func (s seriesStyle) dash() []float64 { return dashes[int(s)%len(dashes)] }

// shapes are the corners of the marks behind the circle, in pixels from the centre.
var shapes = [marks - 1][][2]int{
	{{-4, -4}, {4, -4}, {4, 4}, {-4, 4}},
	{{0, -6}, {6, 5}, {-6, 5}},
	{{0, -6}, {6, 0}, {0, 6}, {-6, 0}},
	{{-6, -5}, {6, -5}, {0, 6}},
	{{-2, -6}, {2, -6}, {2, -2}, {6, -2}, {6, 2}, {2, 2}, {2, 6}, {-2, 6}, {-2, 2}, {-6, 2}, {-6, -2}, {-2, -2}},
	{{-3, -5}, {3, -5}, {6, 0}, {3, 5}, {-3, 5}, {-6, 0}},
}

// mark draws the mark around a place.
func (s seriesStyle) mark(r chartdraw.Renderer, x, y int) {
	begin(r, s.class()+" mark")
	shape := int(s) % marks
	if shape == 0 {
		r.Circle(markRadius, x, y)
		r.FillStroke()
		return
	}
	corners := shapes[shape-1]
	for i, c := range corners {
		if i == 0 {
			r.MoveTo(x+c[0], y+c[1])
		} else {
			r.LineTo(x+c[0], y+c[1])
		}
	}
	r.Close()
	r.FillStroke()
}

// place returns where a point is in a drawing.
func (p *Point) place(box chartdraw.Box, x, y *scale) (int, int) {
	return box.Left + x.Translate(p.X), box.Bottom - y.Translate(p.Y)
}

// label writes labels beside points, where they cover no point and no other label.
func (c *Chart) label(r chartdraw.Renderer, box chartdraw.Box, x, y *scale) {
	var taken []chartdraw.Box
	for _, s := range c.Series {
		for _, p := range s.Points {
			px, py := p.place(box, x, y)
			taken = append(taken, chartdraw.Box{Left: px - 7, Right: px + 7, Top: py - 7, Bottom: py + 7})
		}
	}
	measure := newRenderer(0, 0)
	const height = 14
	for _, s := range c.Series {
		for _, p := range s.Points {
			if p.Label == "" {
				continue
			}
			px, py := p.place(box, x, y)
			text := fit(measure, p.Label, widestLabel)
			width := measure.MeasureText(text).Width()
			for _, at := range []struct {
				left, top int
				anchor    string
			}{
				{px + 9, py - height/2, "start"}, {px - width/2, py - 9 - height, "middle"}, {px - 9 - width, py - height/2, "end"}, {px - width/2, py + 9, "middle"},
				{px + 8, py - 4 - height, "start"}, {px + 8, py + 4, "start"}, {px - 8 - width, py - 4 - height, "end"}, {px - 8 - width, py + 4, "end"},
			} {
				b := chartdraw.Box{Left: at.left, Right: at.left + width, Top: at.top, Bottom: at.top + height}
				outside := b.Left < box.Left+2 || b.Right > box.Right+20 || b.Top < box.Top-12 || b.Bottom > box.Bottom-1
				if outside || slices.ContainsFunc(taken, func(t chartdraw.Box) bool {
					return b.Left < t.Right && t.Left < b.Right && b.Top < t.Bottom && t.Top < b.Bottom
				}) {
					continue
				}
				taken = append(taken, b)
				// The style anchors text of these classes.
				anchors := map[string]int{"start": b.Left, "middle": (b.Left + b.Right) / 2, "end": b.Right}
				writeText(r, text, "label "+at.anchor, anchors[at.anchor], b.Bottom-3)
				break
			}
		}
	}
}
