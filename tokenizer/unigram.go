package tokenizer

import (
	"math"
	"slices"
	"sync"
	"unicode/utf8"
)

// A unigram cuts words into the tokens whose scores, logarithms of
// probabilities, have the highest sum.
type unigram struct {
	tokens       *trie
	scores       []float64 // by id
	unknownScore float64
	unknown      int32 // negative: what is unknown vanishes
	bytes        [256]int32
	byteFallback bool

	states sync.Pool // of *unigramState
}

// A unigramState is what one call of append needs.
type unigramState struct {
	best  []bestPath // by where it ends
	cache idCache
}

// A bestPath is the best way to cut the text up to a place.
type bestPath struct {
	score float64
	start int32 // where its last token begins; negative: nothing ends here
	id    int32 // of this token
}

// unknownPenalty is how far below the worst token an unknown character is.
const unknownPenalty = 10

// newUnigram returns the model of pieces, whose scores are by id.
func newUnigram(pieces func(yield func(int32, string) bool), scores []float64, unknown int32, byteFallback bool) (*unigram, error) {
	u := &unigram{tokens: newTrie(1), scores: scores, unknown: unknown, byteFallback: byteFallback}
	u.states.New = func() any { return new(unigramState) }
	lowest := math.Inf(1)
	for id, token := range pieces {
		if err := u.tokens.insert(1, token, id); err != nil {
			return nil, err
		}
		lowest = min(lowest, scores[id])
	}
	u.unknownScore = lowest - unknownPenalty
	for b := range u.bytes {
		u.bytes[b] = u.id(byteToken(byte(b)))
	}
	return u, nil
}

// id returns the token s, or a negative id.
func (u *unigram) id(s string) int32 {
	if id, n := longest(u.tokens, 1, s); n == len(s) {
		return id
	}
	return -1
}

func (u *unigram) append(dst []int32, word []byte) []int32 {
	if len(word) == 0 {
		return dst
	}
	s := u.states.Get().(*unigramState)
	defer u.states.Put(s)
	if len(word) > cacheMaxBytes {
		dst = u.appendBest(dst, word, s)
		if cap(s.best) > maxKeptBuffer/16 {
			s.best = nil
		}
		return dst
	}
	h := cacheHash(word)
	dst, ok := s.cache.get(dst, word, h)
	if ok {
		return dst
	}
	begin := len(dst)
	dst = u.appendBest(dst, word, s)
	s.cache.put(word, h, dst[begin:])
	return dst
}

// appendBest appends the ids of the best path through word.
func (u *unigram) appendBest(dst []int32, word []byte, s *unigramState) []int32 {
	s.best = slices.Grow(s.best[:0], len(word)+1)[:len(word)+1]
	for i := range s.best {
		s.best[i] = bestPath{start: -1}
	}
	best := s.best
	for start := 0; start < len(word); {
		_, size := utf8.DecodeRune(word[start:])
		here := best[start].score
		reach := func(end int, score float64, id int32) {
			if p := &best[end]; p.start < 0 || score > p.score {
				*p = bestPath{score: score, start: int32(start), id: id}
			}
		}
		alone := false // the character is a token
		node := uint32(1)
		for end := start; end < len(word); {
			e := u.tokens.find(node<<8 | uint32(word[end]))
			if u.tokens.keys[e] == 0 {
				break
			}
			node = u.tokens.children[e]
			end++
			if id := u.tokens.ids[node]; id >= 0 {
				reach(end, u.scores[id]+here, id)
				alone = alone || end == start+size
			}
		}
		if !alone {
			reach(start+size, u.unknownScore+here, u.unknown)
		}
		start += size
	}
	return u.trace(dst, word, best)
}

// trace appends the tokens of the path to the end of word. Unknown tokens side
// by side become one.
func (u *unigram) trace(dst []int32, word []byte, best []bestPath) []int32 {
	begin := len(dst)
	unknownEnd := -1 // where the unknown tokens end that come next
	flush := func(start int) {
		if unknownEnd >= 0 {
			dst = u.appendUnknown(dst, word[start:unknownEnd])
			unknownEnd = -1
		}
	}
	for end := len(word); end > 0; {
		p := best[end]
		if p.id == u.unknown {
			if unknownEnd < 0 {
				unknownEnd = end
			}
		} else {
			flush(end)
			dst = append(dst, p.id)
		}
		end = int(p.start)
	}
	flush(0)
	slices.Reverse(dst[begin:])
	return dst
}

// appendUnknown appends, from the last to the first, the tokens of a text that
// the model does not know.
func (u *unigram) appendUnknown(dst []int32, text []byte) []int32 {
	if id, n := longest(u.tokens, 1, text); n == len(text) {
		return append(dst, id) // it is the unknown token written out, or two make one
	}
	if u.byteFallback {
		begin := len(dst)
		for _, b := range slices.Backward(text) {
			if u.bytes[b] < 0 {
				dst = dst[:begin]
				break
			}
			dst = append(dst, u.bytes[b])
		}
		if len(dst) > begin {
			return dst
		}
	}
	if u.unknown < 0 {
		return dst
	}
	return append(dst, u.unknown)
}
