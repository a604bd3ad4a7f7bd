package embedding

import (
	"errors"
	"reflect"
	"testing"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

func TestPromptsRoundTrip(t *testing.T) {
	for _, p := range []*Prompts{
		{},
		{Unpooled: true},
		{Names: []string{"query"}, Texts: []string{"query: "}},
		{Names: []string{"passage", "query"}, Texts: []string{"", "query: "}, Default: "query", Unpooled: true},
	} {
		md := new(gguf.Metadata)
		p.SetMetadata(md)
		got, err := PromptsOf(md)
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%+v became %+v, %v", p, got, err)
		}
	}
	md := new(gguf.Metadata)
	new(Prompts).SetMetadata(md)
	if md.Len() != 0 {
		t.Errorf("no prompts are %d keys", md.Len())
	}
}

func TestPromptNamed(t *testing.T) {
	p := &Prompts{Names: []string{"passage", "query"}, Texts: []string{"", "query: "}}
	if text, err := p.Named("query"); text != "query: " || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	for _, c := range []struct {
		p    *Prompts
		want string
	}{
		{p, `there is no prompt "document"; the file has "passage", "query"`},
		{new(Prompts), `there is no prompt "document", as the file has no prompts`},
	} {
		if _, err := c.p.Named("document"); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

func TestPromptsMalformed(t *testing.T) {
	names := gguf.ArrayOf([]string{"query"})
	for _, c := range []struct {
		keys map[string]gguf.Value
		want string
	}{
		{map[string]gguf.Value{keyPromptNames: gguf.ValueOf("query")}, `key "gguftool.prompt.names": is of type string, expected an array of strings`},
		{map[string]gguf.Value{keyPromptNames: gguf.ArrayOf([]int32{1})}, `key "gguftool.prompt.names": is of type array, expected an array of strings`},
		{map[string]gguf.Value{keyPromptNames: names}, `key "gguftool.prompt.texts": has 0 texts, but there are 1 names`},
		{map[string]gguf.Value{keyPromptNames: names, keyPromptTexts: names, keyPromptDefault: gguf.ValueOf("x")}, `key "gguftool.prompt.default": is "x", which is none of the names "query"`},
		{map[string]gguf.Value{keyPromptDefault: gguf.ValueOf(int32(1))}, `key "gguftool.prompt.default": is of type i32, expected a string`},
		{map[string]gguf.Value{keyIncludePrompt: gguf.ValueOf(int32(1))}, `key "gguftool.include_prompt": is of type i32, expected bool`},
	} {
		md := new(gguf.Metadata)
		for k, v := range c.keys {
			md.Set(k, v)
		}
		_, err := PromptsOf(md)
		if _, ok := errors.AsType[*fault.FormatError](err); !ok || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}
