package modelfile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Severity says what a problem means.
type Severity int

const (
	Wrong    Severity = iota // Ollama refuses the file, or the model cannot work as it says
	Doubtful                 // it is taken, and probably not what was meant
)

func (s Severity) String() string { return [...]string{"error", "warning"}[s] }

// MarshalText makes JSON hold the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// A Problem is something that a Modelfile says and should not.
type Problem struct {
	Severity Severity
	At       Position // zero for what the file lacks
	Text     string
	Hint     string // what to do, or empty
}

func (p Problem) String() string {
	s := fmt.Sprintf("%v: %s", p.Severity, p.Text)
	if p.Hint != "" {
		s += "; " + p.Hint
	}
	return s
}

// A CheckError says that a check did not hold. What is wrong was told.
type CheckError struct {
	Path     string // of the one file that is meant, or empty
	Problems int
	Format   bool // the file is in another form than Format gives it
}

func (e *CheckError) Error() string {
	if e.Format {
		return e.Path + " is in another form than that of modelfile format; --write changes it"
	}
	if e.Problems == 1 {
		return "there is 1 problem"
	}
	return fmt.Sprintf("there are %d problems", e.Problems)
}

// MarshalJSON leaves out a place that there is none of.
func (p Problem) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Severity Severity `json:"severity"`
		Line     int      `json:"line,omitempty"`
		Column   int      `json:"column,omitempty"`
		Text     string   `json:"text"`
		Hint     string   `json:"hint,omitempty"`
	}{p.Severity, p.At.Line, p.At.Column, p.Text, p.Hint})
}

// Check returns what is wrong with a file that could be read, in the order of
// the file. It looks at no other file.
func Check(f *File) []Problem {
	c := &checker{file: f, last: map[string]int{}}
	for i := range f.Instructions {
		c.instruction(&f.Instructions[i])
	}
	if len(f.Values(From)) == 0 {
		c.add(Wrong, Position{}, "name the model with FROM", "the file has no FROM")
	}
	if c.limits["num_keep"] > 0 && c.limits["num_ctx"] > 0 && c.limits["num_keep"] >= c.limits["num_ctx"] {
		c.add(Doubtful, Position{}, "", "num_keep %d leaves no room in num_ctx %d", c.limits["num_keep"], c.limits["num_ctx"])
	}
	if c.limits["num_batch"] > 0 && c.limits["num_ctx"] > 0 && c.limits["num_batch"] > c.limits["num_ctx"] {
		c.add(Doubtful, Position{}, "", "num_batch %d is more than num_ctx %d, which is taken instead", c.limits["num_batch"], c.limits["num_ctx"])
	}
	return c.problems
}

type checker struct {
	file     *File
	problems []Problem
	last     map[string]int // the line of the last instruction of which one counts
	limits   map[string]int64
}

func (c *checker) add(s Severity, at Position, hint, format string, args ...any) {
	c.problems = append(c.problems, Problem{s, at, fmt.Sprintf(format, args...), hint})
}

func (c *checker) instruction(in *Instruction) {
	for i, o := range in.Omitted {
		if i == 3 {
			c.add(Doubtful, o.At, "", "and %d more", len(in.Omitted)-i)
			break
		}
		c.add(Doubtful, o.At, "", "the character %U is left out of the value, as it cannot be printed", o.Rune)
	}
	if in.Value == "" && in.Keyword != Parameter && in.Keyword != Template && in.Keyword != System {
		c.add(Wrong, in.ValueAt, "", "%s has no value", in.Keyword)
		return
	}
	switch in.Keyword {
	case From, License, Message, Adapter:
	case Parameter:
		c.parameter(in)
	default:
		c.once(string(in.Keyword), in)
	}
	switch in.Keyword {
	case Template:
		for _, p := range checkTemplate(in.Value) {
			p.At = c.within(in, p.At.Line)
			c.problems = append(c.problems, p)
		}
	case Requires:
		if _, ok := Version(in.Value); !ok {
			c.add(Wrong, in.ValueAt, "write it as in REQUIRES 0.14.0", "%s is no semantic version", abbreviated(in.Value))
		}
	case Renderer:
		c.builtIn(in, renderers)
	case Parser:
		c.builtIn(in, outputParsers)
	case Draft:
		c.add(Doubtful, in.At, "", "Ollama 0.24 takes DRAFT only with --experimental")
	}
}

// within returns the place of a line of a value: in its first line, where the
// value starts.
func (c *checker) within(in *Instruction, line int) Position {
	if line <= 1 {
		return in.ValueAt
	}
	return Position{in.ValueAt.Line + line - 1, 1}
}

// once tells of an instruction that undoes an earlier one.
func (c *checker) once(what string, in *Instruction) {
	if line := c.last[what]; line > 0 {
		c.add(Doubtful, in.At, "", "this %s replaces that of line %d", what, line)
	}
	c.last[what] = in.At.Line
}

func (c *checker) builtIn(in *Instruction, known []string) {
	if !slices.Contains(known, in.Value) {
		hint := ""
		if near := nearest(in.Value, known); near != "" {
			hint = fmt.Sprintf("did you mean %s?", near)
		}
		c.add(Doubtful, in.ValueAt, hint, "Ollama 0.24 has no %s %s", strings.ToLower(string(in.Keyword)), abbreviated(in.Value))
	}
}

func (c *checker) parameter(in *Instruction) {
	p, ok := LookupParameter(in.Name)
	if !ok {
		c.add(Wrong, in.NameAt, didYouMean(in.Name, parameterNames()), "unknown parameter %q", in.Name)
		return
	}
	if p.Ignored {
		c.add(Doubtful, in.NameAt, "leave it out", "the parameter %s has no effect any more", p.Name)
		return
	}
	if p.Kind != Texts {
		c.once("PARAMETER "+p.Name, in)
	}
	if p.Newer {
		c.add(Doubtful, in.NameAt, "", "Ollama 0.24 does not know the parameter %s and refuses the file; newer versions do", p.Name)
	}
	v, err := p.Value(in.Value)
	if err != nil {
		c.add(Wrong, in.ValueAt, valueHint(p, in.Value), "%v", err)
		return
	}
	var number float64
	switch v := v.(type) {
	case int64:
		number = float64(v)
		if c.limits == nil {
			c.limits = map[string]int64{}
		}
		c.limits[p.Name] = v
	case float32:
		number = float64(v)
	case string:
		if v == "" {
			c.add(Wrong, in.ValueAt, "", "an empty stop text ends every answer before it begins")
		}
		return
	default:
		return
	}
	// NaN is in no range.
	if !(number >= p.Min && number <= p.Max) {
		c.add(Wrong, in.ValueAt, "", "%s %s is not %s", p.Name, in.Value, p.bounds())
	}
}

// bounds describes the range of a parameter.
func (p *ParameterInfo) bounds() string {
	lowest := strconv.FormatFloat(p.Min, 'f', -1, 64)
	if p.Kind == Int || p.Max == none {
		return lowest + " or more"
	}
	return fmt.Sprintf("from %s to %s", lowest, strconv.FormatFloat(p.Max, 'f', -1, 64))
}

// valueHint suggests what was meant by a value of the wrong type.
func valueHint(p *ParameterInfo, text string) string {
	switch p.Kind {
	case Bool:
		if slices.Contains([]string{"yes", "on", "enable", "enabled"}, strings.ToLower(text)) {
			return "write true"
		}
		if slices.Contains([]string{"no", "off", "disable", "disabled"}, strings.ToLower(text)) {
			return "write false"
		}
	case Int, Float:
		// A comment behind a value is part of it, and so is a unit.
		n := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_%")
		if word, _, ok := strings.Cut(text, "#"); ok {
			if _, err := p.Value(strings.TrimSpace(word)); err == nil {
				return "a comment needs a line of its own"
			}
		}
		if f, err := strconv.ParseFloat(n, 64); err == nil && p.Kind == Int && n == text && f == float64(int64(f)) {
			return fmt.Sprintf("write %d", int64(f))
		} else if factor := map[string]float64{"k": 1024, "ki": 1024}[strings.ToLower(text[len(n):])]; err == nil && factor > 0 && p.Kind == Int {
			return fmt.Sprintf("write %d", int64(f*factor))
		}
	}
	return ""
}
