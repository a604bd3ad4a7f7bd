package tokenizer

import (
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// bertOptions are the settings of a BertNormalizer.
type bertOptions struct {
	cleanText    bool // remove control characters, make all white space ' '
	cjkWords     bool // handle_chinese_chars: put ideographs between spaces
	stripAccents bool // decompose (NFD), then remove nonspacing marks
	lowercase    bool
}

// A bertNormalizer does what bertOptions ask for, in the order of their fields,
// but rune by rune: only the sorting of marks looks at more than one.
type bertNormalizer struct {
	bertOptions
	ascii [utf8.RuneSelf]int8 // what becomes of an ASCII character; negative: removed
}

func newBertNormalizer(o bertOptions) *bertNormalizer {
	n := &bertNormalizer{bertOptions: o}
	for b := range n.ascii {
		c, out := classes.of(rune(b)), b
		switch {
		case o.cleanText && c&removed != 0:
			out = -1
		case o.cleanText && c&space != 0:
			out = ' '
		case o.lowercase && 'A' <= b && b <= 'Z':
			out += 'a' - 'A'
		}
		n.ascii[b] = int8(out)
	}
	return n
}

// append appends the normalized form of text to dst.
func (n *bertNormalizer) append(dst []byte, text string) []byte {
	dst = slices.Grow(dst, len(text))
	for len(text) > 0 {
		i := 0
		for ; i < len(text) && text[i] < utf8.RuneSelf; i++ {
			if b := n.ascii[text[i]]; b >= 0 {
				dst = append(dst, byte(b))
			}
		}
		text = text[i:]
		dst, text = n.appendOther(dst, text)
	}
	return dst
}

// appendOther normalizes text up to the next ASCII character that stays, and
// returns what is left of text.
func (n *bertNormalizer) appendOther(dst []byte, text string) ([]byte, string) {
	var marks markSorter
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if r < utf8.RuneSelf && n.ascii[r] >= 0 {
			break
		}
		text = text[size:]
		c := classes.of(r)
		switch {
		case n.cleanText && c&removed != 0:
		case n.cleanText && c&space != 0:
			dst = append(marks.flush(dst), ' ')
		case n.cjkWords && c&cjk != 0:
			dst = append(marks.flush(dst), ' ')
			dst = append(n.fold(dst, r, c, &marks), ' ')
		default:
			dst = n.fold(dst, r, c, &marks)
		}
	}
	return marks.flush(dst), text
}

// Hangul syllables decompose by arithmetic (Unicode, section 3.12).
const (
	hangulFirst, hangulLast = 0xAC00, 0xD7A3
	leadFirst               = 0x1100
	vowelFirst, vowels      = 0x1161, 21
	trailFirst, trails      = 0x11A7, 28 // including none
)

// fold appends r of class c without accents and in lower case, as far as these
// are asked for.
func (n *bertNormalizer) fold(dst []byte, r rune, c class, marks *markSorter) []byte {
	if !n.stripAccents {
		if n.lowercase && r == 'İ' {
			return append(dst, "i̇"...)
		}
		return n.appendLower(dst, r)
	}
	if hangulFirst <= r && r <= hangulLast {
		s := r - hangulFirst
		dst = marks.flush(dst)
		dst = utf8.AppendRune(dst, leadFirst+s/(vowels*trails))
		dst = utf8.AppendRune(dst, vowelFirst+s/trails%vowels)
		if t := s % trails; t > 0 {
			dst = utf8.AppendRune(dst, trailFirst+t)
		}
		return dst
	}
	if c&(mark|sorted|undecomposed) == 0 {
		var buf [utf8.UTFMax]byte
		if d := norm.NFD.Properties(utf8.AppendRune(buf[:0], r)).Decomposition(); d != nil {
			for len(d) > 0 {
				r, size := utf8.DecodeRune(d)
				dst = n.foldOne(dst, r, classes.of(r), marks)
				d = d[size:]
			}
			return dst
		}
	}
	return n.foldOne(dst, r, c, marks)
}

// foldOne is fold for a rune that has no decomposition.
func (n *bertNormalizer) foldOne(dst []byte, r rune, c class, marks *markSorter) []byte {
	switch {
	case c&sorted != 0:
		marks.add(r)
		return dst
	case c&mark != 0:
		// A mark that is no starter would be sorted among the others, and be
		// gone; a starter keeps those before it from those after it.
		if len(*marks) > 0 && norm.NFD.PropertiesString(string(r)).CCC() == 0 {
			return marks.flush(dst)
		}
		return dst
	}
	return n.appendLower(marks.flush(dst), r)
}

func (n *bertNormalizer) appendLower(dst []byte, r rune) []byte {
	if n.lowercase {
		r = toLower(r)
	}
	return utf8.AppendRune(dst, r)
}

// A markSorter holds the combining marks since the last starter.
type markSorter []rune

func (m *markSorter) add(r rune) { *m = append(*m, r) }

// flush appends the marks in canonical order and forgets them.
func (m *markSorter) flush(dst []byte) []byte {
	if len(*m) == 0 {
		return dst
	}
	slices.SortStableFunc(*m, func(a, b rune) int { return int(combiningClass(a)) - int(combiningClass(b)) })
	for _, r := range *m {
		dst = utf8.AppendRune(dst, r)
	}
	*m = (*m)[:0]
	return dst
}
