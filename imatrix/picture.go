package imatrix

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"
	"sync"
	"unicode/utf8"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// A picture is what a heat map consists of, in units of a pixel on a plain
// screen; (0, 0) is the upper left corner.
type picture struct {
	width, height int
	boxes         []box
	labels        []label
}

type box struct {
	x, y, w, h int
	fill       color.RGBA
}

// A label is a line of text; its base line is at y.
type label struct {
	x, y  int
	align align
	size  int // of the font
	ink   color.RGBA
	text  string
}

// align says which point of a label is at x.
type align uint8

const (
	alignStart align = iota
	alignMiddle
	alignEnd
)

var (
	white = color.RGBA{0xff, 0xff, 0xff, 0xff}
	black = color.RGBA{0x22, 0x22, 0x22, 0xff}
	grey  = color.RGBA{0x66, 0x66, 0x66, 0xff}
	blank = color.RGBA{0xee, 0xee, 0xee, 0xff} // where there is no number
)

// Sizes of fonts and distances.
const (
	titleSize = 15
	labelSize = 12
	valueSize = 11
	margin    = 16
	gap       = 8
	barWidth  = 240 // of the legend
	barHeight = 12
)

// draw lays m out: title, names of columns, rows of cells, legend.
func (m *HeatMap) draw() *picture {
	cellWidth, cellHeight, inset := 30, 24, 1
	withValues := false
	switch n := len(m.Columns); {
	case m.fine:
		cellWidth, cellHeight, inset = 3, 14, 0
	case n <= 16:
		cellWidth, withValues = 58, true
	case n > 48:
		cellWidth = 16
	}
	left := margin + gap + textWidth(m.Across, labelSize)
	for _, name := range m.Rows {
		left = max(left, margin+gap+textWidth(shorten(name), labelSize))
	}
	top := margin + titleSize + 2*gap + labelSize + gap/2
	right, bottom := left+cellWidth*len(m.Columns), top+cellHeight*len(m.Rows)
	p := &picture{
		width:  max(right, left+barWidth, left+textWidth(m.Title, titleSize)) + margin + gap,
		height: bottom + 2*gap + barHeight + gap/2 + labelSize + margin,
	}
	p.label(left, margin+titleSize, alignStart, titleSize, black, m.Title)
	p.label(left-gap, top-gap/2-1, alignEnd, labelSize, grey, m.Across)
	end := math.MinInt // of the last name
	for j, name := range m.Columns {
		x, half := left+j*cellWidth+cellWidth/2, textWidth(name, labelSize)/2
		if name == "" || x-half < end+gap/2 {
			continue
		}
		end = x + half
		p.label(x, top-gap/2-1, alignMiddle, labelSize, grey, name)
	}
	s := m.newScale()
	for i, name := range m.Rows {
		y := top + i*cellHeight
		base := y + (cellHeight+labelSize)/2 - 2
		p.label(left-gap, base, alignEnd, labelSize, black, shorten(name))
		for j, v := range m.Values[i] {
			b := box{left + j*cellWidth, y, cellWidth - inset, cellHeight - 1, blank}
			if !math.IsNaN(v) {
				b.fill = shade(s.at(v))
			}
			p.boxes = append(p.boxes, b)
			if withValues && !math.IsNaN(v) {
				p.label(b.x+b.w/2, base, alignMiddle, valueSize, inkOn(b.fill), short(v))
			}
		}
	}
	y := bottom + 2*gap
	for i := range barWidth {
		p.boxes = append(p.boxes, box{left + i, y, 1, barHeight, shade(float64(i) / (barWidth - 1))})
	}
	y += barHeight + gap/2 + labelSize
	p.label(left, y, alignStart, labelSize, grey, short(s.low))
	p.label(left+barWidth, y, alignEnd, labelSize, grey, short(s.high))
	if m.Log {
		p.label(left+barWidth/2, y, alignMiddle, labelSize, grey, "logarithmic")
	}
	return p
}

func (p *picture) label(x, y int, align align, size int, ink color.RGBA, text string) {
	p.labels = append(p.labels, label{x, y, align, size, ink, text})
}

// inkOn returns a colour that can be read on fill.
func inkOn(fill color.RGBA) color.RGBA {
	if 299*int(fill.R)+587*int(fill.G)+114*int(fill.B) < 128*1000 {
		return white
	}
	return black
}

// shorten cuts names that no model has.
func shorten(name string) string {
	const most = 40
	if utf8.RuneCountInString(name) <= most {
		return name
	}
	return string([]rune(name)[:most-1]) + "…"
}

// WriteSVG writes m as an SVG picture.
func (m *HeatMap) WriteSVG(w io.Writer) error {
	p := m.draw()
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="sans-serif">`+"\n", p.width, p.height)
	fmt.Fprintf(out, `<rect width="100%%" height="100%%" fill="%s"/>`+"\n", hex(white))
	for _, b := range p.boxes {
		fmt.Fprintf(out, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", b.x, b.y, b.w, b.h, hex(b.fill))
	}
	anchors := [...]string{alignStart: "start", alignMiddle: "middle", alignEnd: "end"}
	for _, l := range p.labels {
		fmt.Fprintf(out, `<text x="%d" y="%d" font-size="%d" text-anchor="%s" fill="%s">%s</text>`+"\n",
			l.x, l.y, l.size, anchors[l.align], hex(l.ink), escape(l.text))
	}
	out.WriteString("</svg>\n")
	return out.Flush()
}

func hex(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

func escape(text string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(text)) // a bytes.Buffer takes everything
	return b.String()
}

// maxPixels bounds the memory of a PNG picture, four bytes each.
const maxPixels = 32 << 20

// WritePNG writes m as a PNG picture with two pixels for a unit, or one where
// that would be very large.
func (m *HeatMap) WritePNG(w io.Writer) error {
	p := m.draw()
	zoom := 2
	if p.width*p.height*zoom*zoom > maxPixels {
		zoom = 1
	}
	if p.width*p.height > maxPixels {
		return fmt.Errorf("a picture of %d x %d pixels is too large for PNG; write SVG", p.width, p.height)
	}
	img := image.NewRGBA(image.Rect(0, 0, p.width*zoom, p.height*zoom))
	draw.Draw(img, img.Bounds(), image.NewUniform(white), image.Point{}, draw.Src)
	for _, b := range p.boxes {
		at := image.Rect(b.x*zoom, b.y*zoom, (b.x+b.w)*zoom, (b.y+b.h)*zoom)
		draw.Draw(img, at, image.NewUniform(b.fill), image.Point{}, draw.Src)
	}
	for _, l := range p.labels {
		d := font.Drawer{Dst: img, Src: image.NewUniform(l.ink), Face: face(l.size * zoom)}
		x := fixed.I(l.x * zoom)
		switch width := d.MeasureString(l.text); l.align {
		case alignMiddle:
			x -= width / 2
		case alignEnd:
			x -= width
		}
		d.Dot = fixed.Point26_6{X: x, Y: fixed.I(l.y * zoom)}
		d.DrawString(l.text)
	}
	return png.Encode(w, img)
}

var (
	typeface = sync.OnceValue(func() *opentype.Font {
		f, err := opentype.Parse(goregular.TTF)
		if err != nil {
			panic(err) // the font is part of the program
		}
		return f
	})
)

// face returns the font in a size of so many pixels. Its methods may not be
// called by several goroutines at once.
func face(size int) font.Face {
	f, err := opentype.NewFace(typeface(), &opentype.FaceOptions{Size: float64(size), DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		panic(err) // it has no reason to fail
	}
	return f
}

// textWidth returns the units that text takes at a size.
func textWidth(text string, size int) int { return font.MeasureString(face(size), text).Ceil() }
