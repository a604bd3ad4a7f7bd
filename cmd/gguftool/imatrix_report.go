package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"github.com/gguftool/gguftool/internal/texttable"
)

// An imatrixReport is what gguftool imatrix prints: the members of its JSON.
type imatrixReport struct {
	Model      string             `json:"model"`
	Output     string             `json:"output"`
	Mode       string             `json:"mode"`           // texts or windows
	Weighing   string             `json:"weighing"`       // by tokens or vectors
	Part       string             `json:"part,omitempty"` // as in 3/16
	Datasets   []string           `json:"datasets"`       // that were measured on
	Inputs     int                `json:"inputs"`         // texts or windows
	Tokens     int                `json:"tokens"`         // that the model saw in this run
	Cut        int                `json:"cut"`            // texts that were longer than the context
	Weights    int                `json:"weights"`        // that were measured
	Seconds    float64            `json:"seconds"`        // without loading
	Perplexity *imatrixPerplexity `json:"perplexity,omitempty"`
}

type imatrixPerplexity struct {
	Value         float64 `json:"value"`
	StandardError float64 `json:"standard_error"`
	Tokens        int     `json:"tokens"` // that were predicted
}

func (r *imatrixReport) json(w io.Writer) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", data)
	return err
}

func (r *imatrixReport) text(w io.Writer) error {
	if p := r.Perplexity; p != nil {
		// As llama-imatrix says it, for those who read its output.
		fmt.Fprintf(w, "Final estimate: PPL = %.4f +/- %.5f\n", p.Value, p.StandardError)
	}
	if r.Cut > 0 {
		fmt.Fprintf(w, "%s of %s texts are longer than the context and were cut to it\n", texttable.Grouped(int64(r.Cut)), texttable.Grouped(int64(r.Inputs)))
	}
	_, err := fmt.Fprintf(w, "%s: %d weights from %s %s, %s tokens in %.1f s\n", filepath.Base(r.Output), r.Weights,
		texttable.Grouped(int64(r.Inputs)), r.Mode, texttable.Grouped(int64(r.Tokens)), r.Seconds)
	return err
}
