package tokenizer

import (
	"bytes"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A textStep is one of the normalizers that a sequence consists of.
type textStep interface {
	// append appends the normalized form of text to dst.
	append(dst, text []byte) []byte
}

// textSteps is a sequence of normalizers.
type textSteps []textStep

// scratch holds texts between two steps.
var scratch = sync.Pool{New: func() any { return new([2][]byte) }}

func (s textSteps) append(dst []byte, text string) []byte {
	b := scratch.Get().(*[2][]byte)
	from, to := b[0][:0], b[1][:0]
	if utf8.ValidString(text) {
		from = append(from, text...)
	} else {
		for _, r := range text {
			from = utf8.AppendRune(from, r)
		}
	}
	for _, step := range s {
		to = step.append(to[:0], from)
		from, to = to, from
	}
	dst = append(dst, from...)
	if b[0], b[1] = from, to; cap(from) <= maxKeptBuffer && cap(to) <= maxKeptBuffer {
		scratch.Put(b)
	}
	return dst
}

// prepend puts a text before texts that are not empty.
type prepend string

func (p prepend) append(dst, text []byte) []byte {
	if len(text) > 0 {
		dst = append(dst, p...)
	}
	return append(dst, text...)
}

// replaceText puts a text in place of each occurrence of another.
type replaceText struct{ from, to string }

func (r replaceText) append(dst, text []byte) []byte {
	if len(r.from) == 0 {
		return append(dst, text...)
	}
	from := []byte(r.from)
	for {
		i := bytes.Index(text, from)
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		dst = append(dst, r.to...)
		text = text[i+len(from):]
	}
}

// replaceRuns puts a text in place of each run of at least least times a byte.
type replaceRuns struct {
	of    byte
	least int
	to    string
}

func (r replaceRuns) append(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, r.of)
		if i < 0 {
			return append(dst, text...)
		}
		end := i + 1
		for end < len(text) && text[end] == r.of {
			end++
		}
		if end-i >= r.least {
			dst = append(append(dst, text[:i]...), r.to...)
		} else {
			dst = append(dst, text[:end]...)
		}
		text = text[end:]
	}
}

// stripSpace removes white space at the ends of a text.
type stripSpace struct{ left, right bool }

func (s stripSpace) append(dst, text []byte) []byte {
	isSpace := func(r rune) bool { return classes.of(r)&space != 0 }
	if s.left {
		text = bytes.TrimLeftFunc(text, isSpace)
	}
	if s.right {
		text = bytes.TrimRightFunc(text, isSpace)
	}
	return append(dst, text...)
}

// lowerText makes letters lower-case.
type lowerText struct{}

func (lowerText) append(dst, text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == 'İ' {
			dst = append(dst, "i̇"...)
		} else {
			dst = utf8.AppendRune(dst, toLower(r))
		}
		text = text[size:]
	}
	return dst
}

// composedText is normal form C of Unicode.
type composedText struct{}

func (composedText) append(dst, text []byte) []byte { return nfc{}.append(dst, string(text)) }

// normalForm is another of the normal forms of Unicode.
type normalForm norm.Form

func (f normalForm) append(dst, text []byte) []byte { return norm.Form(f).Append(dst, text...) }

// nmtText removes control characters and makes spaces of others, as the
// normalizer Nmt does.
type nmtText struct{}

func (nmtText) append(dst, text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r != 0 && r <= 0x08, r == 0x0B, 0x0E <= r && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
		case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, 0x200B <= r && r <= 0x200F,
			r == 0x2028, r == 0x2029, r == 0x2581, r == 0xFEFF, r == 0xFFFD:
			dst = append(dst, ' ')
		default:
			dst = append(dst, text[:size]...)
		}
		text = text[size:]
	}
	return dst
}

// A wordCutter is a pre-tokenizer: it cuts text into words.
type wordCutter interface {
	// cut calls emit for each word of text in order. begins says that nothing
	// stands before text, and before a word. A word is valid until the next one.
	cut(text []byte, begins bool, emit func(word []byte, begins bool))
}

// metaspace writes spaces as phantom spaces, puts one before texts, and cuts
// before each.
type metaspace struct {
	mark    string
	prepend prependScheme
	whole   bool // texts are not cut
}

type prependScheme uint8

const (
	prependAlways prependScheme = iota
	prependFirst                // where nothing stands before the text
	prependNever
)

func (m metaspace) cut(text []byte, begins bool, emit func([]byte, bool)) {
	b := scratch.Get().(*[2][]byte)
	marked := b[0][:0]
	if len(text) > 0 && (m.prepend == prependAlways || m.prepend == prependFirst && begins) && text[0] != ' ' && !bytes.HasPrefix(text, []byte(m.mark)) {
		marked = append(marked, m.mark...)
	}
	marked = replaceText{" ", m.mark}.append(marked, text)
	for rest := marked; len(rest) > 0; {
		n := len(rest)
		if !m.whole {
			if i := bytes.Index(rest[1:], []byte(m.mark)); i >= 0 {
				n = i + 1
			}
		}
		emit(rest[:n], begins)
		rest, begins = rest[n:], false
	}
	if b[0] = marked; cap(marked) <= maxKeptBuffer {
		scratch.Put(b)
	}
}

// whitespaceSplit cuts text at white space, which is in no word.
type whitespaceSplit struct{}

func (whitespaceSplit) cut(text []byte, begins bool, emit func([]byte, bool)) {
	at := 0
	for at < len(text) {
		c, size := classAt(text, at)
		if c&space != 0 {
			at += size
			begins = false
			continue
		}
		end := at + size
		for end < len(text) {
			c, size := classAt(text, end)
			if c&space != 0 {
				break
			}
			end += size
		}
		emit(text[at:end], begins)
		at, begins = end, false
	}
}

// splitAfter cuts text behind each occurrence of another.
type splitAfter string

func (s splitAfter) cut(text []byte, begins bool, emit func([]byte, bool)) {
	for len(text) > 0 {
		n := len(text)
		if i := bytes.Index(text, []byte(s)); i >= 0 && len(s) > 0 {
			n = i + len(s)
		}
		emit(text[:n], begins)
		text, begins = text[n:], false
	}
}

// A wordModel turns words into ids.
type wordModel interface {
	// append appends the ids of word to dst and does not keep word.
	append(dst []int32, word []byte) []int32
}

// A cutModel is a model that gets the words of some pre-tokenizers, one after
// another.
type cutModel struct {
	cutters []wordCutter
	words   wordModel
}

func (m *cutModel) append(dst []int32, text []byte, begins bool) []int32 {
	if len(m.cutters) == 0 {
		if len(text) == 0 {
			return dst
		}
		return m.words.append(dst, text)
	}
	emit := func(word []byte, _ bool) { dst = m.words.append(dst, word) }
	for i := len(m.cutters) - 1; i > 0; i-- {
		cutter, then := m.cutters[i], emit
		emit = func(word []byte, begins bool) { cutter.cut(word, begins, then) }
	}
	m.cutters[0].cut(text, begins, emit)
	return dst
}

// A tokenStep is one of the decoders that a sequence consists of.
type tokenStep interface {
	// apply returns what becomes of tokens, which it may change.
	apply(tokens []string) []string
}

// tokenSteps is a sequence of decoders. Without any, tokens are words.
type tokenSteps []tokenStep

func (s tokenSteps) decode(tokens []string) string {
	if len(s) == 0 {
		return strings.Join(tokens, " ")
	}
	for _, step := range s {
		tokens = step.apply(tokens)
	}
	return strings.Join(tokens, "")
}

func (r replaceText) apply(tokens []string) []string {
	if r.from == "" {
		return tokens
	}
	for i, t := range tokens {
		tokens[i] = strings.ReplaceAll(t, r.from, r.to)
	}
	return tokens
}

// byteRuns makes characters of tokens of bytes that stand side by side. Bytes
// that are not UTF-8 become U+FFFD each, all those of a run.
type byteRuns struct{}

func (byteRuns) apply(tokens []string) []string {
	out := tokens[:0]
	var run []byte
	flush := func() {
		switch {
		case len(run) == 0:
			return
		case utf8.Valid(run):
			out = append(out, string(run))
		default:
			for range run {
				out = append(out, string(utf8.RuneError))
			}
		}
		run = run[:0]
	}
	for _, t := range tokens {
		if b, ok := byteOf(t); ok {
			run = append(run, b)
			continue
		}
		flush()
		out = append(out, t)
	}
	flush()
	return out
}

// byteOf returns the byte that token stands for.
func byteOf(token string) (byte, bool) {
	if len(token) != byteTokenLen || token[:3] != "<0x" || token[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(strings.TrimPrefix(token[3:5], "+"), 16, 8)
	return byte(b), err == nil
}

// fuse makes one token of all.
type fuse struct{}

func (fuse) apply(tokens []string) []string {
	return append(tokens[:0], strings.Join(tokens, ""))
}

// stripRune removes a rune at the ends of tokens, as often as it is there, but
// at most so often.
type stripRune struct {
	r           rune
	start, stop int64
}

func (s stripRune) apply(tokens []string) []string {
	mark := string(s.r)
	for i, t := range tokens {
		for n := int64(0); n < s.start && strings.HasPrefix(t, mark); n++ {
			t = t[len(mark):]
		}
		for n := int64(0); n < s.stop && strings.HasSuffix(t, mark); n++ {
			t = t[:len(t)-len(mark)]
		}
		tokens[i] = t
	}
	return tokens
}

// apply makes spaces of phantom spaces and removes that before the first word.
func (m metaspace) apply(tokens []string) []string {
	for i, t := range tokens {
		with := " "
		if i == 0 && m.prepend != prependNever {
			with = ""
		}
		tokens[i] = strings.ReplaceAll(t, m.mark, with)
	}
	return tokens
}
