package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

// metrics is testdata/metrics.json, what numpy, scipy and scikit-learn compute
// (testdata/metrics.py).
type metrics struct {
	Vectors struct {
		Reference [][]float32 `json:"reference"`
		Other     [][]float32 `json:"other"`
		Cases     []struct {
			Dimensions  int     `json:"dimensions"`
			Loss        float64 `json:"loss"`
			P50         float64 `json:"p50"`
			P90         float64 `json:"p90"`
			P99         float64 `json:"p99"`
			Worst       float64 `json:"worst"`
			WorstText   int     `json:"worst_text"`
			Overlap     float64 `json:"overlap"`
			Correlation float64 `json:"rank_correlation"`
			KL          float64 `json:"kl"`
		} `json:"cases"`
	} `json:"vectors"`
	Spearman struct {
		X        []float64 `json:"x"`
		Y        []float64 `json:"y"`
		Spearman float64   `json:"spearman"`
	} `json:"spearman"`
	Interval struct {
		Values []float64 `json:"values"`
		Mean   float64   `json:"mean"`
		Low    float64   `json:"low"`
		High   float64   `json:"high"`
	} `json:"interval"`
	Retrieval []struct {
		Found    []int          `json:"found"`
		Relevant map[string]int `json:"relevant"`
		NDCG     float64        `json:"ndcg"`
		Recall   float64        `json:"recall"`
		MRR      float64        `json:"mrr"`
	} `json:"retrieval"`
	Logits struct {
		IDs        []int32     `json:"ids"`
		Reference  [][]float32 `json:"reference"`
		Other      [][]float32 `json:"other"`
		KL         float64     `json:"kl"`
		KLWorst    float64     `json:"kl_worst"`
		SameTop    float64     `json:"top1_agreement"`
		Perplexity float64     `json:"perplexity"`
		Before     float64     `json:"reference_perplexity"`
		Increase   float64     `json:"nll_increase"`
	} `json:"logits"`
	Labelled struct {
		Queries  [][]float32               `json:"queries"`
		Corpus   [][]float32               `json:"corpus"`
		IDs      []string                  `json:"ids"` // of the corpus
		Relevant map[string]map[string]int `json:"relevant"`
		NDCG     float64                   `json:"ndcg_10"`
		Recall10 float64                   `json:"recall_10"`
		Recall   float64                   `json:"recall_100"`
		MRR      float64                   `json:"mrr_10"`
		Left     [][]float32               `json:"left"`
		Right    [][]float32               `json:"right"`
		Grades   []float64                 `json:"grades"`
		Spearman float64                   `json:"spearman"`
	} `json:"labelled"`
}

func readMetrics(t *testing.T) *metrics {
	t.Helper()
	data, err := os.ReadFile("testdata/metrics.json")
	if err != nil {
		t.Fatal(err)
	}
	m := new(metrics)
	if err := json.Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
	if len(m.Vectors.Cases) == 0 || len(m.Retrieval) == 0 {
		t.Fatal("testdata/metrics.json has no cases")
	}
	return m
}

func TestCompareVectors(t *testing.T) {
	m := readMetrics(t).Vectors
	for _, want := range m.Cases {
		got, err := CompareVectors(t.Context(), nil, m.Reference, m.Other, want.Dimensions)
		if err != nil {
			t.Fatal(err)
		}
		if got.Texts != len(m.Reference) || got.Rows != len(m.Reference) || got.Dimensions != want.Dimensions || got.WorstText != want.WorstText {
			t.Errorf("%d dimensions: %+v", want.Dimensions, got)
		}
		for _, c := range []struct {
			name      string
			got, want float64
		}{
			{"loss", got.Loss.Value, want.Loss},
			{"p50", got.Losses.P50, want.P50},
			{"p90", got.Losses.P90, want.P90},
			{"p99", got.Losses.P99, want.P99},
			{"worst", got.Worst, want.Worst},
			{"overlap", got.Overlap.Value, want.Overlap},
			{"rank correlation", got.Correlation.Value, want.Correlation},
			{"KL", got.KL.Value, want.KL},
		} {
			// Similarities are products in float32.
			if !near(c.got, c.want, 1e-5) {
				t.Errorf("%d dimensions: %s %v, want %v", want.Dimensions, c.name, c.got, c.want)
			}
		}
		for name, e := range map[string]Estimate{"loss": got.Loss, "overlap": got.Overlap, "correlation": got.Correlation, "KL": got.KL} {
			if !(e.Low < e.Value && e.Value < e.High) {
				t.Errorf("%d dimensions: the interval of the %s is %+v", want.Dimensions, name, e)
			}
		}
	}
}

func TestSpearman(t *testing.T) {
	m := readMetrics(t).Spearman
	if got := Spearman(m.X, m.Y); !near(got, m.Spearman, 1e-12) {
		t.Errorf("%v, want %v", got, m.Spearman)
	}
	for _, c := range []struct {
		x, y []float64
		want float64
	}{
		{[]float64{1, 2, 3}, []float64{10, 200, 201}, 1},
		{[]float64{1, 2, 3}, []float64{3, 2, 1}, -1},
		{[]float64{1, 2, 3}, []float64{5, 5, 5}, 0},
		{[]float64{1, 2, 3, 4}, []float64{1, 3, 2, 4}, 0.8}, // 1 - 6·(1+1) / (4·15)
	} {
		if got := Spearman(c.x, c.y); !near(got, c.want, 1e-12) {
			t.Errorf("%v and %v: %v, want %v", c.x, c.y, got, c.want)
		}
	}
}

// The interval is that of scipy but for the luck of the draw.
func TestEstimateMean(t *testing.T) {
	m := readMetrics(t).Interval
	got := estimateMean(m.Values)
	if width := m.High - m.Low; !near(got.Value, m.Mean, 1e-12) || math.Abs(got.Low-m.Low) > width/20 || math.Abs(got.High-m.High) > width/20 {
		t.Errorf("%+v, want %v from %v to %v", got, m.Mean, m.Low, m.High)
	}
	if again := estimateMean(m.Values); again != got {
		t.Errorf("%+v the next time, %+v before", again, got)
	}
}

func TestRetrievalFigures(t *testing.T) {
	for i, c := range readMetrics(t).Retrieval {
		relevant := map[int]int{}
		for text, grade := range c.Relevant {
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			relevant[n] = grade
		}
		ndcg, found, mrr := nDCG(c.Found, relevant, ShortList), recall(c.Found, relevant, ShortList), reciprocalRank(c.Found, relevant, ShortList)
		if !near(ndcg, c.NDCG, 1e-12) || !near(found, c.Recall, 1e-12) || !near(mrr, c.MRR, 1e-12) {
			t.Errorf("query %d: nDCG %v, recall %v, MRR %v, want %v, %v, %v", i, ndcg, found, mrr, c.NDCG, c.Recall, c.MRR)
		}
	}
}

// A labelled set is scored as others score it, from its files and vectors on.
func TestLabelledSet(t *testing.T) {
	m := readMetrics(t).Labelled
	var corpus, queries, judgments strings.Builder
	for _, id := range m.IDs {
		fmt.Fprintf(&corpus, "{\"_id\": %q, \"text\": \"\"}\n", id)
	}
	judgments.WriteString("query-id\tcorpus-id\tscore\n")
	for q := range m.Queries {
		id := fmt.Sprintf("q%d", q)
		fmt.Fprintf(&queries, "{\"_id\": %q, \"text\": \"\"}\n", id)
		for text, grade := range m.Relevant[id] {
			fmt.Fprintf(&judgments, "%s\t%s\t%d\n", id, text, grade)
		}
	}
	set, err := ReadBEIR(writeBEIR(t, corpus.String(), queries.String(), judgments.String()))
	if err != nil {
		t.Fatal(err)
	}
	dimensions := len(m.Queries[0])
	found, err := MeasureRetrieval(t.Context(), nil, set, shortened(m.Queries, dimensions), shortened(m.Corpus, dimensions))
	if err != nil {
		t.Fatal(err)
	}
	p := &Pairs{Left: make([]string, len(m.Left)), Right: make([]string, len(m.Right)), Scores: m.Grades}
	scored, err := MeasurePairs(p, m.Left, m.Right)
	if err != nil {
		t.Fatal(err)
	}
	if found.Queries != len(m.Queries) || found.Texts != len(m.Corpus) || found.Strays != 0 || scored.Pairs != len(m.Left) {
		t.Errorf("%+v, %+v", found, scored)
	}
	for _, c := range []struct {
		name string
		got  Estimate
		want float64
	}{
		{"nDCG@10", found.NDCG, m.NDCG},
		{"recall@10", found.Recall10, m.Recall10},
		{"recall@100", found.Recall, m.Recall},
		{"MRR@10", found.MRR, m.MRR},
		{"Spearman", scored.Spearman, m.Spearman},
	} {
		if !near(c.got.Value, c.want, 1e-9) || !(c.got.Low < c.want && c.want < c.got.High) {
			t.Errorf("%s %+v, want %v", c.name, c.got, c.want)
		}
	}
}

// rows is a decoder that gives logits by position in the text, one window after
// the other.
type rows struct {
	logits [][]float32
	size   int
	window int
}

func (r *rows) Logits(_ context.Context, ids []int32, from int, visit func(position int, logits []float32) error) error {
	for position := from; position < len(ids); position++ {
		row := append([]float32{}, r.logits[r.window*r.size+position]...)
		if err := visit(position, row); err != nil {
			return err
		}
	}
	r.window++
	return nil
}

func TestCompareLogits(t *testing.T) {
	m := readMetrics(t).Logits
	o := &PerplexityOptions{ContextSize: 10}
	got, err := CompareLogits(t.Context(), &rows{logits: m.Reference, size: 10}, &rows{logits: m.Other, size: 10}, m.IDs, o)
	if err != nil {
		t.Fatal(err)
	}
	if got.Windows != 2 || got.Tokens != 8 || got.ContextSize != 10 {
		t.Errorf("%+v", got)
	}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"KL", got.KL.Value, m.KL},
		{"worst KL", got.KLWorst, m.KLWorst},
		{"agreement", got.SameTop.Value, m.SameTop},
		{"perplexity", got.Perplexity, m.Perplexity},
		{"perplexity of the reference", got.Reference, m.Before},
		{"increase", got.Increase.Value, m.Increase},
	} {
		if !near(c.got, c.want, 1e-5) {
			t.Errorf("%s %v, want %v", c.name, c.got, c.want)
		}
	}
}
