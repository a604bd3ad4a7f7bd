package bench

import (
	"context"
	"fmt"
	"math"
	"sort"
	"unicode"
	"unicode/utf8"

	"github.com/gguftool/gguftool/kernels/cpu"
	"github.com/gguftool/gguftool/tokenizer"
)

// MinChunkTokens is the fewest tokens of a chunk: any character has fewer.
const MinChunkTokens = 8

// cutText cuts a text into chunks of up to size tokens, without special tokens,
// each of which begins with up to overlap tokens of the one before. It cuts at white
// space, which no chunk begins or ends with, and within words only where a word is
// longer than a chunk, as in scripts without spaces. A text without words is one
// chunk, which is empty.
func cutText(tok *tokenizer.Tokenizer, text string, size, overlap int) []string {
	c := cutter{tok: tok, text: text, size: size}
	words := wordsOf(text)
	if len(words) == 0 {
		return []string{""}
	}
	if end := words[len(words)-1].to; c.tokens(words[0].from, end) <= size {
		return []string{text[words[0].from:end]}
	}
	// What is cut between: words, of which those that no chunk holds fall into
	// characters.
	var units []span
	for _, w := range words {
		if c.tokens(w.from, w.to) <= size {
			units = append(units, w)
			continue
		}
		for at := w.from; at < w.to; {
			_, n := utf8.DecodeRuneInString(text[at:])
			units = append(units, span{at, at + n})
			at += n
		}
	}
	var chunks []string
	for from, end := 0, 0; ; {
		n := c.longest(units[from:])
		if from+n <= end { // what is shared leaves no room for the next word
			from = end
			continue
		}
		end = from + n
		chunks = append(chunks, text[units[from].from:units[end-1].to])
		if end == len(units) {
			return chunks
		}
		// The first unit from which no more than overlap tokens are left.
		next := from + 1
		from = next + sort.Search(end-next, func(i int) bool { return c.tokens(units[next+i].from, units[end-1].to) <= overlap })
	}
}

// A span is a part of a text, from its first byte up to that after its last.
type span struct{ from, to int }

// wordsOf returns what stands between white space.
func wordsOf(text string) (words []span) {
	from := -1
	for i, r := range text {
		switch space := unicode.IsSpace(r); {
		case space && from >= 0:
			words = append(words, span{from, i})
			from = -1
		case !space && from < 0:
			from = i
		}
	}
	if from >= 0 {
		words = append(words, span{from, len(text)})
	}
	return words
}

// A cutter counts the tokens of parts of a text.
type cutter struct {
	tok  *tokenizer.Tokenizer
	text string
	size int     // of a chunk
	ids  []int32 // memory to work in
}

func (c *cutter) tokens(from, to int) int {
	c.ids = c.tok.AppendEncode(c.ids[:0], c.text[from:to], false)
	return len(c.ids)
}

// longest returns how many of units, at least one, a chunk can hold. It counts the
// tokens of few and short candidates: twice as many units until they are too many,
// then halves of what is in doubt.
func (c *cutter) longest(units []span) int {
	holds := func(n int) bool { return c.tokens(units[0].from, units[n-1].to) <= c.size }
	fits, beyond := 1, len(units)+1
	for n := 2; n < beyond; n *= 2 {
		if !holds(n) {
			beyond = n
			break
		}
		fits = n
	}
	return fits + sort.Search(beyond-fits-1, func(i int) bool { return !holds(fits + i + 1) })
}

// fits refuses chunks that m cannot hold.
func (o *SearchOptions) fits(m *Model) error {
	prefix, suffix := m.Tokenizer.Template()
	if most := m.ContextLength() - len(prefix) - len(suffix); o.ChunkTokens > most {
		return fmt.Errorf("chunks of %d tokens are too long for %s, whose context holds %d besides special tokens; choose smaller ones",
			o.ChunkTokens, m.File.Path, most)
	}
	return nil
}

// cut returns the chunks of each text, or each text where none is to be cut.
func (o *SearchOptions) cut(pool *cpu.Pool, tok *tokenizer.Tokenizer, texts []string) [][]string {
	all := make([][]string, len(texts))
	pool.Each(len(texts), func(_, i int) {
		if o.ChunkTokens == 0 {
			all[i] = texts[i : i+1]
		} else {
			all[i] = cutText(tok, texts[i], o.ChunkTokens, o.ChunkOverlap)
		}
	})
	return all
}

// pieces counts the chunks of texts that are cut in several.
func pieces(cut [][]string) (n int) {
	for _, chunks := range cut {
		if len(chunks) > 1 {
			n += len(chunks)
		}
	}
	return n
}

// embedChunks returns the vectors of the chunks of each text. Those of texts of one
// chunk are taken from whole, the vectors of the texts, unless it is nil.
func (e *embedder) embedChunks(ctx context.Context, cut [][]string, whole [][]float32) ([][][]float32, error) {
	var inputs []string
	for _, chunks := range cut {
		if whole == nil || len(chunks) > 1 {
			inputs = append(inputs, chunks...)
		}
	}
	vectors, err := e.embed(ctx, inputs, RoleDocument)
	if err != nil {
		return nil, err
	}
	all := make([][][]float32, len(cut))
	for i, chunks := range cut {
		n := len(chunks)
		if whole != nil && n == 1 {
			all[i] = whole[i : i+1]
			continue
		}
		all[i], vectors = vectors[:n:n], vectors[n:]
	}
	return all, nil
}

// newChunkSearcher returns a searcher of texts that were cut. The score of a text
// is the best of its chunks, or their mean.
func newChunkSearcher(pool *cpu.Pool, queries [][]float32, texts [][][]float32, mean bool) (*searcher, error) {
	var vectors [][]float32
	ends := make([]int, len(texts)) // of the chunks of each text
	for i, chunks := range texts {
		vectors = append(vectors, chunks...)
		ends[i] = len(vectors)
	}
	s, err := newSearcher(pool, queries, vectors)
	if err != nil || s == nil || len(vectors) == len(texts) {
		return s, err
	}
	s.fold = func(chunks []float32) []float32 {
		scores := make([]float32, len(ends))
		from := 0
		for i, to := range ends {
			scores[i] = foldScores(chunks[from:to], mean)
			from = to
		}
		return scores
	}
	return s, nil
}

// foldScores returns the score of a text of those of its chunks.
func foldScores(chunks []float32, mean bool) float32 {
	best, sum := float32(math.Inf(-1)), float32(0)
	for _, s := range chunks {
		best = max(best, s)
		sum += s
	}
	if mean {
		return sum / float32(len(chunks))
	}
	return best
}
