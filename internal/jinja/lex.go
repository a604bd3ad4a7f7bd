package jinja

import (
	"fmt"
	"strings"
)

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenData
	tokenBlock    // {%
	tokenBlockEnd // %}
	tokenPrint    // {{
	tokenPrintEnd // }}
	tokenName
	tokenText
	tokenNumber
	tokenOperator
)

type token struct {
	kind tokenKind
	text string // of texts without quotes and escapes
	line int
}

// lex divides a template into tokens. White space around tags goes as
// trim_blocks and lstrip_blocks say, and as the signs in tags do:
//
//	"  {% if x %}\n"    both sides, when only space is in front of it in its line
//	" \n {%- if x -%} " all white space on the side of a -
//	" {%+ if x +%}\n"   nothing on the side of a +
func lex(source string) ([]token, error) {
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	l := &lexer{source: strings.TrimSuffix(source, "\n"), line: 1}
	for l.at < len(l.source) {
		if err := l.step(); err != nil {
			return nil, err
		}
	}
	return append(l.tokens, token{kind: tokenEnd, line: l.line}), nil
}

type lexer struct {
	source string
	at     int
	line   int
	tokens []token
	strip  bool // white space in front of the next data goes
	trim   bool // one line break does
}

func (l *lexer) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d: "+format, append([]any{l.line}, args...)...)
}

// advance moves on by n bytes.
func (l *lexer) advance(n int) {
	l.line += strings.Count(l.source[l.at:l.at+n], "\n")
	l.at += n
}

// step takes data up to a tag, and the tag.
func (l *lexer) step() error {
	rest := l.source[l.at:]
	n := nextTag(rest)
	data := rest[:n]
	if l.trim {
		data = strings.TrimPrefix(data, "\n")
	}
	if l.strip {
		data = strings.TrimLeft(data, whitespace)
	}
	// A line begins where data does, if that is at the start or behind what was
	// trimmed.
	fresh := l.at == 0 || l.trim && strings.HasPrefix(rest[:n], "\n") || l.at > 0 && l.source[l.at-1] == '\n'
	l.strip, l.trim = false, false
	if n == len(rest) {
		l.data(data)
		l.advance(n)
		return nil
	}
	tag, sign := rest[n:n+2], byte(0)
	if n+2 < len(rest) && (rest[n+2] == '-' || rest[n+2] == '+') {
		sign = rest[n+2]
	}
	switch {
	case sign == '-':
		data = strings.TrimRight(data, whitespace)
	case sign == 0 && tag != "{{":
		line := strings.TrimRight(data, " \t\v\f")
		if strings.HasSuffix(line, "\n") || line == "" && fresh {
			data = line
		}
	}
	l.data(data)
	l.advance(n + 2)
	if sign != 0 {
		l.advance(1)
	}
	if tag == "{#" {
		return l.comment()
	}
	return l.tag(tag)
}

const whitespace = " \t\n\v\f\r"

func nextTag(s string) int {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '{' && (s[i+1] == '%' || s[i+1] == '{' || s[i+1] == '#') {
			return i
		}
	}
	return len(s)
}

func (l *lexer) data(s string) {
	if s != "" {
		l.tokens = append(l.tokens, token{tokenData, s, l.line})
	}
}

func (l *lexer) comment() error {
	n := strings.Index(l.source[l.at:], "#}")
	if n < 0 {
		return l.errorf("a comment does not end")
	}
	text := l.source[l.at : l.at+n]
	l.strip, l.trim = strings.HasSuffix(text, "-"), !strings.HasSuffix(text, "+")
	l.advance(n + 2)
	return nil
}

var operators = []string{"**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|"}

// tag takes the inside of a tag and its end.
func (l *lexer) tag(open string) error {
	start, first := l.line, len(l.tokens)
	kind, endKind, end := tokenBlock, tokenBlockEnd, "%}"
	if open == "{{" {
		kind, endKind, end = tokenPrint, tokenPrintEnd, "}}"
	}
	l.tokens = append(l.tokens, token{kind, open, l.line})
	depth := 0
	for {
		rest := strings.TrimLeft(l.source[l.at:], whitespace)
		l.advance(len(l.source) - l.at - len(rest))
		if rest == "" {
			return fmt.Errorf("line %d: a tag does not end", start)
		}
		if depth == 0 {
			if sign := rest[0]; (sign == '-' || sign == '+') && strings.HasPrefix(rest[1:], end) {
				l.strip = sign == '-'
				l.advance(3)
				l.tokens = append(l.tokens, token{endKind, end, l.line})
				return l.afterTag(first)
			}
			if strings.HasPrefix(rest, end) {
				l.trim = end == "%}"
				l.advance(2)
				l.tokens = append(l.tokens, token{endKind, end, l.line})
				return l.afterTag(first)
			}
		}
		t, n, err := l.inside(rest)
		if err != nil {
			return err
		}
		switch t.text {
		case "(", "[", "{":
			if t.kind == tokenOperator {
				depth++
			}
		case ")", "]", "}":
			if t.kind == tokenOperator {
				depth--
			}
		}
		l.tokens = append(l.tokens, t)
		l.advance(n)
	}
}

// inside takes one token of an expression.
func (l *lexer) inside(rest string) (token, int, error) {
	c := rest[0]
	switch {
	case c == '"' || c == '\'':
		for i := 1; i < len(rest); i++ {
			switch rest[i] {
			case '\\':
				i++
			case c:
				return token{tokenText, unescape(rest[1:i]), l.line}, i + 1, nil
			}
		}
		return token{}, 0, l.errorf("a text does not end")
	case '0' <= c && c <= '9':
		n := 1
		for n < len(rest) && ('0' <= rest[n] && rest[n] <= '9' || rest[n] == '_' ||
			rest[n] == '.' && n+1 < len(rest) && '0' <= rest[n+1] && rest[n+1] <= '9') {
			n++
		}
		if n < len(rest) && rest[n]|0x20 == 'e' {
			digits := n + 1
			if digits < len(rest) && (rest[digits] == '-' || rest[digits] == '+') {
				digits++
			}
			for end := digits; end < len(rest) && '0' <= rest[end] && rest[end] <= '9'; {
				end++
				n = end
			}
		}
		return token{tokenNumber, strings.ReplaceAll(rest[:n], "_", ""), l.line}, n, nil
	case isName(c):
		n := 1
		for n < len(rest) && (isName(rest[n]) || '0' <= rest[n] && rest[n] <= '9') {
			n++
		}
		return token{tokenName, rest[:n], l.line}, n, nil
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			return token{tokenOperator, op, l.line}, len(op), nil
		}
	}
	return token{}, 0, l.errorf("unexpected character %q", []rune(rest)[0])
}

func isName(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}

// afterTag turns what stands between raw and endraw into data.
func (l *lexer) afterTag(first int) error {
	if len(l.tokens) != first+3 || l.tokens[first].kind != tokenBlock || l.tokens[first+1].text != "raw" {
		return nil
	}
	l.tokens = l.tokens[:first]
	rest := l.source[l.at:]
	for at := 0; ; {
		n := strings.Index(rest[at:], "{%")
		if n < 0 {
			return l.errorf("raw without endraw")
		}
		n += at
		inner := strings.TrimLeft(strings.TrimLeft(rest[n+2:], "-+"), whitespace)
		if end := strings.Index(inner, "%}"); end >= 0 && strings.Trim(inner[:end], "-+"+whitespace) == "endraw" {
			data := rest[:n] // with its first line break, which raw does not trim
			if l.strip {
				data = strings.TrimLeft(data, whitespace)
			}
			if strings.HasPrefix(rest[n+2:], "-") {
				data = strings.TrimRight(data, whitespace)
			}
			l.data(data)
			l.strip, l.trim = strings.HasSuffix(inner[:end], "-"), !strings.HasSuffix(inner[:end], "+")
			l.advance(len(rest) - len(inner) + end + 2)
			return nil
		}
		at = n + 2
	}
}

// unescape reads the escapes of a text in a template.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case '\\', '\'', '"':
			b.WriteByte(s[i])
		case 'x', 'u', 'U':
			digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]
			var r rune
			if i+digits < len(s) {
				if _, err := fmt.Sscanf(s[i+1:i+1+digits], "%x", &r); err == nil {
					b.WriteRune(r)
					i += digits
					continue
				}
			}
			b.WriteByte('\\')
			b.WriteByte(s[i])
		default:
			b.WriteByte('\\')
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
