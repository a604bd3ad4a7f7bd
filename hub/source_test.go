package hub

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestParseSource(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	for _, c := range []struct {
		arg, model, revision, again string
	}{
		{"hf://org/name", "org/name", "main", ""},
		{"hf://gpt2", "gpt2", "main", ""},
		{"hf://models/org/name", "org/name", "main", "hf://org/name"},
		{"hf://org/name@main", "org/name", "main", "hf://org/name"},
		{"hf://org/name@v1.5", "org/name", "v1.5", ""},
		{"hf://org/name@" + commit, "org/name", commit, ""},
		{"hf://org/name@refs/pr/12", "org/name", "refs/pr/12", ""},
		{"hf://org/name@feature%2Fa", "org/name", "feature/a", "hf://org/name@feature/a"},
		{"hf://_o.r-g/N_a.m-e", "_o.r-g/N_a.m-e", "main", ""},
	} {
		s, err := ParseSource(c.arg)
		if err != nil || s.Model != c.model || s.Revision != c.revision {
			t.Errorf("%s: %+v, %v", c.arg, s, err)
		}
		if again := s.String(); again != c.again && (c.again != "" || again != c.arg) {
			t.Errorf("%s is written as %s", c.arg, again)
		}
	}
}

// Each of these is refused before a request is sent or a file is touched.
func TestParseSourceRefuses(t *testing.T) {
	for arg, want := range map[string]string{
		"org/name":                             "does not begin with hf://",
		"hf://":                                "a part of the name is empty",
		"hf:///name":                           "a part of the name is empty",
		"hf://org/":                            "a part of the name is empty",
		"hf://@main":                           "a part of the name is empty",
		"hf://org/name/config.json":            "the whole model is hf://org/name",
		"hf://datasets/org/name":               "it is in datasets/",
		"hf://../name":                         "other characters",
		"hf://org/..":                          "other characters",
		"hf://org/na..me":                      "may not contain",
		"hf://org/a--b":                        "may not contain",
		"hf://org/name.git":                    "may not contain",
		"hf://org/.name":                       "other characters",
		"hf://org/name-":                       "other characters",
		`hf://org\name`:                        "other characters",
		"hf://org/na me":                       "other characters",
		"hf://org/näme":                        "other characters",
		"hf://org/" + strings.Repeat("n", 100): "96 are allowed",
		"hf://org/name@":                       "is empty",
		"hf://org/name@..":                     "two dots",
		"hf://org/name@a/../../b":              "two dots",
		"hf://org/name@%2Fetc":                 "git does not allow",
		"hf://org/name@a//b":                   "git does not allow",
		"hf://org/name@a/.b":                   "git does not allow",
		"hf://org/name@a.lock":                 "git does not allow",
		"hf://org/name@a.":                     "git does not allow",
		`hf://org/name@a\b`:                    "a character that git does not allow",
		"hf://org/name@C:":                     "a character that git does not allow",
		"hf://org/name@a@b":                    "a character that git does not allow",
		"hf://org/name@a\nb":                   "a character that git does not allow",
		"hf://org/name@" + strings.Repeat("r", 201): "200 are allowed",
	} {
		if s, err := ParseSource(arg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, error %v, want one with %q", arg, s, err, want)
		}
	}
}

// What is parsed stays below the cache and parses to itself.
func FuzzParseSource(f *testing.F) {
	for _, arg := range []string{"hf://org/name@refs/pr/1", "hf://a", "hf://../x@y", "hf://a/b@%2F..", "hf://a/b@c/d"} {
		f.Add(arg)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		s, err := ParseSource(arg)
		if err != nil {
			return
		}
		if again, err := ParseSource(s.String()); err != nil || again != s {
			t.Errorf("%q is %+v, then %+v, %v", arg, s, again, err)
		}
		c := &Client{Cache: "/cache"}
		for _, path := range []string{c.store(s.Model).dir, c.store(s.Model).locks, c.store(s.Model).ref(s.Revision)} {
			if rel, err := filepath.Rel("/cache", path); err != nil || !filepath.IsLocal(rel) || rel == "." {
				t.Errorf("%q uses %s", arg, path)
			}
		}
	})
}
