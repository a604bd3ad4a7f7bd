package frontmatter

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/gguftool/gguftool/internal/hostilecheckpoint"
)

// TestPyYAML compares values with those of PyYAML; see golden.py in the testdata
// of package convert.
func TestPyYAML(t *testing.T) {
	data, err := os.ReadFile("../../testdata/rules.json")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct{ YAML [][2]any }
	if err := json.Unmarshal(data, &rules); err != nil {
		t.Fatal(err)
	}
	if len(rules.YAML) < 80 {
		t.Fatalf("only %d cases", len(rules.YAML))
	}
	for _, c := range rules.YAML {
		text := c[0].(string)
		m, err := Parse([]byte("---\n" + text + "\n---\n# Card\n"))
		if c[1] == "error" {
			if err == nil {
				t.Errorf("%q is %v, want an error", text, m)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := plain(m); !reflect.DeepEqual(got, c[1]) {
			t.Errorf("%q is %v, want %v", text, got, c[1])
		}
	}
}

// plain returns a value in the form of the goldens.
func plain(v any) any {
	switch v := v.(type) {
	case Map:
		m := map[string]any{}
		for k, e := range v {
			m[k] = plain(e)
		}
		return m
	case []any:
		list := []any{}
		for _, e := range v {
			list = append(list, plain(e))
		}
		return list
	case Scalar:
		return map[string]any{"!": !v.Empty}
	}
	return v
}

func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob("../../testdata/checkpoints/*/README.md")
	if err != nil || len(paths) == 0 {
		f.Fatal("no seeds: ", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, c := range hostilecheckpoint.Cases() {
		if data, ok := c.Files()["README.md"]; ok {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, card []byte) {
		if m, err := Parse(card); err == nil {
			plain(m) // ends, so nothing is cyclic
		}
	})
}
