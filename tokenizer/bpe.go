package tokenizer

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strings"
	"sync"
	"unicode/utf8"
)

// A byteBPE is the BPE of bytes of GPT-2: a word is the sequence of its bytes,
// and pairs of neighbours are merged in the order of a list until none is left
// that the list has.
type byteBPE struct {
	pre     *preTokenizer
	bytes   [256]int32 // ids of single bytes; negative: none
	merges  *mergeTable
	whole   map[string]int32 // tokens that are taken for words without merging; may be nil
	unknown int32            // stands for bytes without a token; negative: they are left out
	fuse    bool             // one unknown token stands for a row of them

	states sync.Pool // of *byteState
}

// byteAlphabet are the letters that bytes are spelt in: printable ones stand for
// themselves, others for letters from U+0100 on.
var byteAlphabet = func() (letters [256]rune) {
	next := rune(0x100)
	for b := range letters {
		if '!' <= b && b <= '~' || 0xA1 <= b && b <= 0xAC || 0xAE <= b {
			letters[b] = rune(b)
		} else {
			letters[b] = next
			next++
		}
	}
	return letters
}()

// letterBytes is the inverse of byteAlphabet; negative where there is none.
var letterBytes = func() (bytes [0x144]int16) {
	for i := range bytes {
		bytes[i] = -1
	}
	for b, r := range byteAlphabet {
		bytes[r] = int16(b)
	}
	return bytes
}()

// appendUnspelt appends the bytes that token spells. It returns false, and dst as
// it was, for a token that is not spelt in byteAlphabet.
func appendUnspelt(dst []byte, token string) ([]byte, bool) {
	begin := len(dst)
	for _, r := range token {
		if int(r) >= len(letterBytes) || letterBytes[r] < 0 {
			return dst[:begin], false
		}
		dst = append(dst, byte(letterBytes[r]))
	}
	return dst, true
}

// A mergeTable says which pairs of tokens are merged, in which order, to what:
// a hash table with linear probing.
type mergeTable struct {
	pairs []uint64 // left id<<32 | right id, plus one; 0 marks a free entry
	found []merge
	shift int // 64 - log2(len(pairs))
	rank  uint32
}

// A merge is what becomes of a pair.
type merge struct {
	rank uint32 // of lower ones first
	id   int32
}

var unmerged = merge{rank: math.MaxUint32, id: -1}

// newMergeTable returns a table with room for n merges.
func newMergeTable(n int) *mergeTable {
	log2 := max(bits.Len(uint(n))+1, 4)
	return &mergeTable{pairs: make([]uint64, 1<<log2), found: make([]merge, 1<<log2), shift: 64 - log2}
}

func (t *mergeTable) entry(pair uint64) uint64 {
	mask := uint64(len(t.pairs) - 1)
	i := pair * 0x9E3779B97F4A7C15 >> t.shift // Fibonacci hashing
	for t.pairs[i] != pair && t.pairs[i] != 0 {
		i = (i + 1) & mask
	}
	return i
}

// add adds a merge after all others. A pair that is there already moves.
func (t *mergeTable) add(left, right, id int32) {
	pair := uint64(left)<<32 | uint64(right) + 1
	i := t.entry(pair)
	t.pairs[i], t.found[i] = pair, merge{t.rank, id}
	t.rank++
}

func (t *mergeTable) of(left, right int32) merge {
	pair := uint64(left)<<32 | uint64(right) + 1
	if i := t.entry(pair); t.pairs[i] != 0 {
		return t.found[i]
	}
	return unmerged
}

// A byteState is what one call of append needs, kept for the next.
type byteState struct {
	cache   []cacheLine
	spans   [][]span // of each stage
	valid   []byte
	spaced  []byte // a piece with a space before it
	symbols []int32
	pairs   []merge
	long    longWord
}

// A cacheLine is a word with its ids: 64 bytes, a line of a processor's cache.
// A word is in the one place that its hash says, until another one takes it.
type cacheLine struct {
	length, count uint8
	word          [30]byte
	ids           [8]int32
}

// cacheBits is log2 of the number of cached words.
const cacheBits = 14

func newByteState(stages int) *byteState {
	return &byteState{cache: make([]cacheLine, 1<<cacheBits), spans: make([][]span, stages)}
}

func (b *byteBPE) append(dst []int32, text []byte, _ bool) []int32 {
	s, _ := b.states.Get().(*byteState)
	if s == nil {
		s = newByteState(len(b.pre.stages))
	}
	if !utf8.Valid(text) {
		s.valid = appendValid(s.valid[:0], text)
		text = s.valid
	}
	dst = b.appendPiece(dst, text, 0, s)
	if cap(s.valid)+cap(s.spaced)+8*cap(s.symbols) <= maxKeptBuffer {
		b.states.Put(s)
	}
	return dst
}

// appendPiece appends the ids of a piece that a stage of the pre-tokenizer is to
// cut.
func (b *byteBPE) appendPiece(dst []int32, text []byte, stage int, s *byteState) []int32 {
	if len(text) == 0 {
		return dst
	}
	if stage == b.pre.addSpace && text[0] != ' ' {
		s.spaced = append(append(s.spaced[:0], ' '), text...)
		text = s.spaced
	}
	if stage == len(b.pre.stages) {
		return b.appendWord(dst, text, s)
	}
	spans := s.spans[stage][:0]
	if stage < b.pre.spelt {
		spans = b.pre.stages[stage].split(text, spans)
	} else {
		spans = splitSpelt(b.pre.stages[stage], text, spans)
	}
	s.spans[stage] = spans
	if stage+1 == len(b.pre.stages) && b.pre.addSpace != len(b.pre.stages) {
		for _, p := range spans {
			dst = b.appendWord(dst, text[p.start:p.end], s)
		}
		return dst
	}
	for _, p := range spans {
		dst = b.appendPiece(dst, text[p.start:p.end], stage+1, s)
	}
	return dst
}

// appendWord appends the ids of a word.
func (b *byteBPE) appendWord(dst []int32, word []byte, s *byteState) []int32 {
	if len(word) > len(cacheLine{}.word) {
		return b.appendMerged(dst, word, s)
	}
	e := &s.cache[hashWord(word)>>(64-cacheBits)]
	if int(e.length) == len(word) && string(e.word[:e.length]) == string(word) {
		return append(dst, e.ids[:e.count]...)
	}
	begin := len(dst)
	dst = b.appendMerged(dst, word, s)
	if ids := dst[begin:]; len(ids) <= len(e.ids) {
		e.length, e.count = uint8(copy(e.word[:], word)), uint8(copy(e.ids[:], ids))
	}
	return dst
}

// hashWord hashes a word of at most 32 bytes.
func hashWord(word []byte) uint64 {
	const odd1, odd2 = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93
	n := len(word)
	h := uint64(n) * odd2
	mix := func(a, b uint64) {
		hi, lo := bits.Mul64(a^odd1, b^h)
		h = hi ^ lo
	}
	le := binary.LittleEndian
	switch {
	case n > 16:
		mix(le.Uint64(word), le.Uint64(word[8:]))
		mix(le.Uint64(word[n-16:]), le.Uint64(word[n-8:]))
	case n >= 8:
		mix(le.Uint64(word), le.Uint64(word[n-8:]))
	case n >= 4:
		mix(uint64(le.Uint32(word)), uint64(le.Uint32(word[n-4:])))
	case n > 0:
		mix(uint64(word[0])<<16|uint64(word[n/2])<<8|uint64(word[n-1]), 0)
	}
	return h * odd2
}

// maxShortWord is the number of bytes up to which looking at all pairs for the
// next merge is faster than keeping a heap.
const maxShortWord = 48

// appendMerged appends the ids of a word that is not cached.
func (b *byteBPE) appendMerged(dst []int32, word []byte, s *byteState) []int32 {
	if id, ok := b.whole[string(word)]; ok {
		return append(dst, id)
	}
	symbols := s.symbols[:0]
	fusing := false
	for _, c := range word {
		id := b.bytes[c]
		if id < 0 {
			if b.unknown < 0 || fusing {
				continue
			}
			id, fusing = b.unknown, b.fuse
		} else {
			fusing = false
		}
		symbols = append(symbols, id)
	}
	s.symbols = symbols
	if len(symbols) > maxShortWord {
		return s.long.append(dst, symbols, b.merges)
	}
	return s.appendShort(dst, symbols, b.merges)
}

// appendShort appends symbols, merged.
func (s *byteState) appendShort(dst, symbols []int32, merges *mergeTable) []int32 {
	pairs := s.pairs[:0]
	for i := 1; i < len(symbols); i++ {
		pairs = append(pairs, merges.of(symbols[i-1], symbols[i]))
	}
	s.pairs = pairs
	for {
		at, best := -1, unmerged
		for i, m := range pairs {
			if m.rank < best.rank {
				at, best = i, m
			}
		}
		if at < 0 {
			return append(dst, symbols...)
		}
		// symbols[at] and the next become one, the pairs on both sides change.
		symbols[at] = best.id
		symbols = append(symbols[:at+1], symbols[at+2:]...)
		pairs = append(pairs[:at], pairs[at+1:]...)
		if at > 0 {
			pairs[at-1] = merges.of(symbols[at-1], best.id)
		}
		if at < len(pairs) {
			pairs[at] = merges.of(best.id, symbols[at+1])
		}
	}
}

// A byteLevelDecoder is the decoder ByteLevel: tokens that are spelt in
// byteAlphabet become bytes, others stay.
type byteLevelDecoder struct{}

func (byteLevelDecoder) decode(tokens []string) string {
	var text []byte
	for _, token := range tokens {
		spelt, ok := appendUnspelt(text, token)
		if text = spelt; !ok {
			text = append(text, token...)
		}
	}
	return validText(text)
}

// validText returns text with U+FFFD for what is not UTF-8: one for as many bytes
// as could begin a rune, as Unicode recommends (section 3.9) and Rust does.
func validText(text []byte) string {
	if utf8.Valid(text) {
		return string(text)
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		b.WriteRune(r)
		if r == utf8.RuneError && size == 1 {
			size = truncatedRune(text)
		}
		text = text[size:]
	}
	return b.String()
}

// truncatedRune returns how many bytes at the start of text could begin a rune,
// at least 1. They do not make up a rune.
func truncatedRune(text []byte) int {
	var lo, hi byte = 0x80, 0xBF // of the second byte
	more := 0
	switch c := text[0]; {
	case 0xE0 <= c && c <= 0xEF:
		more = 1
		switch c {
		case 0xE0:
			lo = 0xA0
		case 0xED:
			hi = 0x9F
		}
	case 0xF0 <= c && c <= 0xF4:
		more = 2
		switch c {
		case 0xF0:
			lo = 0x90
		case 0xF4:
			hi = 0x8F
		}
	}
	n := 1
	for ; n <= more && n < len(text) && lo <= text[n] && text[n] <= hi; n++ {
		lo, hi = 0x80, 0xBF
	}
	return n
}
