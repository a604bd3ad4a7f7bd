package tokenizer

import (
	"cmp"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/gguftool/gguftool/internal/fault"
)

// A mergeOrder says which pair of neighbors becomes one token first. The lowest
// value does; of equal ones, the first in the text.
type mergeOrder interface {
	// merge returns the token that l and r become and the place of this merge in
	// the order, or noMerge.
	merge(l, r *mergeSymbol) (id int32, place uint64)
}

const noMerge = math.MaxUint64

// Ways to order the merges of a vocabulary with scores, in which every two tokens
// merge that spell a third. Tokens of higher scores come first. What counts then
// has changed in Hugging Face's transformers, which makes tokenizer.json out of
// the models of SentencePiece; their values are stored in GGUF files.
const (
	// longestLeft: the longer left part, then the longer right part, then the
	// lower id of the result. Since 2024.
	longestLeft = "longest-left"
	// lowestIDs: the lower id of the result, then of the left part.
	lowestIDs = "lowest-ids"
)

// A scoreOrder is the order of merges that scores imply.
type scoreOrder struct {
	pieces *pieceTable
	rule   string
	rank   []uint32 // by id, the better the lower; equal for equal scores if the rule is longestLeft
}

const (
	maxRankBits  = 21                 // of ids and ranks
	maxPieces    = 1 << maxRankBits   // of a vocabulary
	maxPartRunes = 1<<10 - 1          // that count
	leftShift    = maxRankBits + 10   // of places: rank, runes left, runes right, id
	rankShift    = maxRankBits + 2*10 // 62 bits in all
)

// newScoreOrder returns the order of merges of the tokens in p that scores imply
// by rule.
func newScoreOrder(p *pieceTable, scores []float32, rule string) (*scoreOrder, error) {
	if len(scores) > maxPieces {
		return nil, fault.Unsupported("", "", "", "the vocabulary has %d tokens, more than the %d that this kind of tokenizer may have", len(scores), maxPieces)
	}
	ids := make([]int32, len(scores))
	for i := range ids {
		ids[i] = int32(i)
	}
	// A score that is no number is lower than all others.
	slices.SortStableFunc(ids, func(a, b int32) int { return cmp.Compare(scores[b], scores[a]) })
	o := &scoreOrder{pieces: p, rule: rule, rank: make([]uint32, len(scores))}
	rank := uint32(0)
	for i, id := range ids {
		if i > 0 && (rule == lowestIDs || cmp.Compare(scores[id], scores[ids[i-1]]) != 0) {
			rank++
		}
		o.rank[id] = rank
	}
	return o, nil
}

func (o *scoreOrder) merge(l, r *mergeSymbol) (int32, uint64) {
	left, right := o.pieces.tokens[l.id], o.pieces.tokens[r.id]
	id := o.pieces.pair(l.hash.then(r.hash), left, right)
	if id < 0 {
		return -1, noMerge
	}
	return id, o.place(l.id, id, left, right)
}

func (o *scoreOrder) place(l, id int32, left, right string) uint64 {
	if o.rule == lowestIDs {
		return uint64(o.rank[id])<<maxRankBits | uint64(l)
	}
	shorter := func(s string) uint64 { return uint64(maxPartRunes - min(maxPartRunes, utf8.RuneCountInString(s))) }
	return uint64(o.rank[id])<<rankShift | shorter(left)<<leftShift | shorter(right)<<maxRankBits | uint64(id)
}

// merges calls yield for each merge of o until it returns false.
func (o *scoreOrder) merges(yield func(l, r, id int32) bool) {
	var prefixes []pieceHash // of the first i bytes
	for _, s := range o.pieces.slots {
		if s.id == 0 {
			continue
		}
		id := s.id - 1
		token := o.pieces.tokens[id]
		prefixes = append(prefixes[:0], pieceHash{pow: 1})
		for i := range len(token) {
			prefixes = append(prefixes, prefixes[i].then(hashOf(token[i:i+1])))
		}
		whole := prefixes[len(token)]
		for i := 1; i < len(token); i++ {
			if !utf8.RuneStart(token[i]) {
				continue
			}
			l := find(o.pieces, prefixes[i], token[:i])
			if l < 0 {
				continue
			}
			r := find(o.pieces, whole.without(prefixes[i], prefixes[len(token)-i].pow), token[i:])
			if r >= 0 && !yield(l, r, id) {
				return
			}
		}
	}
}

// is reports whether o has the merges of list and no others, in the order of
// list.
func (o *scoreOrder) is(list []listedMerge) bool {
	same := make(chan bool)
	go func() {
		n := 0
		o.merges(func(_, _, _ int32) bool { n++; return n <= len(list) })
		same <- n == len(list)
	}()
	last, ordered := uint64(0), true
	for i, m := range list {
		place := o.place(m.left, m.id, o.pieces.tokens[m.left], o.pieces.tokens[m.right])
		if ordered = i == 0 || place > last; !ordered {
			break
		}
		last = place
	}
	return <-same && ordered
}

// A mergePair is two tokens that become one.
type mergePair struct{ left, right int32 }

// A listedMerge is a pair and the token that it becomes.
type listedMerge struct {
	mergePair
	id int32
}

// A listOrder is a list of merges.
type listOrder struct {
	slots []listSlot // a hash table with linear probing
	shift uint       // 64 - log2(len(slots))
}

type listSlot struct {
	pair  mergePair
	id    int32 // plus one; 0 marks a free slot
	place uint32
}

// partMerges is what errors about a list of merges are about.
const partMerges = "merges"

// newListOrder returns the order of list. The last place of a pair counts.
func newListOrder(list []listedMerge) *listOrder {
	log2 := uint(4)
	for 1<<log2 < 2*len(list) {
		log2++
	}
	o := &listOrder{slots: make([]listSlot, 1<<log2), shift: 64 - log2}
	for i, m := range list {
		*o.find(m.mergePair) = listSlot{pair: m.mergePair, id: m.id + 1, place: uint32(i)}
	}
	return o
}

// listed returns the merge of two tokens.
func (t *pieceTable) listed(m mergePair) (listedMerge, error) {
	left, right := t.tokens[m.left], t.tokens[m.right]
	id := t.pair(hashOf(left).then(hashOf(right)), left, right)
	if id < 0 {
		return listedMerge{}, fault.Malformed("", partMerges, "%q and %q are merged, which spell no token", left, right)
	}
	return listedMerge{m, id}, nil
}

func (o *listOrder) find(m mergePair) *listSlot {
	i := (uint64(uint32(m.left))<<32 | uint64(uint32(m.right))) * hashBase
	i = (i ^ i>>32) * hashBase >> o.shift
	for o.slots[i].id != 0 && o.slots[i].pair != m {
		i = (i + 1) & uint64(len(o.slots)-1)
	}
	return &o.slots[i]
}

func (o *listOrder) merge(l, r *mergeSymbol) (int32, uint64) {
	if s := o.find(mergePair{l.id, r.id}); s.id != 0 {
		return s.id - 1, uint64(s.place)
	}
	return -1, noMerge
}

// A mergeSymbol is a token of a text that is being merged.
type mergeSymbol struct {
	id         int32
	prev, next int32     // neighbors, or -1
	hash       pieceHash // of the token
	place      uint64    // of the merge with the next symbol, noMerge if there is none
	merged     int32     // what this merge gives
}

// A merger holds the symbols of a text while they are merged.
type merger struct {
	symbols []mergeSymbol
	queue   []waiting
}

// A waiting merge is that of a symbol with the next.
type waiting struct {
	place uint64
	at    int32
}

func (w waiting) before(o waiting) bool {
	return w.place < o.place || w.place == o.place && w.at < o.at
}

// add appends a token to the text.
func (m *merger) add(id int32, h pieceHash) {
	n := int32(len(m.symbols))
	m.symbols = append(m.symbols, mergeSymbol{id: id, prev: n - 1, next: n + 1, hash: h})
}

// maxScanned is the number of symbols up to which looking at all of them for the
// next merge is faster than a queue.
const maxScanned = 24

// run merges the symbols, appends what they become to dst, and forgets them.
func (m *merger) run(dst []int32, order mergeOrder) []int32 {
	s := m.symbols
	if len(s) == 0 {
		return dst
	}
	s[len(s)-1].next = -1
	for i := range s {
		m.look(order, int32(i))
	}
	if len(s) <= maxScanned {
		m.scan(order)
	} else {
		m.drain(order)
	}
	for i := int32(0); i >= 0; i = s[i].next {
		dst = append(dst, s[i].id)
	}
	m.symbols = s[:0]
	return dst
}

// look finds the merge of the symbol at i with the next.
func (m *merger) look(order mergeOrder, i int32) {
	s := &m.symbols[i]
	if s.next < 0 {
		s.place = noMerge
		return
	}
	s.merged, s.place = order.merge(s, &m.symbols[s.next])
}

// join makes one symbol of that at i and the next.
func (m *merger) join(order mergeOrder, i int32) {
	l := &m.symbols[i]
	r := &m.symbols[l.next]
	l.id, l.hash, l.next = l.merged, l.hash.then(r.hash), r.next
	r.place, r.id = noMerge, -1
	if l.next >= 0 {
		m.symbols[l.next].prev = i
	}
	m.look(order, i)
	if l.prev >= 0 {
		m.look(order, l.prev)
	}
}

// scan merges, looking at all symbols each time.
func (m *merger) scan(order mergeOrder) {
	for {
		best, place := int32(-1), uint64(noMerge)
		for i := int32(0); i >= 0; i = m.symbols[i].next {
			if p := m.symbols[i].place; p < place {
				best, place = i, p
			}
		}
		if best < 0 {
			return
		}
		m.join(order, best)
	}
}

// drain merges with a queue of the merges that are possible, a binary heap. An
// entry that is no longer possible stays in it until it is met.
func (m *merger) drain(order mergeOrder) {
	m.queue = m.queue[:0]
	for i := range m.symbols {
		if p := m.symbols[i].place; p != noMerge {
			m.queue = append(m.queue, waiting{p, int32(i)})
		}
	}
	for i := len(m.queue)/2 - 1; i >= 0; i-- {
		m.sink(i)
	}
	for len(m.queue) > 0 {
		w := m.queue[0]
		last := len(m.queue) - 1
		m.queue[0] = m.queue[last]
		m.queue = m.queue[:last]
		m.sink(0)
		if m.symbols[w.at].place != w.place {
			continue
		}
		m.join(order, w.at)
		m.wait(w.at)
		if prev := m.symbols[w.at].prev; prev >= 0 {
			m.wait(prev)
		}
	}
}

// wait puts the merge of the symbol at i into the queue.
func (m *merger) wait(i int32) {
	w := waiting{m.symbols[i].place, i}
	if w.place == noMerge {
		return
	}
	m.queue = append(m.queue, w)
	at := len(m.queue) - 1
	for at > 0 {
		up := (at - 1) / 2
		if !w.before(m.queue[up]) {
			break
		}
		m.queue[at] = m.queue[up]
		at = up
	}
	m.queue[at] = w
}

// sink moves the entry at i down to where it belongs.
func (m *merger) sink(i int) {
	q := m.queue
	if i >= len(q) {
		return
	}
	w := q[i]
	for {
		down := 2*i + 1
		if down >= len(q) {
			break
		}
		if down+1 < len(q) && q[down+1].before(q[down]) {
			down++
		}
		if !q[down].before(w) {
			break
		}
		q[i] = q[down]
		i = down
	}
	q[i] = w
}
