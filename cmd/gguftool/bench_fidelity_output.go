package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/internal/texttable"
)

// fidelityReport is what bench fidelity prints; docs/json.md describes it.
type fidelityReport struct {
	Schema  string            `json:"schema"`
	Version string            `json:"version"` // of the program
	Models  []*bench.Fidelity `json:"models"`
}

func (r *fidelityReport) whole() any { return r }

func (r *fidelityReport) items() []any {
	var items []any
	for _, m := range r.Models {
		items = append(items, m)
	}
	return items
}

// tables shows each model by itself, the cost of its files first.
func (r *fidelityReport) tables() []figureTable {
	var tables []figureTable
	for _, m := range r.Models {
		tables = append(tables, levelsOf(m))
		if len(m.Files) > 0 && len(m.Files[0].Vectors) > 0 {
			tables = append(tables, vectorsOf(m))
		}
		if m.Reference.Retrieval != nil {
			tables = append(tables, retrievalOf(m))
			if len(m.Reference.Retrieval.Stages) > 0 {
				tables = append(tables, stagesOf(m))
			}
		}
		for i := range m.Reference.Pairs {
			tables = append(tables, pairsOf(m, i))
		}
		if len(m.Files) > 0 && m.Files[0].Logits != nil {
			tables = append(tables, logitsOf(m))
		}
	}
	return tables
}

// allFiles are the reference and what was compared with it.
func allFiles(m *bench.Fidelity) []bench.FileFidelity {
	return append([]bench.FileFidelity{m.Reference}, m.Files...)
}

// levelsOf is the table of quantization levels: what each costs and saves.
func levelsOf(m *bench.Fidelity) figureTable {
	t := figureTable{title: "Files", columns: []string{"file", "type", "bytes>", "bits/weight>", "smaller>"}}
	vectors := len(m.Files) > 0 && len(m.Files[0].Vectors) > 0
	if vectors {
		t.columns = append(t.columns, "cosine>")
	}
	if m.Reference.Retrieval != nil {
		t.columns = append(t.columns, "of nDCG>")
	}
	for range m.Reference.Pairs {
		t.columns = append(t.columns, "of Spearman>")
	}
	weighed := slices.ContainsFunc(m.Files, func(f bench.FileFidelity) bool { return f.Importance != "" })
	if weighed {
		t.columns = append(t.columns, "importance of")
	}
	t.columns = append(t.columns, "tokens/s>", "in")
	truncated := 0
	for i, f := range allFiles(m) {
		cells := []string{fileName(f), f.Type, texttable.Grouped(f.Bytes), fmt.Sprintf("%.2f", f.BitsPerWeight), fmt.Sprintf("%.2fx", f.Reduction)}
		if vectors && i == 0 {
			cells = append(cells, "1")
		} else if vectors {
			cells = append(cells, fmt.Sprintf("%.6f", 1-f.Vectors[0].Loss.Value))
		}
		if f.Retrieval != nil {
			cells = append(cells, retained(f.Retrieval.Retention))
		}
		for _, p := range f.Pairs {
			cells = append(cells, retained(p.Retention))
		}
		if weighed {
			cells = append(cells, orDash(f.Importance))
		}
		speed := "-"
		if f.Speed > 0 {
			speed = texttable.Grouped(int64(f.Speed))
		}
		t.row(append(cells, speed, f.Precision)...)
		truncated = max(truncated, f.Truncated)
	}
	if truncated > 0 {
		t.notes = append(t.notes, fmt.Sprintf("%s texts were cut to the context of the model", texttable.Grouped(int64(truncated))))
	}
	return t
}

func vectorsOf(m *bench.Fidelity) figureTable {
	v := m.Files[0].Vectors[0]
	t := figureTable{
		title: fmt.Sprintf("Vectors of %s texts against those of the reference", texttable.Grouped(int64(v.Texts))),
		columns: []string{"file", "dimensions>", "1 - cosine>", "p50>", "p99>", "worst>", "text>",
			"neighbours>", "rank correlation>", "KL>"},
	}
	for _, f := range m.Files {
		for _, v := range f.Vectors {
			t.row(fileName(f), strconv.Itoa(v.Dimensions), plusMinus(v.Loss, 6), fmt.Sprintf("%.6f", v.Losses.P50), fmt.Sprintf("%.6f", v.Losses.P99),
				fmt.Sprintf("%.6f", v.Worst), strconv.Itoa(v.WorstText), plusMinus(v.Overlap, 3), plusMinus(v.Correlation, 4), plusMinus(v.KL, 5))
		}
	}
	return t
}

func retrievalOf(m *bench.Fidelity) figureTable {
	s := m.Reference.Retrieval
	t := figureTable{
		title:   fmt.Sprintf("Retrieval: %s, %s queries, %s texts", texttable.Safe(s.Name), texttable.Grouped(int64(s.Queries)), texttable.Grouped(int64(s.Texts))),
		columns: []string{"file", "nDCG@10>", "change>", "recall@10>", "recall@100>", "MRR@10>"},
	}
	for i, f := range allFiles(m) {
		r := f.Retrieval
		change := "-"
		if i > 0 {
			change = plusMinus(r.Change, 4)
		}
		t.row(fileName(f), plusMinus(r.NDCG, 4), change, plusMinus(r.Recall10, 4), plusMinus(r.Recall, 4), plusMinus(r.MRR, 4))
	}
	if s.Strays > 0 {
		t.notes = append(t.notes, fmt.Sprintf("judgments left out, as they name queries or texts that are not there: %s", texttable.Grouped(int64(s.Strays))))
	}
	return t
}

// stagesOf shows what each way to search adds to the one before.
func stagesOf(m *bench.Fidelity) figureTable {
	t := figureTable{
		title:   "Ways to search, each on top of the one before",
		columns: []string{"file", "search", "nDCG@10>", "gain>", "change>", "recall@10>", "recall@100>", "MRR@10>"},
	}
	for i, f := range allFiles(m) {
		row := func(search string, s *bench.RetrievalScore, gain string, change bench.Estimate) {
			versus := "-"
			if i > 0 {
				versus = plusMinus(change, 4)
			}
			t.row(fileName(f), search, plusMinus(s.NDCG, 4), gain, versus, plusMinus(s.Recall10, 4), plusMinus(s.Recall, 4), plusMinus(s.MRR, 4))
		}
		row(bench.WholeTexts, f.Retrieval.RetrievalScore, "-", f.Retrieval.Change)
		for j := range f.Retrieval.Stages {
			s := &f.Retrieval.Stages[j]
			row(s.Name(), s.RetrievalScore, plusMinus(s.Gain, 4), s.Change)
		}
	}
	return t
}

// orDash returns s as it is safe to show, or a dash where there is nothing.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return texttable.Safe(s)
}

func pairsOf(m *bench.Fidelity, set int) figureTable {
	s := m.Reference.Pairs[set]
	t := figureTable{
		title:   fmt.Sprintf("Similarity: %s, %s pairs", texttable.Safe(s.Name), texttable.Grouped(int64(s.Pairs))),
		columns: []string{"file", "Spearman>", "change>"},
	}
	for i, f := range allFiles(m) {
		p := f.Pairs[set]
		change := "-"
		if i > 0 {
			change = plusMinus(p.Change, 4)
		}
		t.row(fileName(f), plusMinus(p.Spearman, 4), change)
	}
	return t
}

func logitsOf(m *bench.Fidelity) figureTable {
	l := m.Files[0].Logits
	t := figureTable{
		title: fmt.Sprintf("Predictions of %s tokens in %s windows of %d; perplexity of the reference %.4f",
			texttable.Grouped(int64(l.Tokens)), texttable.Grouped(int64(l.Windows)), l.ContextSize, l.Reference),
		columns: []string{"file", "perplexity>", "log of ratio>", "KL>", "worst>", "same top>"},
	}
	for _, f := range m.Files {
		t.row(fileName(f), fmt.Sprintf("%.4f", f.Logits.Perplexity), plusMinus(f.Logits.Increase, 5), plusMinus(f.Logits.KL, 5),
			fmt.Sprintf("%.3f", f.Logits.KLWorst), plusMinus(f.Logits.SameTop, 4))
	}
	return t
}

// records has a row for each figure of each file.
func (r *fidelityReport) records() figureTable {
	t := figureTable{columns: []string{"reference", "file", "set", "dimensions", "figure", "value", "low", "high"}}
	for _, m := range r.Models {
		for i, f := range allFiles(m) {
			recordsOf(&t, m.Reference.Path, f, i == 0)
		}
	}
	return t
}

func recordsOf(t *figureTable, reference string, f bench.FileFidelity, isReference bool) {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	one := func(set, dimensions, figure string, value float64) {
		t.row(reference, f.Path, set, dimensions, figure, number(value), "", "")
	}
	estimate := func(set, dimensions, figure string, e bench.Estimate) {
		t.row(reference, f.Path, set, dimensions, figure, number(e.Value), number(e.Low), number(e.High))
	}
	one("", "", "bytes", float64(f.Bytes))
	one("", "", "bits_per_weight", f.BitsPerWeight)
	one("", "", "reduction", f.Reduction)
	if f.Speed > 0 {
		one("", "", "tokens_per_second", f.Speed)
	}
	for _, v := range f.Vectors {
		n := strconv.Itoa(v.Dimensions)
		estimate("", n, "loss", v.Loss)
		one("", n, "loss_p50", v.Losses.P50)
		one("", n, "loss_p90", v.Losses.P90)
		one("", n, "loss_p99", v.Losses.P99)
		one("", n, "loss_worst", v.Worst)
		estimate("", n, "overlap", v.Overlap)
		estimate("", n, "rank_correlation", v.Correlation)
		estimate("", n, "kl", v.KL)
	}
	if s := f.Retrieval; s != nil {
		estimate(s.Name, "", "ndcg_10", s.NDCG)
		estimate(s.Name, "", "recall_10", s.Recall10)
		estimate(s.Name, "", "recall_100", s.Recall)
		estimate(s.Name, "", "mrr_10", s.MRR)
		if !isReference {
			estimate(s.Name, "", "ndcg_10_change", s.Change)
			one(s.Name, "", "retention", s.Retention)
		}
	}
	if f.Retrieval != nil {
		for j := range f.Retrieval.Stages {
			s := &f.Retrieval.Stages[j]
			name := s.Stage
			if s.Stage == bench.StageHybrid {
				name += "_" + number(s.Weight)
			}
			estimate(f.Retrieval.Name, "", name+"_ndcg_10", s.NDCG)
			estimate(f.Retrieval.Name, "", name+"_recall_10", s.Recall10)
			estimate(f.Retrieval.Name, "", name+"_recall_100", s.Recall)
			estimate(f.Retrieval.Name, "", name+"_mrr_10", s.MRR)
			estimate(f.Retrieval.Name, "", name+"_ndcg_10_gain", s.Gain)
			if !isReference {
				estimate(f.Retrieval.Name, "", name+"_ndcg_10_change", s.Change)
				one(f.Retrieval.Name, "", name+"_retention", s.Retention)
			}
		}
	}
	for _, p := range f.Pairs {
		estimate(p.Name, "", "spearman", p.Spearman)
		if !isReference {
			estimate(p.Name, "", "spearman_change", p.Change)
			one(p.Name, "", "retention", p.Retention)
		}
	}
	if l := f.Logits; l != nil {
		one("", "", "perplexity", l.Perplexity)
		one("", "", "reference_perplexity", l.Reference)
		estimate("", "", "nll_increase", l.Increase)
		estimate("", "", "kl", l.KL)
		one("", "", "kl_worst", l.KLWorst)
		estimate("", "", "top1_agreement", l.SameTop)
	}
}

// fileName is short enough for a table.
func fileName(f bench.FileFidelity) string { return texttable.Safe(filepath.Base(f.Path)) }

func retained(part float64) string { return fmt.Sprintf("%.1f%%", 100*part) }

// plusMinus shows an estimate and half its interval.
func plusMinus(e bench.Estimate, digits int) string {
	s := strconv.FormatFloat(e.Value, 'f', digits, 64)
	return s + " ±" + strconv.FormatFloat((e.High-e.Low)/2, 'f', digits, 64)
}
