package jinja

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// The methods of texts, lists and mappings that change nothing.
var textMethods, listMethods, dictMethods map[string]filter

func init() {
	textMethods = map[string]filter{
		"strip":        func(r *run, v any, a *arguments) (any, error) { return strip(r, v.(string), a) },
		"lstrip":       func(r *run, v any, a *arguments) (any, error) { return stripLeft(r, v.(string), a) },
		"rstrip":       func(r *run, v any, a *arguments) (any, error) { return stripRight(r, v.(string), a) },
		"split":        func(r *run, v any, a *arguments) (any, error) { return split(r, v.(string), a, false) },
		"rsplit":       func(r *run, v any, a *arguments) (any, error) { return split(r, v.(string), a, true) },
		"splitlines":   splitLines,
		"startswith":   affix(strings.HasPrefix),
		"endswith":     affix(strings.HasSuffix),
		"removeprefix": without(strings.TrimPrefix),
		"removesuffix": without(strings.TrimSuffix),
		"replace":      func(r *run, v any, a *arguments) (any, error) { return replaceText(r, v.(string), a) },
		"upper":        onText(strings.ToUpper),
		"lower":        onText(strings.ToLower),
		"title":        onText(title),
		"capitalize":   onText(capitalize),
		"find":         find(strings.Index),
		"rfind":        find(strings.LastIndex),
		"count":        occurrences,
		"join":         func(r *run, v any, a *arguments) (any, error) { return joinWith(r, v.(string), a) },
		"format":       format,
		"isdigit":      all(unicode.IsDigit),
		"isalpha":      all(unicode.IsLetter),
		"isspace":      all(unicode.IsSpace),
	}
	listMethods = map[string]filter{
		"count": func(r *run, v any, a *arguments) (any, error) {
			n := int64(0)
			wanted, _ := a.get(0, "value")
			for _, item := range v.([]any) {
				eq, err := r.equal(item, wanted, 0)
				if err != nil {
					return nil, err
				}
				if eq {
					n++
				}
			}
			return n, nil
		},
		"index": func(r *run, v any, a *arguments) (any, error) {
			wanted, _ := a.get(0, "value")
			for i, item := range v.([]any) {
				if eq, err := r.equal(item, wanted, 0); err != nil || eq {
					return int64(i), err
				}
			}
			return nil, errors.New("the list has no such item")
		},
	}
	dictMethods = map[string]filter{
		"items": pairs,
		"keys":  func(r *run, v any, _ *arguments) (any, error) { return copied(r, v) },
		"values": func(r *run, v any, _ *arguments) (any, error) {
			out := []any{}
			for _, k := range v.(*Dict).keys {
				out = append(out, v.(*Dict).values[k])
			}
			return out, r.spend(16 * len(out))
		},
		"get": func(_ *run, v any, a *arguments) (any, error) {
			key, _ := a.get(0, "key")
			if found, ok := v.(*Dict).get(key); ok {
				return found, nil
			}
			instead, _ := a.get(1, "default")
			return instead, nil
		},
	}
}

// cutset returns the characters that are stripped, white space unless given.
func cutset(a *arguments) (func(rune) bool, error) {
	chars, err := a.text(0, "chars", "")
	if err != nil || chars == "" {
		return unicode.IsSpace, err
	}
	return func(r rune) bool { return strings.ContainsRune(chars, r) }, nil
}

func strip(_ *run, s string, a *arguments) (any, error) {
	cut, err := cutset(a)
	return strings.TrimFunc(s, cut), err
}

func stripLeft(_ *run, s string, a *arguments) (any, error) {
	cut, err := cutset(a)
	return strings.TrimLeftFunc(s, cut), err
}

func stripRight(_ *run, s string, a *arguments) (any, error) {
	cut, err := cutset(a)
	return strings.TrimRightFunc(s, cut), err
}

func split(r *run, s string, a *arguments, fromRight bool) (any, error) {
	sep, err := a.text(0, "sep", "")
	if err != nil {
		return nil, err
	}
	most, err := a.integer(1, "maxsplit", -1)
	if err != nil {
		return nil, err
	}
	if err := r.spend(16 * (len(s) + 1)); err != nil {
		return nil, err
	}
	out := []any{}
	if sep == "" {
		if most >= 0 {
			return nil, errors.New("split by white space with a limit is not known here")
		}
		for _, part := range strings.Fields(s) {
			out = append(out, part)
		}
		return out, nil
	}
	parts := strings.Split(s, sep)
	if n := int64(len(parts)); most >= 0 && n > most+1 {
		if fromRight {
			parts = append([]string{strings.Join(parts[:n-most], sep)}, parts[n-most:]...)
		} else {
			parts = append(parts[:most:most], strings.Join(parts[most:], sep))
		}
	}
	for _, part := range parts {
		out = append(out, part)
	}
	return out, nil
}

func splitLines(r *run, v any, _ *arguments) (any, error) {
	s := strings.ReplaceAll(v.(string), "\r\n", "\n")
	if err := r.spend(16 * (len(s) + 1)); err != nil {
		return nil, err
	}
	out := []any{}
	if s == "" {
		return out, nil
	}
	for _, line := range strings.Split(strings.TrimSuffix(s, "\n"), "\n") {
		out = append(out, line)
	}
	return out, nil
}

// affix tests for one of a tuple of texts, or for one text.
func affix(has func(s, part string) bool) filter {
	return func(_ *run, v any, a *arguments) (any, error) {
		wanted, _ := a.get(0, "prefix")
		choices, ok := wanted.([]any)
		if !ok {
			choices = []any{wanted}
		}
		for _, c := range choices {
			part, ok := c.(string)
			if !ok {
				return nil, fmt.Errorf("a text does not start or end with %s", kindOf(c))
			}
			if has(v.(string), part) {
				return true, nil
			}
		}
		return false, nil
	}
}

func without(cut func(s, part string) string) filter {
	return func(_ *run, v any, a *arguments) (any, error) {
		part, err := a.text(0, "prefix", "")
		return cut(v.(string), part), err
	}
}

func replaceText(r *run, s string, a *arguments) (any, error) {
	old, err := a.text(0, "old", "")
	if err != nil {
		return nil, err
	}
	with, err := a.text(1, "new", "")
	if err != nil {
		return nil, err
	}
	count, err := a.integer(2, "count", -1)
	if err != nil {
		return nil, err
	}
	n := strings.Count(s, old)
	if count >= 0 && int64(n) > count {
		n = int(count)
	}
	if len(with) > 0 && n > maxBytes/len(with) {
		return nil, r.spend(maxBytes + 1)
	}
	if err := r.spend(len(s) + n*len(with)); err != nil {
		return nil, err
	}
	return strings.Replace(s, old, with, n), nil
}

func find(index func(s, part string) int) filter {
	return func(_ *run, v any, a *arguments) (any, error) {
		part, err := a.text(0, "sub", "")
		if err != nil {
			return nil, err
		}
		s := v.(string)
		i := index(s, part)
		if i < 0 {
			return int64(-1), nil
		}
		return int64(len([]rune(s[:i]))), nil
	}
}

func occurrences(_ *run, v any, a *arguments) (any, error) {
	part, err := a.text(0, "sub", "")
	return int64(strings.Count(v.(string), part)), err
}

func joinWith(r *run, between string, a *arguments) (any, error) {
	items, _ := a.get(0, "iterable")
	return joinItems(r, items, &arguments{inOrder: []any{between}})
}

// format fills in {}, {0} and {name}; how values are laid out cannot be said.
func format(r *run, v any, a *arguments) (any, error) {
	var b strings.Builder
	next := 0
	for s := v.(string); s != ""; {
		n := strings.IndexAny(s, "{}")
		if n < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:n])
		if strings.HasPrefix(s[n:], "{{") || strings.HasPrefix(s[n:], "}}") {
			b.WriteByte(s[n])
			s = s[n+2:]
			continue
		}
		field, rest, ok := strings.Cut(s[n+1:], "}")
		if s[n] == '}' || !ok {
			return nil, errors.New("a brace has no partner")
		}
		s = rest
		i, err := strconv.Atoi(field)
		if field == "" {
			i, err = next, nil
			next++
		}
		value, known := a.named[field]
		if err == nil && 0 <= i && i < len(a.inOrder) {
			value, known = a.inOrder[i], true
		}
		if !known {
			return nil, fmt.Errorf("nothing is given for {%s}", field)
		}
		text, err := r.text(value)
		if err != nil {
			return nil, err
		}
		if err := r.spend(len(text)); err != nil {
			return nil, err
		}
		b.WriteString(text)
	}
	return r.made(b.String())
}

func all(is func(rune) bool) filter {
	return func(_ *run, v any, _ *arguments) (any, error) {
		s := v.(string)
		return s != "" && strings.IndexFunc(s, func(r rune) bool { return !is(r) }) < 0, nil
	}
}
