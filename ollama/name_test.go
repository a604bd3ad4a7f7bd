package ollama_test

import (
	"strings"
	"testing"

	"github.com/gguftool/gguftool/ollama"
)

func TestParseName(t *testing.T) {
	for _, c := range []struct{ text, full, short string }{
		{"embed", "registry.ollama.ai/library/embed:latest", "embed:latest"},
		{"embed:q4", "registry.ollama.ai/library/embed:q4", "embed:q4"},
		{"Embed:Q4_K_M", "registry.ollama.ai/library/Embed:Q4_K_M", "Embed:Q4_K_M"},
		{"me/embed", "registry.ollama.ai/me/embed:latest", "me/embed:latest"},
		{"library/embed", "registry.ollama.ai/library/embed:latest", "embed:latest"},
		{"Registry.Ollama.AI/library/embed", "Registry.Ollama.AI/library/embed:latest", "embed:latest"},
		{"localhost:5000/me/embed:q4", "localhost:5000/me/embed:q4", "localhost:5000/me/embed:q4"},
		{"localhost:5000/me/embed", "localhost:5000/me/embed:latest", "localhost:5000/me/embed:latest"},
		{"hf.co/org/model-GGUF:Q8_0", "hf.co/org/model-GGUF:Q8_0", "hf.co/org/model-GGUF:Q8_0"},
		{"http://localhost:5000/me/embed", "localhost:5000/me/embed:latest", "localhost:5000/me/embed:latest"},
		{"_a._-/_b", "", ""},
		{"_a-_/_b.-", "registry.ollama.ai/_a-_/_b.-:latest", "_a-_/_b.-:latest"},
		{strings.Repeat("m", 80), "registry.ollama.ai/library/" + strings.Repeat("m", 80) + ":latest", strings.Repeat("m", 80) + ":latest"},
		{strings.Repeat("m", 81), "", ""},
		{strings.Repeat("h", 350) + "/n/m", strings.Repeat("h", 350) + "/n/m:latest", strings.Repeat("h", 350) + "/n/m:latest"},
		{strings.Repeat("h", 351) + "/n/m", "", ""},
		{"", "", ""}, {":", "", ""}, {"a:", "", ""}, {":a", "", ""}, {"/a", "", ""}, {"a/", "", ""}, {"a//b", "", ""},
		{"a/b/c/d", "", ""}, {"../a", "", ""}, {"..", "", ""}, {".", "", ""}, {".a", "", ""}, {"-a", "", ""}, {"a:-b", "", ""},
		{"a b", "", ""}, {"a\nb", "", ""}, {"a\x00b", "", ""}, {`a\b`, "", ""}, {"ä", "", ""}, {"a:b:c", "", ""}, {"a.b/c", "", ""},
		{"a@sha256:00", "", ""}, {"file:///a/b/c", "", ""}, {"http://a/b", "", ""}, {"ftp://a/b/c", "", ""}, {"http://../b/c", "", ""},
		{"../../../../etc/passwd", "", ""}, {"a/../b", "", ""}, {"host/ns/../x", "", ""},
	} {
		n, err := ollama.ParseName(c.text)
		if c.full == "" {
			if err == nil {
				t.Errorf("%q is taken for %s", c.text, n)
			}
			continue
		}
		if err != nil || n.String() != c.full || n.Short() != c.short {
			t.Errorf("%q: %s, %s, %v", c.text, n, n.Short(), err)
		}
		if again, err := ollama.ParseName(n.String()); err != nil || again.String() != n.String() {
			t.Errorf("%q: read again as %s, %v", n, again, err)
		}
	}
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"a", "a:b", "a/b/c:d", "http://h:1/a/b:c", "..", "a:b/c"} {
		f.Add(s)
	}
	s, err := ollama.Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ollama.ParseName(text)
		if err != nil {
			return
		}
		if again, err := ollama.ParseName(n.String()); err != nil || again.String() != n.String() {
			t.Errorf("%q is read again as %v, %v", n.String(), again, err)
		}
		rest, inside := strings.CutPrefix(s.ManifestPath(n), s.Dir)
		if !inside || strings.Contains(rest, "..") && !strings.Contains(text, "..") || strings.Contains(rest, "/../") {
			t.Errorf("%q lies at %s", text, s.ManifestPath(n))
		}
	})
}
