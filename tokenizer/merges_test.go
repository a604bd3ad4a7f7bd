package tokenizer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// testPieces returns a table of all tokens.
func testPieces(tokens ...string) *pieceTable {
	t := newPieceTable(tokens, len(tokens))
	for i := range tokens {
		t.add(int32(i))
	}
	return t
}

// Of merges with equal scores, the rules take different ones first.
func TestScoreOrderRules(t *testing.T) {
	p := testPieces("a", "aa", "aaa", "b", "ab", "aab", "<unk>")
	for rule, want := range map[string]string{
		// "aaa" of aa+a, not of a+aa.
		longestLeft: "[{0 0} {1 0} {0 1} {1 3} {0 4} {0 3}]",
		lowestIDs:   "[{0 0} {0 1} {1 0} {0 4} {1 3} {0 3}]",
	} {
		scores := []float32{0, -1, -2, 0, -4, -3, 0}
		o, err := newScoreOrder(p, scores, rule)
		if err != nil {
			t.Fatal(err)
		}
		var merges []listedMerge
		o.merges(func(l, r, id int32) bool {
			merges = append(merges, listedMerge{mergePair{l, r}, id})
			return true
		})
		slices.SortFunc(merges, func(a, b listedMerge) int {
			place := func(m listedMerge) uint64 { return o.place(m.left, m.id, p.tokens[m.left], p.tokens[m.right]) }
			if place(a) < place(b) {
				return -1
			}
			return 1
		})
		var pairs []mergePair
		for _, m := range merges {
			pairs = append(pairs, m.mergePair)
		}
		if got := fmt.Sprint(pairs); got != want {
			t.Errorf("%s: %s, want %s", rule, got, want)
		}
		if !o.is(merges) {
			t.Errorf("%s: the order is not its own", rule)
		}
		if o.is(merges[1:]) || o.is(append([]listedMerge{merges[1], merges[0]}, merges[2:]...)) {
			t.Errorf("%s: the order is that of other merges", rule)
		}
	}
	if _, err := newScoreOrder(p, make([]float32, maxPieces+1), longestLeft); err == nil {
		t.Error("no error for too many tokens")
	}
}

// slowBPE merges as the definition says, without cutting text and without a queue.
func slowBPE(m *charBPE, text string) []int32 {
	var s []mergeSymbol
	for _, r := range text {
		token := string(r)
		if id := find(m.pieces, hashOf(token), token); id >= 0 {
			s = append(s, mergeSymbol{id: id, hash: hashOf(token)})
			continue
		}
		for _, b := range []byte(token) {
			s = append(s, mergeSymbol{id: m.bytes[b], hash: m.byteHashes[b]})
		}
	}
	for {
		best, place, merged := -1, uint64(noMerge), int32(0)
		for i := 0; i+1 < len(s); i++ {
			if id, p := m.order.merge(&s[i], &s[i+1]); p < place {
				best, place, merged = i, p, id
			}
		}
		if best < 0 {
			break
		}
		s[best] = mergeSymbol{id: merged, hash: s[best].hash.then(s[best+1].hash)}
		s = slices.Delete(s, best+1, best+2)
	}
	var ids []int32
	for i := range s {
		ids = append(ids, s[i].id)
	}
	return ids
}

// randomBPE returns a model of random tokens.
func randomBPE(t testing.TB, rnd *rand.Rand, listed bool) *charBPE {
	t.Helper()
	letters := []rune("abcé中▁ \U0001F600")
	tokens := []string{"<unk>"}
	for b := range 256 {
		tokens = append(tokens, byteToken(byte(b)))
	}
	for _, r := range letters[:6] { // two have none
		tokens = append(tokens, string(r))
	}
	base := len(tokens)
	for len(tokens) < base+60 {
		// Two tokens, a byte of one sometimes.
		l, r := base-6+rnd.IntN(len(tokens)-base+6), base-6+rnd.IntN(len(tokens)-base+6)
		if rnd.IntN(40) == 0 {
			r = 1 + 0xF0
		}
		if token := tokens[l] + tokens[r]; len(token) < 30 && !slices.Contains(tokens, token) {
			tokens = append(tokens, token)
		}
	}
	p := testPieces(tokens...)
	scores := make([]float32, len(tokens))
	for i := range scores {
		scores[i] = -float32(rnd.IntN(30))
	}
	rule := []string{longestLeft, lowestIDs}[rnd.IntN(2)]
	order, err := newScoreOrder(p, scores, rule)
	if err != nil {
		t.Fatal(err)
	}
	m := newCharBPE(p, order, bpeOptions{byteFallback: true, fuseUnknown: true})
	if listed {
		var merges []listedMerge
		order.merges(func(l, r, id int32) bool {
			merges = append(merges, listedMerge{mergePair{l, r}, id})
			return true
		})
		rnd.Shuffle(len(merges), func(i, j int) { merges[i], merges[j] = merges[j], merges[i] })
		m.order = newListOrder(merges)
	}
	return m
}

// Cutting, caching and queuing change no ids.
func TestCharBPEIsExact(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	letters := []rune("abcé中▁ \U0001F600aab")
	cut := 0
	for round := range 60 {
		m := randomBPE(t, rnd, round%3 == 0)
		if m.neighbors != nil {
			cut++
		}
		for range 60 {
			text := make([]rune, rnd.IntN(80))
			for i := range text {
				text[i] = letters[rnd.IntN(len(letters))]
			}
			want := slowBPE(m, string(text))
			for range 2 { // the second time from the cache
				if got := m.append(nil, []byte(string(text))); !slices.Equal(got, want) {
					t.Fatalf("%q: ids %d, want %d", string(text), got, want)
				}
			}
		}
	}
	if cut == 0 || cut == 60 {
		t.Errorf("%d of 60 models cut text", cut)
	}
}

// The time for a text that nothing cuts grows with its length, not with its
// square.
func TestCharBPELong(t *testing.T) {
	tokens := []string{"<unk>"}
	for n := 1; n <= 64; n *= 2 {
		tokens = append(tokens, strings.Repeat("a", n))
	}
	p := testPieces(tokens...)
	order, err := newScoreOrder(p, make([]float32, len(tokens)), longestLeft)
	if err != nil {
		t.Fatal(err)
	}
	m := newCharBPE(p, order, bpeOptions{fuseUnknown: true})
	start := time.Now()
	const n = 1 << 20
	if ids := m.append(nil, []byte(strings.Repeat("a", n))); len(ids) != n/64 {
		t.Errorf("%d ids, want %d", len(ids), n/64)
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("a million characters took %v", d)
	}
}

// The cache gives back what was put in, also after it was full.
func TestIDCache(t *testing.T) {
	var c idCache
	for round := range 3 {
		for i := range 2 * cacheWords {
			word := fmt.Appendf(nil, "word %d", i)
			ids := []int32{int32(i), int32(round)}
			c.put(word, cacheHash(word), ids)
			if got, ok := c.get([]int32{7}, word, cacheHash(word)); !ok || !slices.Equal(got, append([]int32{7}, ids...)) {
				t.Fatalf("%s: %d %t", word, got, ok)
			}
		}
		c = idCache{}
	}
	long := []byte(strings.Repeat("x", cacheMaxBytes+1))
	c.put(long, cacheHash(long), nil)
	if _, ok := c.get(nil, long, cacheHash(long)); ok {
		t.Error("a long word is remembered")
	}
}
