package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// A wordPattern is a regular expression of the kind that GPT-2 cut text into
// words with, as those after it do: alternatives for contractions, words,
// numbers, other characters and white space, in this order. Published tokenizers
// differ in a few choices, which are the fields here; what they match is found by
// hand-written loops, many times as fast as a regular expression engine. A
// wordPattern matches everywhere, so its matches make up the text.
type wordPattern struct {
	contractions contractions
	words        wordForm
	suffixes     contractions // that cased words end in
	digits       int          // most digits of a number; 0: any number
	spaced       bool         // a space before words and numbers is part of them
	marks        bool         // combining marks belong to words and not to other characters
	lineEnds     lineEnds     // at the end of other characters
	lines        bool         // white space up to a line end is a match of its own
}

// contractions are English 's, 't, 're, 've, 'm, 'll and 'd.
type contractions uint8

const (
	noContractions     contractions = iota
	lowerContractions               // 's
	foldedContractions              // 's, 'S, and 'ſ, which is another 's' without case
	asciiContractions               // 's, 'S
)

// A wordForm is what a word looks like.
type wordForm uint8

const (
	spacedWords   wordForm = iota // letters after at most a space
	prefixedWords                 // letters after at most one character that is no letter, digit or line end
	casedWords                    // the same, with upper-case letters and then lower-case letters
)

// lineEnds says which characters other characters take along.
type lineEnds uint8

const (
	noEnds    lineEnds = iota
	allEnds            // \r and \n
	slashEnds          // \r, \n and /
)

// Alternatives as tokenizer.json spells them.
const (
	contractionsFolded  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
	contractionsFolded2 = `'(?i:[sdmt]|ll|ve|re)`
	contractionsASCII   = `(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])`
	contractionsASCII2  = `'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])`
	contractionsLower   = `'(?:[sdmt]|ll|ve|re)`
	wordsUpperFirst     = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`
	wordsUpperOnly      = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*`
	whiteBeforeWhite    = `\s+(?!\S)`
	whiteAll            = `\s+`
)

var contractionSpellings = map[string]contractions{
	contractionsFolded: foldedContractions, contractionsFolded2: foldedContractions,
	contractionsASCII: asciiContractions, contractionsASCII2: asciiContractions,
	contractionsLower: lowerContractions,
}

// parseWordPattern returns the wordPattern that a regular expression spells, if
// it is one.
func parseWordPattern(regex string) (p wordPattern, ok bool) {
	rest := alternatives(strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(regex))
	take := func(spelt ...string) bool {
		if len(rest) < len(spelt) || !slices.Equal(rest[:len(spelt)], spelt) {
			return false
		}
		rest = rest[len(spelt):]
		return true
	}
	if len(rest) > 0 {
		if c, ok := contractionSpellings[rest[0]]; ok {
			p.contractions, rest = c, rest[1:]
		} else if take("'s", "'t", "'re", "'ve", "'m", "'ll", "'d") {
			p.contractions = lowerContractions
		}
	}
	switch {
	case take(` ?\p{L}+`):
		p.spaced = true
	case take(`[^\r\n\p{L}\p{N}]?\p{L}+`), take(`[^\r\n\p{L}\p{N}]?+\p{L}+`):
		p.words = prefixedWords
	case take(`[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+`):
		p.words, p.marks = prefixedWords, true
	case take(wordsUpperFirst, wordsUpperOnly):
		p.words = casedWords
	default:
		if len(rest) < 2 {
			return p, false
		}
		suffix, ok := strings.CutPrefix(rest[0], wordsUpperFirst)
		c, known := contractionSpellings[strings.TrimSuffix(suffix, "?")]
		if !ok || !known || c == lowerContractions || !strings.HasSuffix(suffix, "?") || rest[1] != wordsUpperOnly+suffix {
			return p, false
		}
		p.words, p.suffixes, rest = casedWords, c, rest[2:]
	}
	switch {
	case p.spaced:
		if !take(` ?\p{N}+`) {
			return p, false
		}
	case take(`\p{N}{1,3}`):
		p.digits = 3
	case take(`\p{N}`), take(`\p{N}{1}`):
		p.digits = 1
	case take(`\p{N}+`):
	default:
		return p, false
	}
	others := ` ?[^\s\p{L}\p{N}]+`
	if p.marks {
		others = ` ?[^\s\p{L}\p{M}\p{N}]+`
	}
	switch {
	case take(others):
	case take(others + `[\r\n]*`), take(others + `+[\r\n]*`):
		p.lineEnds = allEnds
	case take(others + `[\r\n/]*`), take(others + `+[\r\n/]*`):
		p.lineEnds = slashEnds
	case !p.marks && take(` ?[^\s\p{L}\p{N}\r\n]+`): // the same as the first: \s has both
	default:
		return p, false
	}
	p.lines = take(`\s*[\r\n]+`) || take(`\s*[\r\n]`)
	if p.spaced == p.lines {
		return p, false
	}
	return p, take(whiteBeforeWhite, whiteAll) && len(rest) == 0
}

// alternatives cuts a regular expression at those | that are in no group or set.
func alternatives(regex string) []string {
	var parts []string
	start, depth, set := 0, 0, false
	for i := 0; i < len(regex); i++ {
		switch b := regex[i]; {
		case b == '\\':
			i++
		case set:
			set = b != ']'
		case b == '[':
			set = true
		case b == '(':
			depth++
		case b == ')':
			depth--
		case b == '|' && depth == 0:
			parts = append(parts, regex[start:i])
			start = i + 1
		}
	}
	return append(parts, regex[start:])
}

// split appends the matches in text to spans.
func (p *wordPattern) split(text []byte, spans []span) []span {
	t := categories()
	for i := 0; i < len(text); {
		end := p.match(t, text, i)
		spans = append(spans, span{i, end})
		i = end
	}
	return spans
}

// match returns the end of the match at i.
func (p *wordPattern) match(t *categoryTable, text []byte, i int) int {
	if text[i] == '\'' && p.contractions != noContractions {
		if n := contraction(text[i:], p.contractions); n > 0 {
			return i + n
		}
	}
	c, size := t.at(text, i)
	next := i + size
	var nextCategory category
	if next < len(text) {
		nextCategory, _ = t.at(text, next)
	}
	notOther := white | letter | number
	switch p.words {
	case spacedWords:
		if c&letter != 0 {
			return t.run(text, next, letter)
		}
		if c&number != 0 {
			return t.run(text, next, number)
		}
		if text[i] == ' ' && nextCategory != 0 {
			if set := nextCategory & (letter | number); set&letter != 0 {
				return t.run(text, next, letter)
			} else if set != 0 {
				return t.run(text, next, number)
			}
		}
	case prefixedWords:
		in := category(letter)
		if p.marks {
			in, notOther = letter|combining, notOther|combining
		}
		if c&in != 0 {
			return t.run(text, next, in)
		}
		if nextCategory&in != 0 && c&number == 0 && !isLineEnd(text[i]) {
			return t.run(text, next, in)
		}
	case casedWords:
		if end := p.casedWord(t, text, i, next, c); end > i {
			return end + contraction(text[end:], p.suffixes)
		}
	}
	if c&number != 0 { // not of spaced words
		end := next
		for n := 1; end < len(text) && n != p.digits; n++ {
			c, size := t.at(text, end)
			if c&number == 0 {
				break
			}
			end += size
		}
		return end
	}
	others := i
	if c&notOther == 0 {
		others = t.runNot(text, next, notOther)
	} else if text[i] == ' ' && next < len(text) && nextCategory&notOther == 0 {
		others = t.runNot(text, next, notOther)
	}
	if others > i {
		for others < len(text) && p.lineEnds != noEnds && (isLineEnd(text[others]) || p.lineEnds == slashEnds && text[others] == '/') {
			others++
		}
		return others
	}
	return whiteSpace(t, text, i, p.lines)
}

// whiteSpace returns the end of the white space at i as far as it is one match:
// to its last line end (if lines is true) or, without one, to its end, save for
// the last character if more text follows, which goes with that.
func whiteSpace(t *categoryTable, text []byte, i int, lines bool) int {
	end, last, line := i, i, 0
	for end < len(text) {
		c, size := t.at(text, end)
		if c&white == 0 {
			break
		}
		last = end
		end += size
		if isLineEnd(text[last]) {
			line = end
		}
	}
	switch {
	case lines && line > 0:
		return line
	case end < len(text) && last > i:
		return last
	}
	return end
}

func isLineEnd(b byte) bool { return b == '\r' || b == '\n' }

// casedWord returns the end of the word of casedWords at i, or i where there is
// none: the word with a character before it if there can be one, and preferably
// with lower-case letters at its end. c is the category of the rune at i, which
// ends at next.
func (p *wordPattern) casedWord(t *categoryTable, text []byte, i, next int, c category) int {
	starts := [2]int{next, i}
	tries := starts[:]
	if c&(letter|number) != 0 || isLineEnd(text[i]) {
		tries = starts[1:] // nothing can stand before the word
	}
	for _, at := range tries {
		if end := lowerEnd(t, text, at); end > at {
			return end
		}
	}
	for _, at := range tries {
		if end := t.run(text, at, capitals); end > at {
			return t.run(text, end, smalls)
		}
	}
	return i
}

const (
	capitals = upper | otherLetter | combining
	smalls   = lower | otherLetter | combining
)

// lowerEnd returns the end of the longest match of capitals*smalls+ at i, or i
// where there is none.
func lowerEnd(t *categoryTable, text []byte, i int) int {
	at, both := i, i // both: the end of the last rune among capitals that is also among smalls
	for at < len(text) {
		c, size := t.at(text, at)
		if c&capitals == 0 {
			if c&smalls != 0 {
				return t.run(text, at+size, smalls)
			}
			break
		}
		at += size
		if c&smalls != 0 {
			both = at
		}
	}
	return both
}

// contraction returns the length of the contraction that text begins with, or 0.
func contraction(text []byte, kind contractions) int {
	if kind == noContractions || len(text) < 2 || text[0] != '\'' {
		return 0
	}
	fold := func(b byte) byte {
		if kind != lowerContractions && 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		return b
	}
	switch b := fold(text[1]); b {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v', 'l':
		if len(text) < 3 {
			return 0
		}
		if second := fold(text[2]); b == 'l' && second == 'l' || b != 'l' && second == 'e' {
			return 3
		}
	}
	if kind == foldedContractions && len(text) > 2 {
		if r, size := utf8.DecodeRune(text[1:]); r == 'ſ' {
			return 1 + size
		}
	}
	return 0
}
