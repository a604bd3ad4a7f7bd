package tokenizer

import "unicode"

type runeRange struct{ lo, hi rune }

// A combiningRange gives runes their canonical combining class.
type combiningRange struct {
	lo, hi rune
	ccc    uint8
}

// A caseRange gives the distance to the lower-case letters.
type caseRange struct{ lo, hi, delta rune }

// cjkRunes are the ideographs that BERT makes words of their own. The block that
// begins at U+2B820 misses its first 256, as it does in the library.
var cjkRunes = []runeRange{
	{0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xF900, 0xFAFF}, {0x20000, 0x2A6DF},
	{0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F},
}

// undecomposedRunes have canonical decompositions newer than the library's.
var undecomposedRunes = []runeRange{
	{0x105C9, 0x105C9}, {0x105E4, 0x105E4}, {0x11383, 0x11383}, {0x11385, 0x11385},
	{0x1138E, 0x1138E}, {0x11391, 0x11391}, {0x113C5, 0x113C5}, {0x113C7, 0x113C8},
	{0x11938, 0x11938}, {0x16121, 0x16128}, {0x16D68, 0x16D6A},
}

// A class is the set of properties of a rune that the pipeline asks for.
type class uint8

const (
	removed      class = 1 << iota // by clean_text
	space                          // separates words
	punct                          // is a word of its own
	mark                           // removed by strip_accents
	sorted                         // kept by strip_accents, but NFD moves it
	cjk                            // set off by spaces
	undecomposed                   // stays whole although x/text decomposes it
)

// A classTable has a page of 256 classes for each 256 runes; pages without any
// class are one page.
type classTable [(unicode.MaxRune + 1) / 256]*[256]class

var classes = newClassTable()

func newClassTable() *classTable {
	var t classTable
	empty := new([256]class)
	for i := range t {
		t[i] = empty
	}
	for c, ranges := range map[class][]runeRange{
		removed: removedRunes, space: spaceRunes, punct: punctRunes, mark: markRunes,
		cjk: cjkRunes, undecomposed: undecomposedRunes,
	} {
		for _, r := range ranges {
			t.add(r.lo, r.hi, c, empty)
		}
	}
	for _, r := range sortedRunes {
		t.add(r.lo, r.hi, sorted, empty)
	}
	return &t
}

func (t *classTable) add(lo, hi rune, c class, empty *[256]class) {
	for r := lo; r <= hi; r++ {
		page := t[r>>8]
		if page == empty {
			page = new([256]class)
			t[r>>8] = page
		}
		page[r&0xFF] |= c
	}
}

// of returns the class of r, which must be a valid rune.
func (t *classTable) of(r rune) class { return t[r>>8][r&0xFF] }

// combiningClass returns the canonical combining class of a rune of class sorted.
func combiningClass(r rune) uint8 {
	for _, c := range sortedRunes {
		if r <= c.hi {
			return c.ccc
		}
	}
	return 0
}

// toLower returns the lower case of r as Unicode 17 has it. Only U+0130 has one
// of two runes; callers care for it.
func toLower(r rune) rune {
	if low := unicode.ToLower(r); low != r {
		return low
	}
	if r < lateCases[0].lo {
		return r
	}
	for _, c := range lateCases {
		if c.lo <= r && r <= c.hi {
			return r + c.delta
		}
	}
	return r
}

// isWord reports whether r is a word character, \w of Unicode 16.
func isWord(r rune) bool {
	if unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control) {
		return true
	}
	for _, w := range lateWordRunes {
		if w.lo <= r && r <= w.hi {
			return true
		}
	}
	return false
}
