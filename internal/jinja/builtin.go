package jinja

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// globals are what templates can call without being given it.
var globals map[string]function

func init() {
	globals = map[string]function{
		"range":           makeRange,
		"namespace":       makeNamespace,
		"dict":            makeDict,
		"raise_exception": raise,
	}
}

func raise(_ *run, a *arguments) (any, error) {
	text, err := a.text(0, "message", "")
	if err != nil {
		return nil, err
	}
	return nil, &RaisedError{text}
}

func makeRange(r *run, a *arguments) (any, error) {
	var n [3]int64
	for i := range a.inOrder {
		if i > 2 {
			return nil, errors.New("range takes three numbers at most")
		}
		var err error
		if n[i], err = a.integer(i, "range", 0); err != nil {
			return nil, err
		}
	}
	from, to, step := n[0], n[1], n[2]
	switch len(a.inOrder) {
	case 0:
		return nil, errors.New("range needs a number")
	case 1:
		from, to, step = 0, n[0], 1
	case 2:
		step = 1
	}
	if step == 0 {
		return nil, errors.New("the step of a range is 0")
	}
	all := []any{}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		if err := r.step(); err != nil {
			return nil, err
		}
		all = append(all, i)
		if next := i + step; (next > i) != (step > 0) { // overflow
			break
		}
	}
	return all, nil
}

func makeNamespace(r *run, a *arguments) (any, error) {
	space := &namespace{names: map[string]any{}}
	for _, v := range a.inOrder {
		d, ok := v.(*Dict)
		if !ok {
			return nil, fmt.Errorf("a namespace is made of names or a mapping, not %s", kindOf(v))
		}
		for _, k := range d.keys {
			if name, ok := k.(string); ok {
				space.names[name] = d.values[k]
			}
		}
	}
	for name, v := range a.named {
		space.names[name] = v
	}
	return space, nil
}

func makeDict(_ *run, a *arguments) (any, error) {
	out := NewDict()
	for _, v := range a.inOrder {
		d, ok := v.(*Dict)
		if !ok {
			return nil, fmt.Errorf("a mapping is made of names or a mapping, not %s", kindOf(v))
		}
		for _, k := range d.keys {
			if err := out.set(k, d.values[k]); err != nil {
				return nil, err
			}
		}
	}
	// The order of named arguments is lost; templates ask for keys.
	for _, name := range sortedNames(a.named) {
		if err := out.set(name, a.named[name]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// strftime formats a time with the directives of C.
func strftime(format string, t time.Time) string {
	layouts := map[byte]string{
		'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'd': "02", 'e': "_2", 'm': "01", 'y': "06", 'Y': "2006",
		'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06", 'R': "15:04",
		'z': "-0700", 'Z': "MST", 'j': "002", 'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05",
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		pad := format[i] != '-'
		if !pad && i+1 < len(format) {
			i++
		}
		switch layout, ok := layouts[format[i]]; {
		case ok && pad:
			b.WriteString(t.Format(layout))
		case ok:
			b.WriteString(strings.TrimLeft(t.Format(layout), "0 "))
		case format[i] == '%':
			b.WriteByte('%')
		default:
			b.WriteString("%" + format[i:i+1])
		}
	}
	return b.String()
}
