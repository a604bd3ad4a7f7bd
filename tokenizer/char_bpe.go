package tokenizer

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"
)

// A charBPE is BPE of characters, as the models of SentencePiece have it: text
// becomes one token for each character, or for each of its bytes where there is
// none, and neighbors merge until none do.
//
// Texts are long where a tokenizer does not cut them into words. They are cut
// here, where it makes no difference: between characters that are neighbors in no
// token, which no merge can bring together.
type charBPE struct {
	pieces       *pieceTable
	order        mergeOrder
	neighbors    *neighborSet // nil: cutting would make a difference
	ascii        [utf8.RuneSelf]int32
	bytes        [256]int32 // tokens of bytes; nil values are negative
	byteHashes   [256]pieceHash
	byteFallback bool
	allBytes     bool // every character can be written in bytes
	unknown      int32
	unknownHash  pieceHash
	fuseUnknown  bool
	ignoreMerges bool // a word that is a token stays one

	states sync.Pool // of *bpeState
}

// A bpeState is what one call of append needs.
type bpeState struct {
	merger merger
	cache  idCache
}

// bpeOptions are the settings of a charBPE besides its tokens and merges.
type bpeOptions struct {
	unknown      int32 // negative: what has no token vanishes
	fuseUnknown  bool  // unknown characters side by side are one token
	byteFallback bool
	ignoreMerges bool
}

// byteToken returns the token of the byte b.
func byteToken(b byte) string { return fmt.Sprintf("<0x%02X>", b) }

const byteTokenLen = len("<0x00>")

// isByteToken reports whether s begins with the token of a byte.
func isByteToken(s string) bool {
	hex := func(b byte) bool { return '0' <= b && b <= '9' || 'A' <= b && b <= 'F' }
	return len(s) >= byteTokenLen && s[:3] == "<0x" && hex(s[3]) && hex(s[4]) && s[5] == '>'
}

// newCharBPE returns the model of the tokens in p.
func newCharBPE(p *pieceTable, order mergeOrder, o bpeOptions) *charBPE {
	m := &charBPE{
		pieces: p, order: order,
		unknown: o.unknown, fuseUnknown: o.fuseUnknown, byteFallback: o.byteFallback, ignoreMerges: o.ignoreMerges,
		allBytes: o.byteFallback,
	}
	m.states.New = func() any { return new(bpeState) }
	for b := range m.ascii {
		s := string(rune(b))
		m.ascii[b] = find(p, hashOf(s), s)
	}
	for b := range m.bytes {
		s := byteToken(byte(b))
		m.byteHashes[b] = hashOf(s)
		m.bytes[b] = find(p, m.byteHashes[b], s)
		if m.bytes[b] < 0 {
			m.allBytes = false
		}
	}
	if o.unknown >= 0 {
		m.unknownHash = hashOf(p.tokens[o.unknown])
	}
	m.findNeighbors()
	return m
}

// findNeighbors sets m.neighbors unless merges can reach beyond characters:
// where the token of a byte or of what is unknown is a part of another token, or
// where unknown characters vanish and leave others side by side.
func (m *charBPE) findNeighbors() {
	if !m.allBytes && m.unknown < 0 {
		return
	}
	unknown := "\x00"
	if m.unknown >= 0 {
		unknown = m.pieces.tokens[m.unknown]
	}
	used := 0
	for _, s := range m.pieces.slots {
		if s.id != 0 {
			used++
		}
	}
	set := newNeighborSet(used)
	for _, s := range m.pieces.slots {
		if s.id == 0 {
			continue
		}
		token := m.pieces.tokens[s.id-1]
		if n := len(token); n > byteTokenLen && (isByteToken(token) || isByteToken(token[n-byteTokenLen:])) {
			return
		}
		if token != unknown && (strings.HasPrefix(token, unknown) || strings.HasSuffix(token, unknown)) {
			return
		}
		set.add(token)
	}
	m.neighbors = set
}

// cut reports whether text can be cut between a and b, which are side by side.
func (m *charBPE) cut(a, b rune) bool {
	if m.neighbors.has(a, b) {
		return false
	}
	// What is unknown on both sides is one token or stands in an order of its own.
	return m.allBytes || m.known(a) || m.known(b)
}

func (m *charBPE) known(r rune) bool {
	if r < utf8.RuneSelf {
		return m.ascii[r] >= 0
	}
	var buf [utf8.UTFMax]byte
	s := utf8.AppendRune(buf[:0], r)
	return find(m.pieces, hashOf(s), s) >= 0
}

func (m *charBPE) append(dst []int32, text []byte) []int32 {
	if m.ignoreMerges {
		if id := find(m.pieces, hashOf(text), text); id >= 0 {
			return append(dst, id)
		}
	}
	s := m.states.Get().(*bpeState)
	if m.neighbors == nil {
		dst = m.appendPart(dst, text, s)
		m.states.Put(s)
		return dst
	}
	start, last := 0, rune(-1)
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[i:])
		}
		if i > start && m.cut(last, r) {
			dst = m.appendPart(dst, text[start:i], s)
			start = i
		}
		last = r
		i += size
	}
	if start < len(text) {
		dst = m.appendPart(dst, text[start:], s)
	}
	m.states.Put(s)
	return dst
}

// appendPart appends the ids of a text that is not cut.
func (m *charBPE) appendPart(dst []int32, text []byte, s *bpeState) []int32 {
	if len(text) == 1 && m.ascii[text[0]] >= 0 {
		return append(dst, m.ascii[text[0]])
	}
	if len(text) > cacheMaxBytes {
		return m.appendMerged(dst, text, s)
	}
	h := cacheHash(text)
	dst, ok := s.cache.get(dst, text, h)
	if ok {
		return dst
	}
	begin := len(dst)
	dst = m.appendMerged(dst, text, s)
	s.cache.put(text, h, dst[begin:])
	return dst
}

// appendMerged appends the ids of text.
func (m *charBPE) appendMerged(dst []int32, text []byte, s *bpeState) []int32 {
	unknown := 0 // tokens that are due: they come before the next known one
	flush := func() {
		for ; unknown > 0; unknown-- {
			s.merger.add(m.unknown, m.unknownHash)
		}
	}
	for i := 0; i < len(text); {
		size := 1
		if text[i] >= utf8.RuneSelf {
			_, size = utf8.DecodeRune(text[i:])
		}
		char := text[i : i+size]
		i += size
		h := hashOf(char)
		id := int32(-1)
		if size == 1 {
			id = m.ascii[char[0]&0x7F]
		} else {
			id = find(m.pieces, h, char)
		}
		switch {
		case id >= 0:
			flush()
			s.merger.add(id, h)
		case m.byteFallback && m.spelt(char):
			for _, b := range char {
				s.merger.add(m.bytes[b], m.byteHashes[b])
			}
		case m.unknown >= 0:
			if unknown > 0 && !m.fuseUnknown {
				flush()
			}
			unknown = 1
		}
	}
	flush()
	return s.merger.run(dst, m.order)
}

// spelt reports whether char can be written in tokens of bytes.
func (m *charBPE) spelt(char []byte) bool {
	for _, b := range char {
		if m.bytes[b] < 0 {
			return false
		}
	}
	return true
}
