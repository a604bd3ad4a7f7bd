package report

import (
	"fmt"
	"html/template"
	"strings"
	"unicode/utf8"

	"github.com/go-analyze/charts/chartdraw"
	"github.com/go-analyze/charts/chartdraw/drawing"
)

// Sizes, in pixels of the drawing.
const (
	wideWidth   = 860
	narrowWidth = 340
	plotHeight  = 380 // without rows
	rowsAround  = 66  // height of axes and names
	markRadius  = 5
	widestLabel = 170
	nearPoint   = 11 // where a tip is shown
)

// Text has 12 pixels, in a font that the reader has. It is measured in one that
// need not be the same, so that room is left: for text that is centred less, as it
// would be moved, and more for what ends at an axis.
const (
	fontSize       = 13
	fontSizeAtAxis = 14
)

// A drawnChart is a chart as SVG.
type drawnChart struct {
	Class         string // wide or narrow
	Width, Height int
	Body          template.HTML // an svg element by chartdraw
	Hits          []hit
}

// A hit is where a tip is shown.
type hit struct {
	X, Y, Radius int
	Tip          string
}

// draw draws a chart that onAxes has returned, which has one point at least.
func (c *Chart) draw(class string) (*drawnChart, error) {
	d := &drawnChart{Class: class, Width: wideWidth, Height: plotHeight}
	ticks, widestRow := 8, 240
	if class == "narrow" {
		d.Width, ticks, widestRow = narrowWidth, 4, 120
	}
	rows := c.Y.Rows != nil
	if rows {
		d.Height = c.rowHeight()*len(c.Y.Rows) + rowsAround
	}
	lowX, highX, lowY, highY := c.ranges()
	x, xTicks := c.X.newScale(lowX, highX, ticks)
	y, yTicks := c.Y.newScale(lowY, highY, 6)
	if rows {
		measure := newRenderer(0, 0)
		for i := range yTicks {
			yTicks[i].Label = fit(measure, yTicks[i].Label, widestRow)
		}
	}
	top := 30 // of the name
	if c.Y.Name == "" {
		top = 10
	}
	const none = "none"
	text := chartdraw.FontStyle{FontSize: fontSize}
	chart := chartdraw.Chart{
		Width: d.Width, Height: d.Height, DPI: 72, // a point is a pixel
		Background: chartdraw.Style{ClassName: none, Padding: chartdraw.Box{Top: top, Right: 22, Bottom: 8, Left: 8, IsSet: true}},
		Canvas:     chartdraw.Style{ClassName: none},
		XAxis: chartdraw.XAxis{
			Name: c.X.Name, NameStyle: chartdraw.Style{ClassName: "name", FontStyle: text},
			TickStyle: chartdraw.Style{ClassName: "tick", FontStyle: text}, Range: x, Ticks: xTicks,
			GridMajorStyle: chartdraw.Hidden(), GridMinorStyle: chartdraw.Hidden(),
		},
		// The axis on the left is the secondary one.
		YAxis: chartdraw.YAxis{Style: chartdraw.Hidden(), Range: y},
		YAxisSecondary: chartdraw.YAxis{
			NameStyle: chartdraw.Hidden(), Zero: chartdraw.GridLine{Style: chartdraw.Hidden()},
			TickStyle: chartdraw.Style{ClassName: "tick", FontStyle: chartdraw.FontStyle{FontSize: fontSizeAtAxis}}, Range: y, Ticks: yTicks,
			GridMajorStyle: chartdraw.Hidden(), GridMinorStyle: chartdraw.Hidden(),
		},
	}
	lines := &grid{x: xTicks, y: yTicks}
	if rows {
		lines.y = nil
		for i := range len(c.Y.Rows) - 1 {
			lines.y = append(lines.y, chartdraw.Tick{Value: float64(i) + 0.5})
		}
	}
	chart.Series = []chartdraw.Series{lines}
	for i := range c.Series {
		chart.Series = append(chart.Series, &curve{Series: &c.Series[i], style: seriesStyle(i), shift: c.shift(i)})
	}
	chart.Elements = []chartdraw.Renderable{func(r chartdraw.Renderer, box chartdraw.Box, _ chartdraw.Style) {
		writeText(r, c.Y.Name, "name", 8, 16)
		d.Hits = c.hits(box, x, y)
		c.label(r, box, x, y)
	}}
	var b strings.Builder
	if err := chart.Render(chartdraw.SVG, &b); err != nil {
		return nil, fmt.Errorf("draw a chart: %w", err)
	}
	d.Body = template.HTML(b.String()) // chartdraw escapes text
	return d, nil
}

// shift returns how far series i is moved down, in pixels. Those of rows stand
// below each other, as far as a row has room.
func (c *Chart) shift(i int) int {
	if c.Y.Rows == nil || len(c.Series) < 2 {
		return 0
	}
	room := c.rowHeight() - 12
	return (2*i - len(c.Series) + 1) * room / (2 * len(c.Series))
}

// rowHeight returns the height of a row, which has all series.
func (c *Chart) rowHeight() int { return 22 + 9*len(c.Series) }

// hits returns where the tips of points are shown.
func (c *Chart) hits(box chartdraw.Box, x, y *scale) (all []hit) {
	for i, s := range c.Series {
		for _, p := range s.Points {
			if p.Tip != "" {
				px, py := p.place(box, x, y)
				all = append(all, hit{px, py + c.shift(i), nearPoint, p.Tip})
			}
		}
	}
	return all
}

// newRenderer returns a renderer of its own, such as to measure text with.
func newRenderer(width, height int) chartdraw.Renderer {
	r := chartdraw.SVG(width, height)
	r.SetDPI(72)
	r.SetFont(chartdraw.GetDefaultFont())
	r.SetFontSize(fontSize)
	return r
}

// writeText writes text of a class, whose left end is at x.
func writeText(r chartdraw.Renderer, text, class string, x, y int) {
	r.ResetStyle()
	r.SetClassName(class)
	r.SetFont(chartdraw.GetDefaultFont())
	r.SetFontSize(fontSize)
	r.Text(text, x, y)
}

// begin prepares a renderer for shapes of a class: what is stroked gets its class
// and "stroke", what is filled "fill".
func begin(r chartdraw.Renderer, class string) {
	r.ResetStyle()
	r.SetClassName(class)
	r.SetStrokeColor(drawing.ColorBlack)
	r.SetFillColor(drawing.ColorBlack)
}

// fit returns text with an ellipsis in its middle where it is wider than so many
// pixels.
func fit(r chartdraw.Renderer, text string, width int) string {
	for n, all := utf8.RuneCountInString(text), text; r.MeasureText(text).Width() > width && n > 8; {
		n--
		text = shortenedTo(all, n)
	}
	return text
}
