package bench

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gguftool/gguftool/kernels/cpu"
)

// How far down the list retrieval is judged.
const (
	ShortList = 10  // of nDCG, MRR and the first recall
	LongList  = 100 // of the second recall
)

// A RetrievalSet is a labelled search: queries, a corpus, and which texts of the
// corpus answer which query.
type RetrievalSet struct {
	Queries   []string
	Corpus    []string
	CorpusIDs []string       // of the texts of Corpus
	QueryIDs  []string       // of Queries
	Relevant  []map[int]int  // for each query, the grades above 0 by number of the text
	Strays    int            // judgments that name no query or text of the set, and are left out
	corpus    map[string]int // number by id
	queries   map[string]int // number by id
	self      map[int]int    // text of the corpus with the id of a query, which is no answer to it
}

// A RetrievalScore tells how well the texts that answer a query are found. Figures
// are means over queries.
type RetrievalScore struct {
	Queries  int      `json:"queries"`
	Texts    int      `json:"texts"`                     // of the corpus
	Strays   int      `json:"stray_judgments,omitempty"` // that were left out
	NDCG     Estimate `json:"ndcg_10"`
	Recall10 Estimate `json:"recall_10"`
	Recall   Estimate `json:"recall_100"`
	MRR      Estimate `json:"mrr_10"`

	ndcg []float64 // of each query
}

// MeasureRetrieval searches a corpus for the queries of a set, whose vectors are
// given in its order, and scores what is found. The definitions are those of
// trec_eval, which BEIR uses:
//
//	DCG@k    = Σ grade of the text at place i / log2(i + 1)  for i = 1..k
//	nDCG@k   = DCG@k / DCG@k of the best order
//	recall@k = relevant texts among the first k / relevant texts
//	MRR@k    = 1 / place of the first relevant text, 0 where it is not among k
//
// A text of the corpus with the id of the query is not counted as found.
func MeasureRetrieval(ctx context.Context, pool *cpu.Pool, set *RetrievalSet, queries, corpus [][]float32) (*RetrievalScore, error) {
	if len(queries) != len(set.Queries) || len(corpus) != len(set.Corpus) {
		return nil, fmt.Errorf("%d and %d vectors for %d queries and %d texts", len(queries), len(corpus), len(set.Queries), len(set.Corpus))
	}
	found, err := Search(ctx, pool, queries, corpus, LongList+1)
	if err != nil {
		return nil, err
	}
	return set.score(found), nil
}

// score scores what was found for each query, the best first.
func (set *RetrievalSet) score(found [][]Hit) *RetrievalScore {
	var ndcg, recall10, recall100, mrr []float64
	for q, hits := range found {
		texts := make([]int, 0, len(hits))
		for _, h := range set.others(q, hits) {
			texts = append(texts, h.Text)
		}
		relevant := set.Relevant[q]
		ndcg = append(ndcg, nDCG(texts, relevant, ShortList))
		recall10 = append(recall10, recall(texts, relevant, ShortList))
		recall100 = append(recall100, recall(texts, relevant, LongList))
		mrr = append(mrr, reciprocalRank(texts, relevant, ShortList))
	}
	return &RetrievalScore{
		Queries: len(set.Queries), Texts: len(set.Corpus), Strays: set.Strays, ndcg: ndcg,
		NDCG: estimateMean(ndcg), Recall10: estimateMean(recall10), Recall: estimateMean(recall100), MRR: estimateMean(mrr),
	}
}

// others returns the hits of query q without the text with its id. It overwrites
// hits.
func (set *RetrievalSet) others(q int, hits []Hit) []Hit {
	self, ok := set.self[q]
	if !ok {
		return hits
	}
	return slices.DeleteFunc(hits, func(h Hit) bool { return h.Text == self })
}

// change estimates how much nDCG differs from that of a reference for the same set.
// It pairs queries, so that what makes a query hard for both is no doubt.
func (s *RetrievalScore) change(reference *RetrievalScore) Estimate {
	differences := make([]float64, len(s.ndcg))
	for q := range differences {
		differences[q] = s.ndcg[q] - reference.ndcg[q]
	}
	return estimateMean(differences)
}

// nDCG scores the texts that were found, the best first. relevant is not empty.
func nDCG(found []int, relevant map[int]int, k int) float64 {
	var gain, best float64
	for i, text := range found[:min(k, len(found))] {
		gain += float64(relevant[text]) / math.Log2(float64(i+2))
	}
	var grades []int
	for _, g := range relevant {
		grades = append(grades, g)
	}
	slices.Sort(grades)
	slices.Reverse(grades)
	for i, g := range grades[:min(k, len(grades))] {
		best += float64(g) / math.Log2(float64(i+2))
	}
	return gain / best
}

func recall(found []int, relevant map[int]int, k int) float64 {
	n := 0
	for _, text := range found[:min(k, len(found))] {
		if relevant[text] > 0 {
			n++
		}
	}
	return float64(n) / float64(len(relevant))
}

func reciprocalRank(found []int, relevant map[int]int, k int) float64 {
	for i, text := range found[:min(k, len(found))] {
		if relevant[text] > 0 {
			return 1 / float64(i+1)
		}
	}
	return 0
}
