package ollama

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/modelfile"
)

// Contents are the parts of a model that are text.
type Contents struct {
	Config   *Config
	Template string
	System   string
	Params   map[string]any // numbers are json.Number
	Messages []Message
	Licenses []string
}

// Contents reads the small layers of a model, checking their digests. Of several
// layers of one type the last one counts, as in Ollama; licences add up.
func (s *Store) Contents(m *Model) (*Contents, error) {
	config, err := s.ReadConfig(m.Manifest)
	if err != nil {
		return nil, err
	}
	c := &Contents{Config: config}
	for _, l := range m.Manifest.Layers {
		switch l.MediaType {
		case TypeTemplate, TypePrompt, TypeSystem, TypeParams, TypeMessages, TypeLicense:
		default:
			continue
		}
		data, err := s.ReadBlob(l)
		if err != nil {
			return nil, err
		}
		switch l.MediaType {
		case TypeTemplate, TypePrompt:
			c.Template = string(data)
		case TypeSystem:
			c.System = string(data)
		case TypeLicense:
			c.Licenses = append(c.Licenses, string(data))
		case TypeParams:
			c.Params, err = decodeParams(data)
		case TypeMessages:
			c.Messages = nil
			err = json.Unmarshal(data, &c.Messages)
		}
		if err != nil {
			return nil, fault.Malformed(s.BlobPath(l.Digest), "", "the %s is not the JSON of Ollama: %v", l.MediaType[strings.LastIndexByte(l.MediaType, '.')+1:], err)
		}
	}
	return c, nil
}

// Modelfile returns a Modelfile that makes m anew: FROM names its blobs, or for
// a model that is not in GGUF its name.
func (s *Store) Modelfile(m *Model) (*modelfile.File, error) {
	c, err := s.Contents(m)
	if err != nil {
		return nil, err
	}
	f := &modelfile.File{}
	for _, mediaType := range []string{TypeModel, TypeProjector} {
		for _, l := range m.Manifest.Find(mediaType) {
			f.Add(modelfile.From, "", s.BlobPath(l.Digest))
		}
	}
	if len(f.Instructions) == 0 {
		f.Add(modelfile.From, "", m.Name.Short())
	}
	for _, l := range m.Manifest.Find(TypeAdapter) {
		f.Add(modelfile.Adapter, "", s.BlobPath(l.Digest))
	}
	for _, in := range []struct {
		keyword modelfile.Keyword
		value   string
	}{
		{modelfile.Template, c.Template},
		{modelfile.System, c.System},
		{modelfile.Renderer, c.Config.Renderer},
		{modelfile.Parser, c.Config.Parser},
		{modelfile.Requires, c.Config.Requires},
	} {
		if in.value != "" {
			f.Add(in.keyword, "", in.value)
		}
	}
	for _, p := range c.Settings() {
		f.Add(modelfile.Parameter, p[0], p[1])
	}
	for _, text := range c.Licenses {
		f.Add(modelfile.License, "", text)
	}
	for _, message := range c.Messages {
		f.Add(modelfile.Message, message.Role, message.Content)
	}
	return f, nil
}

// Settings returns the parameters as a Modelfile has them, sorted by name: name
// and value, once for each value.
func (c *Contents) Settings() [][2]string {
	var all [][2]string
	for _, name := range slices.Sorted(maps.Keys(c.Params)) {
		values, ok := c.Params[name].([]any)
		if !ok {
			values = []any{c.Params[name]}
		}
		for _, v := range values {
			all = append(all, [2]string{name, fmt.Sprint(v)})
		}
	}
	return all
}
