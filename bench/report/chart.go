package report

import (
	"math"
	"strconv"
)

// A Chart shows numbers as points between two axes.
type Chart struct {
	Description string // what is to be seen, for those who cannot see it
	X, Y        Axis
	Series      []Series
}

// An Axis is what numbers are shown against.
type Axis struct {
	Name   string
	Log    bool     // logarithmic; numbers that are not above 0 are left out
	Zero   bool     // has 0, not for logarithmic ones
	Room   bool     // leaves some at both ends, not for logarithmic ones
	Whole  bool     // ticks are integers
	Rows   []string // names instead of numbers, of Y only: that of 0 is at the top
	Format func(v float64) string
}

// A Series is points of one kind. Each has a colour, a mark and a dash of its own,
// by its place, so that colours alone tell nothing.
type Series struct {
	Name   string
	Line   bool // connects the points in their order
	Points []Point
}

// A Point is one measurement.
type Point struct {
	X, Y        float64
	LowX, HighX float64 // an interval around X, both 0 for none
	LowY, HighY float64
	Label       string // beside the point, where there is room
	Tip         string // shown when a reader points at it
	Plain       bool   // a point of a line without a mark
}

// shows reports whether v has a place on the axis.
func (a *Axis) shows(v float64) bool {
	const most = 1e100 // no figure is larger
	return math.Abs(v) < most && (!a.Log || v > 1/most)
}

// interval returns what the axis shows of an interval around v: on a logarithmic
// axis the lower end is not far, and where it shows no end there is none.
func (a *Axis) interval(v, low, high float64) (float64, float64) {
	if a.Log {
		low = max(low, v/10)
	}
	if !a.shows(low) || !a.shows(high) || low > v || high < v {
		return v, v
	}
	return low, high
}

// onAxes returns the chart with what its axes can show, and how many points they
// cannot. Points without an interval have one of no length.
func (c *Chart) onAxes() (shown Chart, left int) {
	shown = *c
	shown.Series = nil
	for _, s := range c.Series {
		var points []Point
		for _, p := range s.Points {
			if !c.X.shows(p.X) || !c.Y.shows(p.Y) {
				left++
				continue
			}
			p.LowX, p.HighX = c.X.interval(p.X, p.LowX, p.HighX)
			p.LowY, p.HighY = c.Y.interval(p.Y, p.LowY, p.HighY)
			points = append(points, p)
		}
		s.Points = points
		shown.Series = append(shown.Series, s)
	}
	return shown, left
}

// ranges returns the least and the greatest numbers of all points and their
// intervals.
func (c *Chart) ranges() (lowX, highX, lowY, highY float64) {
	lowX, highX, lowY, highY = math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, s := range c.Series {
		for _, p := range s.Points {
			lowX, highX = min(lowX, p.LowX), max(highX, p.HighX)
			lowY, highY = min(lowY, p.LowY), max(highY, p.HighY)
		}
	}
	return lowX, highX, lowY, highY
}

// points returns how many there are.
func (c *Chart) points() (n int) {
	for _, s := range c.Series {
		n += len(s.Points)
	}
	return n
}

// plural returns "1 point" or "2 points".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return grouped(strconv.Itoa(n)) + " " + what + "s"
}
