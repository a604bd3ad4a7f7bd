package main

import (
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/gguftool/gguftool/internal/fault"
)

func TestParseJSONLine(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{`"a"`, "a"},
		{` {"text": "a"} `, "a"},
		{`{"text": ""}`, ""},
		{`{"Text": "b", "text": "a"}`, "a"},
		{`{"text": "a", "more": {"text": ["b"]}}`, "a"},
		{`"\ud83d\ude00"`, "😀"},
		{`"\n"`, "\n"},
	} {
		if got, err := parseJSONLine(text{text: c.line}, "text"); got != c.want || err != nil {
			t.Errorf("%s: %q, %v, want %q", c.line, got, err, c.want)
		}
	}
	for _, c := range []struct{ line, want string }{
		{`{"text": "a"`, "is no JSON: unexpected end of JSON input; --input-format lines takes lines as they are"},
		{`{"text": "a"} {}`, "is no JSON: invalid character '{' after top-level value; --input-format lines takes lines as they are"},
		{"\"\xff\"", "is not UTF-8"},
		{`{}`, `has no field "text", only {}; choose another with --field`},
		{`{"j":0,"i":0,"h":0,"g":0,"f":0,"e":0,"d":0,"c":0,"b":0,"a":0}`,
			`has no field "text", only "a", "b", "c", "d", "e", "f", "g", "h", ...; choose another with --field`},
		{`{"text": null}`, `the field "text" is null, expected a string; choose another with --field`},
		{`{"text": {}}`, `the field "text" is an object, expected a string; choose another with --field`},
		{`{"text": ["a"]}`, `the field "text" is an array, expected a string; choose another with --field`},
		{`true`, "is true or false, expected an object or a string"},
		{`1e999`, "is no JSON: json: cannot unmarshal number 1e999 into Go value of type float64; --input-format lines takes lines as they are"},
	} {
		_, err := parseJSONLine(text{text: c.line, file: "f", line: 7}, "text")
		if _, ok := errors.AsType[*fault.FormatError](err); !ok || err.Error() != "f: line 7: "+c.want {
			t.Errorf("%s: error %v, want %s", c.line, err, c.want)
		}
	}
}

// A text comes back from JSON as it was, and no line does more than fail.
func FuzzParseJSONLine(f *testing.F) {
	for _, s := range []string{"", "a", `"a"`, `{"text": "a"}`, `{"text": 1}`, "null", "[]", "\xff", `"\ud800"`, "\u2028"} {
		f.Add(s, "text")
	}
	f.Fuzz(func(t *testing.T, s, field string) {
		got, err := parseJSONLine(text{text: s, file: "f", line: 1}, field)
		if _, ok := errors.AsType[*fault.FormatError](err); err != nil && !ok {
			t.Errorf("%q: error %v", s, err)
		}
		if !utf8.ValidString(got) {
			t.Errorf("%q gives %q, which is not UTF-8", s, got)
		}
		if !utf8.ValidString(s) || !utf8.ValidString(field) {
			return
		}
		for _, v := range []any{s, map[string]any{field: s, field + "x": 1}} {
			line, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := parseJSONLine(text{text: string(line)}, field); got != s || err != nil {
				t.Errorf("%s: %q, %v, want %q", line, got, err, s)
			}
		}
	})
}
