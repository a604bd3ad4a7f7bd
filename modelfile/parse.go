package modelfile

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/gguftool/gguftool/internal/fault"
)

// MaxSize is the most bytes that Read takes for a Modelfile. Licences and
// templates are far smaller; models, which are easily named in its place, are
// larger.
const MaxSize = 16 << 20

// Read parses the file at path. Errors about the content are *fault.FormatError.
func Read(path string) (*File, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return ReadFrom(r, path)
}

// ReadFrom parses what r has; name is what errors call it.
func ReadFrom(r io.Reader, name string) (*File, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > MaxSize {
		e := fault.Malformed(name, "", "a Modelfile has at most %d bytes", MaxSize)
		e.Hint = "name the text file that says FROM, not the model"
		return nil, e
	}
	f, err := Parse(data)
	return f, fault.InFile(err, name)
}

// Parse reads a Modelfile. Errors are *fault.FormatError and say where in their
// Part. A file without FROM is read; Check finds what it lacks.
func Parse(data []byte) (*File, error) {
	text, _, err := transform.Bytes(unicode.BOMOverride(unicode.UTF8.NewDecoder()), data)
	if err != nil {
		return nil, fault.Malformed("", "", "the text cannot be decoded: %v", err)
	}
	// Behind a UTF-8 mark bytes that are no UTF-8 are still there. Each becomes a
	// replacement character.
	p := parser{rest: string([]rune(string(text))), at: Position{1, 1}}
	if err := p.file(); err != nil {
		return nil, err
	}
	return &p.out, nil
}

// A parser reads text from front to back.
type parser struct {
	rest  string
	at    Position // of the first character of rest
	out   File
	above []string // comments and empty lines since the last instruction
}

// peek returns the next character; ok is false at the end.
func (p *parser) peek() (r rune, ok bool) {
	for _, r := range p.rest {
		return r, true
	}
	return 0, false
}

// next takes the next character. A carriage return and a line feed end one line
// together.
func (p *parser) next() rune {
	r, _ := p.peek()
	p.rest = p.rest[len(string(r)):]
	if r == '\n' || r == '\r' && !strings.HasPrefix(p.rest, "\n") {
		p.at = Position{p.at.Line + 1, 1}
	} else {
		p.at.Column++
	}
	return r
}

func (p *parser) fail(at Position, hint, format string, args ...any) error {
	e := fault.Malformed("", fmt.Sprintf("line %v", at), format, args...)
	e.Hint = hint
	return e
}

func (p *parser) file() error {
	empty := true // whether the line has nothing so far
	for {
		switch r, ok := p.peek(); {
		case !ok:
			p.out.Below = trimEmpty(p.above)
			return nil
		case r == '#':
			p.comment()
			empty = false
		case isNewline(r):
			line := p.at.Line
			p.next()
			if p.at.Line > line {
				if empty {
					p.blank()
				}
				empty = true
			}
		case isSpace(r):
			p.next()
		default:
			if err := p.instruction(); err != nil {
				return err
			}
			empty = true
		}
	}
}

// comment takes the rest of the line.
func (p *parser) comment() {
	n := strings.IndexAny(p.rest, "\r\n")
	if n < 0 {
		n = len(p.rest)
	}
	text := p.rest[:n]
	for range text {
		p.at.Column++
	}
	p.rest = p.rest[n:]
	p.above = append(p.above, strings.TrimRight(text, " \t"))
}

// blank notes an empty line; several count as one, and none before anything else.
func (p *parser) blank() {
	first := len(p.above) == 0 && len(p.out.Instructions) == 0
	if !first && (len(p.above) == 0 || p.above[len(p.above)-1] != "") {
		p.above = append(p.above, "")
	}
}

func trimEmpty(lines []string) []string {
	if n := len(lines); n > 0 && lines[n-1] == "" {
		lines = lines[:n-1]
	}
	if len(lines) == 0 {
		return nil
	}
	return lines
}

func (p *parser) instruction() error {
	in := Instruction{Above: p.above}
	p.above = nil
	// What cannot be printed is passed over in front of a keyword too.
	if r, _ := p.peek(); !strconv.IsPrint(r) {
		p.next()
	}
	in.At = p.at
	word, err := p.word("instruction", isLetter)
	if err != nil {
		return err
	}
	in.Keyword = Keyword(strings.ToUpper(word))
	if !slices.Contains(keywords, string(in.Keyword)) {
		return p.fail(in.At, didYouMean(string(in.Keyword), keywords), "unknown instruction %q", word)
	}
	switch in.NameAt = p.at; in.Keyword {
	case Parameter:
		in.Name, err = p.word("name of a parameter", func(r rune) bool { return isLetter(r) || '0' <= r && r <= '9' || r == '_' })
	case Message:
		in.Name, err = p.word("role of a message", isLetter)
		if err == nil && !slices.Contains(roles, in.Name) {
			return p.fail(in.NameAt, didYouMean(in.Name, roles), "a message has the role system, user or assistant, not %q", in.Name)
		}
	default:
		in.NameAt = Position{}
	}
	if err != nil {
		return err
	}
	if err := p.value(&in); err != nil {
		return err
	}
	p.out.Instructions = append(p.out.Instructions, in)
	return nil
}

// word takes a word and the space after it.
func (p *parser) word(what string, part func(rune) bool) (string, error) {
	start, at := p.rest, p.at
	for {
		r, ok := p.peek()
		word := start[:len(start)-len(p.rest)]
		switch {
		case !ok || isNewline(r):
			return "", p.fail(p.at, "write it on the same line", "there is no value behind %s", shown(what, word))
		case isSpace(r) && word == "":
			return "", p.fail(at, "write one space before it", "the %s is missing", what)
		case isSpace(r):
			p.next()
			return word, nil
		case !part(r):
			return "", p.fail(p.at, "", "%q cannot be in the %s", r, what)
		}
		p.next()
	}
}

func shown(what, word string) string {
	if word == "" {
		return "the " + what
	}
	return fmt.Sprintf("%q", word)
}

// value takes what follows up to the end of the line that completes it.
func (p *parser) value(in *Instruction) error {
	var b strings.Builder
	start, end := 0, 0 // of what b has without the white space around it
	add := func(r rune) {
		b.WriteRune(r)
		if !isSpace(r) && !isNewline(r) {
			end = b.Len()
		} else if end == 0 {
			start = b.Len()
		}
	}
	for {
		r, ok := p.peek()
		if ok && !isNewline(r) {
			if !isSpace(r) && in.ValueAt == (Position{}) {
				in.ValueAt = p.at
			}
			if at := p.at; strconv.IsPrint(r) || isSpace(r) {
				add(p.next())
			} else {
				in.Omitted = append(in.Omitted, Omission{p.next(), at})
			}
			continue
		}
		text := b.String()[start:max(start, end)]
		if value, complete := closed(text); complete {
			in.Value = value
			if in.ValueAt == (Position{}) {
				in.ValueAt = p.at
			}
			if ok {
				p.endLine()
			}
			return nil
		}
		if !ok {
			quote := `"`
			if strings.HasPrefix(text, `"""`) {
				quote = `"""`
			}
			return p.fail(in.ValueAt, "end a line with "+quote, "the value of %s starts with %s, and no line ends with it", in.Keyword, quote)
		}
		add(p.next())
	}
}

// endLine takes the line break that p stands at.
func (p *parser) endLine() {
	if p.next() == '\r' {
		if r, _ := p.peek(); r == '\n' {
			p.next()
		}
	}
}
