package bench

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/internal/synth"
	"github.com/gguftool/gguftool/tokenizer"
)

// Four texts and two queries, the second of which has the id of text 0. What
// follows is worked out by hand.
//
//	            query 0, text 1 answers        query 1, texts 2 (grade 2) and 3 answer
//	whole       0.8 0.6 0 -1     0, 1          (0.6) 0.8 1 0      2, 1, 3
//	best chunk  0.8 1   0 -1     1, 0          (0.6) 1   1 0      1, 2, 3: equal, the lower number first
//	mean chunk  0.8 0.5 0 -1     0, 1          (0.6) 0.5 1 0      2, 1, 3
//	second      1  -1   0  0                   (0)   0   1 -1
//	0.9 of it   1 .09 .51 .45    0, 2, 3, 1     (.51) .53 1 0      2, 1, 3   (of whole texts)
//	0.1 of it   .91 .9 .5 .05    0, 1          (.59) .95 1 0      2, 1, 3   (of best chunks)
//	0.05 of it  .905 .95 ..      1, 0          (..) .975 1 0      2, 1, 3
//	reranker    0   1            1, 0              0   1          2, 1, 3   (of the first two after 0.1)
func stagedRun(o SearchOptions) (*fidelityRun, *embeddedSets) {
	set := &RetrievalSet{
		Queries: []string{"0", "1"}, QueryIDs: []string{"0", "a"},
		Corpus: []string{"a", "b", "c", "d"}, CorpusIDs: []string{"a", "b", "c", "d"},
		Relevant: []map[int]int{{1: 1}, {2: 2, 3: 1}}, self: map[int]int{1: 0},
	}
	sets := &embeddedSets{
		queries: [][]float32{{1, 0}, {0, 1}},
		corpus:  [][]float32{{0.8, 0.6}, {0.6, 0.8}, {0, 1}, {-1, 0}},
		chunks:  [][][]float32{{{0.8, 0.6}}, {{1, 0}, {0, 1}}, {{0, 1}}, {{-1, 0}}},
	}
	r := &fidelityRun{options: &FidelityOptions{Retrieval: &NamedSet{"set", set}, Search: o}}
	if o.Hybrid != "" {
		r.hybrid = &companion{queries: [][]float32{{1, 0}, {0, 1}}, texts: [][][]float32{{{1, 0}}, {{-1, 0}}, {{0, 1}}, {{0, -1}}}}
	}
	if o.Rerank != "" {
		r.reranker = &companion{queries: [][]float32{{0, 1}, {1, 0}}, texts: [][][]float32{{{1, 0}}, {{0, 1}}, {{1, 0}}, {{0, 1}}}}
	}
	return r, sets
}

func TestStages(t *testing.T) {
	first, second := 1.0, 1/math.Log2(3) // nDCG of query 0 with its answer at place 1 or 2
	best := 2 + 1/math.Log2(3)
	good, worse := (2+1/math.Log2(4))/best, (2/math.Log2(3)+1/math.Log2(4))/best // of query 1 with 2, 1, 3 and 1, 2, 3
	plain := [2]float64{second, good}
	type stage struct {
		stage string
		ndcg  [2]float64
		mrr   float64
		gain  [2]float64 // nDCG of what it is above
	}
	for _, c := range []struct {
		name string
		o    SearchOptions
		want []stage
	}{
		{"nothing", SearchOptions{}, nil},
		{"best chunk", SearchOptions{ChunkTokens: 8}, []stage{{"chunks", [2]float64{first, worse}, 0.75, plain}}},
		{"mean of chunks", SearchOptions{ChunkTokens: 8, ChunkMean: true}, []stage{{"chunks", plain, 0.75, plain}}},
		{"hybrid of whole texts", SearchOptions{Hybrid: "m", Weights: []float64{0.9}}, []stage{{"hybrid", [2]float64{1 / math.Log2(5), good}, 0.625, plain}}},
		{"everything", SearchOptions{ChunkTokens: 8, Hybrid: "dir/m.gguf", Weights: []float64{0.05, 0.1}, Rerank: "r.gguf", Depth: 2}, []stage{
			{"chunks", [2]float64{first, worse}, 0.75, plain},
			{"hybrid", [2]float64{first, good}, 1, [2]float64{first, worse}},
			{"hybrid", [2]float64{second, good}, 0.75, [2]float64{first, worse}},
			{"rerank", [2]float64{first, good}, 1, [2]float64{second, good}},
		}},
		{"reranked alone", SearchOptions{Rerank: "r.gguf", Depth: 2}, []stage{{"rerank", [2]float64{first, good}, 1, plain}}},
	} {
		r, sets := stagedRun(c.o)
		set := r.options.Retrieval.RetrievalSet
		score, err := MeasureRetrieval(t.Context(), nil, set, sets.queries, sets.corpus)
		if err != nil {
			t.Fatal(err)
		}
		if got := (score.ndcg[0] + score.ndcg[1]) / 2; !near(got, (plain[0]+plain[1])/2, 1e-12) || !near(score.MRR.Value, 0.75, 1e-12) {
			t.Fatalf("whole texts: nDCG %v, MRR %v", got, score.MRR.Value)
		}
		result := &RetrievalResult{RetrievalScore: score}
		if err := r.stages(t.Context(), sets, result, false); err != nil {
			t.Fatal(err)
		}
		if len(result.Stages) != len(c.want) {
			t.Errorf("%s: %d stages, want %d", c.name, len(result.Stages), len(c.want))
			continue
		}
		for i, want := range c.want {
			got := result.Stages[i]
			mean := (want.ndcg[0] + want.ndcg[1]) / 2
			gain := mean - (want.gain[0]+want.gain[1])/2
			if got.Stage != want.stage || !near(got.NDCG.Value, mean, 1e-12) || !near(got.MRR.Value, want.mrr, 1e-12) ||
				!near(got.Gain.Value, gain, 1e-12) || got.Recall10.Value != 1 || got.Retention != 1 {
				t.Errorf("%s, stage %d: %s with nDCG %v, gain %v, MRR %v, recall %v; want %s, %v, %v, %v", c.name, i,
					got.Stage, got.NDCG.Value, got.Gain.Value, got.MRR.Value, got.Recall10.Value, want.stage, mean, gain, want.mrr)
			}
		}
		// Another file is compared with the same stage of the reference, which is this one.
		r.result.Reference.Retrieval = result
		again := &RetrievalResult{RetrievalScore: score}
		if err := r.stages(t.Context(), sets, again, true); err != nil {
			t.Fatal(err)
		}
		for _, s := range again.Stages {
			if s.Change != (Estimate{}) || s.Retention != 1 {
				t.Errorf("%s: %s changes by %v, retention %v", c.name, s.Stage, s.Change, s.Retention)
			}
		}
	}
	r, sets := stagedRun(SearchOptions{ChunkTokens: 8, Hybrid: "dir/m.gguf", Weights: []float64{0.1}, Rerank: "dir/r.gguf", Depth: 2})
	result := &RetrievalResult{RetrievalScore: &RetrievalScore{ndcg: []float64{0, 0}}}
	if err := r.stages(t.Context(), sets, result, false); err != nil {
		t.Fatal(err)
	}
	if s := result.Stages; s[0].Chunks != 5 || s[1].Model != "m.gguf" || s[1].Weight != 0.1 || s[2].Model != "r.gguf" || s[2].Depth != 2 {
		t.Errorf("%+v", s)
	}
}

// Scores that are all equal say nothing about texts.
func TestBlend(t *testing.T) {
	if got, want := blend([]float32{3, 3, 3}, []float32{-1, 0, 1}, 0.25), []float32{0, 0.125, 0.25}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestCheckSearchOptions(t *testing.T) {
	for _, c := range []struct {
		o    SearchOptions
		want string
	}{
		{SearchOptions{ChunkTokens: 7}, "chunks of 7 tokens are too short"},
		{SearchOptions{ChunkTokens: 16, ChunkOverlap: 16}, "cannot share 16"},
		{SearchOptions{ChunkTokens: 16, ChunkOverlap: -1}, "cannot share -1"},
		{SearchOptions{Hybrid: "m"}, "has no weight"},
		{SearchOptions{Hybrid: "m", Weights: []float64{0.5, 1}}, "the weight 1 is not between"},
		{SearchOptions{Hybrid: "m", Weights: []float64{math.NaN()}}, "the weight NaN is not between"},
		{SearchOptions{Rerank: "m", Depth: 1}, "not 1"},
		{SearchOptions{}, ""},
		{SearchOptions{ChunkTokens: 8, ChunkOverlap: 7, Hybrid: "m", Weights: []float64{0.5}, Rerank: "m", Depth: 2}, ""},
	} {
		err := c.o.Check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: error %v, want %q", c.o, err, c.want)
		}
	}
}

// Chunks are short enough, share no more than they should, and leave out nothing.
func TestCutText(t *testing.T) {
	tok, err := tokenizer.FromGGUF(synth.BERT{}.Model().Metadata)
	if err != nil {
		t.Fatal(err)
	}
	count := func(text string) int { return len(tok.Encode(text, false)) }
	var long strings.Builder
	for i := range 300 {
		fmt.Fprintf(&long, "the quick %d fox  jumps\n", i)
	}
	var ideographs, mixed strings.Builder // none twice, so that each chunk has one place
	for i := range 150 {
		ideographs.WriteRune(rune(0x4e00 + i))
		mixed.WriteRune(rune(0x4e00 + i))
		if i%30 == 29 {
			fmt.Fprintf(&mixed, " fox %d ", i)
		}
	}
	for name, text := range map[string]string{
		"words":             long.String(),
		"no spaces":         ideographs.String(),
		"long words":        mixed.String(),
		"one that is short": " a fox ",
	} {
		for _, size := range [][2]int{{8, 0}, {8, 7}, {16, 4}, {100, 50}} {
			chunks := cutText(tok, text, size[0], size[1])
			at := 0 // in text, up to where it is covered
			for i, c := range chunks {
				if n := count(c); n > size[0] || n == 0 || c != strings.TrimSpace(c) {
					t.Fatalf("%s, %v: chunk %d has %d tokens: %q", name, size, i, n, c)
				}
				// The chunk begins behind what is covered, or shares its end.
				gap := strings.TrimLeft(text[at:], " \n")
				if strings.HasPrefix(gap, c) && size[1] == 0 {
					at = len(text) - len(gap) + len(c)
					continue
				}
				from := -1
				for f := max(0, at-len(c)); f+len(c) <= len(text); f++ {
					if text[f:f+len(c)] == c && f+len(c) > at && strings.TrimSpace(text[at:max(at, f)]) == "" {
						from = f
						break
					}
				}
				if from < 0 {
					t.Fatalf("%s, %v: chunk %d does not go on at %q: %q", name, size, i, text[at:], c)
				}
				if shared := text[min(from, at):at]; count(shared) > size[1] {
					t.Fatalf("%s, %v: chunk %d shares %q", name, size, i, shared)
				}
				at = from + len(c)
			}
			if strings.TrimSpace(text[at:]) != "" {
				t.Errorf("%s, %v: %q is left out", name, size, text[at:])
			}
		}
	}
	for text, want := range map[string][]string{"": {""}, " \n": {""}, " a fox ": {"a fox"}} {
		if got := cutText(tok, text, 8, 2); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	words := "the quick fox the quick fox the quick fox"
	n := count("the quick fox")
	if n > 8 {
		t.Fatalf("%d tokens in three words", n)
	}
	if got := cutText(tok, words, 8, 0); len(got) < 2 || strings.Join(got, " ") != words {
		t.Errorf("without overlap: %q", got)
	}
}

// The other models of a search: the same one adds nothing, and those that make no
// vectors are refused.
func TestCompanions(t *testing.T) {
	dir := t.TempDir()
	model, wide, decoder, ranks := filepath.Join(dir, "f32.gguf"), filepath.Join(dir, "wide.gguf"), filepath.Join(dir, "decoder.gguf"), filepath.Join(dir, "ranks.gguf")
	ranked := synth.BERT{}.Model()
	ranked.Metadata.Set("bert.pooling_type", gguf.ValueOf(uint32(4)))
	if err := errors.Join((synth.BERT{}).WriteGGUF(model), (synth.BERT{Width: 128}).WriteGGUF(wide), ranked.WriteGGUF(ranks, nil),
		(synth.Decoder{Layers: 2, Width: 64, Heads: 4, KVHeads: 2, Words: true}).Model().WriteGGUF(decoder, nil)); err != nil {
		t.Fatal(err)
	}
	set := &RetrievalSet{
		Queries: []string{"a quick fox", "a lazy dog"}, QueryIDs: []string{"1", "2"},
		Corpus: []string{"the fox", "the dog", strings.Repeat("nothing of the kind ", 20)}, CorpusIDs: []string{"a", "b", "c"},
		Relevant: []map[int]int{{0: 1}, {1: 1, 2: 2}},
	}
	measure := func(s SearchOptions) (*RetrievalResult, error) {
		f, err := MeasureFidelity(t.Context(), model, []string{model}, &FidelityOptions{Retrieval: &NamedSet{"set", set}, Search: s})
		if err != nil {
			return nil, err
		}
		return f.Files[0].Retrieval, nil
	}
	r, err := measure(SearchOptions{Hybrid: model, Weights: []float64{0.5}, Rerank: model, Depth: 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Stages {
		if s.Gain != (Estimate{}) || s.NDCG != r.NDCG || s.Change != (Estimate{}) {
			t.Errorf("with the model itself, %s: %+v", s.Stage, s)
		}
	}
	if r, err = measure(SearchOptions{ChunkTokens: 16, ChunkOverlap: 4, Hybrid: wide, Weights: []float64{0.5}, Rerank: wide, Depth: 2}); err != nil {
		t.Fatal(err)
	}
	if len(r.Stages) != 3 || r.Stages[0].Chunks < 5 {
		t.Errorf("%+v", r.Stages)
	}
	for _, c := range []struct {
		o    SearchOptions
		want string
	}{
		{SearchOptions{Hybrid: decoder, Weights: []float64{0.5}}, "predicts tokens"},
		{SearchOptions{Hybrid: wide, Weights: []float64{0.5}, Rerank: ranks, Depth: 2}, "cross-encoder"},
	} {
		if _, err := measure(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		} else if _, ok := errors.AsType[*fault.UnsupportedError](err); !ok {
			t.Error(err)
		}
	}
	if _, err := measure(SearchOptions{ChunkTokens: 5000}); err == nil || !strings.Contains(err.Error(), "chunks of 5000 tokens are too long") {
		t.Errorf("long chunks: %v", err)
	}
}
