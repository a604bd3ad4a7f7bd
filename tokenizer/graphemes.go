package tokenizer

import (
	"sync"
	"unicode/utf8"
)

// A graphemeClass is the set of properties that decide where graphemes end
// (Unicode Standard Annex 29).
type graphemeClass uint8

const (
	joining graphemeClass = 1 << iota
	prepended
	control
	pictograph
	linker // is joining, too
	consonant
	hangul // a letter or a syllable
)

// graphemeClasses returns the class of each rune of the pages that have any.
var graphemeClasses = sync.OnceValue(func() map[rune]*[256]graphemeClass {
	t := make(map[rune]*[256]graphemeClass)
	for c, ranges := range map[graphemeClass][]runeRange{
		joining: joiningRunes, prepended: prependedRunes, control: controlRunes, pictograph: pictographRunes,
		linker: linkerRunes, consonant: consonantRunes,
		hangul: {{leadFirst, 0x11FF}, {0xA960, 0xA97C}, {hangulFirst, hangulLast}, {0xD7B0, 0xD7FB}},
	} {
		for _, r := range ranges {
			for r, hi := r.lo, r.hi; r <= hi; r++ {
				if t[r>>8] == nil {
					t[r>>8] = new([256]graphemeClass)
				}
				t[r>>8][r&0xFF] |= c
			}
		}
	}
	return t
})

// A graphemeCutter cuts text into graphemes, as far as those of fewer than six
// bytes are concerned: longer ones may be cut, too, between two that are long.
type graphemeCutter struct {
	pages [0x300]*[256]graphemeClass // of the planes that have letters; others have none
	rest  map[rune]*[256]graphemeClass
}

func newGraphemeCutter() *graphemeCutter {
	g := &graphemeCutter{rest: graphemeClasses()}
	for page := range g.pages {
		g.pages[page] = g.rest[rune(page)]
	}
	return g
}

func (g *graphemeCutter) class(r rune) graphemeClass {
	page := r >> 8
	var p *[256]graphemeClass
	if int(page) < len(g.pages) {
		p = g.pages[page]
	} else {
		p = g.rest[page]
	}
	if p == nil {
		return 0
	}
	return p[r&0xFF]
}

// next returns the length of the grapheme that text begins with.
func (g *graphemeCutter) next(text []byte) int {
	first, n := utf8.DecodeRune(text)
	last := g.class(first)
	if first == '\r' && len(text) > n && text[n] == '\n' {
		return n + 1
	}
	// What a later rune can join, besides the last: a pictograph or a consonant
	// with joining runes behind it.
	base, linked := last, false
	lastRune := first
	for n < len(text) {
		r, size := utf8.DecodeRune(text[n:])
		c := g.class(r)
		switch {
		case last&control != 0 || c&control != 0:
			return n
		case c&joining != 0:
			linked = linked || c&linker != 0
		case last&prepended != 0:
			base, linked = c, false
		case c&pictograph != 0 && base&pictograph != 0 && lastRune == zeroWidthJoiner:
		case c&consonant != 0 && base&consonant != 0 && linked && last&joining != 0:
			linked = false
		case c&last&hangul != 0 && hangulJoins(lastRune, r):
		default:
			return n
		}
		last, lastRune = c, r
		n += size
	}
	return n
}

const zeroWidthJoiner = '\u200D'

// hangulJoins reports whether b continues the syllable of a, both being Hangul.
func hangulJoins(a, b rune) bool {
	lead := func(r rune) bool { return leadFirst <= r && r <= 0x115F || 0xA960 <= r && r <= 0xA97C }
	vowel := func(r rune) bool { return 0x1160 <= r && r <= 0x11A7 || 0xD7B0 <= r && r <= 0xD7C6 }
	syllable := func(r rune) bool { return hangulFirst <= r && r <= hangulLast }
	open := func(r rune) bool { return syllable(r) && (r-hangulFirst)%trails == 0 } // without a trailing consonant
	trail := func(r rune) bool { return !lead(r) && !vowel(r) && !syllable(r) }
	switch {
	case lead(a):
		return lead(b) || vowel(b) || syllable(b)
	case vowel(a) || open(a):
		return vowel(b) || trail(b)
	default:
		return trail(b)
	}
}
