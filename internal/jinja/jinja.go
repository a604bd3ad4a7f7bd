// Package jinja runs the chat templates that come with models: the part of Jinja
// that they use, with the results of Jinja as transformers sets it up (blocks
// trimmed, an undefined value prints nothing, lists and mappings cannot be
// changed).
//
// Templates are content of files that anyone may have made. A run is bounded: in
// the steps it takes, in the bytes it makes, in how deep calls and expressions
// nest. It sees the variables that it is given, and no files.
//
// Left out are inheritance, imports, recursive loops, call blocks and what formats
// texts for web pages. A template that uses them gives an error. A tuple is a list,
// and prints as one.
package jinja

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Bounds of templates and their runs, a hundredfold what chat templates need.
const (
	MaxSource = 256 << 10 // bytes of a template
	maxDepth  = 100       // of nested expressions, statements and calls
	maxSteps  = 1 << 20   // nodes that a run visits
	maxBytes  = 16 << 20  // bytes of all texts that a run makes
)

// ErrTooMuch is part of errors of runs that reach a bound.
var ErrTooMuch = errors.New("the template does more than chat templates need")

// A RaisedError is what a template raises with raise_exception: it refuses the
// conversation.
type RaisedError struct{ Text string }

func (e *RaisedError) Error() string { return e.Text }

// A Template is ready to run, by several goroutines at once.
type Template struct{ body []statement }

// Parse reads a template. Errors say in which line.
func Parse(source string) (*Template, error) {
	if len(source) > MaxSource {
		return nil, fmt.Errorf("the template has %d bytes, more than %d", len(source), MaxSource)
	}
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	body, err := p.statements()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokenEnd {
		return nil, p.errorf("unexpected %q", t.text)
	}
	return &Template{body}, nil
}

// Options are what templates find beside their variables.
type Options struct {
	Now time.Time // what strftime_now tells; the zero value leaves the function out
}

// Render runs the template. Variables hold nil, bool, int, float64, string, []any
// and *Dict.
func (t *Template) Render(variables map[string]any, o Options) (string, error) {
	r := &run{out: &strings.Builder{}}
	top := &scope{names: map[string]any{}}
	for name, f := range globals {
		top.names[name] = f
	}
	if !o.Now.IsZero() {
		top.names["strftime_now"] = function(func(r *run, a *arguments) (any, error) {
			format, err := a.text(0, "format", "")
			if err != nil {
				return nil, err
			}
			return r.made(strftime(format, o.Now))
		})
	}
	for name, v := range variables {
		top.names[name] = v
	}
	if err := r.execute(t.body, &scope{names: map[string]any{}, above: top}); err != nil {
		if errors.Is(err, errBreak) || errors.Is(err, errContinue) {
			return "", errors.New("break or continue outside a loop")
		}
		return "", err
	}
	return r.out.String(), nil
}
