package tokenizer

import (
	"sync"
	"unicode"
	"unicode/utf8"
)

// A category is the set of classes of a rune that patterns ask for.
type category uint8

const (
	upper       category = 1 << iota // \p{Lu}, \p{Lt}
	lower                            // \p{Ll}
	otherLetter                      // \p{Lm}, \p{Lo}
	combining                        // \p{M}
	number                           // \p{N}
	punctuation                      // \p{P}
	symbol                           // \p{S}
	white                            // \s

	letter = upper | lower | otherLetter // \p{L}
)

// A categoryRange gives runes their category.
type categoryRange struct {
	lo, hi rune
	c      category
}

// A categoryTable has a page of 256 categories for each 256 runes; pages without
// any are one page.
type categoryTable [(unicode.MaxRune + 1) / 256]*[256]category

// asciiCategories are the categories of ASCII, which need no table.
var asciiCategories = func() (t [utf8.RuneSelf]category) {
	for b := range t {
		for c, in := range unicodeCategories {
			if unicode.Is(in, rune(b)) {
				t[b] |= c
			}
		}
	}
	return t
}()

var unicodeCategories = map[category]*unicode.RangeTable{
	upper: unicode.Lu, lower: unicode.Ll, otherLetter: unicode.Lo, combining: unicode.M,
	number: unicode.N, punctuation: unicode.P, symbol: unicode.S, white: unicode.White_Space,
}

// categories returns the table of all categories, which is made once.
var categories = sync.OnceValue(func() *categoryTable {
	var t categoryTable
	empty := new([256]category)
	for i := range t {
		t[i] = empty
	}
	add := func(lo, hi, stride rune, c category) {
		for r := lo; r <= hi; r += stride {
			page := t[r>>8]
			if page == empty {
				page = new([256]category)
				t[r>>8] = page
			}
			page[r&0xFF] |= c
		}
	}
	addTable := func(table *unicode.RangeTable, c category) {
		for _, r := range table.R16 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride), c)
		}
		for _, r := range table.R32 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride), c)
		}
	}
	for c, table := range unicodeCategories {
		addTable(table, c)
	}
	addTable(unicode.Lt, upper)
	addTable(unicode.Lm, otherLetter)
	for _, r := range lateCategories {
		add(r.lo, r.hi, 1, r.c)
	}
	return &t
})

// of returns the category of r, which must be a valid rune.
func (t *categoryTable) of(r rune) category { return t[r>>8][r&0xFF] }

// at returns the category of the rune at i, and its length.
func (t *categoryTable) at(text []byte, i int) (category, int) {
	if b := text[i]; b < utf8.RuneSelf {
		return asciiCategories[b], 1
	}
	r, size := utf8.DecodeRune(text[i:])
	return t.of(r), size
}

// run returns the end of the run of runes in set that begins at i.
func (t *categoryTable) run(text []byte, i int, set category) int {
	for i < len(text) {
		b := text[i]
		if b < utf8.RuneSelf {
			if asciiCategories[b]&set == 0 {
				break
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if t.of(r)&set == 0 {
			break
		}
		i += size
	}
	return i
}

// runNot returns the end of the run of runes out of set that begins at i.
func (t *categoryTable) runNot(text []byte, i int, set category) int {
	for i < len(text) {
		c, size := t.at(text, i)
		if c&set != 0 {
			break
		}
		i += size
	}
	return i
}
