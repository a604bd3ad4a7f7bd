package tokenizer

import "unicode/utf8"

// A pieceTable finds tokens by their bytes, and also the token that two tokens
// spell together, without putting their bytes side by side: its hash is a
// polynomial, so that the hash of a concatenation comes from those of its parts.
//
//	hash(s)   = Σ (s[i]+1) · hashBase^(len(s)-1-i)   modulo 2^64
//	hash(l+r) = hash(l) · hashBase^len(r) + hash(r)
//
// Equal hashes are only a hint; bytes are compared before a token is returned.
type pieceTable struct {
	tokens []string // by id
	slots  []pieceSlot
	shift  uint // 64 - log2(len(slots))
}

// A pieceSlot is an entry of a hash table with linear probing.
type pieceSlot struct {
	tag uint32 // of the hash
	id  int32  // plus one; 0 marks a free slot
}

const hashBase = 0x9E3779B97F4A7C15

// A pieceHash is the hash of some bytes and hashBase to the power of their
// number.
type pieceHash struct{ sum, pow uint64 }

func hashOf[S string | []byte](s S) pieceHash {
	h := pieceHash{pow: 1}
	for i := range len(s) {
		h.sum = h.sum*hashBase + uint64(s[i]) + 1
		h.pow *= hashBase
	}
	return h
}

// then returns the hash of bytes followed by others.
func (h pieceHash) then(o pieceHash) pieceHash {
	return pieceHash{sum: h.sum*o.pow + o.sum, pow: h.pow * o.pow}
}

// without returns the hash of what is left of bytes that begin with others of
// hash first; pow is hashBase to the power of the number of bytes left.
func (h pieceHash) without(first pieceHash, pow uint64) pieceHash {
	return pieceHash{sum: h.sum - first.sum*pow, pow: pow}
}

// newPieceTable returns a table for tokens, with room for n of them.
func newPieceTable(tokens []string, n int) *pieceTable {
	log2 := uint(4)
	for 1<<log2 < 2*n {
		log2++
	}
	return &pieceTable{tokens: tokens, slots: make([]pieceSlot, 1<<log2), shift: 64 - log2}
}

// place spreads a sum over the table: the low bits of a polynomial know only the
// last bytes.
func (t *pieceTable) place(sum uint64) (slot uint64, tag uint32) {
	mixed := (sum ^ sum>>29) * 0xBF58476D1CE4E5B9
	return mixed >> t.shift, uint32(mixed)
}

// add makes the token id one that is found. There must be room, and no other of
// the same bytes.
func (t *pieceTable) add(id int32) {
	i, tag := t.place(hashOf(t.tokens[id]).sum)
	for t.slots[i].id != 0 {
		i = (i + 1) & uint64(len(t.slots)-1)
	}
	t.slots[i] = pieceSlot{tag: tag, id: id + 1}
}

// find returns the token of the bytes s, whose hash is h, or a negative id.
func find[S string | []byte](t *pieceTable, h pieceHash, s S) int32 {
	i, tag := t.place(h.sum)
	for ; t.slots[i].id != 0; i = (i + 1) & uint64(len(t.slots)-1) {
		if e := t.slots[i]; e.tag == tag && t.tokens[e.id-1] == string(s) {
			return e.id - 1
		}
	}
	return -1
}

// pair returns the token that l and r spell together, h being the hash of both,
// or a negative id.
func (t *pieceTable) pair(h pieceHash, l, r string) int32 {
	i, tag := t.place(h.sum)
	for ; t.slots[i].id != 0; i = (i + 1) & uint64(len(t.slots)-1) {
		if e := t.slots[i]; e.tag == tag {
			if s := t.tokens[e.id-1]; len(s) == len(l)+len(r) && s[:len(l)] == l && s[len(l):] == r {
				return e.id - 1
			}
		}
	}
	return -1
}

// A neighborSet holds pairs of runes that stand side by side in tokens. It is
// exact for pairs of ASCII and may contain others that do not.
type neighborSet struct {
	ascii  [utf8.RuneSelf * utf8.RuneSelf / 64]uint64
	others []uint64 // a bitmap by hash
	shift  uint
}

// newNeighborSet returns a set for the pairs in n tokens.
func newNeighborSet(n int) *neighborSet {
	log2 := uint(10)
	for log2 < 24 && 1<<log2 < 16*n {
		log2++
	}
	return &neighborSet{others: make([]uint64, 1<<log2/64), shift: 64 - log2}
}

func (s *neighborSet) bit(a, b rune) (*uint64, uint64) {
	if a < utf8.RuneSelf && b < utf8.RuneSelf {
		i := a*utf8.RuneSelf + b
		return &s.ascii[i/64], 1 << (i % 64)
	}
	i := (uint64(a)<<21 | uint64(b)) * hashBase >> s.shift
	return &s.others[i/64], 1 << (i % 64)
}

// add puts the pairs of neighbors in token into s.
func (s *neighborSet) add(token string) {
	last := rune(-1)
	for _, r := range token {
		if last >= 0 {
			word, bit := s.bit(last, r)
			*word |= bit
		}
		last = r
	}
}

// has reports whether a may stand before b in a token.
func (s *neighborSet) has(a, b rune) bool {
	word, bit := s.bit(a, b)
	return *word&bit != 0
}
