package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/internal/texttable"
	"github.com/gguftool/gguftool/quantize"
)

// A quantizeReport tells what became, or would become, of every tensor.
type quantizeReport struct {
	Input       string         `json:"input"`
	Outputs     []string       `json:"outputs"`
	DryRun      bool           `json:"dry_run"`
	FileType    string         `json:"file_type"`
	Parameters  int64          `json:"parameters"`
	BytesBefore int64          `json:"bytes_before"` // of tensor data
	BytesAfter  int64          `json:"bytes_after"`
	BitsBefore  float64        `json:"bits_per_weight_before"`
	BitsAfter   float64        `json:"bits_per_weight_after"`
	Fallbacks   int            `json:"fallbacks"`
	Unweighted  int            `json:"unweighted"`
	Tensors     []tensorReport `json:"tensors"`

	types []quantize.TypeSummary
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
}

func newQuantizeReport(p *quantize.Plan, in, out string, dryRun bool) *quantizeReport {
	s := p.Summary()
	r := &quantizeReport{
		Input: in, Outputs: p.Outputs(out), DryRun: dryRun, FileType: p.FileType.String(),
		Parameters: s.Parameters, BytesBefore: s.BytesBefore, BytesAfter: s.BytesAfter,
		BitsBefore: s.BitsBefore(), BitsAfter: s.BitsAfter(),
		Fallbacks: s.Fallbacks, Unweighted: s.Unweighted,
		Tensors: make([]tensorReport, len(p.Tensors)),
		types:   s.Types,
	}
	for i, t := range p.Tensors {
		r.Tensors[i] = tensorReport{
			Name: t.Name, Shape: t.Shape, From: t.From.String(), To: t.To.String(),
			BytesBefore: t.BytesBefore, BytesAfter: t.BytesAfter,
			Reason: t.Reason, Fallback: t.Fallback, Unweighted: t.Unweighted,
		}
	}
	return r
}

func (r *quantizeReport) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

func (r *quantizeReport) writeText(w io.Writer) error {
	var b strings.Builder
	tensors := texttable.New("tensor", "shape", "from", "to", "bytes>", "why")
	for _, t := range r.Tensors {
		to := t.To
		if t.To == t.From {
			to = "="
		}
		tensors.Row(texttable.Safe(t.Name), texttable.Shape(t.Shape), t.From, to, texttable.Grouped(t.BytesAfter), t.Reason)
		if t.Fallback != "" {
			tensors.Note(t.Fallback)
		}
		if t.Unweighted {
			tensors.Note("no importance for this tensor")
		}
	}
	if err := tensors.Write(&b, "Tensors"); err != nil {
		return err
	}
	types := texttable.New("type", "tensors>", "parameters>", "bytes>")
	for _, t := range r.types {
		types.Row(t.Type.String(), strconv.Itoa(t.Tensors), texttable.Grouped(t.Parameters), texttable.Grouped(t.Bytes))
	}
	if err := types.Write(&b, "Types"); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\n%s: %s bytes of tensors at %.2f bits per weight, %.1f%% of %s bytes at %.2f\n", r.FileType,
		texttable.Grouped(r.BytesAfter), r.BitsAfter, 100*float64(r.BytesAfter)/float64(max(r.BytesBefore, 1)),
		texttable.Grouped(r.BytesBefore), r.BitsBefore)
	if r.Fallbacks > 0 {
		fmt.Fprintf(&b, "%d of %d tensors do not fit the type of the mixture and got another\n", r.Fallbacks, len(r.Tensors))
	}
	if r.Unweighted > 0 {
		fmt.Fprintf(&b, "%d tensors were quantized without importance\n", r.Unweighted)
	}
	verb := "wrote"
	if r.DryRun {
		verb = "would write"
	}
	fmt.Fprintf(&b, "%s %s\n", verb, strings.Join(r.Outputs, ", "))
	_, err := io.WriteString(w, strings.TrimLeft(b.String(), "\n"))
	return err
}
