package main

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/internal/texttable"
)

// A reportFormat says how a report of figures is printed.
type reportFormat struct {
	name string
	json bool
}

var reportFormats = []string{"table", "markdown", "csv", "json", "jsonl"}

func (f *reportFormat) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.name, "output", "o", "table", "`FORMAT` of the output: "+strings.Join(reportFormats, ", "))
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON, as -o json does")
}

func (f *reportFormat) check() error {
	if f.json {
		f.name = "json"
	}
	if !slices.Contains(reportFormats, f.name) {
		return usagef("unknown output format %q; choose one of %s", f.name, strings.Join(reportFormats, ", "))
	}
	return nil
}

// A figureReport can be printed in all formats.
type figureReport interface {
	tables() []figureTable // for people
	records() figureTable  // for programs: a row for each measurement, with figures as they are
	whole() any            // as JSON
	items() []any          // as JSON lines
}

// A figureTable has columns as texttable has them.
type figureTable struct {
	title   string
	columns []string
	rows    [][]string
	notes   []string // lines that follow
}

func (t *figureTable) row(cells ...string) { t.rows = append(t.rows, cells) }

func (f *reportFormat) print(w io.Writer, r figureReport) error {
	switch f.name {
	case "json":
		return json.NewEncoder(w).Encode(r.whole())
	case "jsonl":
		enc := json.NewEncoder(w)
		for _, item := range r.items() {
			if err := enc.Encode(item); err != nil {
				return err
			}
		}
		return nil
	case "csv":
		t := r.records()
		return csv.NewWriter(w).WriteAll(append([][]string{t.columns}, t.rows...))
	}
	var b strings.Builder
	for _, t := range r.tables() {
		if f.name == "markdown" {
			t.markdown(&b)
		} else if err := t.text(&b); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}

func (t *figureTable) text(b *strings.Builder) error {
	table := texttable.New(t.columns...)
	for _, r := range t.rows {
		table.Row(r...)
	}
	if err := table.Write(b, t.title); err != nil {
		return err
	}
	for _, note := range t.notes {
		b.WriteString(texttable.Gap + note + "\n")
	}
	return nil
}

func (t *figureTable) markdown(b *strings.Builder) {
	line := func(cells []string) {
		for _, c := range cells {
			b.WriteString("| " + strings.NewReplacer("|", `\|`, "\n", " ").Replace(c) + " ")
		}
		b.WriteString("|\n")
	}
	b.WriteString("\n**" + t.title + "**\n\n")
	var names, rules []string
	for _, c := range t.columns {
		name, right := strings.CutSuffix(c, ">")
		rule := "---"
		if right {
			rule = "--:"
		}
		names, rules = append(names, name), append(rules, rule)
	}
	line(names)
	line(rules)
	for _, r := range t.rows {
		line(r)
	}
	if len(t.notes) > 0 {
		b.WriteString("\n" + strings.Join(t.notes, "\n") + "\n")
	}
}
