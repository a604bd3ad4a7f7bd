package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A jsonWriter writes JSON as Python's json.dumps does, which puts a space after
// commas and colons unless lines are indented.
type jsonWriter struct {
	r       *run
	b       strings.Builder
	indent  string // of one level, or "" for one line
	ascii   bool
	comma   string
	colon   string
	newline bool
}

func (w *jsonWriter) value(v any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: a value nests deeper than %d", ErrTooMuch, maxDepth)
	}
	before := w.b.Len()
	switch v := v.(type) {
	case nil:
		w.b.WriteString("null")
	case bool:
		w.b.WriteString(strconv.FormatBool(v))
	case int64:
		w.b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		w.b.WriteString(jsonFloat(v))
	case string:
		w.text(v)
	case []any:
		return w.group('[', ']', len(v), depth, func(i int) error { return w.value(v[i], depth+1) })
	case *Dict:
		return w.group('{', '}', len(v.keys), depth, func(i int) error {
			k := v.keys[i]
			name, ok := k.(string)
			if !ok {
				w2 := &jsonWriter{r: w.r}
				if err := w2.value(k, depth+1); err != nil {
					return err
				}
				name = w2.b.String()
			}
			w.text(name)
			w.b.WriteString(w.colon)
			return w.value(v.values[k], depth+1)
		})
	default:
		return fmt.Errorf("%s cannot be written as JSON", kindOf(v))
	}
	return w.r.spend(w.b.Len() - before)
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return floatText(f)
}

func (w *jsonWriter) group(open, end byte, n, depth int, item func(int) error) error {
	w.b.WriteByte(open)
	for i := range n {
		if i > 0 {
			w.b.WriteString(w.comma)
		}
		if err := w.line(depth + 1); err != nil {
			return err
		}
		if err := item(i); err != nil {
			return err
		}
	}
	if n > 0 {
		if err := w.line(depth); err != nil {
			return err
		}
	}
	w.b.WriteByte(end)
	return w.r.spend(2)
}

func (w *jsonWriter) line(depth int) error {
	if !w.newline {
		return nil
	}
	if err := w.r.spend(1 + depth*len(w.indent)); err != nil {
		return err
	}
	w.b.WriteByte('\n')
	w.b.WriteString(strings.Repeat(w.indent, depth))
	return nil
}

func (w *jsonWriter) text(s string) {
	w.b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.b.WriteByte('\\')
			w.b.WriteRune(r)
		case r == '\n':
			w.b.WriteString(`\n`)
		case r == '\r':
			w.b.WriteString(`\r`)
		case r == '\t':
			w.b.WriteString(`\t`)
		case r == '\b':
			w.b.WriteString(`\b`)
		case r == '\f':
			w.b.WriteString(`\f`)
		case r < 0x20 || w.ascii && r >= 0x7f && r <= 0xffff:
			fmt.Fprintf(&w.b, `\u%04x`, r)
		case w.ascii && r >= utf8.RuneSelf:
			r -= 0x10000
			fmt.Fprintf(&w.b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			w.b.WriteRune(r)
		}
	}
	w.b.WriteByte('"')
}

// toJSON is the filter tojson as transformers has it.
func toJSON(r *run, v any, a *arguments) (any, error) {
	w := &jsonWriter{r: r, comma: ", ", colon: ": "}
	if ascii, ok := a.get(0, "ensure_ascii"); ok {
		w.ascii = truth(ascii)
	}
	if indent, ok := a.get(1, "indent"); ok && indent != nil {
		n, isNumber := integer(indent)
		text, isText := indent.(string)
		switch {
		case isText:
			w.indent = text
		case isNumber && n <= maxDepth:
			w.indent = strings.Repeat(" ", int(max(n, 0)))
		default:
			return nil, fmt.Errorf("the indent cannot be %s", kindOf(indent))
		}
		w.newline, w.comma = true, ","
	}
	if separators, ok := a.get(2, "separators"); ok && separators != nil {
		pair, _ := separators.([]any)
		if len(pair) != 2 {
			return nil, fmt.Errorf("separators are two texts")
		}
		w.comma, _ = pair[0].(string)
		w.colon, _ = pair[1].(string)
	}
	if sorted, ok := a.get(3, "sort_keys"); ok && truth(sorted) {
		return nil, fmt.Errorf("sort_keys is not known here")
	}
	if err := w.value(v, 0); err != nil {
		return nil, err
	}
	return w.b.String(), nil
}
