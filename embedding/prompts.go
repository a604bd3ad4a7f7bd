package embedding

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// Keys of the prompts. llama.cpp's converter does not write them; ours does
// where it is asked for extras.
const (
	keyPromptNames   = "gguftool.prompt.names"
	keyPromptTexts   = "gguftool.prompt.texts"
	keyPromptDefault = "gguftool.prompt.default"
	keyIncludePrompt = "gguftool.include_prompt"
)

// Prompts are what a model expects before a text, by task, as
// config_sentence_transformers.json has them: "query: ", for example. The zero
// value has none.
type Prompts struct {
	Names, Texts []string // of equal length
	Default      string   // name of the prompt that is used where none is asked for; may be empty

	// Unpooled says that the tokens of a prompt are left out of pooling:
	// include_prompt is false in the configuration of the pooling module.
	Unpooled bool
}

// SetMetadata writes p. What p does not have is not written.
func (p *Prompts) SetMetadata(md *gguf.Metadata) {
	if len(p.Names) > 0 {
		md.Set(keyPromptNames, gguf.ArrayOf(p.Names))
		md.Set(keyPromptTexts, gguf.ArrayOf(p.Texts))
		if p.Default != "" {
			md.Set(keyPromptDefault, gguf.ValueOf(p.Default))
		}
	}
	if p.Unpooled {
		md.Set(keyIncludePrompt, gguf.ValueOf(false))
	}
}

// PromptsOf reads what SetMetadata writes. Keys of another type, names and texts
// of different number, and a default that is no name give a FormatError.
func PromptsOf(md *gguf.Metadata) (*Prompts, error) {
	p := new(Prompts)
	var err error
	if p.Names, err = texts(md, keyPromptNames); err != nil {
		return nil, err
	}
	if p.Texts, err = texts(md, keyPromptTexts); err != nil {
		return nil, err
	}
	if len(p.Names) != len(p.Texts) {
		return nil, malformed(keyPromptTexts, "has %d texts, but there are %d names", len(p.Texts), len(p.Names))
	}
	if v, ok := md.Lookup(keyPromptDefault); ok {
		if p.Default, ok = v.Text(); !ok {
			return nil, malformed(keyPromptDefault, "is of type %s, expected a string", v.Type())
		}
		if p.Default != "" && !slices.Contains(p.Names, p.Default) {
			return nil, malformed(keyPromptDefault, "is %q, which is none of the names %s", p.Default, p.list())
		}
	}
	if v, ok := md.Lookup(keyIncludePrompt); ok {
		include, ok := v.Bool()
		if !ok {
			return nil, malformed(keyIncludePrompt, "is of type %s, expected bool", v.Type())
		}
		p.Unpooled = !include
	}
	return p, nil
}

// Named returns the text of the prompt called name. The error lists the names
// that there are.
func (p *Prompts) Named(name string) (text string, err error) {
	if i := slices.Index(p.Names, name); i >= 0 {
		return p.Texts[i], nil
	}
	if len(p.Names) == 0 {
		return "", fmt.Errorf("there is no prompt %q, as the file has no prompts", name)
	}
	return "", fmt.Errorf("there is no prompt %q; the file has %s", name, p.list())
}

func (p *Prompts) list() string {
	quoted := make([]string, len(p.Names))
	for i, name := range p.Names {
		quoted[i] = strconv.Quote(name)
	}
	return strings.Join(quoted, ", ")
}

// texts reads an array of strings, nil where there is no such key.
func texts(md *gguf.Metadata, key string) ([]string, error) {
	v, ok := md.Lookup(key)
	if !ok {
		return nil, nil
	}
	list, ok := gguf.Array[string](md, key)
	if !ok {
		return nil, malformed(key, "is of type %s, expected an array of strings", v.Type())
	}
	return list, nil
}

func malformed(key, format string, args ...any) error {
	return fault.Malformed("", fmt.Sprintf("key %q", key), format, args...)
}
