package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/gguftool/gguftool/allocate"
	"github.com/gguftool/gguftool/internal/texttable"
)

// A choiceReport tells how types were chosen tensor by tensor.
type choiceReport struct {
	Target    string       `json:"target"`
	Unit      string       `json:"loss_unit"`
	Loss      lossReport   `json:"loss"`               // of the whole, on the texts that chose
	HeldOut   *lossReport  `json:"held_out,omitempty"` // on those that took no part
	Before    lossReport   `json:"before_exchanges"`   // of the choice by the losses of single tensors
	Exchanged int          `json:"exchanged"`          // tensors that got another type after that
	Sum       float64      `json:"sum_of_losses"`      // of each tensor's type alone
	Curve     []pointEntry `json:"curve"`
}

type lossReport struct {
	Mean  float64 `json:"mean"`
	Error float64 `json:"standard_error"`
	Texts int     `json:"texts"`
}

// A pointEntry is a file of the model: its size and its loss on the texts that took
// no part in choosing.
type pointEntry struct {
	Type   string     `json:"type"` // AUTO, or a fixed one
	Bytes  int64      `json:"file_bytes"`
	Loss   lossReport `json:"loss"`
	Chosen bool       `json:"chosen,omitempty"` // the file that is written
}

// A tensorLoss is what the type of one tensor costs when no other changes.
type tensorLoss struct {
	Loss  *float64 `json:"loss,omitempty"`
	Error *float64 `json:"loss_standard_error,omitempty"`
}

func newLossReport(f allocate.Figure) lossReport { return lossReport{f.Mean, f.Error, f.Texts} }

// chosen adds how the types came about.
func (r *quantizeReport) chosen(job *autoJob, result *allocate.Result) {
	c := &choiceReport{
		Target: job.target.text, Unit: job.unit, Loss: newLossReport(result.Loss), Before: newLossReport(result.Before),
		Exchanged: result.Changes, Sum: result.Sum,
	}
	if result.HeldOut.Texts > 0 {
		held := newLossReport(result.HeldOut)
		c.HeldOut = &held
	}
	for _, p := range result.Points {
		e := pointEntry{Type: p.Name, Bytes: p.Bytes, Loss: newLossReport(p.Loss)}
		if e.Type == "" {
			e.Type = autoName
			if e.Chosen = p.Bytes == result.Bytes; e.Chosen {
				e.Bytes = r.FileBytes // which counts the keys as they are
			}
		}
		c.Curve = append(c.Curve, e)
	}
	r.Choice = c
	losses := make(map[string]allocate.Single)
	for _, w := range result.Weights {
		losses[w.Tensor] = w.Single
	}
	for i := range r.Tensors {
		if s, ok := losses[r.Tensors[i].Name]; ok {
			r.Tensors[i].tensorLoss = &tensorLoss{&s.Mean, &s.Error}
		}
	}
}

// writeCurve prints the sizes that were measured.
func (c *choiceReport) writeCurve(b *strings.Builder) error {
	table := texttable.New("type", "file bytes>", "loss>", "±>", "")
	for _, p := range c.Curve {
		note := ""
		if p.Chosen {
			note = "← this file"
		}
		table.Row(p.Type, texttable.Grouped(p.Bytes), fmt.Sprintf("%.3g", p.Loss.Mean), fmt.Sprintf("%.1g", p.Loss.Error), note)
	}
	return table.Write(b, "Size against loss ("+c.Unit+")")
}

// writeSummary tells the losses of the choice.
func (c *choiceReport) writeSummary(w io.Writer) {
	fmt.Fprintf(w, "%s: loss %.3g ± %.1g (%s) on the %d texts that chose", c.Target, c.Loss.Mean, c.Loss.Error, c.Unit, c.Loss.Texts)
	if h := c.HeldOut; h != nil {
		fmt.Fprintf(w, ", %.3g ± %.1g on %d others", h.Mean, h.Error, h.Texts)
	}
	if c.Exchanged > 0 {
		fmt.Fprintf(w, "; %d tensors changed after tensors were measured one by one, from %.3g", c.Exchanged, c.Before.Mean)
	}
	fmt.Fprintln(w)
}
