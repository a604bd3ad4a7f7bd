package tokenizer

import (
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// newNormalizer makes the normalizer of a BPE of bytes; nil stands for none.
func newNormalizer(part *hfPart) (normalizer, error) {
	var n normalizer
	for _, p := range part.sequence() {
		if p.Type != "NFC" {
			return nil, fmt.Errorf("the type is %q, where NFC and none are supported", p.Type)
		}
		n = nfc{}
	}
	return n, nil
}

// nfc is normalization form C with the data of the library (Unicode 10): what is
// newer than that neither moves nor combines.
type nfc struct{}

func (nfc) append(dst []byte, text string) []byte {
	for len(text) > 0 {
		// What is normalized for newer data is so for older data.
		n := norm.NFC.QuickSpanString(text)
		if n == len(text) {
			break
		}
		// The last starter before the end of that can combine with what follows.
		n = lastStarter(text[:n])
		dst = append(dst, text[:n]...)
		text = text[n:]
		n = nextStarter(text)
		dst = appendNFC(dst, text[:n])
		text = text[n:]
	}
	return append(dst, text...)
}

// lastStarter returns where the last rune of text begins with which combining
// starts anew, or 0.
func lastStarter(text string) int {
	for i := len(text); i > 0; {
		r, size := utf8.DecodeLastRuneInString(text[:i])
		i -= size
		if beginsNFC(r) {
			return i
		}
	}
	return 0
}

// nextStarter returns where the second such rune of text begins, or its end.
func nextStarter(text string) int {
	for i, r := range text {
		if i > 0 && beginsNFC(r) {
			return i
		}
	}
	return len(text)
}

// beginsNFC reports whether no rune before r changes with r.
func beginsNFC(r rune) bool {
	if r < utf8.RuneSelf {
		return true
	}
	return nfcBoundary(r) && !inRanges(nonstarterRunes, r)
}

func nfcBoundary(r rune) bool {
	var buf [utf8.UTFMax]byte
	p := norm.NFC.Properties(utf8.AppendRune(buf[:0], r))
	return p.BoundaryBefore() || p.CCC() != 0
}

func inRanges(ranges []runeRange, r rune) bool {
	lo, hi := 0, len(ranges)
	for lo < hi {
		mid := (lo + hi) / 2
		if ranges[mid].hi < r {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(ranges) && ranges[lo].lo <= r
}

// appendNFC appends text in normalization form C: decomposed, its marks sorted,
// composed.
func appendNFC(dst []byte, text string) []byte {
	var runes []rune
	for _, r := range text {
		runes = appendDecomposed(runes, r)
	}
	for i := 0; i < len(runes); {
		end := i
		for end < len(runes) && canonicalClass(runes[end]) != 0 {
			end++
		}
		if end > i+1 {
			slices.SortStableFunc(runes[i:end], func(a, b rune) int { return int(canonicalClass(a)) - int(canonicalClass(b)) })
		}
		i = end + 1
	}
	starter, last := -1, uint8(0) // the class of the rune before, of those that are left
	out := runes[:0]
	for _, r := range runes {
		ccc := canonicalClass(r)
		if starter >= 0 && (len(out) == starter+1 || last != 0 && last < ccc) {
			if c := composed(out[starter], r); c >= 0 {
				out[starter] = c
				continue
			}
		}
		out = append(out, r)
		if last = ccc; ccc == 0 {
			starter = len(out) - 1
		}
	}
	for _, r := range out {
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// appendDecomposed appends the canonical decomposition of r.
func appendDecomposed(dst []rune, r rune) []rune {
	if hangulFirst <= r && r <= hangulLast {
		s := r - hangulFirst
		dst = append(dst, leadFirst+s/(vowels*trails), vowelFirst+s/trails%vowels)
		if t := s % trails; t > 0 {
			dst = append(dst, trailFirst+t)
		}
		return dst
	}
	if r >= utf8.RuneSelf && !inRanges(undecomposedRunes, r) {
		var buf [utf8.UTFMax]byte
		if d := norm.NFC.Properties(utf8.AppendRune(buf[:0], r)).Decomposition(); d != nil {
			return append(dst, []rune(string(d))...)
		}
	}
	return append(dst, r)
}

// canonicalClass returns the canonical combining class of r.
func canonicalClass(r rune) uint8 {
	if r < 0x300 || !inRanges(nonstarterRunes, r) {
		return 0
	}
	var buf [utf8.UTFMax]byte
	return norm.NFC.Properties(utf8.AppendRune(buf[:0], r)).CCC()
}

// composed returns the rune that a and b make up, or -1.
func composed(a, b rune) rune {
	if lead, vowel := a-leadFirst, b-vowelFirst; 0 <= lead && lead < (hangulLast-hangulFirst+1)/(vowels*trails) && 0 <= vowel && vowel < vowels {
		return hangulFirst + (lead*vowels+vowel)*trails
	}
	if s, t := a-hangulFirst, b-trailFirst; 0 <= s && a <= hangulLast && s%trails == 0 && 0 < t && t < trails {
		return a + t
	}
	if c, ok := compositions()[[2]rune{a, b}]; ok {
		return c
	}
	return -1
}

// compositions returns the runes that others make up, which are made out of
// their decompositions once.
var compositions = sync.OnceValue(func() map[[2]rune]rune {
	pairs := make(map[[2]rune]rune)
	const lastComposed = 0x1D1C0 // the musical symbols, which are the last with decompositions that are not ideographs
	for r := rune(0xC0); r < lastComposed; r++ {
		if hangulFirst <= r && r <= hangulLast || inRanges(undecomposedRunes, r) {
			continue
		}
		var buf [utf8.UTFMax]byte
		p := norm.NFC.Properties(utf8.AppendRune(buf[:0], r))
		d := []rune(string(p.Decomposition()))
		if len(d) < 2 || norm.NFC.String(string(r)) != string(r) {
			continue // composed of nothing, or excluded from composition
		}
		first := []rune(norm.NFC.String(string(d[:len(d)-1])))
		if len(first) == 1 {
			pairs[[2]rune{first[0], d[len(d)-1]}] = r
		}
	}
	return pairs
})
