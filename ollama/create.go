package ollama

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/modelfile"
)

// CreateOptions say how a model is created.
type CreateOptions struct {
	Dir     string // that relative paths in the Modelfile begin at
	Share   Share
	Replace bool // a model of the same name

	// Make writes to path to the one GGUF file that the model at path from is to
	// be: a checkpoint (a folder, or a file of weights), a GGUF file in shards or a
	// single one. made is false where a single file is to be taken as it is. It may
	// be nil, and then only single files are taken.
	Make func(ctx context.Context, from, to string) (made bool, err error)

	Progress func(what string, done, total int64) // may be nil
	Note     func(text string)                    // is told what the user should know; may be nil
}

// A layer on the way into a manifest.
type layer struct {
	Layer
	gguf *Description // what makes the config, or nil
	text []byte       // content that is put into the store in the end, or nil
}

// A creation is the work of Create.
type creation struct {
	*CreateOptions
	s      *Store
	tx     *Transaction
	layers []layer
	config Config
}

// Create makes a model of a Modelfile and returns what is in the store then. The
// order and the bytes of the layers are those of "ollama create": the model with
// the template and parameters that Ollama knows for its chat template, further
// FROMs, the adapter, and then whatever the Modelfile says, each replacing what
// was inherited.
func (s *Store) Create(ctx context.Context, name Name, f *modelfile.File, o *CreateOptions) (*Model, error) {
	name, err := s.Find(name)
	if err != nil {
		return nil, err
	}
	if err := name.checkStorable(); err != nil {
		return nil, err
	}
	plan, err := s.plan(f, o.Dir)
	if err != nil {
		return nil, err
	}
	tx, err := s.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.Close()
	c := &creation{CreateOptions: o, s: s, tx: tx, config: Config{
		Architecture: "amd64", OS: "linux", RootFS: RootFS{Type: "layers"},
		Renderer: plan.renderer, Parser: plan.parser, Requires: plan.requires,
	}}
	if err := c.addSources(ctx, plan); err != nil {
		return nil, err
	}
	c.describe(plan)
	if err := c.addTexts(plan); err != nil {
		return nil, err
	}
	manifest, err := c.manifest()
	if err != nil {
		return nil, err
	}
	if err := tx.Commit(name, manifest, o.Replace); err != nil {
		return nil, err
	}
	return s.Read(name)
}

func (c *creation) note(format string, args ...any) {
	if c.Note != nil {
		c.Note(fmt.Sprintf(format, args...))
	}
}

// progress tells of the work on one file.
func (c *creation) progress(what string) Progress {
	if c.Progress == nil {
		return nil
	}
	return func(done, total int64) { c.Progress(what, done, total) }
}

// addSources puts what FROM and ADAPTER name into the store.
func (c *creation) addSources(ctx context.Context, p *plan) error {
	if p.base != nil {
		if err := c.inherit(ctx, p.base); err != nil {
			return err
		}
	}
	inherited := len(c.layers)
	for _, path := range p.models {
		if err := c.addModel(ctx, path, p.template != ""); err != nil {
			return err
		}
	}
	// A file that is only the part that sees cannot be the model.
	slices.SortStableFunc(c.layers[inherited:], func(a, b layer) int { return rank(a) - rank(b) })
	models := c.count(TypeModel)
	switch {
	case len(p.models) > 0 && models == 0:
		return fault.Unsupported(p.models[0], "", "name the model in a FROM too", "FROM names an adapter or a projector, and no model that it belongs to")
	case models > 1:
		return fault.Unsupported(p.models[len(p.models)-1], "", "leave one of them out", "several FROMs name a model; only projectors can be added to one")
	}
	if p.adapter == "" {
		return nil
	}
	l, err := c.addGGUF(p.adapter, "adapter")
	if err != nil {
		return err
	}
	if l.MediaType != TypeAdapter {
		return fault.Unsupported(p.adapter, "", "make one with convert_lora_to_gguf.py", "ADAPTER names a GGUF file that is no adapter (general.type)")
	}
	c.layers = append(c.layers, l)
	return nil
}

// rank puts a projector behind the model and what was found for it.
func rank(l layer) int {
	if l.MediaType == TypeProjector {
		return 1
	}
	return 0
}

func (c *creation) count(mediaType string) int {
	n := 0
	for _, l := range c.layers {
		if l.MediaType == mediaType {
			n++
		}
	}
	return n
}

// inherit takes all layers of a model in the store, and of its config what no
// layer says.
func (c *creation) inherit(ctx context.Context, base *Model) error {
	config, err := c.s.ReadConfig(base.Manifest)
	if err != nil {
		return err
	}
	if config.RemoteHost != "" {
		return fault.Unsupported(c.s.ManifestPath(base.Name), "", "take a model that is in the store", "%s runs on %s and has no weights here", base.Name.Short(), quoted(config.RemoteHost))
	}
	c.config.Renderer = either(c.config.Renderer, config.Renderer)
	c.config.Parser = either(c.config.Parser, config.Parser)
	c.config.Requires = either(c.config.Requires, config.Requires)
	c.config.ModelFormat = config.ModelFormat
	c.config.Capabilities = config.Capabilities
	for _, l := range base.Manifest.Layers {
		if err := c.tx.Use(l); err != nil {
			return err
		}
		out := layer{Layer: Layer{l.MediaType, l.Digest, l.Size, base.Name.Short(), l.Name}}
		switch l.MediaType {
		case TypeModel, TypeProjector, TypeAdapter:
			if out.gguf, err = c.read(c.s.BlobPath(l.Digest)); err != nil {
				return err
			}
		}
		if l.MediaType == TypeModel {
			if made, ok, err := c.make(ctx, c.s.BlobPath(l.Digest), l.MediaType); err != nil {
				return err
			} else if ok {
				out = made
			}
		}
		c.layers = append(c.layers, out)
	}
	return nil
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// addModel adds what a FROM names, and the template that Ollama knows for it;
// templated says that the Modelfile has a template of its own.
func (c *creation) addModel(ctx context.Context, path string, templated bool) error {
	l, ok, err := c.make(ctx, path, TypeModel)
	if err != nil {
		return err
	}
	if !ok {
		if l, err = c.addGGUF(path, "model"); err != nil {
			return err
		}
	}
	c.layers = append(c.layers, l)
	t, err := DetectTemplate(l.gguf.ChatTemplate)
	if err != nil {
		return err
	}
	if t == nil {
		if l.gguf.ChatTemplate != "" && !templated {
			c.note("the model has a chat template that is none of those Ollama knows; 'gguftool modelfile init' writes a TEMPLATE for it")
		}
		return nil
	}
	if !templated {
		c.note("the template is the one that Ollama calls %s, as the model's chat template is close to it", t.Name)
	}
	c.addText(t.Text, TypeTemplate)
	if t.Params != nil {
		c.addText(t.Params, TypeParams)
	}
	return nil
}

// make has a model made of path; ok is false where the file is the model itself.
func (c *creation) make(ctx context.Context, path, mediaType string) (l layer, ok bool, err error) {
	if c.Make == nil {
		return layer{}, false, nil
	}
	temp := c.tx.TempPath()
	defer os.Remove(temp)
	if ok, err = c.Make(ctx, path, temp); err != nil || !ok {
		return layer{}, false, err
	}
	d, err := c.read(temp)
	if err != nil {
		return layer{}, false, err
	}
	l.Layer, err = c.tx.Adopt(temp, mediaType, c.progress("hashing"))
	l.gguf, l.MediaType = d, d.MediaType
	return l, err == nil, err
}

// addGGUF stores a GGUF file.
func (c *creation) addGGUF(path, what string) (layer, error) {
	// What is no regular file must not be opened.
	f, err := openRegular(path)
	if err != nil {
		return layer{}, err
	}
	f.Close()
	d, err := c.read(path)
	if err != nil {
		return layer{}, err
	}
	l, err := c.tx.PutFile(path, d.MediaType, c.Share, c.progress("storing the "+what))
	if err != nil {
		return layer{}, err
	}
	l.From = c.s.BlobPath(l.Digest) // where Ollama has the file when it reads it
	return layer{Layer: l, gguf: d}, nil
}

// read describes a GGUF file.
func (c *creation) read(path string) (*Description, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if len(f.Shards) > 1 {
		return nil, fault.Unsupported(path, "", "put the shards together with 'gguftool inspect merge'", "the model is in %d files, and Ollama takes one", len(f.Shards))
	}
	return Describe(f), nil
}

// describe fills in the config from the GGUF layers.
func (c *creation) describe(p *plan) {
	for _, l := range c.layers {
		if l.gguf == nil {
			continue
		}
		c.config.ModelFormat = either(c.config.ModelFormat, "gguf")
		c.config.ModelFamily = either(c.config.ModelFamily, l.gguf.Architecture)
		c.config.ModelType = either(c.config.ModelType, shortNumber(l.gguf.Parameters))
		c.config.FileType = either(c.config.FileType, l.gguf.FileType)
		c.config.ModelFamilies = append(c.config.ModelFamilies, l.gguf.Architecture)
		// Architectures whose conversations Ollama lays out in code.
		renderer, parser := "", ""
		switch l.gguf.Architecture {
		case "gemma4":
			renderer, parser = "gemma4", "gemma4"
			if _, ok := p.params["stop"]; !ok && (c.config.Renderer == "" || c.config.Parser == "") {
				p.params["stop"] = []string{"<turn|>"}
			}
		case "laguna":
			renderer, parser = "laguna", "laguna"
		case "nemotron_h", "nemotron_h_moe", "nemotron_h_omni":
			renderer, parser = "nemotron-3-nano", "nemotron-3-nano"
		}
		c.config.Renderer = either(c.config.Renderer, renderer)
		c.config.Parser = either(c.config.Parser, parser)
	}
}

// addText adds a layer that is small.
func (c *creation) addText(text []byte, mediaType string) {
	c.layers = append(c.layers, layer{Layer: Layer{MediaType: mediaType}, text: text})
}

// replaceText adds a layer, and removes those of its type.
func (c *creation) replaceText(text []byte, mediaType string) {
	c.layers = slices.DeleteFunc(c.layers, func(l layer) bool { return l.MediaType == mediaType })
	c.addText(text, mediaType)
}

// addTexts adds what the Modelfile says itself.
func (c *creation) addTexts(p *plan) error {
	if p.template != "" {
		c.replaceText([]byte(p.template), TypeTemplate)
	}
	if p.system != "" {
		c.replaceText([]byte(p.system), TypeSystem)
	}
	for _, text := range p.licenses {
		c.addText([]byte(text), TypeLicense)
	}
	if err := c.addParams(p.params); err != nil {
		return err
	}
	if len(p.messages) == 0 {
		return nil
	}
	data, err := encodeJSON(p.messages)
	if err != nil {
		return err
	}
	c.replaceText(data, TypeMessages)
	return nil
}

// addParams adds the parameters, with those that are inherited and not set anew.
func (c *creation) addParams(params map[string]any) error {
	all := maps.Clone(params)
	for _, l := range c.layers {
		if l.MediaType != TypeParams {
			continue
		}
		data := l.text
		if data == nil {
			var err error
			if data, err = c.s.ReadBlob(l.Layer); err != nil {
				return err
			}
		}
		inherited, err := decodeParams(data)
		if err != nil {
			return fault.Malformed(c.s.BlobPath(l.Digest), "", "the parameters are no JSON object: %v", err)
		}
		for key, value := range inherited {
			if _, set := all[key]; !set {
				all[key] = value
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	data, err := encodeParams(all)
	if err != nil {
		return err
	}
	c.replaceText(data, TypeParams)
	return nil
}

// manifest stores the config and returns the manifest.
func (c *creation) manifest() ([]byte, error) {
	layers := make([]Layer, 0, len(c.layers))
	c.config.RootFS.DiffIDs = make([]Digest, 0, len(c.layers))
	for _, l := range c.layers {
		if l.text != nil {
			var err error
			if l.Layer, err = c.tx.PutBytes(l.text, l.MediaType); err != nil {
				return nil, err
			}
		}
		layers = append(layers, l.Layer)
		c.config.RootFS.DiffIDs = append(c.config.RootFS.DiffIDs, l.Digest)
	}
	data, err := c.config.Encode()
	if err != nil {
		return nil, err
	}
	config, err := c.tx.PutBytes(data, TypeConfig)
	if err != nil {
		return nil, err
	}
	return NewManifest(config, layers).Encode()
}
