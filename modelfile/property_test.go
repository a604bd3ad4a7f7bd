package modelfile_test

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gguftool/gguftool/modelfile"
)

var keywords = []modelfile.Keyword{
	modelfile.From, modelfile.Parameter, modelfile.Template, modelfile.System, modelfile.Adapter, modelfile.License,
	modelfile.Message, modelfile.Requires, modelfile.Renderer, modelfile.Parser, modelfile.Draft,
}

// values are texts made of what makes reading them hard.
func values() *rapid.Generator[string] {
	parts := rapid.SampledFrom([]string{`"`, `""`, `"""`, " ", "\t", "\n", "\r\n", "\r", "#", "a", "word", "é", "漢", "🙂", "FROM x", "{{ .Prompt }}", `\`, "'"})
	return rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(parts, 0, 8).Draw(t, "parts"), "") })
}

func files() *rapid.Generator[*modelfile.File] {
	comments := rapid.SliceOfN(rapid.SampledFrom([]string{"", "#", "# a comment", "## \u200d \"", "#é"}), 0, 3)
	return rapid.Custom(func(t *rapid.T) *modelfile.File {
		f := &modelfile.File{Below: comments.Draw(t, "below")}
		for range rapid.IntRange(0, 4).Draw(t, "instructions") {
			k := rapid.SampledFrom(keywords).Draw(t, "keyword")
			name := ""
			switch k {
			case modelfile.Parameter:
				name = rapid.SampledFrom([]string{"stop", "num_ctx", "x9", "_"}).Draw(t, "name")
			case modelfile.Message:
				name = rapid.SampledFrom([]string{"system", "user", "assistant"}).Draw(t, "role")
			}
			f.Add(k, name, values().Draw(t, "value")).Above = comments.Draw(t, "above")
		}
		return f
	})
}

// plain returns f without what writing it anew may change: places, and how many
// empty lines there were.
func plain(f *modelfile.File) *modelfile.File {
	c := &modelfile.File{Below: lines(f.Below, len(f.Instructions) == 0, true)}
	for i, in := range f.Instructions {
		c.Instructions = append(c.Instructions, modelfile.Instruction{
			Keyword: in.Keyword, Name: in.Name, Value: in.Value, Above: lines(in.Above, i == 0, false)})
	}
	return c
}

func lines(all []string, first, last bool) []string {
	var out []string
	for _, l := range all {
		if l == "" && (len(out) == 0 && first || len(out) > 0 && out[len(out)-1] == "") {
			continue
		}
		out = append(out, l)
	}
	if n := len(out); last && n > 0 && out[n-1] == "" {
		out = out[:n-1]
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// What Format writes, Parse reads back; what it refuses holds text that ends a
// line with three quotes.
func TestParseOfFormat(t *testing.T) {
	written := 0
	rapid.Check(t, func(t *rapid.T) {
		f := files().Draw(t, "file")
		text, err := modelfile.Format(f)
		if err != nil {
			if !strings.Contains(err.Error(), "no quotes can hold the value") {
				t.Fatal(err)
			}
			return
		}
		written++
		got, err := modelfile.Parse(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if want := plain(f); !reflect.DeepEqual(plain(got), want) {
			t.Fatalf("got %+v\nwant %+v\nfrom\n%s", plain(got), want, text)
		}
	})
	if written < 20 {
		t.Errorf("only %d files could be written", written)
	}
}
