package tokenizer

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// A digitSplitter is Digits: every digit is a piece if it is true, every number
// if not.
type digitSplitter bool

func (d digitSplitter) split(text []byte, spans []span) []span {
	return cut(text, spans, isDigit, bool(d))
}

func isDigit(r rune) bool {
	if categories().of(r)&number != 0 {
		return true
	}
	for _, late := range lateDigits {
		if late.lo <= r && r <= late.hi {
			return true
		}
	}
	return false
}

// A punctuationSplitter is Punctuation: runs of punctuation are pieces if it is
// true, every punctuation character if not.
type punctuationSplitter bool

func (p punctuationSplitter) split(text []byte, spans []span) []span {
	return cut(text, spans, func(r rune) bool { return classes.of(r)&punct != 0 }, !bool(p))
}

// cut appends the pieces of text that are runs of runes in a set and runs of
// other runes. Each rune in the set is a piece if alone is true.
func cut(text []byte, spans []span, in func(rune) bool, alone bool) []span {
	start, was := 0, false
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		is := in(r)
		if i > start && (is != was || is && alone) {
			spans = append(spans, span{start, i})
			start = i
		}
		was = is
		i += size
	}
	if start < len(text) {
		spans = append(spans, span{start, len(text)})
	}
	return spans
}

// A runSplitter makes pieces of runs of runes in a set, and of what is between
// them.
type runSplitter struct {
	categories category // in the set are these and
	ranges     []runeRange
	most       int  // runes of a run; 0: any number
	spaced     bool // white space before a run is part of it
}

// A run is an optional space, a set, and how often.
var runPattern = regexp.MustCompile(`^(\\s\?)?(\\p\{[LNP]\}|\[[^\[\]\\^]+\]|\[\\r\\n\])(\+|\{1,3\}|\{1\}|)$`)

// newRunSplitter returns the runSplitter that a regular expression spells, or
// nil if it spells none.
func newRunSplitter(regex string) splitter {
	if regex == "[0-9][0-9][0-9]" {
		return threeDigits{}
	}
	m := runPattern.FindStringSubmatch(strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(regex))
	if m == nil {
		return nil
	}
	s := &runSplitter{spaced: m[1] != ""}
	switch m[2] {
	case `\p{L}`:
		s.categories = letter
	case `\p{N}`:
		s.categories = number
	case `\p{P}`:
		s.categories = punctuation
	case `[\r\n]`:
		s.ranges = []runeRange{{'\n', '\n'}, {'\r', '\r'}}
	default:
		runes := []rune(strings.Trim(m[2], "[]"))
		for len(runes) > 0 {
			r := runeRange{runes[0], runes[0]}
			runes = runes[1:]
			if len(runes) > 1 && runes[0] == '-' {
				r.hi, runes = runes[1], runes[2:]
			}
			if r.lo == '-' || r.hi < r.lo || r.lo == utf8.RuneError || strings.ContainsRune("&", r.lo) {
				return nil // of another meaning
			}
			s.ranges = append(s.ranges, r)
		}
	}
	switch m[3] {
	case "{1,3}":
		s.most = 3
	case "", "{1}":
		s.most = 1
	}
	return s
}

func (s *runSplitter) in(r rune) bool {
	for _, x := range s.ranges {
		if x.lo <= r && r <= x.hi {
			return true
		}
	}
	return s.categories != 0 && categories().of(r)&s.categories != 0
}

func (s *runSplitter) split(text []byte, spans []span) []span {
	t := categories()
	done := 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		end := i
		switch {
		case s.in(r):
			end = i + size
		case s.spaced && t.of(r)&white != 0 && i+size < len(text):
			if next, n := utf8.DecodeRune(text[i+size:]); s.in(next) {
				end = i + size + n
			}
		}
		if end == i {
			i += size
			continue
		}
		for n := 1; n != s.most && end < len(text); n++ {
			r, size := utf8.DecodeRune(text[end:])
			if !s.in(r) {
				break
			}
			end += size
		}
		spans = append(appendGap(spans, done, i), span{i, end})
		i, done = end, end
	}
	return appendGap(spans, done, len(text))
}

// appendGap appends what is between two matches, if there is anything.
func appendGap(spans []span, start, end int) []span {
	if start < end {
		spans = append(spans, span{start, end})
	}
	return spans
}

// threeDigits makes pieces of three digits in a row.
type threeDigits struct{}

func (threeDigits) split(text []byte, spans []span) []span {
	digit := func(b byte) bool { return '0' <= b && b <= '9' }
	done := 0
	for i := 0; i+2 < len(text); i++ {
		if digit(text[i]) && digit(text[i+1]) && digit(text[i+2]) {
			spans = append(appendGap(spans, done, i), span{i, i + 3})
			done = i + 3
			i += 2
		}
	}
	return appendGap(spans, done, len(text))
}

// deepseekPattern is what DeepSeek-V3 cuts text with that has no digits and no
// Chinese or Japanese characters.
const deepseekPattern = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"

// A deepseekSplitter finds the matches of deepseekPattern. Control characters
// and numbers can be between them.
type deepseekSplitter struct{}

func (d deepseekSplitter) split(text []byte, spans []span) []span {
	t := categories()
	done := 0
	for i := 0; i < len(text); {
		end := d.match(t, text, i)
		if end == i {
			_, size := t.at(text, i)
			i += size
			continue
		}
		spans = append(appendGap(spans, done, i), span{i, end})
		i, done = end, end
	}
	return appendGap(spans, done, len(text))
}

// match returns the end of the match at i, or i where there is none.
func (deepseekSplitter) match(t *categoryTable, text []byte, i int) int {
	const word, mark = letter | combining, punctuation | symbol
	c, size := t.at(text, i)
	next := i + size
	var nextCategory category
	if next < len(text) {
		nextCategory, _ = t.at(text, next)
		if text[i] < utf8.RuneSelf && c&mark != 0 && isASCIILetter(text[next]) {
			for next < len(text) && isASCIILetter(text[next]) {
				next++
			}
			return next
		}
	}
	if c&word != 0 || nextCategory&word != 0 && c&mark == 0 && !isLineEnd(text[i]) {
		return t.run(text, next, word)
	}
	if c&mark != 0 || text[i] == ' ' && nextCategory&mark != 0 {
		end := t.run(text, next, mark)
		for end < len(text) && isLineEnd(text[end]) {
			end++
		}
		return end
	}
	return whiteSpace(t, text, i, true)
}

func isASCIILetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }

// appendSpelt appends the bytes of text spelt in letters.
func appendSpelt(dst, text []byte) []byte {
	for _, b := range text {
		dst = utf8.AppendRune(dst, byteAlphabet[b])
	}
	return dst
}

// splitSpelt lets s see text spelt in letters.
func splitSpelt(s splitter, text []byte, spans []span) []span {
	begin := len(spans)
	spelt := appendSpelt(nil, text)
	spans = s.split(spelt, spans)
	// A letter of the spelling is a byte of the text.
	at, letters := 0, 0
	offset := func(to int) int {
		letters += utf8.RuneCount(spelt[at:to])
		at = to
		return letters
	}
	for i := begin; i < len(spans); i++ {
		spans[i].start = offset(spans[i].start)
		spans[i].end = offset(spans[i].end)
	}
	return spans
}

// appendValid appends text with U+FFFD for each byte that is not UTF-8.
func appendValid(dst, text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		dst = utf8.AppendRune(dst, r)
		text = text[size:]
	}
	return dst
}
