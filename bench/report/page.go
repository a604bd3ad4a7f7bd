package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

// A Page is a report. Its texts are shown as they are, whatever marks they have;
// names that others have chosen belong through texttable.Safe before, since what is
// invisible or changes the direction of text would mislead readers.
type Page struct {
	Title    string
	Lead     string   // what it is about, in a sentence
	Facts    []Fact   // where and with what it was measured
	Commands []string // that made it
	Sections []Section
}

// A Fact is something that readers need to judge a report.
type Fact struct{ Name, Value string }

// A Section is a part of a page, such as that about a model.
type Section struct {
	Title   string
	Text    string
	Figures []Figure
}

// A Figure is a chart and a table with its numbers, or a table alone.
type Figure struct {
	Title string
	Text  string
	Chart *Chart
	Table Table
	Notes []string
}

// A Table is text in columns. The first column names the row.
type Table struct {
	Columns []Column
	Rows    [][]string
}

// A Column is the head of a column. Numbers stand on the right.
type Column struct {
	Name   string
	Number bool
}

// Columns returns columns of the names, where a ">" at the end means numbers.
func Columns(names ...string) []Column {
	var all []Column
	for _, n := range names {
		name, number := strings.CutSuffix(n, ">")
		all = append(all, Column{name, number})
	}
	return all
}

// Row appends a row, with a cell for each column.
func (t *Table) Row(cells ...string) { t.Rows = append(t.Rows, cells) }

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// shownPage is a page as the template sees it.
type shownPage struct {
	*Page
	Style    template.CSS
	Words    [][]string // of each command; lines break between them
	Sections []shownSection
}

type shownSection struct {
	ID string
	*Section
	Figures []shownFigure
}

type shownFigure struct {
	ID string
	*Figure
	Charts []*drawnChart // the same for wide and for narrow pages
	Legend []legendEntry
}

type legendEntry struct {
	Name   string
	Sample template.HTML
}

// Write writes the page.
func (p *Page) Write(w io.Writer) error {
	shown := shownPage{Page: p, Style: template.CSS(pageCSS)}
	for _, c := range p.Commands {
		shown.Words = append(shown.Words, strings.Fields(c))
	}
	for i := range p.Sections {
		s := &p.Sections[i]
		section := shownSection{ID: fmt.Sprintf("s%d", i+1), Section: s}
		for k := range s.Figures {
			f, err := s.Figures[k].show(fmt.Sprintf("f%d-%d", i+1, k+1))
			if err != nil {
				return err
			}
			section.Figures = append(section.Figures, *f)
		}
		shown.Sections = append(shown.Sections, section)
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, shown); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// show draws the chart of a figure.
func (f *Figure) show(id string) (*shownFigure, error) {
	shown := *f
	s := &shownFigure{ID: id, Figure: &shown}
	if f.Chart == nil {
		return s, nil
	}
	chart, left := f.Chart.onAxes()
	if left > 0 {
		shown.Notes = append(shown.Notes[:len(shown.Notes):len(shown.Notes)],
			plural(left, "point")+" that the axes cannot show, such as a loss of 0 on a logarithmic one, are in the table only.")
	}
	if chart.points() == 0 {
		return s, nil
	}
	for _, class := range []string{"wide", "narrow"} {
		d, err := chart.draw(class)
		if err != nil {
			return nil, err
		}
		s.Charts = append(s.Charts, d)
	}
	if len(chart.Series) > 1 {
		for i := range chart.Series {
			sample, err := chart.Series[i].sample(seriesStyle(i))
			if err != nil {
				return nil, err
			}
			s.Legend = append(s.Legend, legendEntry{chart.Series[i].Name, sample})
		}
	}
	return s, nil
}

// Size of what stands before a name in a legend, in pixels.
const (
	sampleWidth  = 30
	sampleHeight = 16
)

// sample draws what a series looks like.
func (s *Series) sample(style seriesStyle) (template.HTML, error) {
	r := newRenderer(sampleWidth, sampleHeight)
	if s.Line {
		begin(r, style.class()+" line")
		r.SetStrokeDashArray(style.dash())
		r.MoveTo(0, sampleHeight/2)
		r.LineTo(sampleWidth, sampleHeight/2)
		r.Stroke()
	}
	style.mark(r, sampleWidth/2, sampleHeight/2)
	var b strings.Builder
	err := r.Save(&b)
	return template.HTML(b.String()), err
}
