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
cases that both have. It ends with exit code 5 when one is slower, beyond noise and
by more than --tolerance percent, or fails where it did not.

What noise is comes from the repetitions in the reports, and from a yardstick that
was measured beside them: a loop that only multiplies tells whether the machine
itself was slower. Reports of different machines cannot be compared.`,
		Example: `  gguftool bench model.gguf -o json >old.json
  gguftool bench model.gguf -o json >new.json
  gguftool bench compare old.json new.json`,
		Args: exactly(2, "an old and a new report"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	cmd.Flags().Float64Var(&o.tolerance, "tolerance", 100*bench.DefaultTolerance, "changes up to `PERCENT` never count")
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
	for _, c := range r.Changes {
		all = append(all, c)
	}
	return all
}

func (r compareOutput) tables() []figureTable {
	t := figureTable{title: "Tokens per second", columns: []string{"model", "threads>", "batch>", "length>", "old>", "new>", "change>", "noise>", "machine>", "verdict"}}
	for _, c := range r.Changes {
		length := strconv.Itoa(c.Length)
		if c.Workload == "text" {
			length = "text"
		}
		t.row(texttable.Safe(c.Model), strconv.Itoa(c.Threads), strconv.Itoa(c.Batch), length,
			texttable.Grouped(int64(c.Old+0.5)), texttable.Grouped(int64(c.New+0.5)), signed(c.Change), "±"+percentage(c.Noise), signed(c.Machine), string(c.Verdict))
	}
	for _, name := range r.OnlyOld {
		t.notes = append(t.notes, "only in the old report: "+texttable.Safe(name))
	}
	for _, name := range r.OnlyNew {
		t.notes = append(t.notes, "only in the new report: "+texttable.Safe(name))
	}
	return []figureTable{t}
}

func (r compareOutput) records() figureTable {
	t := figureTable{columns: []string{"model", "threads", "workload", "batch", "length", "old", "new", "change", "noise", "machine", "verdict"}}
	for _, c := range r.Changes {
		t.row(c.Model, strconv.Itoa(c.Threads), c.Workload, strconv.Itoa(c.Batch), strconv.Itoa(c.Length),
			exact(c.Old), exact(c.New), exact(c.Change), exact(c.Noise), exact(c.Machine), string(c.Verdict))
	}
	return t
}

// signed returns a change in percent.
func signed(share float64) string {
	s := strconv.FormatFloat(100*share, 'f', 1, 64) + "%"
	if share >= 0 {
		return "+" + s
	}
	return s
}
