// Package texttable prints tables for people: text in columns, without lines,
// that stays readable in 80 to 120 columns.
package texttable

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// Gap stands in front of each line of a table and between its columns.
const Gap = "  "

// A Table is text in columns. Its cells must be safe to print: see Safe.
type Table struct {
	header []string
	align  tw.Alignment
	rows   [][]string
	notes  map[int][]string // lines behind row i, counted from 1
}

// New returns a table with a column for each name. A ">" at the end of a name
// aligns the column to the right. Without names there is no header.
func New(columns ...string) *Table {
	t := new(Table)
	for _, c := range columns {
		name, right := strings.CutSuffix(c, ">")
		align := tw.AlignLeft
		if right {
			align = tw.AlignRight
		}
		t.header = append(t.header, name)
		t.align = append(t.align, align)
	}
	return t
}

// Row appends a row.
func (t *Table) Row(cells ...string) { t.rows = append(t.rows, cells) }

// Note appends a line under the last row that belongs to no column.
func (t *Table) Note(text string) {
	if t.notes == nil {
		t.notes = make(map[int][]string)
	}
	t.notes[len(t.rows)] = append(t.notes[len(t.rows)], text)
}

// Write appends the table under its title, after an empty line.
func (t *Table) Write(b *strings.Builder, title string) error {
	b.WriteString("\n" + title + "\n")
	if len(t.rows) == 0 {
		return nil
	}
	var lines strings.Builder
	w := tablewriter.NewTable(&lines,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders:  tw.BorderNone,
			Settings: tw.Settings{Lines: tw.LinesNone, Separators: tw.SeparatorsNone},
		})),
		tablewriter.WithPadding(tw.Padding{Right: Gap, Overwrite: true}),
		tablewriter.WithAlignment(t.align),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithTrimSpace(tw.Off),
	)
	row := 1 // of the line
	if strings.Join(t.header, "") != "" {
		w.Header(t.header)
		row = 0
	}
	if err := w.Bulk(t.rows); err != nil {
		return err
	}
	if err := w.Render(); err != nil {
		return err
	}
	for line := range strings.Lines(lines.String()) {
		b.WriteString(Gap + strings.TrimRight(line, " \n") + "\n")
		for _, note := range t.notes[row] {
			b.WriteString(Gap + Gap + Gap + note + "\n")
		}
		row++
	}
	return nil
}

// Safe returns s as it can be shown on a terminal: unchanged when it consists of
// printable characters, otherwise as a quoted Go string, in which control
// characters, escape sequences, characters that change the direction of text and
// bytes that are not UTF-8 are written as escapes. Strings that could be mistaken
// for a quoted one, or whose ends cannot be seen, are quoted too.
func Safe(s string) string {
	quoted := strconv.Quote(s)
	if s == "" || s[0] == '"' || s[0] == ' ' || s[len(s)-1] == ' ' || !utf8.ValidString(s) {
		return quoted
	}
	for _, r := range s {
		if !strconv.IsPrint(r) {
			return quoted
		}
	}
	return s
}

// Shape returns the shape of a tensor in the order of the file, as in
// "384 x 30522".
func Shape(shape []int64) string {
	dims := make([]string, len(shape))
	for i, d := range shape {
		dims[i] = strconv.FormatInt(d, 10)
	}
	return strings.Join(dims, " x ")
}

// Grouped returns n with a comma between groups of three digits.
func Grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
