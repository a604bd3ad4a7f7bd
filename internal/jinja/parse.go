package jinja

import (
	"fmt"
	"slices"
	"strconv"
)

// A parser turns tokens into statements and expressions. Its methods are named
// after what they take, in the order in which operators bind, weakest first.
type parser struct {
	tokens []token
	at     int
	depth  int
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d: "+format, append([]any{p.peek().line}, args...)...)
}

// is reports whether the next token is the operator or word; take also takes it.
func (p *parser) is(text string) bool {
	t := p.peek()
	return t.text == text && (t.kind == tokenOperator || t.kind == tokenName || t.kind == tokenBlockEnd || t.kind == tokenPrintEnd)
}

func (p *parser) take(text string) bool {
	if p.is(text) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(text string) error {
	if !p.take(text) {
		return p.errorf("expected %q, not %q", text, p.peek().text)
	}
	return nil
}

func (p *parser) name() (string, error) {
	if t := p.peek(); t.kind != tokenName || isReserved(t.text) {
		return "", p.errorf("expected a name, not %q", t.text)
	}
	return p.next().text, nil
}

func isReserved(word string) bool {
	return slices.Contains([]string{"and", "or", "not", "in", "is", "if", "else", "elif", "for"}, word)
}

// deeper bounds how deep templates nest, in which recursion goes down.
func (p *parser) deeper() error {
	if p.depth++; p.depth > maxDepth {
		return p.errorf("%w: it nests deeper than %d", ErrTooMuch, maxDepth)
	}
	return nil
}

// statements takes all up to a block that starts with one of the words, which
// is left with its name next, or up to the end.
func (p *parser) statements(until ...string) ([]statement, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	var all []statement
	for {
		switch t := p.peek(); t.kind {
		case tokenEnd:
			if len(until) > 0 {
				return nil, p.errorf("the template ends without %s", until[len(until)-1])
			}
			return all, nil
		case tokenData:
			p.next()
			all = append(all, data(t.text))
		case tokenPrint:
			p.next()
			e, err := p.tuple()
			if err != nil {
				return nil, err
			}
			if err := p.expect("}}"); err != nil {
				return nil, err
			}
			all = append(all, &printed{e})
		case tokenBlock:
			p.next()
			if slices.Contains(until, p.peek().text) {
				return all, nil
			}
			s, err := p.block()
			if err != nil {
				return nil, err
			}
			all = append(all, s)
		default:
			return nil, p.errorf("unexpected %q", t.text)
		}
	}
}

// block takes a statement behind {%.
func (p *parser) block() (statement, error) {
	word := p.next().text
	switch word {
	case "if":
		return p.ifBlock()
	case "for":
		return p.forBlock()
	case "set":
		return p.setBlock()
	case "macro":
		return p.macroBlock()
	case "filter":
		return p.filterBlock()
	case "generation": // marks what the model says, for training
		body, err := p.body("endgeneration")
		return group(body), err
	case "break":
		return jump{errBreak}, p.expect("%}")
	case "continue":
		return jump{errContinue}, p.expect("%}")
	}
	p.at--
	return nil, p.errorf("the statement %q is not known here", word)
}

// body takes the end of a tag, what follows and the closing tag.
func (p *parser) body(end string) ([]statement, error) {
	if err := p.expect("%}"); err != nil {
		return nil, err
	}
	all, err := p.statements(end)
	if err != nil {
		return nil, err
	}
	p.next()
	return all, p.expect("%}")
}

func (p *parser) ifBlock() (statement, error) {
	s := &choice{}
	for {
		test, err := p.tuple()
		if err != nil {
			return nil, err
		}
		if err := p.expect("%}"); err != nil {
			return nil, err
		}
		body, err := p.statements("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		s.tests, s.bodies = append(s.tests, test), append(s.bodies, body)
		switch p.next().text {
		case "elif":
			continue
		case "else":
			s.otherwise, err = p.body("endif")
			return s, err
		}
		return s, p.expect("%}")
	}
}

func (p *parser) forBlock() (statement, error) {
	s := &loop{}
	var err error
	for more := true; more; more = p.take(",") {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		s.names = append(s.names, name)
	}
	if err := p.expect("in"); err != nil {
		return nil, err
	}
	if s.over, err = p.tupleOf(p.or); err != nil {
		return nil, err
	}
	if p.take("if") {
		if s.only, err = p.condition(); err != nil {
			return nil, err
		}
	}
	if p.is("recursive") {
		return nil, p.errorf("recursive loops are not known here")
	}
	if err := p.expect("%}"); err != nil {
		return nil, err
	}
	if s.body, err = p.statements("else", "endfor"); err != nil {
		return nil, err
	}
	if p.next().text == "else" {
		s.otherwise, err = p.body("endfor")
		return s, err
	}
	return s, p.expect("%}")
}

func (p *parser) setBlock() (statement, error) {
	s := &assignment{}
	for more := true; more; more = p.take(",") {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		if p.take(".") {
			if s.member, err = p.name(); err != nil {
				return nil, err
			}
		}
		s.names = append(s.names, name)
	}
	if s.member != "" && len(s.names) > 1 {
		return nil, p.errorf("several targets of which one is a member are not known here")
	}
	var err error
	if p.take("=") {
		if s.value, err = p.tuple(); err != nil {
			return nil, err
		}
		return s, p.expect("%}")
	}
	inner := expression(&placeholder{})
	if p.is("|") {
		if inner, err = p.filters(inner); err != nil {
			return nil, err
		}
	}
	body, err := p.body("endset")
	s.value = &captured{body, inner}
	return s, err
}

func (p *parser) filterBlock() (statement, error) {
	p.at--
	p.tokens[p.at] = token{tokenOperator, "|", p.peek().line}
	inner, err := p.filters(&placeholder{})
	if err != nil {
		return nil, err
	}
	body, err := p.body("endfilter")
	return &printed{&captured{body, inner}}, err
}

func (p *parser) macroBlock() (statement, error) {
	m := &macro{}
	var err error
	if m.name, err = p.name(); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	for !p.take(")") {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		var value expression
		if p.take("=") {
			if value, err = p.condition(); err != nil {
				return nil, err
			}
		}
		m.names, m.values = append(m.names, name), append(m.values, value)
		if !p.take(",") && !p.is(")") {
			return nil, p.errorf("expected %q, not %q", ")", p.peek().text)
		}
	}
	m.body, err = p.body("endmacro")
	return m, err
}

// tuple takes one expression, or several with commas.
func (p *parser) tuple() (expression, error) { return p.tupleOf(p.condition) }

func (p *parser) tupleOf(item func() (expression, error)) (expression, error) {
	first, err := item()
	if err != nil || !p.is(",") {
		return first, err
	}
	all := &listOf{items: []expression{first}}
	for p.take(",") {
		if p.endsTuple() {
			break
		}
		e, err := item()
		if err != nil {
			return nil, err
		}
		all.items = append(all.items, e)
	}
	return all, nil
}

func (p *parser) endsTuple() bool {
	return p.is(")") || p.is("%}") || p.is("}}") || p.is("in")
}

func (p *parser) condition() (expression, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	e, err := p.or()
	for err == nil && p.take("if") {
		c := &conditional{then: e}
		if c.test, err = p.or(); err != nil {
			return nil, err
		}
		if p.take("else") {
			c.otherwise, err = p.condition()
		}
		e = c
	}
	return e, err
}

func (p *parser) or() (expression, error)  { return p.logic("or", p.and) }
func (p *parser) and() (expression, error) { return p.logic("and", p.not) }

func (p *parser) logic(word string, part func() (expression, error)) (expression, error) {
	left, err := part()
	for err == nil && p.take(word) {
		var right expression
		right, err = part()
		left = &logical{word, left, right}
	}
	return left, err
}

func (p *parser) not() (expression, error) {
	if !p.take("not") {
		return p.compare()
	}
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	e, err := p.not()
	return &negation{e}, err
}

func (p *parser) compare() (expression, error) {
	left, err := p.sum()
	var c *comparison
	for err == nil {
		op := p.peek().text
		switch {
		case p.peek().kind == tokenOperator && slices.Contains([]string{"==", "!=", "<", ">", "<=", ">="}, op):
			p.next()
		case p.take("in"):
		case p.is("not") && p.tokens[p.at+1].kind == tokenName && p.tokens[p.at+1].text == "in":
			p.at += 2
			op = "not in"
		default:
			if c != nil {
				return c, nil
			}
			return left, nil
		}
		var right expression
		right, err = p.sum()
		if c == nil {
			c = &comparison{first: left}
		}
		c.operators, c.rest = append(c.operators, op), append(c.rest, right)
	}
	return nil, err
}

func (p *parser) sum() (expression, error)     { return p.arithmetic(p.chain, "+", "-") }
func (p *parser) chain() (expression, error)   { return p.arithmetic(p.product, "~") }
func (p *parser) product() (expression, error) { return p.arithmetic(p.power, "*", "/", "//", "%") }

func (p *parser) arithmetic(part func() (expression, error), operators ...string) (expression, error) {
	left, err := part()
	for err == nil && p.peek().kind == tokenOperator && slices.Contains(operators, p.peek().text) {
		op := p.next().text
		var right expression
		right, err = part()
		left = &binary{op, left, right}
	}
	return left, err
}

func (p *parser) power() (expression, error) {
	return p.arithmetic(func() (expression, error) { return p.unary(true) }, "**")
}

func (p *parser) unary(filtered bool) (expression, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	var e expression
	var err error
	switch t := p.peek(); {
	case t.kind == tokenOperator && (t.text == "-" || t.text == "+"):
		p.next()
		e, err = p.unary(false)
		e = &binary{t.text, constant{int64(0)}, e}
	default:
		e, err = p.primary()
	}
	if err != nil {
		return nil, err
	}
	if e, err = p.postfix(e); err != nil || !filtered {
		return e, err
	}
	return p.filters(e)
}

func (p *parser) primary() (expression, error) {
	t := p.peek()
	switch t.kind {
	case tokenText:
		p.next()
		text := t.text
		for p.peek().kind == tokenText {
			text += p.next().text
		}
		return constant{text}, nil
	case tokenNumber:
		p.next()
		if n, err := strconv.ParseInt(t.text, 10, 64); err == nil {
			return constant{n}, nil
		}
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			p.at--
			return nil, p.errorf("%q is no number", t.text)
		}
		return constant{f}, nil
	case tokenName:
		switch t.text {
		case "true", "True", "false", "False":
			p.next()
			return constant{t.text[0]|0x20 == 't'}, nil
		case "none", "None":
			p.next()
			return constant{nil}, nil
		}
		name, err := p.name()
		return variable(name), err
	case tokenOperator:
		switch t.text {
		case "(":
			p.next()
			if p.take(")") {
				return &listOf{}, nil
			}
			e, err := p.tuple()
			if err != nil {
				return nil, err
			}
			return e, p.expect(")")
		case "[":
			p.next()
			items, err := p.list("]")
			return &listOf{items: items}, err
		case "{":
			return p.dict()
		}
	}
	return nil, p.errorf("unexpected %q", t.text)
}

// list takes expressions up to the closing bracket.
func (p *parser) list(end string) ([]expression, error) {
	var items []expression
	for !p.take(end) {
		e, err := p.condition()
		if err != nil {
			return nil, err
		}
		items = append(items, e)
		if !p.take(",") && !p.is(end) {
			return nil, p.errorf("expected %q, not %q", end, p.peek().text)
		}
	}
	return items, nil
}

func (p *parser) dict() (expression, error) {
	p.next()
	d := &dictOf{}
	for !p.take("}") {
		key, err := p.condition()
		if err != nil {
			return nil, err
		}
		if err := p.expect(":"); err != nil {
			return nil, err
		}
		value, err := p.condition()
		if err != nil {
			return nil, err
		}
		d.keys, d.values = append(d.keys, key), append(d.values, value)
		if !p.take(",") && !p.is("}") {
			return nil, p.errorf("expected %q, not %q", "}", p.peek().text)
		}
	}
	return d, nil
}

// postfix takes members, subscripts and arguments.
func (p *parser) postfix(e expression) (expression, error) {
	for {
		switch {
		case p.take("."):
			t := p.next()
			switch t.kind {
			case tokenName:
				e = &member{e, constant{t.text}, true}
			case tokenNumber:
				n, err := strconv.ParseInt(t.text, 10, 64)
				if err != nil {
					return nil, p.errorf("%q is no index", t.text)
				}
				e = &member{e, constant{n}, false}
			default:
				return nil, p.errorf("expected a name, not %q", t.text)
			}
		case p.take("["):
			var err error
			if e, err = p.subscript(e); err != nil {
				return nil, err
			}
		case p.take("("):
			args, err := p.arguments()
			if err != nil {
				return nil, err
			}
			e = &call{e, args}
		default:
			return e, nil
		}
	}
}

// subscript takes an index or a slice, and the bracket that closes it.
func (p *parser) subscript(of expression) (expression, error) {
	var bounds [3]expression
	slice, i := false, 0
	for !p.take("]") {
		if p.take(":") {
			slice = true
			if i++; i > 2 {
				return nil, p.errorf("a slice has three parts at most")
			}
			continue
		}
		e, err := p.condition()
		if err != nil {
			return nil, err
		}
		if bounds[i] != nil {
			return nil, p.errorf("expected %q", "]")
		}
		bounds[i] = e
	}
	if slice {
		return &sliced{of, bounds}, nil
	}
	if bounds[0] == nil {
		return nil, p.errorf("the index is missing")
	}
	return &member{of, bounds[0], false}, nil
}

// arguments takes those of a call, and the bracket that closes them.
func (p *parser) arguments() (*argumentsOf, error) {
	a := &argumentsOf{}
	for !p.take(")") {
		name := ""
		if p.peek().kind == tokenName && p.tokens[p.at+1].kind == tokenOperator && p.tokens[p.at+1].text == "=" {
			name = p.next().text
			p.next()
		}
		e, err := p.condition()
		if err != nil {
			return nil, err
		}
		if name == "" && len(a.names) > 0 {
			return nil, p.errorf("an argument without name stands behind one with a name")
		}
		if name != "" {
			a.names = append(a.names, name)
		}
		a.values = append(a.values, e)
		if !p.take(",") && !p.is(")") {
			return nil, p.errorf("expected %q, not %q", ")", p.peek().text)
		}
	}
	return a, nil
}

// filters takes filters and tests.
func (p *parser) filters(e expression) (expression, error) {
	for {
		switch {
		case p.take("|"):
			name, err := p.name()
			if err != nil {
				return nil, err
			}
			f, ok := filters[name]
			if !ok {
				f = unknown("filter", name, p.peek().line)
			}
			args := &argumentsOf{}
			if p.take("(") {
				if args, err = p.arguments(); err != nil {
					return nil, err
				}
			}
			e = &applied{f, name, e, args}
		case p.take("is"):
			var err error
			if e, err = p.test(e); err != nil {
				return nil, err
			}
		case p.take("("):
			args, err := p.arguments()
			if err != nil {
				return nil, err
			}
			e = &call{e, args}
		default:
			return e, nil
		}
	}
}

func (p *parser) test(of expression) (expression, error) {
	not := p.take("not")
	word := p.next()
	f, ok := tests[word.text]
	if word.kind != tokenName && word.kind != tokenOperator {
		p.at--
		return nil, p.errorf("expected the name of a test, not %q", word.text)
	}
	if !ok {
		f = unknown("test", word.text, word.line)
	}
	args := &argumentsOf{}
	switch t := p.peek(); {
	case p.take("("):
		var err error
		if args, err = p.arguments(); err != nil {
			return nil, err
		}
	case t.kind == tokenText, t.kind == tokenNumber, t.kind == tokenName && !isReserved(t.text), p.is("["), p.is("{"):
		e, err := p.primary()
		if err != nil {
			return nil, err
		}
		if e, err = p.postfix(e); err != nil {
			return nil, err
		}
		args.values = append(args.values, e)
	}
	e := expression(&applied{f, word.text, of, args})
	if not {
		e = &negation{e}
	}
	return e, nil
}
