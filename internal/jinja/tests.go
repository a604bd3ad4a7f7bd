package jinja

import (
	"fmt"
	"math"
	"strings"
)

func init() {
	tests = map[string]filter{
		"boolean":     is(func(v any) bool { _, ok := v.(bool); return ok }),
		"callable":    is(func(v any) bool { _, ok := v.(function); return ok }),
		"defined":     is(func(v any) bool { _, missing := v.(undefined); return !missing }),
		"undefined":   is(func(v any) bool { _, missing := v.(undefined); return missing }),
		"none":        is(func(v any) bool { return v == nil }),
		"string":      is(func(v any) bool { _, ok := v.(string); return ok }),
		"number":      is(func(v any) bool { _, ok := number(v); return ok }),
		"integer":     is(func(v any) bool { _, ok := v.(int64); return ok }),
		"float":       is(func(v any) bool { _, ok := v.(float64); return ok }),
		"true":        is(func(v any) bool { return v == true }),
		"false":       is(func(v any) bool { return v == false }),
		"mapping":     is(func(v any) bool { _, ok := v.(*Dict); return ok }),
		"iterable":    is(iterable),
		"sequence":    is(iterable),
		"even":        remainder(2, 0),
		"odd":         remainder(2, 1),
		"divisibleby": divisible,
		"lower":       is(func(v any) bool { s, ok := v.(string); return ok && s != "" && s == strings.ToLower(s) }),
		"upper":       is(func(v any) bool { s, ok := v.(string); return ok && s != "" && s == strings.ToUpper(s) }),
		"sameas":      same,
		"in": func(r *run, v any, a *arguments) (any, error) {
			in, _ := a.get(0, "seq")
			return r.contains(in, v)
		},
	}
	for name, op := range map[string]string{
		"==": "==", "eq": "==", "equalto": "==", "!=": "!=", "ne": "!=",
		"<": "<", "lt": "<", "lessthan": "<", "<=": "<=", "le": "<=",
		">": ">", "gt": ">", "greaterthan": ">", ">=": ">=", "ge": ">=",
	} {
		tests[name] = func(r *run, v any, a *arguments) (any, error) {
			other, ok := a.get(0, "other")
			if !ok {
				return nil, fmt.Errorf("what to compare with is missing")
			}
			return r.compare(op, v, other)
		}
	}
}

func is(f func(any) bool) filter {
	return func(_ *run, v any, _ *arguments) (any, error) { return f(v), nil }
}

func iterable(v any) bool {
	switch v.(type) {
	case string, []any, *Dict, undefined:
		return true
	}
	return false
}

func remainder(by, wanted int64) filter {
	return func(_ *run, v any, _ *arguments) (any, error) {
		n, ok := number(v)
		if !ok {
			return nil, fmt.Errorf("%s is no number", kindOf(v))
		}
		return math.Mod(math.Abs(n), float64(by)) == float64(wanted), nil
	}
}

func divisible(_ *run, v any, a *arguments) (any, error) {
	by, err := a.integer(0, "num", 0)
	n, ok := integer(v)
	if err != nil || !ok || by == 0 {
		return nil, fmt.Errorf("%s cannot be divided by %d", kindOf(v), by)
	}
	return n%by == 0, nil
}

func same(r *run, v any, a *arguments) (any, error) {
	other, _ := a.get(0, "other")
	if kindOf(v) != kindOf(other) {
		return false, nil
	}
	return r.equal(v, other, 0)
}
