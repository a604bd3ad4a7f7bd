package jinja

import (
	"fmt"
	"slices"
)

type (
	// A function is called from templates.
	function func(r *run, a *arguments) (any, error)
	// A filter, test or method has a value in front of its arguments.
	filter func(r *run, v any, a *arguments) (any, error)

	argumentsOf struct {
		names  []string // of the last values
		values []expression
	}
	arguments struct {
		inOrder []any
		named   map[string]any
	}
	call struct {
		of   expression
		args *argumentsOf
	}
	applied struct {
		f    filter
		name string
		of   expression
		args *argumentsOf
	}
	macro struct {
		name   string
		names  []string
		values []expression // defaults, or nil
		body   []statement
	}
)

func (a *argumentsOf) eval(r *run, s *scope) (*arguments, error) {
	out := &arguments{}
	unnamed := len(a.values) - len(a.names)
	for i, e := range a.values {
		v, err := r.eval(e, s)
		if err != nil {
			return nil, err
		}
		if i < unnamed {
			out.inOrder = append(out.inOrder, v)
			continue
		}
		if out.named == nil {
			out.named = map[string]any{}
		}
		out.named[a.names[i-unnamed]] = v
	}
	return out, nil
}

// get returns the argument at place i, or of that name.
func (a *arguments) get(i int, name string) (any, bool) {
	if i < len(a.inOrder) {
		return a.inOrder[i], true
	}
	v, ok := a.named[name]
	return v, ok
}

func (a *arguments) text(i int, name, otherwise string) (string, error) {
	v, ok := a.get(i, name)
	if !ok || v == nil {
		return otherwise, nil
	}
	text, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("the argument %q is a text, not %s", name, kindOf(v))
	}
	return text, nil
}

func (a *arguments) integer(i int, name string, otherwise int64) (int64, error) {
	v, ok := a.get(i, name)
	if !ok || v == nil {
		return otherwise, nil
	}
	n, ok := integer(v)
	if !ok {
		return 0, fmt.Errorf("the argument %q is a whole number, not %s", name, kindOf(v))
	}
	return n, nil
}

func (c *call) value(r *run, s *scope) (any, error) {
	of, err := r.eval(c.of, s)
	if err != nil {
		return nil, err
	}
	f, ok := of.(function)
	if !ok {
		if u, isUndefined := of.(undefined); isUndefined {
			return nil, fmt.Errorf("%s, so that it cannot be called", u)
		}
		return nil, fmt.Errorf("%s cannot be called", kindOf(of))
	}
	args, err := c.args.eval(r, s)
	if err != nil {
		return nil, err
	}
	if err := r.deeper(); err != nil {
		return nil, err
	}
	defer func() { r.depth-- }()
	return f(r, args)
}

func (f *applied) value(r *run, s *scope) (any, error) {
	v, err := r.eval(f.of, s)
	if err != nil {
		return nil, err
	}
	args, err := f.args.eval(r, s)
	if err != nil {
		return nil, err
	}
	out, err := f.f(r, v, args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	return out, nil
}

// execute gives the macro its name. Its body sees what stands around it.
func (m *macro) execute(_ *run, s *scope) error {
	s.names[m.name] = function(func(r *run, a *arguments) (any, error) {
		if len(a.inOrder) > len(m.names) {
			return nil, fmt.Errorf("the macro %q takes %d arguments, not %d", m.name, len(m.names), len(a.inOrder))
		}
		for name := range a.named {
			if !slices.Contains(m.names, name) {
				return nil, fmt.Errorf("the macro %q has no argument %q", m.name, name)
			}
		}
		inner := s.inner()
		for i, name := range m.names {
			v, ok := a.get(i, name)
			if !ok {
				v = undefined(fmt.Sprintf("parameter %q was not given", name))
				if m.values[i] != nil {
					var err error
					if v, err = r.eval(m.values[i], inner); err != nil {
						return nil, err
					}
				}
			}
			inner.names[name] = v
		}
		return r.capture(m.body, inner)
	})
	return nil
}

// unknown fails when it is applied, as in Jinja: templates often have parts for
// programs that add filters.
func unknown(what, name string, line int) filter {
	return func(*run, any, *arguments) (any, error) {
		return nil, fmt.Errorf("line %d: the %s %q is not known here", line, what, name)
	}
}
