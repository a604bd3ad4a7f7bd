package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/bench/report"
	"github.com/gguftool/gguftool/internal/texttable"
)

// page is the report about a choice of types in HTML.
func (r *quantizeReport) page() *report.Page {
	c := r.Choice
	name := texttable.Safe(filepath.Base(r.Input))
	loss := fmt.Sprintf("%.3g (%s) on the %d texts that chose", c.Loss.Mean, c.Unit, c.Loss.Texts)
	if h := c.HeldOut; h != nil {
		loss += fmt.Sprintf(", %.3g on %d others", h.Mean, h.Texts)
	}
	machine := bench.ThisMachine()
	return &report.Page{
		Title: "Types chosen by measured loss: " + name,
		Lead: fmt.Sprintf("Every tensor has the type that costs this model least, in %s. The loss is %s.",
			texttable.Safe(c.Target), loss),
		Facts: report.MachineFacts(&machine),
		Sections: []report.Section{
			{Title: "Size against loss", Figures: []report.Figure{c.curveFigure()}},
			{Title: "Tensors", Figures: []report.Figure{r.tensorFigure()}},
		},
	}
}

// curveFigure shows the sizes that were measured, and the fixed types among them.
func (c *choiceReport) curveFigure() report.Figure {
	chosen, fixed := report.Series{Name: "chosen by measured loss", Line: true}, report.Series{Name: "fixed types"}
	table := report.Table{Columns: report.Columns("types", "file bytes>", "loss>", "±>", "")}
	for _, p := range c.Curve {
		label, note := p.Type, ""
		series := &fixed
		if p.Type == autoName {
			label, series = "", &chosen
		}
		if p.Chosen {
			label, note = "this file", "this file"
		}
		series.Points = append(series.Points, report.SizeLossPoint(label, p.Bytes, bench.Estimate{
			Value: p.Loss.Mean, Low: max(0, p.Loss.Mean-2*p.Loss.Error), High: p.Loss.Mean + 2*p.Loss.Error,
		}))
		table.Row(p.Type, texttable.Grouped(p.Bytes), fmt.Sprintf("%.3g", p.Loss.Mean), fmt.Sprintf("%.1g", p.Loss.Error), note)
	}
	return report.Figure{
		Text:  "Files of several sizes, and those of fixed types with the same importance, measured on texts that took no part in choosing.",
		Chart: report.SizeAgainstLoss(c.Unit, chosen, fixed),
		Table: table,
	}
}

// tensorFigure lists what every tensor of several dimensions became.
func (r *quantizeReport) tensorFigure() report.Figure {
	table := report.Table{Columns: report.Columns("tensor", "shape", "from", "to", "bytes>", "loss alone>", "why")}
	for _, t := range r.Tensors {
		if len(t.Shape) < 2 {
			continue
		}
		var shape []string
		for _, n := range t.Shape {
			shape = append(shape, strconv.FormatInt(n, 10))
		}
		loss := ""
		if t.tensorLoss != nil && t.Loss != nil {
			loss = fmt.Sprintf("%.2g", *t.Loss)
		}
		table.Row(texttable.Safe(t.Name), strings.Join(shape, " × "), t.From, t.To, texttable.Grouped(t.BytesAfter), loss, texttable.Safe(t.Reason))
	}
	return report.Figure{
		Text:  "What each tensor of several dimensions became, its bytes, and the loss of its type when no other tensor changes.",
		Table: table,
	}
}
