package jinja

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// filters and tests are tables that their own entries look things up in (map,
// select), so that they are filled at the start.
var filters, tests map[string]filter

func init() {
	filters = map[string]filter{
		"abs":        absolute,
		"capitalize": onText(capitalize),
		"count":      length,
		"d":          otherwise,
		"default":    otherwise,
		"dictsort":   sortedItems,
		"e":          escape,
		"escape":     escape,
		"first":      first,
		"float":      toFloat,
		"indent":     indent,
		"int":        toInt,
		"items":      pairs,
		"join":       joinItems,
		"last":       last,
		"length":     length,
		"list":       toList,
		"lower":      onText(strings.ToLower),
		"map":        mapped,
		"max":        extreme(1),
		"min":        extreme(-1),
		"reject":     selectBy(false, false),
		"rejectattr": selectBy(true, false),
		"replace":    replace,
		"reverse":    reversed,
		"round":      round,
		"safe":       toText,
		"select":     selectBy(false, true),
		"selectattr": selectBy(true, true),
		"sort":       sorted,
		"string":     toText,
		"sum":        sum,
		"title":      onText(title),
		"tojson":     toJSON,
		"trim":       trimBoth,
		"unique":     unique,
		"upper":      onText(strings.ToUpper),
	}
}

func onText(f func(string) string) filter {
	return func(r *run, v any, _ *arguments) (any, error) {
		s, err := r.text(v)
		if err != nil {
			return nil, err
		}
		return r.made(f(s))
	}
}

func capitalize(s string) string {
	for i, c := range s {
		return strings.ToUpper(string(c)) + strings.ToLower(s[i+len(string(c)):])
	}
	return s
}

func title(s string) string {
	before := ' '
	return strings.Map(func(r rune) rune {
		start := !unicode.IsLetter(before)
		before = r
		if start {
			return unicode.ToTitle(r)
		}
		return unicode.ToLower(r)
	}, s)
}

func toText(r *run, v any, _ *arguments) (any, error) {
	s, err := r.text(v)
	return s, err
}

func escape(r *run, v any, _ *arguments) (any, error) {
	s, err := r.text(v)
	if err != nil {
		return nil, err
	}
	return r.made(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace(s))
}

func trimBoth(r *run, v any, a *arguments) (any, error) {
	s, err := r.text(v)
	if err != nil {
		return nil, err
	}
	return strip(r, s, a)
}

func otherwise(_ *run, v any, a *arguments) (any, error) {
	instead, ok := a.get(0, "default_value")
	if !ok {
		instead = ""
	}
	falsy, _ := a.get(1, "boolean")
	if _, missing := v.(undefined); missing || truth(falsy) && !truth(v) {
		return instead, nil
	}
	return v, nil
}

func length(_ *run, v any, _ *arguments) (any, error) {
	switch v := v.(type) {
	case string:
		return int64(len([]rune(v))), nil
	case []any:
		return int64(len(v)), nil
	case *Dict:
		return int64(len(v.keys)), nil
	case undefined:
		return int64(0), nil
	}
	return nil, fmt.Errorf("%s has no length", kindOf(v))
}

func first(r *run, v any, _ *arguments) (any, error) {
	items, err := r.items(v)
	if err != nil || len(items) == 0 {
		return undefined("there is no first item"), err
	}
	return items[0], nil
}

func last(r *run, v any, _ *arguments) (any, error) {
	items, err := r.items(v)
	if err != nil || len(items) == 0 {
		return undefined("there is no last item"), err
	}
	return items[len(items)-1], nil
}

// copied returns the items of v in a list that may be changed.
func copied(r *run, v any) ([]any, error) {
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	return append([]any{}, items...), r.spend(16 * len(items))
}

func toList(r *run, v any, _ *arguments) (any, error) { return copied(r, v) }

func reversed(r *run, v any, _ *arguments) (any, error) {
	items, err := copied(r, v)
	slices.Reverse(items)
	if _, isText := v.(string); isText && err == nil {
		var b strings.Builder
		for _, c := range items {
			b.WriteString(c.(string))
		}
		return b.String(), nil
	}
	return items, err
}

func pairs(r *run, v any, _ *arguments) (any, error) {
	switch v := v.(type) {
	case undefined:
		return []any{}, nil
	case *Dict:
		all := []any{}
		for _, k := range v.keys {
			all = append(all, []any{k, v.values[k]})
		}
		return all, r.spend(64 * len(all))
	}
	return nil, fmt.Errorf("%s is no mapping", kindOf(v))
}

func sortedItems(r *run, v any, a *arguments) (any, error) {
	if len(a.inOrder)+len(a.named) > 0 {
		return nil, errors.New("its options are not known here")
	}
	all, err := pairs(r, v, nil)
	if err != nil {
		return nil, err
	}
	return all, sortBy(r, all.([]any), 1, func(item any) (any, error) { return folded(item.([]any)[0]), nil })
}

func folded(v any) any {
	if s, ok := v.(string); ok {
		return strings.ToLower(s)
	}
	return v
}

func sortBy(r *run, items []any, sign int, key func(any) (any, error)) error {
	var failed error
	slices.SortStableFunc(items, func(x, y any) int {
		if failed == nil {
			failed = r.step()
		}
		a, err1 := key(x)
		b, err2 := key(y)
		order, err3 := r.order(a, b)
		failed = cmp.Or(failed, err1, err2, err3)
		return order * sign
	})
	return failed
}

func sorted(r *run, v any, a *arguments) (any, error) {
	items, err := copied(r, v)
	if err != nil {
		return nil, err
	}
	attribute, err := a.text(2, "attribute", "")
	if err != nil {
		return nil, err
	}
	caseMatters, _ := a.get(1, "case_sensitive")
	sign := 1
	if reverse, _ := a.get(0, "reverse"); truth(reverse) {
		sign = -1
	}
	return items, sortBy(r, items, sign, func(item any) (any, error) {
		if attribute != "" {
			if item, err = r.path(item, attribute); err != nil {
				return nil, err
			}
		}
		if truth(caseMatters) {
			return item, nil
		}
		return folded(item), nil
	})
}

func unique(r *run, v any, _ *arguments) (any, error) {
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	var out, keys []any
	for _, item := range items {
		seen, err := r.contains(keys, folded(item))
		if err != nil {
			return nil, err
		}
		if !seen {
			out, keys = append(out, item), append(keys, folded(item))
		}
	}
	return out, nil
}

// path follows names with dots between them.
func (r *run) path(v any, path string) (any, error) {
	for _, name := range strings.Split(path, ".") {
		var key any = name
		if n, err := strconv.ParseInt(name, 10, 64); err == nil {
			key = n
		}
		var err error
		if v, err = r.member(v, key, false); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func joinItems(r *run, v any, a *arguments) (any, error) {
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	between, err := a.text(0, "d", "")
	if err != nil {
		return nil, err
	}
	attribute, err := a.text(1, "attribute", "")
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for i, item := range items {
		if attribute != "" {
			if item, err = r.path(item, attribute); err != nil {
				return nil, err
			}
		}
		s, err := r.text(item)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			s = between + s
		}
		if err := r.spend(len(s)); err != nil {
			return nil, err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// mapped applies a filter to all items, or takes an attribute of them.
func mapped(r *run, v any, a *arguments) (any, error) {
	if !truth(v) {
		return []any{}, nil // none has no items elsewhere
	}
	items, err := copied(r, v)
	if err != nil {
		return nil, err
	}
	var one func(item any) (any, error)
	if path, ok := a.named["attribute"]; ok {
		name, err := r.text(path)
		if err != nil {
			return nil, err
		}
		instead, hasDefault := a.named["default"]
		one = func(item any) (any, error) {
			v, err := r.path(item, name)
			if _, missing := v.(undefined); missing && hasDefault {
				return instead, err
			}
			return v, err
		}
	} else {
		f, rest, err := named(filters, a, 0)
		if err != nil {
			return nil, err
		}
		one = func(item any) (any, error) { return f(r, item, rest) }
	}
	for i := range items {
		if err := r.step(); err != nil {
			return nil, err
		}
		if items[i], err = one(items[i]); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// named returns the filter or test that the argument at place i names, and the
// arguments behind it.
func named(table map[string]filter, a *arguments, i int) (filter, *arguments, error) {
	if len(a.inOrder) <= i {
		return nil, nil, errors.New("the name of what to apply is missing")
	}
	name, _ := a.inOrder[i].(string)
	f, ok := table[name]
	if !ok {
		return nil, nil, fmt.Errorf("%q is not known here", name)
	}
	return f, &arguments{inOrder: a.inOrder[i+1:], named: a.named}, nil
}

// selectBy keeps the items, or those whose attribute, pass a test or fail it.
func selectBy(attribute, keep bool) filter {
	return func(r *run, v any, a *arguments) (any, error) {
		if !truth(v) {
			return []any{}, nil
		}
		items, err := r.items(v)
		if err != nil {
			return nil, err
		}
		at := 0
		if attribute {
			at = 1
		}
		path, err := a.text(0, "attribute", "")
		if err != nil {
			return nil, err
		}
		test := filter(func(_ *run, v any, _ *arguments) (any, error) { return truth(v), nil })
		rest := &arguments{}
		if len(a.inOrder) > at {
			if test, rest, err = named(tests, a, at); err != nil {
				return nil, err
			}
		}
		out := []any{}
		for _, item := range items {
			if err := r.step(); err != nil {
				return nil, err
			}
			tested := item
			if attribute {
				if tested, err = r.path(item, path); err != nil {
					return nil, err
				}
			}
			ok, err := test(r, tested, rest)
			if err != nil {
				return nil, err
			}
			if truth(ok) == keep {
				out = append(out, item)
			}
		}
		return out, nil
	}
}

func replace(r *run, v any, a *arguments) (any, error) {
	s, err := r.text(v)
	if err != nil {
		return nil, err
	}
	return replaceText(r, s, a)
}

func indent(r *run, v any, a *arguments) (any, error) {
	s, err := r.text(v)
	if err != nil {
		return nil, err
	}
	width, err := a.integer(0, "width", 4)
	if err != nil {
		return nil, err
	}
	if width < 0 || width > maxDepth {
		return nil, fmt.Errorf("the width %d is none from 0 to %d", width, maxDepth)
	}
	firstToo, _ := a.get(1, "first")
	blankToo, _ := a.get(2, "blank")
	space := strings.Repeat(" ", int(width))
	lines := strings.Split(s, "\n")
	if err := r.spend(len(s) + len(lines)*int(width)); err != nil {
		return nil, err
	}
	for i := range lines {
		if (i > 0 || truth(firstToo)) && (lines[i] != "" || truth(blankToo)) {
			lines[i] = space + lines[i]
		}
	}
	return strings.Join(lines, "\n"), nil
}

func toInt(_ *run, v any, a *arguments) (any, error) {
	instead, err := a.integer(0, "default", 0)
	if err != nil {
		return nil, err
	}
	f, ok := number(v)
	if s, isText := v.(string); isText {
		s = strings.TrimSpace(s)
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, nil
		}
		f, err = strconv.ParseFloat(s, 64)
		ok = err == nil
	}
	if !ok || math.IsNaN(f) || math.Abs(f) >= 1<<63 {
		return instead, nil
	}
	return int64(f), nil
}

func toFloat(_ *run, v any, _ *arguments) (any, error) {
	f, ok := number(v)
	if s, isText := v.(string); isText {
		var err error
		f, err = strconv.ParseFloat(strings.TrimSpace(s), 64)
		ok = err == nil
	}
	if !ok {
		return 0.0, nil
	}
	return f, nil
}

func absolute(_ *run, v any, _ *arguments) (any, error) {
	if n, ok := integer(v); ok {
		return max(n, -n), nil
	}
	f, ok := number(v)
	if !ok {
		return nil, fmt.Errorf("%s is no number", kindOf(v))
	}
	return math.Abs(f), nil
}

func round(_ *run, v any, a *arguments) (any, error) {
	f, ok := number(v)
	if !ok {
		return nil, fmt.Errorf("%s is no number", kindOf(v))
	}
	digits, err := a.integer(0, "precision", 0)
	if err != nil {
		return nil, err
	}
	method, err := a.text(1, "method", "common")
	if err != nil {
		return nil, err
	}
	scale := math.Pow10(int(min(max(digits, -300), 300)))
	switch method {
	case "floor":
		return math.Floor(f*scale) / scale, nil
	case "ceil":
		return math.Ceil(f*scale) / scale, nil
	}
	return math.RoundToEven(f*scale) / scale, nil
}

func extreme(sign int) filter {
	return func(r *run, v any, _ *arguments) (any, error) {
		items, err := r.items(v)
		if err != nil {
			return nil, err
		}
		var best any = undefined("there is no item")
		for i, item := range items {
			if i == 0 {
				best = item
				continue
			}
			order, err := r.order(folded(item), folded(best))
			if err != nil {
				return nil, err
			}
			if order*sign > 0 {
				best = item
			}
		}
		return best, nil
	}
}

func sum(r *run, v any, _ *arguments) (any, error) {
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	var total any = int64(0)
	for _, item := range items {
		if total, err = r.binary("+", total, item); err != nil {
			return nil, err
		}
	}
	return total, nil
}

func sortedNames(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
