package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/internal/texttable"
)

// Fidelity returns the page about what quantization cost models.
func Fidelity(models []*bench.Fidelity) *Page {
	p := &Page{
		Title: "What quantization cost",
		Lead:  "Files of a model, and how far what they compute is from what the reference computes, which is run in 32-bit floats.",
	}
	var paths []string
	for _, m := range models {
		paths = append(paths, m.Reference.Path)
	}
	names := fileNames(paths)
	for i, m := range models {
		p.Sections = append(p.Sections, fidelitySection(names[i], m))
	}
	if len(models) == 1 {
		p.Title += ": " + names[0]
	}
	return p
}

// A fidelityView is what the figures of a model are made of.
type fidelityView struct {
	*bench.Fidelity
	names  []string // of the files
	labels []string // for points, shorter
	loss   string   // what the loss is
}

func fidelitySection(name string, m *bench.Fidelity) Section {
	v := &fidelityView{Fidelity: m, loss: "1 − cosine"}
	var paths []string
	types := map[string]int{}
	for _, f := range m.Files {
		paths = append(paths, f.Path)
		types[f.Type]++
		if f.Logits != nil {
			v.loss = "KL divergence"
		}
	}
	v.names = fileNames(paths)
	for i, f := range m.Files {
		label := texttable.Safe(f.Type)
		if types[f.Type] > 1 || f.Type == "" {
			label = strings.TrimSuffix(v.names[i], ".gguf")
		}
		v.labels = append(v.labels, label)
	}
	s := Section{Title: name, Text: fmt.Sprintf("The reference is %s, %s MB at %s bits per weight.",
		name, megabytes(m.Reference.Bytes), digits(m.Reference.BitsPerWeight, 2))}
	s.Figures = append(s.Figures, v.sizes(), v.speeds())
	if len(m.Files) > 0 && m.Files[0].Logits != nil {
		s.Figures = append(s.Figures, v.predictions())
	} else {
		s.Figures = append(s.Figures, v.spread(), v.neighbours())
	}
	if f, ok := v.layers(); ok {
		s.Figures = append(s.Figures, f)
	}
	if f, ok := v.dimensions(); ok {
		s.Figures = append(s.Figures, f)
	}
	if m.Reference.Retrieval != nil {
		s.Figures = append(s.Figures, v.retrieval())
		if len(m.Reference.Retrieval.Stages) > 0 {
			s.Figures = append(s.Figures, v.stages())
		}
	}
	for i := range m.Reference.Pairs {
		s.Figures = append(s.Figures, v.pairs(i))
	}
	return s
}

// lossOf returns the loss of a file, and whether it was measured.
func lossOf(f *bench.FileFidelity) (loss bench.Estimate, ok bool) {
	switch {
	case f.Logits != nil:
		return f.Logits.KL, true
	case len(f.Vectors) > 0:
		return f.Vectors[0].Loss, true
	}
	return bench.Estimate{}, false
}

// SizeAgainstLoss returns a chart of files by their size and their loss, which has
// the given name: each series is a way of choosing types. SizeLossPoint makes
// points.
func SizeAgainstLoss(loss string, series ...Series) *Chart {
	return &Chart{
		Description: "Size against loss: points to the left are smaller, those further down are closer to the reference.",
		X:           Axis{Name: "size in MB (smaller is better)", Room: true},
		Y:           Axis{Name: loss + " (lower is better)", Log: true},
		Series:      series,
	}
}

// SizeLossPoint returns the point of a file for SizeAgainstLoss.
func SizeLossPoint(label string, bytes int64, loss bench.Estimate) Point {
	return Point{
		X: millions(bytes), Y: loss.Value, LowY: loss.Low, HighY: loss.High, Label: label,
		Tip: fmt.Sprintf("%s: %s MB, loss %s", label, megabytes(bytes), estimatedLoss(loss)),
	}
}

func (v *fidelityView) sizes() Figure {
	f := Figure{Title: "Size against loss", Text: "Best is the lower left corner. The loss is logarithmic: each step down to the next power of ten divides it by ten. "}
	if v.loss == "1 − cosine" {
		f.Text += "It is the mean of 1 − cosine of the vectors of both files of a text."
	} else {
		f.Text += "It is the mean divergence of the distribution of the next token from the reference's, in nats."
	}
	f.Text += " Lines through points are intervals of 95 % confidence."
	f.Table.Columns = Columns("file", "type", "MB>", "bits/weight>", "smaller>", v.loss+">")
	f.Table.Row(fileNames([]string{v.Reference.Path})[0], v.Reference.Type, megabytes(v.Reference.Bytes), digits(v.Reference.BitsPerWeight, 2), "1.00×", "0")
	s := Series{Name: "files"}
	for i := range v.Files {
		file := &v.Files[i]
		cell := ""
		if loss, ok := lossOf(file); ok {
			s.Points = append(s.Points, SizeLossPoint(v.labels[i], file.Bytes, loss))
			cell = estimatedLoss(loss)
		}
		f.Table.Row(v.names[i], texttable.Safe(file.Type), megabytes(file.Bytes), digits(file.BitsPerWeight, 2), digits(file.Reduction, 2)+"×", cell)
	}
	f.Chart = SizeAgainstLoss(v.loss, s)
	return f
}

func (v *fidelityView) speeds() Figure {
	f := Figure{
		Title: "Speed against loss",
		Text:  "Best is the lower right corner. Speed is that of this measurement, with texts of many lengths; bench without fidelity measures it more precisely.",
		Chart: &Chart{
			Description: "Speed against loss: points to the right are faster, those further down are closer to the reference.",
			X:           Axis{Name: "tokens per second (more is better)", Zero: true},
			Y:           Axis{Name: v.loss + " (lower is better)", Log: true},
		},
	}
	f.Table.Columns = Columns("file", "computed in", "tokens/s>", v.loss+">")
	if v.Reference.Speed > 0 {
		f.Table.Row(fileNames([]string{v.Reference.Path})[0], v.Reference.Precision, digits(v.Reference.Speed, 0), "0")
	}
	s := Series{Name: "files"}
	for i := range v.Files {
		file := &v.Files[i]
		loss, ok := lossOf(file)
		if !ok {
			continue
		}
		s.Points = append(s.Points, Point{
			X: file.Speed, Y: loss.Value, LowY: loss.Low, HighY: loss.High, Label: v.labels[i],
			Tip: fmt.Sprintf("%s: %s tokens per second, loss %s", v.labels[i], digits(file.Speed, 0), estimatedLoss(loss)),
		})
		f.Table.Row(v.names[i], file.Precision, digits(file.Speed, 0), estimatedLoss(loss))
	}
	f.Chart.Series = []Series{s}
	return f
}

// rowChart returns a chart with a row for each file.
func (v *fidelityView) rowChart(description, x string, log bool) *Chart {
	return &Chart{Description: description, X: Axis{Name: x, Log: log}, Y: Axis{Rows: v.names}}
}

// spread shows how much texts differ in their loss.
func (v *fidelityView) spread() Figure {
	f := Figure{
		Title: "How much texts differ",
		Text:  "The mean hides texts that a file changes most. Half of the texts lose less than the median, one in a hundred more than the 99th percentile.",
		Chart: v.rowChart("The loss of the median text, the mean, the 90th and 99th percentile and the worst text for each file.", "1 − cosine (lower is better)", true),
	}
	f.Table.Columns = Columns("file", "median>", "mean>", "90th>", "99th>", "worst>", "its number>")
	names := []string{"median", "mean", "90th percentile", "99th percentile", "worst text"}
	series := make([]Series, len(names))
	for k := range series {
		series[k].Name = names[k]
	}
	for i, file := range v.Files {
		if len(file.Vectors) == 0 {
			continue
		}
		c := file.Vectors[0]
		cells := []string{v.names[i]}
		for k, loss := range []float64{c.Losses.P50, c.Loss.Value, c.Losses.P90, c.Losses.P99, c.Worst} {
			series[k].Points = append(series[k].Points, Point{X: loss, Y: float64(i), Tip: fmt.Sprintf("%s, %s: %s", v.names[i], names[k], significant(loss))})
			cells = append(cells, significant(loss))
		}
		f.Table.Row(append(cells, strconv.Itoa(c.WorstText))...)
	}
	f.Chart.Series = series
	return f
}

func (v *fidelityView) neighbours() Figure {
	f := Figure{
		Title: "Neighbours and order",
		Text: fmt.Sprintf("Neighbours: the mean part of the %d texts nearest to a text that a file and the reference both name. Rank correlation: how alike both order all other texts by similarity. ",
			bench.Neighbours),
		Chart: v.rowChart("The part of the nearest texts that is kept, and the rank correlation of similarities, for each file.", "1 is the reference (more is better)", false),
	}
	f.Table.Columns = Columns("file", "neighbours>", "rank correlation>", "KL of similarities>")
	series := []Series{{Name: "neighbours kept"}, {Name: "rank correlation"}}
	for i, file := range v.Files {
		if len(file.Vectors) == 0 {
			continue
		}
		c := file.Vectors[0]
		for k, e := range []bench.Estimate{c.Overlap, c.Correlation} {
			series[k].Points = append(series[k].Points, rowPoint(i, e, v.names[i]+", "+series[k].Name, 4))
		}
		f.Table.Row(v.names[i], estimated(c.Overlap, 3), estimated(c.Correlation, 4), estimatedLoss(c.KL))
	}
	f.Chart.Series = series
	return f
}

// rowPoint returns the point of an estimate in a row.
func rowPoint(row int, e bench.Estimate, what string, n int) Point {
	return Point{X: e.Value, LowX: e.Low, HighX: e.High, Y: float64(row), Tip: what + ": " + estimated(e, n)}
}

func (v *fidelityView) predictions() Figure {
	l := v.Files[0].Logits
	f := Figure{
		Title: "Predictions",
		Text: fmt.Sprintf("Of %s tokens in %s windows of %d: how often a file names the same most likely token as the reference. The perplexity of the reference is %s.",
			grouped(strconv.Itoa(l.Tokens)), grouped(strconv.Itoa(l.Windows)), l.ContextSize, digits(l.Reference, 4)),
		Chart: v.rowChart("How often each file names the same most likely token as the reference.", "part of tokens (more is better)", false),
	}
	f.Table.Columns = Columns("file", "perplexity>", "log of ratio>", "KL divergence>", "worst token>", "same token>")
	s := Series{Name: "same most likely token"}
	for i, file := range v.Files {
		if l := file.Logits; l != nil {
			s.Points = append(s.Points, rowPoint(i, l.SameTop, v.names[i], 4))
			f.Table.Row(v.names[i], digits(l.Perplexity, 4), estimated(l.Increase, 5), estimatedLoss(l.KL), significant(l.KLWorst), estimated(l.SameTop, 4))
		}
	}
	f.Chart.Series = []Series{s}
	return f
}

// layers shows the error behind each layer. The table has a row for each, since
// there may be many.
func (v *fidelityView) layers() (Figure, bool) {
	f := Figure{
		Title: "Error of each layer",
		Chart: &Chart{
			Description: "The relative error of the states behind each layer, a line for each file.",
			X:           Axis{Name: "layer (0: the embeddings)", Whole: true},
			Y:           Axis{Name: "relative error of states (lower is better)", Log: true},
		},
	}
	f.Table.Columns = Columns("behind layer")
	var rows [][]string
	for i, file := range v.Files {
		l := file.Layers
		if l == nil {
			continue
		}
		sample := "text"
		if file.Logits != nil {
			sample = "piece"
		}
		f.Text = fmt.Sprintf("How far the states behind a layer are from those of the reference, relative to their length, in the quadratic mean over %s tokens of %s.",
			grouped(strconv.Itoa(l.Tokens)), plural(l.Texts, sample))
		f.Table.Columns = append(f.Table.Columns, Column{shortened(v.labels[i]), true})
		s := Series{Name: v.names[i], Line: true}
		for k, e := range l.Errors {
			if k == len(rows) {
				name := strconv.Itoa(k)
				if k == 0 {
					name = "embeddings"
				}
				rows = append(rows, append([]string{name}, make([]string, len(f.Table.Columns)-2)...))
			}
			rows[k] = append(rows[k], significant(e))
			s.Points = append(s.Points, Point{X: float64(k), Y: e, Tip: fmt.Sprintf("%s, layer %d: %s", v.names[i], k, significant(e))})
		}
		f.Chart.Series = append(f.Chart.Series, s)
	}
	f.Table.Rows = rows
	return f, len(rows) > 0
}

// dimensions shows vectors that are cut, where they were measured.
func (v *fidelityView) dimensions() (Figure, bool) {
	f := Figure{
		Title: "Shorter vectors",
		Text:  "The loss when only the first numbers of each vector are kept (Matryoshka).",
		Chart: &Chart{
			Description: "The loss by the number of dimensions that are kept, a line for each file.",
			X:           Axis{Name: "dimensions kept", Log: true},
			Y:           Axis{Name: "1 − cosine (lower is better)", Log: true},
		},
	}
	f.Table.Columns = Columns("file", "dimensions>", "1 − cosine>", "neighbours>", "rank correlation>")
	several := false
	for i, file := range v.Files {
		s := Series{Name: v.names[i], Line: true}
		kept := slices.Clone(file.Vectors)
		slices.SortStableFunc(kept, func(a, b *bench.VectorFidelity) int { return a.Dimensions - b.Dimensions })
		for _, c := range kept {
			s.Points = append(s.Points, Point{
				X: float64(c.Dimensions), Y: c.Loss.Value, LowY: c.Loss.Low, HighY: c.Loss.High,
				Tip: fmt.Sprintf("%s, %d dimensions: %s", v.names[i], c.Dimensions, estimatedLoss(c.Loss)),
			})
			f.Table.Row(v.names[i], strconv.Itoa(c.Dimensions), estimatedLoss(c.Loss), estimated(c.Overlap, 3), estimated(c.Correlation, 4))
		}
		several = several || len(kept) > 1
		f.Chart.Series = append(f.Chart.Series, s)
	}
	return f, several
}

// withReference returns the reference and the files, and their names.
func (v *fidelityView) withReference() ([]bench.FileFidelity, []string) {
	return append([]bench.FileFidelity{v.Reference}, v.Files...), append(fileNames([]string{v.Reference.Path}), v.names...)
}

func (v *fidelityView) retrieval() Figure {
	set := v.Reference.Retrieval
	f := Figure{
		Title: "Search: " + texttable.Safe(set.Name),
		Text: fmt.Sprintf("nDCG@10 of %s queries in %s texts, with its interval of 95 %% confidence. Changes are of the same queries, so that they are known better than the figures.",
			grouped(strconv.Itoa(set.Queries)), grouped(strconv.Itoa(set.Texts))),
	}
	f.Table.Columns = Columns("file", "nDCG@10>", "change>", "retained>", "recall@10>", "recall@100>", "MRR@10>")
	files, names := v.withReference()
	s := Series{Name: "nDCG@10"}
	for i, file := range files {
		r := file.Retrieval
		if r == nil || r.RetrievalScore == nil {
			continue
		}
		change, retained := "", ""
		if i > 0 {
			change, retained = estimated(r.Change, 4), percent(r.Retention)
		}
		s.Points = append(s.Points, rowPoint(i, r.NDCG, names[i], 4))
		f.Table.Row(names[i], estimated(r.NDCG, 4), change, retained, estimated(r.Recall10, 4), estimated(r.Recall, 4), estimated(r.MRR, 4))
	}
	f.Chart = &Chart{Description: "nDCG@10 of the reference and of each file.", X: Axis{Name: "nDCG@10 (more is better)"}, Y: Axis{Rows: names}, Series: []Series{s}}
	return f
}

// stages shows what each way to search adds to the one before.
func (v *fidelityView) stages() Figure {
	f := Figure{
		Title: "Ways to search: " + texttable.Safe(v.Reference.Retrieval.Name),
		Text: "The same search with more done, each way on top of the one before; several weights of a second model are on top of the same. " +
			"Gain is the change of nDCG@10 that a way makes, change that from the reference in the same way.",
	}
	f.Table.Columns = Columns("file", "search", "nDCG@10>", "gain>", "change>", "recall@10>", "recall@100>", "MRR@10>")
	series := []Series{{Name: bench.WholeTexts}}
	for i := range v.Reference.Retrieval.Stages {
		series = append(series, Series{Name: wayName(&v.Reference.Retrieval.Stages[i])})
	}
	files, names := v.withReference()
	for i, file := range files {
		r := file.Retrieval
		if r == nil || r.RetrievalScore == nil {
			continue
		}
		add := func(way int, search, gain string, score *bench.RetrievalScore, change bench.Estimate) {
			versus := ""
			if i > 0 {
				versus = estimated(change, 4)
			}
			f.Table.Row(names[i], search, estimated(score.NDCG, 4), gain, versus,
				estimated(score.Recall10, 4), estimated(score.Recall, 4), estimated(score.MRR, 4))
			if way < len(series) {
				series[way].Points = append(series[way].Points, rowPoint(i, score.NDCG, names[i]+", "+search, 4))
			}
		}
		add(0, bench.WholeTexts, "", r.RetrievalScore, r.Change)
		for k := range r.Stages {
			if s := &r.Stages[k]; s.RetrievalScore != nil {
				add(k+1, wayName(s), estimated(s.Gain, 4), s.RetrievalScore, s.Change)
			}
		}
	}
	f.Chart = &Chart{Description: "nDCG@10 of each way to search, for the reference and each file.", X: Axis{Name: "nDCG@10 (more is better)"}, Y: Axis{Rows: names}, Series: series}
	return f
}

// wayName is short enough to stand beside six numbers.
func wayName(s *bench.SearchStage) string { return shortenedTo(s.Name(), 40) }

func (v *fidelityView) pairs(set int) Figure {
	p := v.Reference.Pairs[set]
	f := Figure{
		Title: "Similarity: " + texttable.Safe(p.Name),
		Text:  fmt.Sprintf("Rank correlation (Spearman) of cosines with the scores of %s pairs, with its interval of 95 %% confidence.", grouped(strconv.Itoa(p.Pairs))),
	}
	f.Table.Columns = Columns("file", "Spearman>", "change>", "retained>")
	files, names := v.withReference()
	s := Series{Name: "Spearman"}
	for i, file := range files {
		if set >= len(file.Pairs) || file.Pairs[set].PairScore == nil {
			continue
		}
		r := file.Pairs[set]
		change, retained := "", ""
		if i > 0 {
			change, retained = estimated(r.Change, 4), percent(r.Retention)
		}
		s.Points = append(s.Points, rowPoint(i, r.Spearman, names[i], 4))
		f.Table.Row(names[i], estimated(r.Spearman, 4), change, retained)
	}
	f.Chart = &Chart{Description: "Spearman of the reference and of each file.", X: Axis{Name: "Spearman (more is better)"}, Y: Axis{Rows: names}, Series: []Series{s}}
	return f
}
