package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/texttable"
	"github.com/gguftool/gguftool/quantize"
)

// A quantizeReport tells what became, or would become, of every tensor.
type quantizeReport struct {
	Input        string         `json:"input"`
	Outputs      []string       `json:"outputs"`
	DryRun       bool           `json:"dry_run"`
	Refused      string         `json:"refused,omitempty"` // why it would be, in a dry run
	FileType     string         `json:"file_type"`
	Parameters   int64          `json:"parameters"`
	BytesBefore  int64          `json:"bytes_before"` // of tensor data
	BytesAfter   int64          `json:"bytes_after"`
	BitsBefore   float64        `json:"bits_per_weight_before"`
	BitsAfter    float64        `json:"bits_per_weight_after"`
	FileBytes    int64          `json:"file_bytes"`       // of all outputs
	Pruned       int            `json:"pruned,omitempty"` // tensors that are left out with their layers
	Fallbacks    int            `json:"fallbacks"`
	Unweighted   int            `json:"unweighted"`
	Strangers    []string       `json:"importance_unused,omitempty"` // weights that the importance is about and the model lacks
	Verified     bool           `json:"verified,omitempty"`
	Seconds      float64        `json:"seconds,omitempty"` // that the run took
	*errorReport                // of all tensors
	Notes        []string       `json:"notes,omitempty"`  // about the conversion of a checkpoint
	Choice       *choiceReport  `json:"choice,omitempty"` // of types, where they were chosen tensor by tensor
	Types        []typeReport   `json:"types"`
	Tensors      []tensorReport `json:"tensors"`

	plan *quantize.Plan
}

type typeReport struct {
	Type       string `json:"type"`
	Tensors    int    `json:"tensors"`
	Parameters int64  `json:"parameters"`
	Bytes      int64  `json:"bytes"`
	*errorReport
}

type tensorReport struct {
	Name        string  `json:"name"`
	Shape       []int64 `json:"shape"` // fastest dimension first
	From        string  `json:"from"`
	To          string  `json:"to"`
	BytesBefore int64   `json:"bytes_before"`
	BytesAfter  int64   `json:"bytes_after"`
	Reason      string  `json:"reason"`
	Fallback    string  `json:"fallback,omitempty"`
	Unweighted  bool    `json:"unweighted,omitempty"` // no importance although there is a matrix
	Why         string  `json:"unweighted_reason,omitempty"`
	*errorReport
	*tensorLoss
}

// An errorReport tells how far what was written is from the input.
type errorReport struct {
	RMSE         float64  `json:"rmse"`
	RelativeRMSE float64  `json:"relative_rmse"`
	WeightedRMSE *float64 `json:"weighted_rmse,omitempty"`
}

func newErrorReport(d quantize.Deviation) *errorReport {
	r := &errorReport{RMSE: d.RMSE(), RelativeRMSE: d.Relative()}
	if weighted, ok := d.WeightedRMSE(); ok {
		r.WeightedRMSE = &weighted
	}
	return r
}

func newQuantizeReport(job quantize.Job, in string, dryRun bool) (*quantizeReport, error) {
	p := job.Plan
	s := p.Summary()
	sizes, err := p.FileSizes()
	if err != nil {
		return nil, err
	}
	r := &quantizeReport{
		Input: in, Outputs: p.Outputs(job.Out), DryRun: dryRun, FileType: p.FileType.String(),
		Parameters: s.Parameters, BytesBefore: s.BytesBefore, BytesAfter: s.BytesAfter,
		BitsBefore: s.BitsBefore(), BitsAfter: s.BitsAfter(),
		Pruned: p.Pruned, Fallbacks: s.Fallbacks, Unweighted: s.Unweighted, Strangers: p.Strangers(),
		Types:   []typeReport{},
		Tensors: make([]tensorReport, len(p.Tensors)),
		plan:    p,
	}
	for _, n := range sizes {
		r.FileBytes += n
	}
	for _, t := range s.Types {
		r.Types = append(r.Types, typeReport{t.Type.String(), t.Tensors, t.Parameters, t.Bytes, nil})
	}
	for i, t := range p.Tensors {
		r.Tensors[i] = tensorReport{
			Name: t.Name, Shape: t.Shape, From: t.From.String(), To: t.To.String(),
			BytesBefore: t.BytesBefore, BytesAfter: t.BytesAfter,
			Reason: t.Reason, Fallback: t.Fallback, Unweighted: t.Unweighted != "", Why: t.Unweighted,
		}
	}
	return r, nil
}

// refuse notes why the plan would be refused, if it would be.
func (r *quantizeReport) refuse(stderr io.Writer, err error) {
	if err != nil {
		r.Refused = err.Error()
		fmt.Fprintln(stderr, "gguftool: this would be refused:", err)
	}
}

// measured adds errors, one for each tensor or none at all.
func (r *quantizeReport) measured(tensors []quantize.Deviation) {
	if len(tensors) == 0 {
		return
	}
	var all quantize.Deviation
	byType := make(map[gguf.Type]quantize.Deviation)
	for i, d := range tensors {
		r.Tensors[i].errorReport = newErrorReport(d)
		all.Add(d)
		sum := byType[r.plan.Tensors[i].To]
		sum.Add(d)
		byType[r.plan.Tensors[i].To] = sum
	}
	r.errorReport = newErrorReport(all)
	for i, t := range r.plan.Summary().Types {
		r.Types[i].errorReport = newErrorReport(byType[t.Type])
	}
}

// quantizeReports are those of one run, one for each type.
type quantizeReports []*quantizeReport

// writeJSON prints an object, or an array of them where there are several types.
func (all quantizeReports) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if len(all) == 1 {
		return enc.Encode(all[0])
	}
	return enc.Encode(all)
}

func (all quantizeReports) writeText(w io.Writer) error {
	var b strings.Builder
	for _, r := range all {
		if len(all) > 1 {
			fmt.Fprintf(&b, "\n%s\n", r.FileType)
		}
		if err := r.writeTables(&b); err != nil {
			return err
		}
	}
	for _, r := range all {
		r.writeSummary(&b)
	}
	_, err := io.WriteString(w, strings.TrimLeft(b.String(), "\n"))
	return err
}

func (r *quantizeReport) writeTables(b *strings.Builder) error {
	head := []string{"tensor", "shape", "from", "to", "bytes>"}
	if r.Choice != nil {
		head = append(head, "loss>")
	}
	tensors := texttable.New(withErrors(r.errorReport, head, "why")...)
	for _, t := range r.Tensors {
		to := t.To
		if t.To == t.From {
			to = "="
		}
		row := []string{texttable.Safe(t.Name), texttable.Shape(t.Shape), t.From, to, texttable.Grouped(t.BytesAfter)}
		if r.Choice != nil {
			loss := ""
			if t.tensorLoss != nil {
				loss = fmt.Sprintf("%.3g", *t.Loss)
			}
			row = append(row, loss)
		}
		tensors.Row(t.appendTo(row, r.errorReport, t.Reason)...)
		if t.Fallback != "" {
			tensors.Note(t.Fallback)
		}
		if t.Unweighted {
			tensors.Note("no importance: " + t.Why)
		}
	}
	if err := tensors.Write(b, "Tensors"); err != nil {
		return err
	}
	types := texttable.New(withErrors(r.errorReport, []string{"type", "tensors>", "parameters>", "bytes>"})...)
	for _, t := range r.Types {
		row := []string{t.Type, strconv.Itoa(t.Tensors), texttable.Grouped(t.Parameters), texttable.Grouped(t.Bytes)}
		types.Row(t.appendTo(row, r.errorReport)...)
	}
	if err := types.Write(b, "Types"); err != nil || r.Choice == nil {
		return err
	}
	return r.Choice.writeCurve(b)
}

// withErrors adds the columns of errors to head, those that the sum of all has.
func withErrors(sum *errorReport, head []string, more ...string) []string {
	if sum != nil {
		head = append(head, "rmse>", "relative>")
		if sum.WeightedRMSE != nil {
			head = append(head, "weighted>")
		}
	}
	return append(head, more...)
}

// appendTo adds the columns of errors to row.
func (e *errorReport) appendTo(row []string, sum *errorReport, more ...string) []string {
	if sum != nil {
		row = append(row, fmt.Sprintf("%.3g", e.RMSE), percent(e.RelativeRMSE))
		if sum.WeightedRMSE != nil {
			weighted := ""
			if e.WeightedRMSE != nil {
				weighted = fmt.Sprintf("%.3g", *e.WeightedRMSE)
			}
			row = append(row, weighted)
		}
	}
	return append(row, more...)
}

func percent(x float64) string { return fmt.Sprintf("%.2f%%", 100*x) }

func (r *quantizeReport) writeSummary(b *strings.Builder) {
	fmt.Fprintf(b, "\n%s: %s bytes of tensors at %.2f bits per weight, %.1f%% of %s bytes at %.2f\n", r.FileType,
		texttable.Grouped(r.BytesAfter), r.BitsAfter, 100*float64(r.BytesAfter)/float64(max(r.BytesBefore, 1)),
		texttable.Grouped(r.BytesBefore), r.BitsBefore)
	if e := r.errorReport; e != nil {
		fmt.Fprintf(b, "RMSE %.3g, %s of the root mean square of the weights", e.RMSE, percent(e.RelativeRMSE))
		if e.WeightedRMSE != nil {
			fmt.Fprintf(b, "; weighted by importance %.3g", *e.WeightedRMSE)
		}
		b.WriteString("\n")
	}
	if r.Choice != nil {
		r.Choice.writeSummary(b)
	}
	if r.Pruned > 0 {
		fmt.Fprintf(b, "%d tensors of pruned layers are left out\n", r.Pruned)
	}
	if r.Fallbacks > 0 {
		fmt.Fprintf(b, "%d of %d tensors do not fit the type of the mixture and got another\n", r.Fallbacks, len(r.Tensors))
	}
	if r.Unweighted > 0 {
		r.listUnweighted(b)
	}
	if n := len(r.Strangers); n > 0 {
		fmt.Fprintf(b, "importance of %d weights is not used, as the model has none of that name: %s\n", n, safeList(r.Strangers, 3))
	}
	verb := "wrote"
	switch {
	case r.DryRun:
		verb = "would write"
	case r.Verified:
		verb = "wrote and verified"
	}
	fmt.Fprintf(b, "%s %s\n", verb, strings.Join(r.Outputs, ", "))
}

// listUnweighted tells which tensors got no importance, those of a reason
// together.
func (r *quantizeReport) listUnweighted(b *strings.Builder) {
	fmt.Fprintf(b, "%d tensors were quantized without importance:\n", r.Unweighted)
	var reasons []string
	names := make(map[string][]string)
	for _, t := range r.Tensors {
		if t.Unweighted {
			if names[t.Why] == nil {
				reasons = append(reasons, t.Why)
			}
			names[t.Why] = append(names[t.Why], t.Name)
		}
	}
	for _, why := range reasons {
		fmt.Fprintf(b, "  %s (%s)\n", safeList(names[why], 8), why)
	}
}

// safeList returns the first names as they can be printed, and how many there
// are besides.
func safeList(names []string, most int) string {
	var safe []string
	for _, name := range names[:min(most, len(names))] {
		safe = append(safe, texttable.Safe(name))
	}
	text := strings.Join(safe, ", ")
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
