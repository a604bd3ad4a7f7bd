package convert

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// hostileOverrides are contents of override files, with a part of the error.
var hostileOverrides = []struct{ content, want string }{
	{``, "unexpected end of JSON input"},
	{`{"general.name": "x"`, "unexpected end of JSON input"},
	{`[]`, "the value is a JSON array, want object"},
	{`null`, "it is null, want an object"},
	{`"x"`, "the value is a JSON string, want object"},
	{"{\"\xff\": 1}", "invalid UTF-8 (at byte 2)"},
	{`{"general.name": "x", "general.name": "y"}`, `the key "general.name" appears twice`},
	{`{"general.name": 5}`, `"general.name": it is 5, want a text`},
	{`{"general.url": ["x"]}`, `"general.url": it is ["x"], want a text`},
	{`{"general.size_label": {}}`, `"general.size_label": it is {}, want a text`},
	{`{"general.tags": "x"}`, `"general.tags": it is "x", want a list of texts`},
	{`{"general.tags": [1]}`, `"general.tags": it is [1], want a list of texts`},
	{`{"general.languages": ["a", null]}`, `"general.languages": it is ["a", null], want a list of texts`},
	{`{"general.base_models": {"name": "x"}}`, `"general.base_models": it is {"name": "x"}, want a list of objects`},
	{`{"general.base_models": ["org/name"]}`, `"general.base_models": it is ["org/name"], want a list of objects`},
	{`{"general.datasets": [{"name": "x"}, {"doi": 1}]}`, `"general.datasets": "doi" of entry 1 is 1, want a text`},
	{`{"general.sampling.top_k": 1.5}`, `"general.sampling.top_k": it is 1.5, want a whole number from -2147483648 to 2147483647`},
	{`{"general.sampling.top_k": 2147483648}`, `it is 2147483648, want a whole number`},
	{`{"general.sampling.top_k": "40"}`, `it is "40", want a whole number`},
	{`{"general.sampling.top_p": "x"}`, `"general.sampling.top_p": it is "x", want a number`},
	{`{"general.sampling.top_p": 1e39}`, `it is 1e39, want a number`},
	{`{"general.sampling.top_p": true}`, `it is true, want a number`},
	{`{"general.sampling.sequence": 1}`, `"general.sampling.sequence": it is 1: json: cannot unmarshal`},
	{`{"general.tags": ` + strings.Repeat("[", 20000), "exceeded max depth"},
}

// use does with an override file all that Open does.
func use(o *overrides, dir string) error {
	if err := o.setSampling(new(gguf.Metadata), dir); err != nil {
		return err
	}
	a := newAuthorship(nil, nil, "a-model-7b", 0)
	if err := o.apply(a); err != nil {
		return err
	}
	a.complete("a-model-7b", "")
	a.write(new(gguf.Metadata))
	return nil
}

func TestHostileOverrides(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	for _, c := range hostileOverrides {
		if err := os.WriteFile(path, []byte(c.content), 0o666); err != nil {
			t.Fatal(err)
		}
		o, err := readOverrides(path)
		if err == nil {
			err = use(o, t.TempDir())
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "keys.json") {
			t.Errorf("%.40s: error %v, want %q", c.content, err, c.want)
		}
		if _, ok := errors.AsType[*fault.FormatError](err); !ok {
			t.Errorf("%.40s: %T, want a FormatError", c.content, err)
		}
	}
	if _, err := readOverrides(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// Keys that llama.cpp's converter does not take are told of.
func TestUnknownOverrides(t *testing.T) {
	o := &overrides{config: &config{file: "keys.json"}, given: map[string]bool{}}
	if err := o.parse([]byte(`{"general.license": "mit", "general.author": "x", "name": "y", "general.sampling.temp": 1, "general.datasets": null}`)); err != nil {
		t.Fatal(err)
	}
	if got, want := o.unknown(), []string{"general.license", "name"}; !slices.Equal(got, want) {
		t.Errorf("unknown keys %q, want %q", got, want)
	}
	if notes := o.note(); len(notes) != 1 || !strings.Contains(notes[0], "keys.json: general.license, name left out") {
		t.Errorf("notes %q", notes)
	}
}

func FuzzOverrides(f *testing.F) {
	for _, c := range hostileOverrides {
		f.Add([]byte(c.content))
	}
	f.Add([]byte(`{"general.name": null, "general.tags": [], "general.base_models": [{"name": "x", "url": null}], "general.sampling.top_k": 3}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		o := &overrides{config: &config{file: "keys.json"}, given: map[string]bool{}}
		if o.parse(data) != nil || use(o, dir) != nil {
			return
		}
		for _, key := range o.unknown() {
			if !o.given[key] {
				t.Errorf("%q is unknown and not there", key)
			}
		}
	})
}
