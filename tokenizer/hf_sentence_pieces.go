package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// hfPieces are the tokens of a tokenizer.json by id, "" where there is none, and
// those added.
type hfPieces struct {
	tokens  []string
	table   *pieceTable   // of the tokens of the model
	weights []float64     // of Unigram, by id
	merges  []listedMerge // of BPE
	added   map[int64]hfAddedToken
	special map[string]bool // names of special tokens
}

// readPieces reads the tokens of tokenizer.json; without it, only the added ones.
func (c *checkpoint) readPieces() (*hfPieces, error) {
	h := &hfPieces{special: c.specialTokens()}
	if c.tokenizer != nil {
		m := &c.tokenizer.Model
		var err error
		if m.Type == "Unigram" {
			h.tokens, h.weights, err = decodeWeights(m.Vocab)
		} else {
			h.tokens, err = decodePieces(m.Vocab)
		}
		if err != nil {
			return nil, c.malformedModel("vocab", err)
		}
	}
	h.table = newPieceTable(h.tokens, len(h.tokens))
	for id, token := range h.tokens {
		if token == "" {
			continue
		}
		if first := find(h.table, hashOf(token), token); first >= 0 {
			return nil, c.malformed(fileTokenizer, "model.vocab", "tokens %d and %d are both %q", first, id, token)
		}
		h.table.add(int32(id))
	}
	if c.tokenizer != nil && len(c.tokenizer.Model.Merges) > 0 && c.tokenizer.Model.Type == "BPE" {
		var err error
		if h.merges, err = decodeMergePairs(c.tokenizer.Model.Merges, h.table); err != nil {
			return nil, c.malformedModel("merges", err)
		}
	}
	return h, c.readAdded(h)
}

// readAdded finds the added tokens and puts them into h.
func (c *checkpoint) readAdded(h *hfPieces) error {
	ids := make(map[string]int64) // those of the model that are added or special, too
	name := func(token string) {
		if id := find(h.table, hashOf(token), token); id >= 0 {
			ids[token] = int64(id)
		}
	}
	for token := range h.special {
		name(token)
	}
	for token := range c.added {
		name(token)
	}
	for _, a := range c.decoder.AddedTokens {
		name(a.Content)
	}
	if c.tokenizer != nil {
		for _, a := range c.tokenizer.AddedTokens {
			name(a.Content)
		}
	}
	var err error
	if h.added, err = c.addedTokens(ids); err != nil {
		return err
	}
	highest := int64(len(h.tokens)) - 1
	for id := range h.added {
		if id < 0 {
			return c.malformed(c.source(), "added tokens", "%q has id %d", h.added[id].Content, id)
		}
		highest = max(highest, id)
	}
	if c.tokenizer != nil && highest >= int64(len(h.tokens)+len(h.added))+maxPadding {
		return c.malformed(fileTokenizer, "added tokens", "there are %d tokens, but ids up to %d", len(h.tokens)+len(h.added), highest)
	}
	return nil
}

// decodePieces decodes a model.vocab of BPE: tokens by id.
func decodePieces(data []byte) ([]string, error) {
	s := jsonScanner{data: string(data)}
	var tokens []string
	entries := 0
	var problem error
	put := func(token string, id int64) bool {
		switch entries++; {
		case id < 0:
			problem = fmt.Errorf("the token %q has id %d", token, id)
		case token == "":
			problem = fmt.Errorf("the token %d has no characters", id)
		case id > int64(entries)+maxPadding && id > int64(len(data)):
			problem = fmt.Errorf("the token %q has id %d, but there are not so many tokens", token, id)
		default:
			if id >= int64(len(tokens)) {
				tokens = slices.Grow(tokens, int(id)+1-len(tokens))[:id+1]
			}
			if tokens[id] != "" && tokens[id] != token {
				problem = fmt.Errorf("the tokens %q and %q are both %d", tokens[id], token, id)
			}
			tokens[id] = token
		}
		return problem == nil
	}
	tokens = make([]string, 0, len(data)/averageEntry)
	ok := s.object(func(token string) bool {
		id, ok := s.integer()
		return ok && put(token, id)
	})
	if problem != nil || ok && s.peek() == 0 {
		return tokens, problem
	}
	var ids map[string]int64
	if err := decodeJSON(data, &ids); err != nil {
		return nil, err
	}
	if ids == nil {
		return nil, errors.New("is null")
	}
	tokens, entries = tokens[:0], len(ids)
	clear(tokens[:cap(tokens)])
	for _, token := range slices.Sorted(maps.Keys(ids)) {
		if !put(token, ids[token]) {
			return nil, problem
		}
	}
	return tokens, nil
}

// decodeWeights decodes a model.vocab of Unigram: pairs of token and score.
func decodeWeights(data []byte) ([]string, []float64, error) {
	var tokens []string
	var weights []float64
	s := jsonScanner{data: string(data)}
	ok := s.array(func() bool {
		if !s.next('[') {
			return false
		}
		token, ok := s.text()
		if !ok || token == "" || !s.next(',') {
			return false
		}
		s.peek()
		start := s.at
		if !s.skip() {
			return false
		}
		var score json.Number
		if json.Unmarshal([]byte(s.data[start:s.at]), &score) != nil || score == "" {
			return false
		}
		tokens, weights = append(tokens, token), append(weights, parseScore(string(score)))
		return s.next(']')
	})
	if ok && s.peek() == 0 {
		return tokens, weights, nil
	}
	var any json.RawMessage
	if err := decodeJSON(data, &any); err != nil {
		return nil, nil, err
	}
	return nil, nil, fmt.Errorf("entry %d is no pair of a token and a score", len(tokens))
}

// decodeMergePairs decodes the model.merges of BPE, which are strings of two
// tokens and a space, or lists of two.
func decodeMergePairs(data []byte, t *pieceTable) ([]listedMerge, error) {
	s := jsonScanner{data: string(data)}
	texts := make([][2]string, 0, len(data)/averageEntry)
	ok := s.array(func() bool {
		if s.peek() == '"' {
			both, ok := s.text()
			left, right, cut := strings.Cut(both, " ")
			texts = append(texts, [2]string{left, right})
			return ok && cut
		}
		if !s.next('[') {
			return false
		}
		left, ok := s.text()
		if !ok || !s.next(',') {
			return false
		}
		right, ok := s.text()
		texts = append(texts, [2]string{left, right})
		return ok && s.next(']')
	})
	if ok && s.peek() == 0 {
		return t.lookUp(texts)
	}
	var any json.RawMessage
	if err := decodeJSON(data, &any); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("merge %d is no pair of tokens", max(0, len(texts)-1))
}

// lookUp returns the merges of pairs of tokens. Most of its time it waits for
// memory, so all cores do.
func (t *pieceTable) lookUp(texts [][2]string) ([]listedMerge, error) {
	merges := make([]listedMerge, len(texts))
	wrong := atomic.Int64{}
	wrong.Store(int64(len(texts)))
	var workers sync.WaitGroup
	part := len(texts)/runtime.GOMAXPROCS(0) + 1
	for first := 0; first < len(texts); first += part {
		workers.Go(func() {
			for i := first; i < min(first+part, len(texts)); i++ {
				left, right := texts[i][0], texts[i][1]
				l, r := hashOf(left), hashOf(right)
				m := listedMerge{mergePair{find(t, l, left), find(t, r, right)}, t.pair(l.then(r), left, right)}
				merges[i] = m
				if m.left < 0 || m.right < 0 || m.id < 0 {
					for old := wrong.Load(); int64(i) < old && !wrong.CompareAndSwap(old, int64(i)); {
						old = wrong.Load()
					}
					return
				}
			}
		})
	}
	workers.Wait()
	if i := wrong.Load(); i < int64(len(texts)) {
		return nil, fmt.Errorf("merge %d is of %q and %q, which are not tokens or spell none", i, texts[i][0], texts[i][1])
	}
	return merges, nil
}
