package bench

import (
	"context"

	"github.com/gguftool/gguftool/kernels/cpu"
	"github.com/gguftool/gguftool/kernels/gemm"
	"github.com/gguftool/gguftool/kernels/vec"
)

// A Hit is a text that was found: its number in the corpus and the dot product of
// its vector and the query's, their cosine where both have length 1.
type Hit struct {
	Text  int
	Score float32
}

// before reports whether h stands above o in a list: the higher score, of equal
// ones the lower number.
func (h Hit) before(o Hit) bool { return h.Score > o.Score || h.Score == o.Score && h.Text < o.Text }

// searchBytes is about how much memory a block of scores takes.
const searchBytes = 16 << 20

// Search returns for each query the k texts of a corpus with the highest scores,
// the best first; fewer where the corpus has fewer. All vectors are equally long
// and finite.
//
// The search is exact: every query is compared with every text, as one product of
// matrices. That takes 2·queries·texts·dimensions operations, well under a second
// for a thousand queries and ten thousand texts.
func Search(ctx context.Context, pool *cpu.Pool, queries, corpus [][]float32, k int) ([][]Hit, error) {
	found := make([][]Hit, len(queries))
	err := eachScores(ctx, pool, queries, corpus, func(q int, scores []float32) {
		found[q] = highest(scores, k, -1)
	})
	return found, err
}

// eachScores calls visit with the dot products of each query and all texts of the
// corpus. Calls overlap; the scores are valid during the call.
func eachScores(ctx context.Context, pool *cpu.Pool, queries, corpus [][]float32, visit func(query int, scores []float32)) error {
	s, err := newSearcher(pool, queries, corpus)
	if err != nil || s == nil {
		return err
	}
	return searchTogether(ctx, pool, []*searcher{s}, func(q int, scores [][]float32) { visit(q, scores[0]) })
}

// A searcher compares queries with a corpus by the vectors of one model.
type searcher struct {
	queries [][]float32
	corpus  *gemm.Matrix
	vectors int // of the corpus
	width   int // numbers in a vector

	// Where texts were cut, fold makes scores of texts of those of chunks.
	fold func(chunks []float32) []float32

	rows, scores []float32 // memory to work in
}

// newSearcher returns nil where there is nothing to compare.
func newSearcher(pool *cpu.Pool, queries, corpus [][]float32) (*searcher, error) {
	if len(queries) == 0 || len(corpus) == 0 {
		return nil, nil
	}
	s := &searcher{queries: queries, vectors: len(corpus), width: len(corpus[0])}
	var err error
	s.corpus, err = gemm.Pack(pool, s.vectors, s.width, func(buf []float32, from, to int) (gemm.View, error) {
		return gather(buf, corpus[from:to], s.width), nil
	})
	return s, err
}

// multiply returns the dot products of some queries, a row for each.
func (s *searcher) multiply(pool *cpu.Pool, from, to int) gemm.View {
	part := s.queries[from:to]
	if need := len(part) * s.vectors; len(s.scores) < need {
		s.scores, s.rows = make([]float32, need), make([]float32, len(part)*s.width)
	}
	product := gemm.Dense(s.scores[:len(part)*s.vectors], len(part), s.vectors)
	gemm.Mul(pool, product, gather(s.rows, part, s.width), s.corpus, gemm.Epilogue{})
	return product
}

// searchTogether calls visit with the scores of all texts for each query, by each
// of searchers, which have equally many queries and texts. Calls overlap; the
// scores are valid during the call.
func searchTogether(ctx context.Context, pool *cpu.Pool, searchers []*searcher, visit func(query int, scores [][]float32)) error {
	vectors := 0
	for _, s := range searchers {
		vectors = max(vectors, s.vectors)
	}
	queries := len(searchers[0].queries)
	step := max(1, searchBytes/4/vectors)
	for from := 0; from < queries; from += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := min(from+step, queries)
		var products []gemm.View
		for _, s := range searchers {
			products = append(products, s.multiply(pool, from, to))
		}
		pool.Each(to-from, func(_, i int) {
			scores := make([][]float32, len(searchers))
			for j, s := range searchers {
				scores[j] = products[j].Row(i)
				if s.fold != nil {
					scores[j] = s.fold(scores[j])
				}
			}
			visit(from+i, scores)
		})
	}
	return nil
}

// gather copies vectors into the rows of a matrix in buf.
func gather(buf []float32, vectors [][]float32, width int) gemm.View {
	for i, v := range vectors {
		copy(buf[i*width:(i+1)*width], v)
	}
	return gemm.Dense(buf[:len(vectors)*width], len(vectors), width)
}

// highest returns the k texts with the highest scores, the best first, without
// the text number skip.
func highest(scores []float32, k, skip int) []Hit {
	var top []Hit
	for text, score := range scores {
		h := Hit{text, score}
		if text == skip || k == 0 || len(top) == k && !h.before(top[k-1]) {
			continue
		}
		if len(top) < k {
			top = append(top, h)
		}
		i := len(top) - 1
		for ; i > 0 && h.before(top[i-1]); i-- {
			top[i] = top[i-1]
		}
		top[i] = h
	}
	return top
}

// shortened returns the first n numbers of each vector, at length 1.
func shortened(vectors [][]float32, n int) [][]float32 {
	short := make([][]float32, len(vectors))
	data := make([]float32, len(vectors)*n)
	for i, v := range vectors {
		short[i] = data[i*n : (i+1)*n : (i+1)*n]
		copy(short[i], v)
		vec.Normalize(short[i])
	}
	return short
}
