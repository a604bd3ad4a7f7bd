package tokenizer

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"github.com/gguftool/gguftool/internal/fault"
)

// A charsmap is the normalizer that SentencePiece compiles its rules into. It is
// one byte string:
//
//	u32 n      the length of the trie in bytes, little-endian
//	n bytes    a double-array trie: u32 units, little-endian
//	the rest   what is written instead, strings that end in a 0 byte
//
// A unit of the trie (Darts-clone) is the place of a state or the value of a key:
//
//	31      8 9 10            31
//	leaf bit ...  offset
//
//	bits 0-7, 31   the label: the byte that leads here; bit 31 marks a value
//	bit 8          a key ends here; its value is the unit at the offset
//	bit 9          the offset is in units of 256
//	bits 10-30     the offset, which is combined with the place by XOR
//
// A value is where the replacement begins in the strings.
type charsmap struct {
	trie      []uint32
	strings   []byte
	graphemes *graphemeCutter
	ascii     [utf8.RuneSelf][]byte // what becomes of ASCII characters
	carriage  []byte                // and of "\r\n"
}

// partCharsmap is what errors about a charsmap are about.
const partCharsmap = "precompiled_charsmap"

// newCharsmap decodes a charsmap.
func newCharsmap(data []byte) (*charsmap, error) {
	if len(data) < 4 {
		return nil, fault.Malformed("", partCharsmap, "has %d bytes, too few for the length of its trie", len(data))
	}
	n := binary.LittleEndian.Uint32(data)
	data = data[4:]
	if n%4 != 0 || n == 0 || uint64(n) > uint64(len(data)) {
		return nil, fault.Malformed("", partCharsmap, "says that its trie has %d bytes, but has %d", n, len(data))
	}
	c := &charsmap{trie: make([]uint32, n/4), strings: data[n:], graphemes: newGraphemeCutter()}
	for i := range c.trie {
		c.trie[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	if !utf8.Valid(c.strings) {
		return nil, fault.Malformed("", partCharsmap, "has replacements that are not UTF-8")
	}
	for b := range c.ascii {
		char := []byte{byte(b)}
		c.ascii[b] = char
		if s, ok := c.replacement(char); ok {
			c.ascii[b] = s
		}
	}
	c.carriage = append(c.carriage, c.ascii['\r']...)
	if s, ok := c.replacement([]byte("\r\n")); ok {
		c.carriage = s
	} else {
		c.carriage = append(c.carriage, c.ascii['\n']...)
	}
	return c, nil
}

// maxReplacement is the length in bytes from which replacements are ignored, lest
// a short text become a huge one. The longest in published models has 33.
const maxReplacement = 1 << 10

// replacement returns what is written for the shortest key that text begins
// with.
func (c *charsmap) replacement(text []byte) ([]byte, bool) {
	at := uint32(0)
	offset := func() uint32 {
		unit := c.trie[at]
		return unit >> 10 << (unit & (1 << 9) >> 6)
	}
	at = offset()
	for _, b := range text {
		if b == 0 {
			break
		}
		at ^= uint32(b)
		if int64(at) >= int64(len(c.trie)) {
			break
		}
		unit := c.trie[at]
		if unit&(1<<31|0xFF) != uint32(b) {
			break
		}
		at ^= offset()
		if int64(at) >= int64(len(c.trie)) {
			break
		}
		if unit&(1<<8) != 0 {
			start := c.trie[at] &^ (1 << 31)
			if int64(start) > int64(len(c.strings)) {
				break
			}
			s := c.strings[start:]
			end := bytes.IndexByte(s[:min(len(s), maxReplacement)], 0)
			switch {
			case end >= 0:
				s = s[:end]
			case len(s) > maxReplacement:
				return nil, false
			}
			return s, true
		}
	}
	return nil, false
}

// longGrapheme is the length in bytes from which graphemes are looked up
// character by character. A shorter one is looked up as a whole: its first
// character decides if that has a replacement, as it is in the library.
const longGrapheme = 6

func (c *charsmap) append(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		b := text[i]
		if b < utf8.RuneSelf {
			if i+1 == len(text) || text[i+1] < utf8.RuneSelf {
				if b == '\r' && i+1 < len(text) && text[i+1] == '\n' {
					dst = append(dst, c.carriage...)
					i += 2
					continue
				}
				dst = append(dst, c.ascii[b]...)
				i++
				continue
			}
		}
		grapheme := text[i : i+c.graphemes.next(text[i:])]
		i += len(grapheme)
		if len(grapheme) < longGrapheme {
			if s, ok := c.replacement(grapheme); ok {
				dst = append(dst, s...)
				continue
			}
		}
		for len(grapheme) > 0 {
			_, size := utf8.DecodeRune(grapheme)
			if s, ok := c.replacement(grapheme[:size]); ok {
				dst = append(dst, s...)
			} else {
				dst = append(dst, grapheme[:size]...)
			}
			grapheme = grapheme[size:]
		}
	}
	return dst
}
