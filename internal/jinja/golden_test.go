package jinja_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gguftool/gguftool/internal/jinja"
)

// value turns JSON, whose keys keep their order, into what templates see.
func value(t *testing.T, dec *json.Decoder) any {
	t.Helper()
	tok, err := dec.Token()
	if err != nil {
		t.Fatal(err)
	}
	switch tok := tok.(type) {
	case json.Delim:
		if tok == '[' {
			list := []any{}
			for dec.More() {
				list = append(list, value(t, dec))
			}
			dec.Token()
			return list
		}
		var pairs []any
		for dec.More() {
			pairs = append(pairs, value(t, dec))
		}
		dec.Token()
		return jinja.NewDict(pairs...)
	case json.Number:
		if n, err := tok.Int64(); err == nil && !strings.ContainsAny(tok.String(), ".e") {
			return n
		}
		f, err := tok.Float64()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	return tok
}

// Templates give what Jinja gives, errors where it has errors.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Values map[string]json.RawMessage
		Cases  []struct {
			Template string
			Output   *string
			Error    string
		}
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	values := map[string]any{}
	for name, raw := range golden.Values {
		dec := json.NewDecoder(strings.NewReader(string(raw)))
		dec.UseNumber()
		values[name] = value(t, dec)
	}
	if len(golden.Cases) < 70 {
		t.Fatalf("only %d cases", len(golden.Cases))
	}
	for _, c := range golden.Cases {
		tmpl, err := jinja.Parse(c.Template)
		got := ""
		if err == nil {
			got, err = tmpl.Render(values, jinja.Options{})
		}
		switch {
		case c.Output == nil && err == nil:
			t.Errorf("%q\n gives %q\nand not an error (%s)", c.Template, got, c.Error)
		case c.Output != nil && err != nil:
			t.Errorf("%q\n fails with %v\nand not gives %q", c.Template, err, *c.Output)
		case c.Output != nil && got != *c.Output:
			t.Errorf("%q\n gives %q\nand not %q", c.Template, got, *c.Output)
		}
	}
}

func TestRaise(t *testing.T) {
	tmpl, err := jinja.Parse("{{ raise_exception('no ' ~ 'system') }}")
	if err != nil {
		t.Fatal(err)
	}
	_, err = tmpl.Render(nil, jinja.Options{})
	if raised, ok := errors.AsType[*jinja.RaisedError](err); !ok || raised.Text != "no system" {
		t.Errorf("got %v", err)
	}
}

func TestNow(t *testing.T) {
	tmpl, err := jinja.Parse("{% if strftime_now is defined %}{{ strftime_now('%d %b %Y, %B %-d %H:%M %% %A %j') }}{% else %}no clock{% endif %}")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		now  time.Time
		want string
	}{
		{time.Time{}, "no clock"},
		{time.Date(2024, 7, 6, 5, 4, 3, 0, time.UTC), "06 Jul 2024, July 6 05:04 % Saturday 188"},
	} {
		if got, err := tmpl.Render(nil, jinja.Options{Now: c.now}); err != nil || got != c.want {
			t.Errorf("got %q, %v; want %q", got, err, c.want)
		}
	}
}

// Templates that would run for long, fill the memory or the stack, or that go
// wrong inside, end with an error.
func TestHostile(t *testing.T) {
	deep := func(open, mid, end string, n int) string {
		return strings.Repeat(open, n) + mid + strings.Repeat(end, n)
	}
	for name, source := range map[string]string{
		"long loop":          "{% for i in range(1000000000000) %}{% endfor %}",
		"loops in loops":     deep("{% for i in range(1000) %}", "x", "{% endfor %}", 5),
		"text doubled":       "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(64) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
		"list doubled":       "{% set ns = namespace(x=[1]) %}{% for i in range(64) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
		"text times":         "{{ 'a' * 1000000000000 }}",
		"text times twice":   "{{ ('abcdefgh' * 1000000) * 1000000 }}",
		"replace":            "{% set a = 'a' * 1000000 %}{{ a.replace('a', a) }}",
		"join":               "{% set a = 'a' * 1000000 %}{{ a.join(range(1000000)) }}",
		"macro without end":  "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
		"macros in turns":    "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
		"macro through name": "{% set ns = namespace() %}{% macro a() %}{{ ns.f() }}{% endmacro %}{% set ns.f = a %}{{ a() }}",
		"deep brackets":      "{{ " + deep("(", "1", ")", 60000) + " }}",
		"deep lists":         "{{ " + deep("[", "1", "]", 60000) + " }}",
		"deep not":           "{{ " + strings.Repeat("not ", 60000) + "1 }}",
		"deep minus":         "{{ " + strings.Repeat("- ", 60000) + "1 }}",
		"deep if":            deep("{% if 1 %}", "x", "{% endif %}", 9000),
		"deep else":          "{{ " + strings.Repeat("1 if 0 else ", 9000) + "1 }}",
		"list in itself":     "{% set ns = namespace(x=[]) %}{% for i in range(9000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
		"json in itself":     "{% set ns = namespace(x=[]) %}{% for i in range(9000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x|tojson }}",
		"namespace printed":  "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}",
		"equal in itself":    "{% set a = namespace(x=[]) %}{% set b = namespace(x=[]) %}{% for i in range(9000) %}{% set a.x = [a.x] %}{% set b.x = [b.x] %}{% endfor %}{{ a.x == b.x }}",
		"indent":             "{{ 'a\nb'|indent(1000000000000) }}",
		"json indent":        "{{ [1]|tojson(indent=1000000000000) }}",
		"slice bounds":       "{{ 'abc'[-9223372036854775807:9223372036854775807:0] }}",
		"range of nothing":   "{{ range() }}",
		"range step":         "{{ range(1, 5, 0) }}",
		"divided by zero":    "{{ 1 % 0 }}",
		"missing key":        "{{ {[1]: 2} }}",
		"unknown statement":  "{% include 'file' %}",
		"import":             "{% import '/etc/passwd' as x %}",
		"number":             "{{ 1.2.3.4 }}",
		"only open":          "{%",
		"only open print":    "{{",
		"comment":            "{# ",
		"raw":                "{% raw %}",
		"lone quote":         "{{ '\\",
		"not UTF-8 name":     "{{ \xff\xfe( }}",
		"too large":          strings.Repeat("a", jinja.MaxSource+1),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			tmpl, err := jinja.Parse(source)
			if err == nil {
				_, err = tmpl.Render(nil, jinja.Options{})
			}
			if err == nil {
				t.Error("no error")
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
	// What looks dangerous and is fine.
	for source, want := range map[string]string{
		"{{ 'abc'[-9223372036854775807:9223372036854775807] }}":         "abc",
		"{{ 'abc'[9223372036854775807:-9223372036854775807:-1] }}":      "cba",
		"{{ range(9223372036854775800, 9223372036854775807)|length }}":  "7",
		"{{ range(0, 9223372036854775807, 9223372036854775806)|list }}": "[0, 9223372036854775806]",
	} {
		tmpl, err := jinja.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tmpl.Render(nil, jinja.Options{}); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", source, got, err, want)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		"{% for m in messages %}{{ '<|' + m['role'] + '|>\\n' + m.content|trim }}{% endfor %}",
		"{%- set ns = namespace(x=[1, 2.5, 'a'][::-1]) -%}{{ ns.x|tojson(indent=2) }}",
		"{% macro a(b='c') %}{{ b.split(',')[0] if b is string else none }}{% endmacro %}{{ a('x,y')|upper }}",
		"{% if messages[0].role == 'system' and not x is defined %}{{ raise_exception('no') }}{% endif %}",
		"{# c #}{% raw %}{{ x }}{% endraw %}{{ '%d'.format(1) }}{{ messages|selectattr('role', 'eq', 'user')|list|length }}",
		"{% set a %}b{% endset %}{{ 1 // 2 ** 3 % 4 ~ a in 'b' }}{{ {'a': (1,)}.items()|list }}",
	} {
		f.Add(seed)
	}
	messages := []any{jinja.NewDict("role", "system", "content", " s "), jinja.NewDict("role", "user", "content", "u")}
	f.Fuzz(func(t *testing.T, source string) {
		tmpl, err := jinja.Parse(source)
		if err != nil {
			return
		}
		tmpl.Render(map[string]any{"messages": messages}, jinja.Options{Now: time.Unix(0, 0)})
	})
}
