package jinja

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Values are nil, bool, int64, float64, string, []any (lists and tuples), *Dict,
// and these.
type (
	// An undefined is what a name without a value has: why there is none.
	undefined string
	namespace struct{ names map[string]any }
	iteration struct {
		items []any
		at    int
	}
)

// A Dict is a mapping that keeps the order in which keys came.
type Dict struct {
	keys   []any
	values map[any]any
}

// NewDict returns a mapping of pairs of key and value.
func NewDict(pairs ...any) *Dict {
	d := &Dict{values: map[any]any{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := d.set(pairs[i], pairs[i+1]); err != nil {
			panic(err) // pairs come from code
		}
	}
	return d
}

func (d *Dict) set(k, v any) error {
	switch n := k.(type) {
	case nil, bool, int64, string:
	case int:
		k = int64(n)
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			k = int64(n)
		}
	default:
		return fmt.Errorf("%s cannot be the key of a mapping", kindOf(k))
	}
	if _, ok := d.values[k]; !ok {
		d.keys = append(d.keys, k)
	}
	d.values[k] = v
	return nil
}

func (d *Dict) get(k any) (any, bool) {
	switch k.(type) {
	case nil, bool, int64, float64, string:
		v, ok := d.values[k]
		return v, ok
	}
	return nil, false
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "none"
	case undefined:
		return "an undefined value"
	case bool:
		return "a boolean"
	case int64, float64:
		return "a number"
	case string:
		return "a text"
	case []any:
		return "a list"
	case *Dict:
		return "a mapping"
	case function:
		return "a function"
	}
	return "an object"
}

func truth(v any) bool {
	switch v := v.(type) {
	case nil, undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case *Dict:
		return len(v.keys) > 0
	}
	return true
}

// integer returns a value that can be an index; booleans are numbers.
func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func number(v any) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	n, ok := integer(v)
	return float64(n), ok
}

// text returns what printing v writes.
func (r *run) text(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case undefined:
		return "", nil
	}
	var b strings.Builder
	err := r.repr(&b, v, 0)
	return b.String(), err
}

// repr writes v as Python shows it.
func (r *run) repr(b *strings.Builder, v any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: a value nests deeper than %d", ErrTooMuch, maxDepth)
	}
	before := b.Len()
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		b.WriteString(map[bool]string{true: "True", false: "False"}[v])
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(floatText(v))
	case string:
		b.WriteString(quoteText(v))
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			if err := r.repr(b, item, depth+1); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case *Dict:
		b.WriteByte('{')
		for i, k := range v.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			if err := r.repr(b, k, depth+1); err != nil {
				return err
			}
			b.WriteString(": ")
			if err := r.repr(b, v.values[k], depth+1); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case undefined:
		b.WriteString("Undefined")
	default:
		return fmt.Errorf("%s cannot be printed", kindOf(v))
	}
	return r.spend(b.Len() - before)
}

func floatText(f float64) string {
	switch {
	case math.IsInf(f, 0) || math.IsNaN(f):
		return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(f, 'g', -1, 64), "+"))
	case f == 0 || math.Abs(f) >= 1e-4 && math.Abs(f) < 1e16:
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	return strconv.FormatFloat(f, 'e', -1, 64)
}

// quoteText quotes as Python does: ' unless the text has it and no ".
func quoteText(s string) string {
	quote := "'"
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = `"`
	}
	s = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`, quote, `\`+quote).Replace(s)
	return quote + s + quote
}

// items returns what a loop over v goes through.
func (r *run) items(v any) ([]any, error) {
	switch v := v.(type) {
	case []any:
		return v, nil
	case *Dict:
		return v.keys, nil
	case undefined:
		return nil, nil
	case string:
		if err := r.spend(16 * len(v)); err != nil {
			return nil, err
		}
		var all []any
		for _, c := range v {
			all = append(all, string(c))
		}
		return all, nil
	}
	return nil, fmt.Errorf("%s has no items", kindOf(v))
}

// member returns of[key] or of.key: attributes are methods first and then keys,
// subscripts the other way round.
func (r *run) member(of, key any, attribute bool) (any, error) {
	name, isName := key.(string)
	switch of := of.(type) {
	case undefined:
		return nil, fmt.Errorf("%s, so that it has no %s", of, briefly(key))
	case *Dict:
		if attribute {
			if m, ok := dictMethods[name]; ok {
				return bound(m, of), nil
			}
		}
		if v, ok := of.get(key); ok {
			return v, nil
		}
		if m, ok := dictMethods[name]; ok && isName {
			return bound(m, of), nil
		}
	case []any:
		if i, ok := integer(key); ok {
			if i < 0 {
				i += int64(len(of))
			}
			if 0 <= i && i < int64(len(of)) {
				return of[i], nil
			}
		} else if m, ok := listMethods[name]; ok && isName {
			return bound(m, of), nil
		}
	case string:
		if i, ok := integer(key); ok {
			part, err := r.slice(of, [3]*int64{&i, nil, nil})
			if text, _ := part.(string); err == nil && text != "" && i >= -int64(len([]rune(of))) {
				return string([]rune(text)[:1]), nil
			}
		} else if m, ok := textMethods[name]; ok && isName {
			return bound(m, of), nil
		}
	case *namespace:
		if v, ok := of.names[name]; ok {
			return v, nil
		}
	case *iteration:
		return of.member(name)
	}
	return undefined(fmt.Sprintf("%s has no %s", kindOf(of), briefly(key))), nil
}

func briefly(key any) string {
	if s, ok := key.(string); ok {
		return strconv.Quote(s[:min(len(s), 60)])
	}
	return fmt.Sprint(key)
}

func bound(m filter, v any) function {
	return func(r *run, a *arguments) (any, error) { return m(r, v, a) }
}

func (it *iteration) member(name string) (any, error) {
	n := int64(len(it.items))
	i := int64(it.at)
	switch name {
	case "index":
		return i + 1, nil
	case "index0":
		return i, nil
	case "revindex":
		return n - i, nil
	case "revindex0":
		return n - i - 1, nil
	case "first":
		return i == 0, nil
	case "last":
		return i == n-1, nil
	case "length":
		return n, nil
	case "previtem":
		if i > 0 {
			return it.items[i-1], nil
		}
	case "nextitem":
		if i < n-1 {
			return it.items[i+1], nil
		}
	case "cycle":
		return function(func(_ *run, a *arguments) (any, error) {
			if len(a.inOrder) == 0 {
				return nil, errors.New("cycle needs items")
			}
			return a.inOrder[it.at%len(a.inOrder)], nil
		}), nil
	}
	return undefined(fmt.Sprintf("loop has no %q", name)), nil
}

// slice returns of[bounds[0]:bounds[1]:bounds[2]].
func (r *run) slice(of any, bounds [3]*int64) (any, error) {
	var runes []rune
	var list []any
	text, isText := of.(string)
	switch of := of.(type) {
	case string:
		runes = []rune(text)
	case []any:
		list = of
	case undefined:
		return nil, fmt.Errorf("%s, so that it has no parts", of)
	default:
		return nil, fmt.Errorf("%s has no parts", kindOf(of))
	}
	n := int64(len(runes) + len(list))
	if err := r.spend(int(4*n) + 16); err != nil {
		return nil, err
	}
	step := int64(1)
	if bounds[2] != nil {
		step = *bounds[2]
	}
	if step == 0 || step < -n-1 || step > n+1 {
		if step == 0 {
			return nil, errors.New("the step of a slice is 0")
		}
		step = min(max(step, -n-1), n+1)
	}
	// from and to are where the slice starts and the place that it does not reach.
	from, to, least := int64(0), n, int64(0)
	if step < 0 {
		from, to, least = n-1, -1, -1
	}
	place := func(p *int64, otherwise int64) int64 {
		if p == nil {
			return otherwise
		}
		i := *p
		if i < 0 {
			i = max(i, -n-1) + n
		}
		return min(max(i, least), n+least)
	}
	from, to = place(bounds[0], from), place(bounds[1], to)
	var outText []rune
	outList := []any{}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		if isText {
			outText = append(outText, runes[i])
		} else {
			outList = append(outList, list[i])
		}
	}
	if isText {
		return string(outText), nil
	}
	return outList, nil
}

func (r *run) compare(op string, a, b any) (bool, error) {
	switch op {
	case "==":
		return r.equal(a, b, 0)
	case "!=":
		eq, err := r.equal(a, b, 0)
		return !eq, err
	case "in":
		return r.contains(b, a)
	case "not in":
		in, err := r.contains(b, a)
		return !in, err
	}
	order, err := r.order(a, b)
	if err != nil {
		return false, err
	}
	switch op {
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	}
	return order >= 0, nil
}

// order compares numbers or texts.
func (r *run) order(a, b any) (int, error) {
	if x, ok := number(a); ok {
		if y, ok := number(b); ok {
			return cmp.Compare(x, y), nil
		}
	}
	x, ok1 := a.(string)
	y, ok2 := b.(string)
	if ok1 && ok2 {
		return strings.Compare(x, y), nil
	}
	return 0, fmt.Errorf("%s and %s have no order", kindOf(a), kindOf(b))
}

func (r *run) equal(a, b any, depth int) (bool, error) {
	if depth > maxDepth {
		return false, fmt.Errorf("%w: a value nests deeper than %d", ErrTooMuch, maxDepth)
	}
	if err := r.step(); err != nil {
		return false, err
	}
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y, nil
	}
	switch x := a.(type) {
	case nil:
		return b == nil, nil
	case undefined:
		_, ok := b.(undefined)
		return ok, nil
	case string:
		y, ok := b.(string)
		return ok && x == y, nil
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false, nil
		}
		for i := range x {
			if eq, err := r.equal(x[i], y[i], depth+1); err != nil || !eq {
				return false, err
			}
		}
		return true, nil
	case *Dict:
		y, ok := b.(*Dict)
		if !ok || len(x.keys) != len(y.keys) {
			return false, nil
		}
		for _, k := range x.keys {
			v, ok := y.get(k)
			if !ok {
				return false, nil
			}
			if eq, err := r.equal(x.values[k], v, depth+1); err != nil || !eq {
				return false, err
			}
		}
		return true, nil
	case *namespace:
		y, ok := b.(*namespace)
		return ok && x == y, nil
	}
	return false, nil
}

func (r *run) contains(in, v any) (bool, error) {
	switch in := in.(type) {
	case string:
		part, ok := v.(string)
		if !ok {
			return false, fmt.Errorf("a text holds texts, not %s", kindOf(v))
		}
		return strings.Contains(in, part), nil
	case *Dict:
		_, ok := in.get(v)
		return ok, nil
	case []any:
		for _, item := range in {
			if eq, err := r.equal(item, v, 0); err != nil || eq {
				return eq, err
			}
		}
		return false, nil
	case undefined:
		return false, nil
	}
	return false, fmt.Errorf("%s holds nothing", kindOf(in))
}

func (r *run) binary(op string, a, b any) (any, error) {
	if op == "~" {
		x, err := r.text(a)
		if err != nil {
			return nil, err
		}
		y, err := r.text(b)
		if err != nil {
			return nil, err
		}
		return r.join(x, y)
	}
	if u, ok := a.(undefined); ok {
		return nil, fmt.Errorf("%s, so that there is no %s of it", u, op)
	}
	if u, ok := b.(undefined); ok {
		return nil, fmt.Errorf("%s, so that there is no %s of it", u, op)
	}
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok && op == "+" {
			return r.join(x, y)
		}
		if n, ok := integer(b); ok && op == "*" {
			return r.repeat(x, n)
		}
	case []any:
		if y, ok := b.([]any); ok && op == "+" {
			if err := r.spend(16 * (len(x) + len(y))); err != nil {
				return nil, err
			}
			return append(append([]any{}, x...), y...), nil
		}
	}
	if y, ok := b.(string); ok && op == "*" {
		if n, ok := integer(a); ok {
			return r.repeat(y, n)
		}
	}
	x, ok1 := integer(a)
	y, ok2 := integer(b)
	if ok1 && ok2 && op != "/" {
		return integers(op, x, y)
	}
	f, ok1 := number(a)
	g, ok2 := number(b)
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("there is no %s of %s and %s", op, kindOf(a), kindOf(b))
	}
	return floats(op, f, g)
}

func (r *run) join(x, y string) (any, error) {
	if err := r.spend(len(x) + len(y)); err != nil {
		return nil, err
	}
	return x + y, nil
}

func (r *run) repeat(s string, n int64) (any, error) {
	if n <= 0 || s == "" {
		return "", nil
	}
	if n > maxBytes || r.spend(int(n)) != nil || r.spend(int(min(n*int64(len(s)), maxBytes+1))) != nil {
		return nil, fmt.Errorf("%w: it makes more than %d bytes", ErrTooMuch, maxBytes)
	}
	return strings.Repeat(s, int(n)), nil
}

var errZero = errors.New("division by zero")

func integers(op string, x, y int64) (any, error) {
	switch op {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "//", "%":
		if y == 0 {
			return nil, errZero
		}
		q, m := x/y, x%y
		if m != 0 && (m < 0) != (y < 0) { // Python rounds down
			q, m = q-1, m+y
		}
		if op == "//" {
			return q, nil
		}
		return m, nil
	}
	f := math.Pow(float64(x), float64(y))
	if y >= 0 && math.Abs(f) < 1<<53 {
		return int64(f), nil
	}
	return f, nil
}

func floats(op string, x, y float64) (any, error) {
	switch op {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "**":
		return math.Pow(x, y), nil
	}
	if y == 0 {
		return nil, errZero
	}
	switch op {
	case "/":
		return x / y, nil
	case "//":
		return math.Floor(x / y), nil
	}
	return x - y*math.Floor(x/y), nil
}
