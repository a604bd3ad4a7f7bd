// Package frontmatter reads the YAML that a model card, README.md, begins with,
// the way PyYAML does: by the rules of YAML 1.1, in which an unquoted no is a
// boolean and 2024-01-31 is a date.
package frontmatter

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/gguftool/gguftool/internal/fault"
)

// A Map is a YAML mapping. Its values are string, Scalar, []any, Map, or nil
// for null. Keys that are no strings are left out.
type Map map[string]any

// A Scalar is an unquoted boolean, number or date.
type Scalar struct {
	Text  string // as it is written
	Empty bool   // whether Python takes it for nothing: false, or a zero
}

// What the front matter may have; the largest known, with the results of a
// hundred benchmarks, has less than a megabyte and ten levels.
const (
	maxSize  = 8 << 20
	maxDepth = 100
)

// Parse returns the front matter of a model card; it is empty where the card
// has none. Errors give the line.
func Parse(card []byte) (m Map, err error) {
	text := front(string(card))
	if err := check(text); err != nil {
		return nil, err
	}
	// The parser expects no hostile input; what makes it panic is malformed.
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, malformed(0, fmt.Sprint(r))
		}
	}()
	file, err := parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		line, problem := 0, err.Error()
		if y, ok := errors.AsType[yaml.Error](err); ok {
			line, problem = lineOf(y.GetToken()), y.GetMessage()
		}
		return nil, malformed(line, problem)
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, nil
	}
	r := reader{anchors: map[string]any{}}
	value, err := r.value(file.Docs[0].Body)
	if err != nil {
		return nil, err
	}
	m, _ = value.(Map)
	return m, nil
}

// oneLineEnd turns every line end that Python's str.splitlines knows into one.
var oneLineEnd = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\v", "\n", "\f", "\n",
	"\x1c", "\n", "\x1d", "\n", "\x1e", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")

// front returns the lines between a first line --- and the next one.
func front(card string) string {
	lines := strings.Split(oneLineEnd.Replace(card), "\n")
	if lines[0] != "---" {
		return ""
	}
	var b strings.Builder
	for _, line := range lines[1:] {
		if line == "---" {
			break
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
	// A list entry no is Norwegian, not a boolean. And YAML forbids tabs, which
	// some cards have.
	text := strings.ReplaceAll(b.String(), "- no\n", "- \"no\"\n")
	return strings.ReplaceAll(text, "\t", "  ")
}

// check refuses what would take the parser, which is recursive and quadratic in
// depth, too long.
func check(text string) error {
	if len(text) > maxSize {
		return malformed(0, fmt.Sprintf("it has %d bytes, more than %d", len(text), maxSize))
	}
	if !utf8.ValidString(text) {
		return malformed(0, "invalid UTF-8")
	}
	brackets := 0
	for i, line := range strings.Split(text, "\n") {
		indent, entries := 0, 0
		for indent < len(line) && strings.IndexByte(" -?:", line[indent]) >= 0 {
			if line[indent] != ' ' {
				entries++
			}
			indent++
		}
		brackets += strings.Count(line, "[") + strings.Count(line, "{") - strings.Count(line, "]") - strings.Count(line, "}")
		if entries > maxDepth || indent > 10*maxDepth || brackets > maxDepth {
			return malformed(i+1, fmt.Sprintf("it nests deeper than %d levels", maxDepth))
		}
	}
	return nil
}

// malformed returns the error for a line of the front matter; 0 is no line.
func malformed(line int, problem string) error {
	part := "front matter"
	if line > 0 {
		part = fmt.Sprintf("front matter, line %d", line+1) // after the ---
	}
	e := fault.Malformed("", part, "invalid YAML: %s", problem)
	e.Hint = "correct it, or move the file away: only descriptions are taken from it"
	return e
}

func lineOf(t *token.Token) int {
	if t == nil || t.Position == nil {
		return 0
	}
	return t.Position.Line
}

// A reader turns nodes into values.
type reader struct {
	anchors map[string]any
}

func (r *reader) value(n ast.Node) (any, error) {
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return nil, nil
	case *ast.MappingNode:
		m := make(Map, len(n.Values))
		for _, entry := range n.Values {
			if err := r.entry(m, entry); err != nil {
				return nil, err
			}
		}
		return m, nil
	case *ast.MappingValueNode:
		m := make(Map, 1)
		return m, r.entry(m, n)
	case *ast.SequenceNode:
		list := make([]any, len(n.Values))
		for i, entry := range n.Values {
			v, err := r.value(entry)
			if err != nil {
				return nil, err
			}
			list[i] = v
		}
		return list, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.AnchorNode:
		v, err := r.value(n.Value)
		r.anchors[n.Name.GetToken().Value] = v
		return v, err
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		v, ok := r.anchors[name]
		if !ok {
			return nil, malformed(lineOf(n.GetToken()), fmt.Sprintf("the alias *%s has no anchor before it", name))
		}
		return v, nil
	case *ast.MappingKeyNode:
		return r.value(n.Value)
	case *ast.TagNode:
		return r.tagged(n)
	case ast.ScalarNode:
		t := n.GetToken()
		if t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType {
			return t.Value, nil
		}
		return resolve(plainText(n, t)), nil
	}
	return nil, malformed(lineOf(n.GetToken()), fmt.Sprintf("unexpected %s", n.Type()))
}

// plainText returns the text of an unquoted scalar, whose token may hold less
// where it spans lines.
func plainText(n ast.ScalarNode, t *token.Token) string {
	if s, ok := n.(*ast.StringNode); ok {
		return s.Value
	}
	return t.Value
}

// tagged reads a value with a tag, of which only !!str changes anything here.
func (r *reader) tagged(n *ast.TagNode) (any, error) {
	v, err := r.value(n.Value)
	if s, ok := v.(Scalar); ok && n.Start.Value == "!!str" {
		return s.Text, err
	}
	return v, err
}

func (r *reader) entry(m Map, n *ast.MappingValueNode) error {
	value, err := r.value(n.Value)
	if err != nil {
		return err
	}
	if n.Key.IsMergeKey() {
		if from, ok := value.(Map); ok {
			for k, v := range from {
				if _, ok := m[k]; !ok {
					m[k] = v
				}
			}
		}
		return nil
	}
	key, err := r.value(n.Key)
	if err != nil {
		return err
	}
	if name, ok := key.(string); ok {
		m[name] = value
	}
	return nil
}
