package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/gguftool/gguftool/embedding"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/internal/texttable"
)

// SearchOptions say what is done besides comparing queries with whole texts by one
// model, as searches in practice do. The zero value is nothing.
//
// Each option is a stage on top of those before: chunks instead of whole texts,
// scores of a second model that are added, and texts that were found which another
// model puts in order.
type SearchOptions struct {
	ChunkTokens  int  // texts are cut to chunks of so many tokens, at least MinChunkTokens; 0 for whole texts
	ChunkOverlap int  // tokens that a chunk shares with the one before, fewer than ChunkTokens
	ChunkMean    bool // the score of a text is the mean of its chunks', rather than the best

	// Hybrid is the file of an embedding model whose scores are added, or empty:
	//
	//	score = (1 - weight)·a + weight·b,  a, b = (cosine - lowest) / (highest - lowest)
	//
	// with the lowest and highest cosine of the query with a text, by each model. Each
	// of Weights, between 0 and 1, is a search of its own.
	Hybrid  string
	Weights []float64

	// Rerank is the file of an embedding model by whose cosines the first Depth
	// texts are put in order, or empty. Of several Weights it takes what the last
	// found.
	Rerank string
	Depth  int
}

// The stages of a search.
const (
	StageChunks = "chunks"
	StageHybrid = "hybrid"
	StageRerank = "rerank"
)

// A SearchStage is the score of a search with one more of SearchOptions.
type SearchStage struct {
	Stage  string  `json:"stage"`            // StageChunks, StageHybrid or StageRerank
	Chunks int     `json:"chunks,omitempty"` // of all texts
	Model  string  `json:"model,omitempty"`  // file of the other model
	Weight float64 `json:"weight,omitempty"` // of its scores
	Depth  int     `json:"depth,omitempty"`  // texts that it puts in order
	*RetrievalScore

	Gain      Estimate `json:"ndcg_10_gain"`   // over the search without this stage
	Change    Estimate `json:"ndcg_10_change"` // from the same search with the reference
	Retention float64  `json:"retention"`
}

// WholeTexts is what a search without any of SearchOptions is called.
const WholeTexts = "whole texts"

// Name says in a few words what a search does besides the one before.
func (s *SearchStage) Name() string {
	model := texttable.Safe(s.Model)
	switch s.Stage {
	case StageChunks:
		return texttable.Grouped(int64(s.Chunks)) + " chunks"
	case StageHybrid:
		return fmt.Sprintf("+ %v of %s", s.Weight, model)
	}
	return fmt.Sprintf("+ %d reranked by %s", s.Depth, model)
}

// A companion is another model that takes part in a search. Its vectors of queries
// and texts are computed once for all files.
type companion struct {
	embedder
	queries [][]float32
	texts   [][][]float32 // the chunks of each text; nil until needed
}

// openCompanions opens the other models of a search.
func (r *fidelityRun) openCompanions(ctx context.Context) error {
	o := &r.options.Search
	if r.options.Retrieval == nil {
		return nil
	}
	var err error
	if o.Hybrid != "" {
		if r.hybrid, err = r.openCompanion(ctx, o.Hybrid); err != nil {
			return err
		}
	}
	if o.Rerank != "" {
		if r.reranker, err = r.openCompanion(ctx, o.Rerank); err != nil {
			r.closeCompanions()
		}
	}
	return err
}

func (r *fidelityRun) closeCompanions() {
	for _, c := range []*companion{r.hybrid, r.reranker} {
		if c != nil {
			c.model.Close()
		}
	}
}

func (r *fidelityRun) openCompanion(ctx context.Context, path string) (*companion, error) {
	o := r.options
	m, err := Open(path, &infer.Options{Threads: o.Threads, Precision: o.Precision})
	if err != nil {
		return nil, err
	}
	c := &companion{embedder: embedder{model: m}}
	if !o.NoPrompt {
		c.prompts = m.Prompts
	}
	const hint = "name a model that makes vectors"
	switch {
	case PredictsTokens(m.File.Metadata, m.Model):
		err = fault.Unsupported(path, "", hint, "the model predicts tokens, it makes no vectors to search with")
	case m.Pooling().String() == "rank":
		err = fault.Unsupported(path, "", hint, "the model reads query and text together (a cross-encoder), which is not supported")
	case o.Search.ChunkTokens > 0:
		err = o.Search.fits(m)
	}
	if err == nil {
		c.queries, err = c.embed(ctx, o.Retrieval.Queries, RoleQuery)
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	c.texts = make([][][]float32, len(o.Retrieval.Corpus))
	return c, nil
}

// need computes the vectors of those texts of the corpus that wanted names.
func (r *fidelityRun) need(ctx context.Context, c *companion, wanted func(text int) bool) error {
	var numbers []int
	var texts []string
	for i, text := range r.options.Retrieval.Corpus {
		if c.texts[i] == nil && wanted(i) {
			numbers, texts = append(numbers, i), append(texts, text)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	cut := r.options.Search.cut(r.pool, c.model.Tokenizer, texts)
	total := 0
	for _, chunks := range cut {
		total += len(chunks)
	}
	c.tell(r.options.Progress, total)
	vectors, err := c.embedChunks(ctx, cut, nil)
	if err != nil {
		return err
	}
	for i, n := range numbers {
		c.texts[n] = vectors[i]
	}
	return nil
}

// stages searches with one option after the other and adds what comes out to
// result, which has the search without them.
func (r *fidelityRun) stages(ctx context.Context, sets *embeddedSets, result *RetrievalResult, compare bool) error {
	o, set := &r.options.Search, r.options.Retrieval.RetrievalSet
	if o.ChunkTokens == 0 && r.hybrid == nil && r.reranker == nil {
		return nil
	}
	depth := max(LongList, o.Depth) + 1
	var stages []SearchStage
	found := [][][]Hit{make([][]Hit, len(set.Queries))} // by stage and query, at first without any
	add := func(s SearchStage) {
		stages = append(stages, s)
		found = append(found, make([][]Hit, len(set.Queries)))
	}
	var first *searcher
	var err error
	if o.ChunkTokens > 0 {
		first, err = newChunkSearcher(r.pool, sets.queries, sets.chunks, o.ChunkMean)
		add(SearchStage{Stage: StageChunks})
		for _, chunks := range sets.chunks {
			stages[0].Chunks += len(chunks)
		}
	} else {
		first, err = newSearcher(r.pool, sets.queries, sets.corpus)
	}
	if err != nil {
		return err
	}
	searchers := []*searcher{first}
	if r.hybrid != nil {
		if err := r.need(ctx, r.hybrid, func(int) bool { return true }); err != nil {
			return err
		}
		s, err := newChunkSearcher(r.pool, r.hybrid.queries, r.hybrid.texts, o.ChunkMean)
		if err != nil {
			return err
		}
		searchers = append(searchers, s)
		for _, w := range o.Weights {
			add(SearchStage{Stage: StageHybrid, Model: filepath.Base(o.Hybrid), Weight: w})
		}
	}
	err = searchTogether(ctx, r.pool, searchers, func(q int, scores [][]float32) {
		if len(stages) == 0 {
			found[0][q] = highest(scores[0], depth, -1)
		}
		for i, s := range stages {
			row := scores[0]
			if s.Stage == StageHybrid {
				row = blend(scores[0], scores[1], s.Weight)
			}
			found[i+1][q] = highest(row, depth, -1)
		}
	})
	if err != nil {
		return err
	}
	if r.reranker != nil {
		last := found[len(found)-1]
		add(SearchStage{Stage: StageRerank, Model: filepath.Base(o.Rerank), Depth: o.Depth})
		if err := r.rerank(ctx, found[len(found)-1], last); err != nil {
			return err
		}
	}
	without := result.RetrievalScore
	for i, s := range stages {
		s.RetrievalScore = set.score(found[i+1])
		s.Gain = s.change(without)
		s.Retention = 1
		if compare {
			before := r.result.Reference.Retrieval.Stages[i].RetrievalScore
			s.Change, s.Retention = s.change(before), ratio(s.NDCG.Value, before.NDCG.Value)
		}
		result.Stages = append(result.Stages, s)
		if s.Stage != StageHybrid || i+1 == len(stages) || stages[i+1].Stage != StageHybrid {
			without = s.RetrievalScore
		}
	}
	return nil
}

// blend adds the scores of two models for one query.
func blend(a, b []float32, weight float64) []float32 {
	lowA, scaleA := rangeOf(a)
	lowB, scaleB := rangeOf(b)
	mixed := make([]float32, len(a))
	for i := range mixed {
		mixed[i] = float32((1-weight)*float64(a[i]-lowA)*scaleA + weight*float64(b[i]-lowB)*scaleB)
	}
	return mixed
}

// rangeOf returns the lowest score, and by what to multiply what the others exceed
// it so that the highest is at 1. Where all are equal they say nothing: 0.
func rangeOf(scores []float32) (low float32, scale float64) {
	low = slices.Min(scores)
	if width := slices.Max(scores) - low; width > 0 {
		scale = 1 / float64(width)
	}
	return low, scale
}

// rerank stores in dst what was found, the first texts in the order of the reranker.
func (r *fidelityRun) rerank(ctx context.Context, dst, found [][]Hit) error {
	o, set := &r.options.Search, r.options.Retrieval.RetrievalSet
	wanted := map[int]bool{}
	for q, hits := range found {
		dst[q] = set.others(q, slices.Clone(hits))
		for _, h := range dst[q][:min(o.Depth, len(dst[q]))] {
			wanted[h.Text] = true
		}
	}
	if err := r.need(ctx, r.reranker, func(text int) bool { return wanted[text] }); err != nil {
		return err
	}
	r.pool.Each(len(dst), func(_, q int) {
		first := dst[q][:min(o.Depth, len(dst[q]))]
		for i := range first {
			var scores []float32
			for _, chunk := range r.reranker.texts[first[i].Text] {
				scores = append(scores, float32(embedding.Cosine(r.reranker.queries[q], chunk)))
			}
			first[i].Score = foldScores(scores, o.ChunkMean)
		}
		slices.SortFunc(first, func(a, b Hit) int {
			if a.before(b) {
				return -1
			}
			return 1
		})
	})
	return nil
}

// Check refuses options that make no sense.
func (o *SearchOptions) Check() error {
	switch {
	case o.ChunkTokens != 0 && o.ChunkTokens < MinChunkTokens:
		return fmt.Errorf("chunks of %d tokens are too short; choose at least %d", o.ChunkTokens, MinChunkTokens)
	case o.ChunkOverlap < 0 || o.ChunkOverlap > 0 && o.ChunkOverlap >= o.ChunkTokens:
		return fmt.Errorf("chunks of %d tokens cannot share %d; choose fewer than there are", o.ChunkTokens, o.ChunkOverlap)
	case o.Rerank != "" && o.Depth < 2:
		return fmt.Errorf("a reranker needs 2 texts or more to put in order, not %d", o.Depth)
	case o.Hybrid != "" && len(o.Weights) == 0:
		return fmt.Errorf("the second model has no weight")
	}
	for _, w := range o.Weights {
		if !(w > 0 && w < 1) {
			return fmt.Errorf("the weight %v is not between 0 and 1", w)
		}
	}
	return nil
}
