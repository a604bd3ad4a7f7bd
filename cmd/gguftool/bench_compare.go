package main

import (
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/internal/texttable"
)

type compareOptions struct {
	tolerance float64
	format    reportFormat
}

func newCompare() *cobra.Command {
	var o compareOptions
	cmd := &cobra.Command{
		Use:   "compare OLD.json NEW.json",
		Short: "Tell whether models became slower",
		Long: `Compare takes two reports that 'gguftool bench -o json' printed and compares the
models and cases that both have. It ends with exit code 5 when one became worse,
beyond noise and by more than --tolerance percent, or fails where it did not.

Rates are those of the best repetitions, by time and by processor time: what
disturbs a measurement makes it slower, hardly ever faster. What is noise comes from
the distances among repetitions, and from a yardstick that was measured beside
them, which tells whether the machine itself was slower, or taken by other
programs. All cases of a model together show less than one of them can. Latencies,
loading and memory have tolerances of their own; docs/bench.md has them all.

Reports should be of one machine and the same settings; what differs is told below
the table.`,
		Example: `  gguftool bench model.gguf -o json >old.json
  gguftool bench model.gguf -o json >new.json
  gguftool bench compare old.json new.json`,
		Args: exactly(2, "an old and a new report"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	cmd.Flags().Float64Var(&o.tolerance, "tolerance", 100*bench.DefaultTolerance, "changes of speed up to `PERCENT` never count")
	o.format.addFlags(cmd)
	return cmd
}

func (o *compareOptions) run(cmd *cobra.Command, args []string) error {
	if !(o.tolerance > 0 && o.tolerance < 100) {
		return usagef("--tolerance %v is not between 0 and 100", o.tolerance)
	}
	if err := o.format.check(); err != nil {
		return err
	}
	var reports [2]*bench.SpeedReport
	for i, path := range args {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if reports[i], err = bench.ReadSpeedReport(path, f); err != nil {
			return err
		}
	}
	c, err := bench.CompareSpeed(reports[0], reports[1], &bench.CompareOptions{Tolerance: o.tolerance / 100})
	if err != nil {
		return err
	}
	if err := o.format.print(cmd.OutOrStdout(), compareOutput{c}); err != nil {
		return err
	}
	return c.Err()
}

// compareOutput prints a comparison.
type compareOutput struct{ *bench.Comparison }

func (r compareOutput) whole() any { return r.Comparison }

func (r compareOutput) items() (all []any) {
	for _, m := range r.Models {
		all = append(all, m)
	}
	for _, c := range r.Cases {
		all = append(all, c)
	}
	return all
}

func (r compareOutput) tables() []figureTable {
	models := figureTable{title: "Models", columns: []string{"model", "tokens/s>", "noise>", "tokens/CPU s>", "noise>", "loading>", "resident>", "peak>", "verdict"}}
	for _, m := range r.Models {
		rate, cpu := figureOf(m.Figures, "tokens_per_second"), figureOf(m.Figures, "tokens_per_cpu_second")
		models.row(texttable.Safe(m.Model), changeOf(rate), noiseOf(rate), changeOf(cpu), noiseOf(cpu), changeOf(figureOf(m.Figures, "load_seconds")),
			changeOf(figureOf(m.Figures, "resident_bytes")), changeOf(figureOf(m.Figures, "peak_bytes")), string(m.Verdict))
	}
	cases := figureTable{title: "Tokens per second of the best repetitions, and latencies",
		columns: []string{"model", "threads>", "batch>", "length>", "old>", "new>", "change>", "noise>", "CPU>", "noise>", "p50>", "p95>", "p99>", "machine>", "verdict"}}
	for _, c := range r.Cases {
		length := strconv.Itoa(c.Length)
		if c.Workload == "text" {
			length = "text"
		}
		rate, cpu := figureOf(c.Figures, "tokens_per_second"), figureOf(c.Figures, "tokens_per_cpu_second")
		var old, now float64
		if rate != nil {
			old, now = rate.Old, rate.New
		}
		cases.row(texttable.Safe(c.Model), strconv.Itoa(c.Threads), strconv.Itoa(c.Batch), length,
			texttable.Grouped(int64(old+0.5)), texttable.Grouped(int64(now+0.5)), changeOf(rate), noiseOf(rate), changeOf(cpu), noiseOf(cpu),
			changeOf(figureOf(c.Figures, "latency_p50")), changeOf(figureOf(c.Figures, "latency_p95")), changeOf(figureOf(c.Figures, "latency_p99")),
			signed(c.Machine), string(c.Verdict))
	}
	for _, note := range r.Notes {
		cases.notes = append(cases.notes, texttable.Safe(note))
	}
	for _, name := range r.OnlyOld {
		cases.notes = append(cases.notes, "only in the old report: "+texttable.Safe(name))
	}
	for _, name := range r.OnlyNew {
		cases.notes = append(cases.notes, "only in the new report: "+texttable.Safe(name))
	}
	if len(r.Models) == 0 {
		return []figureTable{cases}
	}
	return []figureTable{models, cases}
}

func (r compareOutput) records() figureTable {
	t := figureTable{columns: []string{"model", "threads", "workload", "batch", "length", "figure", "old", "new", "change", "noise", "verdict"}}
	add := func(figures []bench.FigureChange, what ...string) {
		for _, f := range figures {
			t.row(append(what, f.Figure, exact(f.Old), exact(f.New), exact(f.Change), exact(f.Noise), string(f.Verdict))...)
		}
	}
	for _, m := range r.Models {
		add(m.Figures, m.Model, "", "", "", "")
	}
	for _, c := range r.Cases {
		add(c.Figures, c.Model, strconv.Itoa(c.Threads), c.Workload, strconv.Itoa(c.Batch), strconv.Itoa(c.Length))
	}
	return t
}

// figureOf returns the figure of a name, or nil.
func figureOf(figures []bench.FigureChange, name string) *bench.FigureChange {
	for i := range figures {
		if figures[i].Figure == name {
			return &figures[i]
		}
	}
	return nil
}

// changeOf returns a change in percent, marked where it counts.
func changeOf(f *bench.FigureChange) string {
	switch {
	case f == nil:
		return "-"
	case f.Verdict != bench.Same:
		return signed(f.Change) + " !"
	}
	return signed(f.Change)
}

func noiseOf(f *bench.FigureChange) string {
	if f == nil {
		return "-"
	}
	return "±" + percentage(f.Noise)
}

// signed returns a change in percent.
func signed(share float64) string {
	s := strconv.FormatFloat(100*share, 'f', 1, 64) + "%"
	if share >= 0 {
		return "+" + s
	}
	return s
}
