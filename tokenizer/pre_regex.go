package tokenizer

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// A regexSplitter cuts text by a regular expression that no other splitter
// knows: right, but slow.
type regexSplitter struct {
	regex    *regexp2.Regexp
	behavior string // what becomes of the matches
	invert   bool   // matches are what the expression does not match
}

// regexTimeout bounds how long a regular expression may look for a match, since
// it may have been written to take for ever. Text in which it takes longer stays
// as it is from there on.
const regexTimeout = 5 * time.Second

func newRegexSplitter(regex, behavior string, invert bool) (*regexSplitter, error) {
	switch behavior {
	case "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous":
	default:
		return nil, fmt.Errorf("its Split has the behavior %q", behavior)
	}
	text, err := translated(regex)
	if err != nil {
		return nil, fmt.Errorf("its pattern %q cannot be used: %w", regex, err)
	}
	compiled, err := regexp2.Compile(text, regexp2.None)
	if err != nil {
		return nil, fmt.Errorf("its pattern %q cannot be used: %w", regex, err)
	}
	compiled.MatchTimeout = regexTimeout
	return &regexSplitter{regex: compiled, behavior: behavior, invert: invert}, nil
}

// translated returns the regular expression of Oniguruma, which the library uses,
// in the language of regexp2: possessive quantifiers become groups, a?+ is
// (?>a?), a{2}+ is (?:a{2})+, and sets in sets become part of them, [^a[bc]] is
// [^abc].
func translated(regex string) (string, error) {
	var b strings.Builder
	var groups []int // where the open groups begin in b
	last := 0        // where the last atom begins in b
	wrap := func(group string) {
		all := b.String()
		b.Reset()
		b.WriteString(all[:last] + group + all[last:] + ")")
	}
	for i := 0; i < len(regex); {
		atom := 1 // bytes
		switch c := regex[i]; c {
		case '\\':
			atom = escapeLength(regex[i:])
		case '[':
			set, n, err := translatedSet(regex[i:])
			if err != nil {
				return "", err
			}
			last = b.Len()
			b.WriteString(set)
			i += n
			continue
		case '(':
			groups = append(groups, b.Len())
		case ')':
			if n := len(groups); n > 0 {
				last, groups = groups[n-1], groups[:n-1]
			}
			b.WriteByte(c)
			i++
			continue
		case '?', '*', '+':
			b.WriteByte(c)
			i++
			if i < len(regex) && regex[i] == '+' && i > 1 && regex[i-2] != '(' {
				i++
				wrap("(?>")
			}
			continue
		case '{':
			n := strings.IndexByte(regex[i:], '}') + 1
			if n > 1 && strings.Trim(regex[i+1:i+n-1], "0123456789,") == "" {
				b.WriteString(regex[i : i+n])
				if i += n; i < len(regex) && regex[i] == '+' { // not possessive
					wrap("(?:")
				}
				continue
			}
		case '|', '^', '$':
			b.WriteByte(c)
			i++
			continue
		default:
			_, atom = utf8.DecodeRuneInString(regex[i:])
		}
		if regex[i] != '(' {
			last = b.Len()
		}
		b.WriteString(regex[i : i+atom])
		i += atom
	}
	return b.String(), nil
}

// escapeLength returns the length of the escape, as in \s or \p{L}, that s begins
// with.
func escapeLength(s string) int {
	n := min(2, len(s))
	if strings.HasPrefix(s, `\p{`) || strings.HasPrefix(s, `\P{`) {
		if end := strings.IndexByte(s, '}'); end > 0 {
			n = end + 1
		}
	}
	return n
}

// translatedSet returns the set that s begins with, and its length there.
func translatedSet(s string) (string, int, error) {
	var b strings.Builder
	depth := 0
	for i := 0; i < len(s); {
		switch {
		case s[i] == '\\':
			n := escapeLength(s[i:])
			b.WriteString(s[i : i+n])
			i += n
			continue
		case strings.HasPrefix(s[i:], "&&") || strings.HasPrefix(s[i:], "[:") || depth > 0 && strings.HasPrefix(s[i:], "[^") || depth > 0 && strings.HasPrefix(s[i:], "-["):
			return "", 0, fmt.Errorf("sets with %q are not supported", s[i:i+2])
		case s[i] == '[':
			if depth++; depth == 1 {
				n := 1
				if strings.HasPrefix(s, "[^") {
					n = 2
				}
				if strings.HasPrefix(s[n:], "]") {
					return "", 0, fmt.Errorf("an empty set is not supported")
				}
				b.WriteString(s[:n])
				i = n
				continue
			}
		case s[i] == ']':
			if depth--; depth == 0 {
				b.WriteByte(']')
				return b.String(), i + 1, nil
			}
		default:
			b.WriteByte(s[i])
		}
		i++
	}
	return "", 0, fmt.Errorf("a set does not end")
}

func (s *regexSplitter) split(text []byte, spans []span) []span {
	begin := len(spans)
	var matches []bool // of spans
	add := func(start, end int, match bool) {
		spans = append(spans, span{start, end})
		matches = append(matches, match != s.invert)
	}
	runes := []rune(string(text))
	at, letters := 0, 0 // the same place in text and runes
	offset := func(to int) int {
		for ; letters < to; letters++ {
			at += utf8.RuneLen(runes[letters])
		}
		return at
	}
	done := 0
	m, err := s.regex.FindRunesMatch(runes)
	for ; m != nil && err == nil; m, err = s.regex.FindNextMatch(m) {
		start := offset(m.Index)
		if done < start {
			add(done, start, false)
		}
		done = offset(m.Index + m.Length)
		add(start, done, true)
	}
	if done < len(text) {
		add(done, len(text), false)
	}
	return append(spans[:begin], s.behave(spans[begin:], matches)...)
}

// behave does with pieces, some of which are matches, what the behavior says, in
// place. Pieces without text are left out.
func (s *regexSplitter) behave(pieces []span, matches []bool) []span {
	out := pieces[:0]
	switch s.behavior {
	case "Removed":
		for i, p := range pieces {
			if !matches[i] {
				out = append(out, p)
			}
		}
	case "Contiguous":
		for i, p := range pieces {
			if i > 0 && matches[i] == matches[i-1] {
				out[len(out)-1].end = p.end
			} else {
				out = append(out, p)
			}
		}
	case "MergedWithPrevious":
		for i, p := range pieces {
			if matches[i] && i > 0 && !matches[i-1] {
				out[len(out)-1].end = p.end
			} else {
				out = append(out, p)
			}
		}
	case "MergedWithNext":
		for i, p := range pieces {
			if i > 0 && matches[i-1] && !matches[i] {
				out[len(out)-1].end = p.end
			} else {
				out = append(out, p)
			}
		}
	default:
		out = pieces
	}
	kept := out[:0]
	for _, p := range out {
		if p.start < p.end {
			kept = append(kept, p)
		}
	}
	return kept
}
