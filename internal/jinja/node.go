package jinja

import (
	"errors"
	"fmt"
	"strings"
)

// A run is one rendering and what it has used up.
type run struct {
	out   *strings.Builder
	steps int
	bytes int
	depth int
}

// A scope is the names that are set in a loop, a macro or the template.
type scope struct {
	names map[string]any
	above *scope
}

func (s *scope) lookup(name string) any {
	for ; s != nil; s = s.above {
		if v, ok := s.names[name]; ok {
			return v
		}
	}
	return undefined(fmt.Sprintf("%q is undefined", name))
}

func (s *scope) inner() *scope { return &scope{names: map[string]any{}, above: s} }

func (r *run) step() error {
	if r.steps++; r.steps > maxSteps {
		return fmt.Errorf("%w: it takes more than %d steps", ErrTooMuch, maxSteps)
	}
	return nil
}

// spend counts n bytes before they are made.
func (r *run) spend(n int) error {
	if n < 0 || n > maxBytes || r.bytes+n > maxBytes {
		return fmt.Errorf("%w: it makes more than %d bytes", ErrTooMuch, maxBytes)
	}
	r.bytes += n
	return nil
}

// made counts a text that was made of texts that were counted.
func (r *run) made(s string) (any, error) { return s, r.spend(len(s)) }

func (r *run) deeper() error {
	if r.depth++; r.depth > maxDepth {
		return fmt.Errorf("%w: it calls deeper than %d", ErrTooMuch, maxDepth)
	}
	return nil
}

// A statement writes to the run's output, and an expression has a value.
type (
	statement interface {
		execute(r *run, s *scope) error
	}
	expression interface {
		value(r *run, s *scope) (any, error)
	}
)

func (r *run) execute(body []statement, s *scope) error {
	for _, st := range body {
		if err := r.step(); err != nil {
			return err
		}
		if err := st.execute(r, s); err != nil {
			return err
		}
	}
	return nil
}

// eval returns the value of e, which is counted.
func (r *run) eval(e expression, s *scope) (any, error) {
	if err := r.step(); err != nil {
		return nil, err
	}
	return e.value(r, s)
}

// capture returns what body writes.
func (r *run) capture(body []statement, s *scope) (string, error) {
	outer := r.out
	r.out = &strings.Builder{}
	err := r.execute(body, s)
	text := r.out.String()
	r.out = outer
	return text, err
}

func (r *run) write(s string) error {
	if err := r.spend(len(s)); err != nil {
		return err
	}
	r.out.WriteString(s)
	return nil
}

type (
	data    string
	printed struct{ e expression }
	group   []statement
	choice  struct {
		tests     []expression
		bodies    [][]statement
		otherwise []statement
	}
	loop struct {
		names           []string
		over, only      expression // only may be nil
		body, otherwise []statement
	}
	assignment struct {
		names  []string
		member string // of the one name, or ""
		value  expression
	}
	jump struct{ err error }
)

var errBreak, errContinue = errors.New("break"), errors.New("continue")

func (d data) execute(r *run, _ *scope) error  { return r.write(string(d)) }
func (g group) execute(r *run, s *scope) error { return r.execute(g, s) }
func (j jump) execute(*run, *scope) error      { return j.err }

func (p *printed) execute(r *run, s *scope) error {
	v, err := r.eval(p.e, s)
	if err != nil {
		return err
	}
	text, err := r.text(v)
	if err != nil {
		return err
	}
	return r.write(text)
}

func (c *choice) execute(r *run, s *scope) error {
	for i, test := range c.tests {
		v, err := r.eval(test, s)
		if err != nil {
			return err
		}
		if truth(v) {
			return r.execute(c.bodies[i], s)
		}
	}
	return r.execute(c.otherwise, s)
}

func (l *loop) execute(r *run, s *scope) error {
	over, err := r.eval(l.over, s)
	if err != nil {
		return err
	}
	items, err := r.items(over)
	if err != nil {
		return err
	}
	if l.only != nil {
		var kept []any
		for _, item := range items {
			inner := s.inner()
			if err := inner.bind(l.names, item); err != nil {
				return err
			}
			ok, err := r.eval(l.only, inner)
			if err != nil {
				return err
			}
			if truth(ok) {
				kept = append(kept, item)
			}
		}
		items = kept
	}
	if len(items) == 0 {
		return r.execute(l.otherwise, s.inner())
	}
	for i, item := range items {
		inner := s.inner()
		inner.names["loop"] = &iteration{items, i}
		if err := inner.bind(l.names, item); err != nil {
			return err
		}
		if err := r.step(); err != nil {
			return err
		}
		switch err := r.execute(l.body, inner); {
		case errors.Is(err, errBreak):
			return nil
		case err != nil && !errors.Is(err, errContinue):
			return err
		}
	}
	return nil
}

// bind sets one name to a value, or several to its parts.
func (s *scope) bind(names []string, v any) error {
	if len(names) == 1 {
		s.names[names[0]] = v
		return nil
	}
	parts, ok := v.([]any)
	if !ok || len(parts) != len(names) {
		return fmt.Errorf("%s cannot be divided among %d names", kindOf(v), len(names))
	}
	for i, name := range names {
		s.names[name] = parts[i]
	}
	return nil
}

func (a *assignment) execute(r *run, s *scope) error {
	v, err := r.eval(a.value, s)
	if err != nil {
		return err
	}
	if a.member == "" {
		return s.bind(a.names, v)
	}
	space, ok := s.lookup(a.names[0]).(*namespace)
	if !ok {
		return fmt.Errorf("%q is no namespace, so that %q cannot be set in it", a.names[0], a.member)
	}
	space.names[a.member] = v
	return nil
}

type (
	constant    struct{ v any }
	variable    string
	placeholder struct{} // the text that a captured block wrote
	listOf      struct{ items []expression }
	dictOf      struct{ keys, values []expression }
	conditional struct{ test, then, otherwise expression }
	logical     struct {
		word        string
		left, right expression
	}
	negation   struct{ e expression }
	comparison struct {
		first     expression
		operators []string
		rest      []expression
	}
	binary struct {
		operator    string
		left, right expression
	}
	member struct {
		of, key   expression
		attribute bool // written with a dot
	}
	sliced struct {
		of     expression
		bounds [3]expression
	}
	captured struct {
		body []statement
		then expression
	}
)

const captureName = "captured text" // no name in a template has a space

func (c constant) value(*run, *scope) (any, error)       { return c.v, nil }
func (v variable) value(_ *run, s *scope) (any, error)   { return s.lookup(string(v)), nil }
func (*placeholder) value(_ *run, s *scope) (any, error) { return s.lookup(captureName), nil }

func (c *captured) value(r *run, s *scope) (any, error) {
	text, err := r.capture(c.body, s.inner())
	if err != nil {
		return nil, err
	}
	inner := s.inner()
	inner.names[captureName] = text
	return r.eval(c.then, inner)
}

func (l *listOf) value(r *run, s *scope) (any, error) {
	items := []any{}
	for _, e := range l.items {
		v, err := r.eval(e, s)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	return items, nil
}

func (d *dictOf) value(r *run, s *scope) (any, error) {
	out := NewDict()
	for i, e := range d.keys {
		k, err := r.eval(e, s)
		if err != nil {
			return nil, err
		}
		v, err := r.eval(d.values[i], s)
		if err != nil {
			return nil, err
		}
		if err := out.set(k, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *conditional) value(r *run, s *scope) (any, error) {
	test, err := r.eval(c.test, s)
	if err != nil {
		return nil, err
	}
	switch {
	case truth(test):
		return r.eval(c.then, s)
	case c.otherwise == nil:
		return undefined("the condition has no else"), nil
	}
	return r.eval(c.otherwise, s)
}

func (l *logical) value(r *run, s *scope) (any, error) {
	left, err := r.eval(l.left, s)
	if err != nil || truth(left) == (l.word == "or") {
		return left, err
	}
	return r.eval(l.right, s)
}

func (n *negation) value(r *run, s *scope) (any, error) {
	v, err := r.eval(n.e, s)
	return !truth(v), err
}

func (c *comparison) value(r *run, s *scope) (any, error) {
	left, err := r.eval(c.first, s)
	if err != nil {
		return nil, err
	}
	for i, op := range c.operators {
		right, err := r.eval(c.rest[i], s)
		if err != nil {
			return nil, err
		}
		ok, err := r.compare(op, left, right)
		if err != nil || !ok {
			return false, err
		}
		left = right
	}
	return true, nil
}

func (b *binary) value(r *run, s *scope) (any, error) {
	left, err := r.eval(b.left, s)
	if err != nil {
		return nil, err
	}
	right, err := r.eval(b.right, s)
	if err != nil {
		return nil, err
	}
	return r.binary(b.operator, left, right)
}

func (m *member) value(r *run, s *scope) (any, error) {
	of, err := r.eval(m.of, s)
	if err != nil {
		return nil, err
	}
	key, err := r.eval(m.key, s)
	if err != nil {
		return nil, err
	}
	return r.member(of, key, m.attribute)
}

func (sl *sliced) value(r *run, s *scope) (any, error) {
	of, err := r.eval(sl.of, s)
	if err != nil {
		return nil, err
	}
	var bounds [3]*int64
	for i, e := range sl.bounds {
		if e == nil {
			continue
		}
		v, err := r.eval(e, s)
		if err != nil {
			return nil, err
		}
		if n, ok := integer(v); ok {
			bounds[i] = &n
		} else if v != nil {
			return nil, fmt.Errorf("%s is no place in a list", kindOf(v))
		}
	}
	return r.slice(of, bounds)
}
