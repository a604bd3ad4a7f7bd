package convert

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/gguftool/gguftool/convert/internal/frontmatter"
	"github.com/gguftool/gguftool/gguf"
)

// An authorship is what a GGUF file says about where its model comes from:
// the keys general.name to general.languages.
type authorship struct {
	// texts by the end of their key, as in "license.name". An empty text is
	// known to be empty: nothing else is put in its place, and it is not written.
	texts      map[string]string
	baseModels []origin // nil where nothing is said, not where none are
	datasets   []origin
	tags       []string
	languages  []string
}

// An origin is a model or data set that a model was made from: texts by the end
// of their key, as in "repo_url".
type origin map[string]string

// authorshipKeys are the texts in the order in which they are written.
var authorshipKeys = []string{
	"name", "author", "version", "organization", "finetune", "basename", "description", "quantized_by", "size_label",
	"license", "license.name", "license.link",
	"url", "doi", "uuid", "repo_url",
	"source.url", "source.doi", "source.uuid", "source.repo_url",
}

// Keys of lists.
const (
	keyTags      = "general.tags"
	keyLanguages = "general.languages"
)

// originKeys are the texts of an origin in the order in which they are written.
var originKeys = []string{"name", "author", "version", "organization", "description", "url", "doi", "uuid", "repo_url"}

// cardKeys are the entries of a model card that texts are taken from; the first
// one that is there counts.
var cardKeys = []struct{ key, card string }{
	{"name", "name"},
	{"author", "author"},
	{"version", "version"},
	{"organization", "organization"},
	{"description", "description"},
	{"finetune", "finetune"},
	{"basename", "basename"},
	{"size_label", "size_label"},
	{"source.url", "url"},
	{"source.doi", "doi"},
	{"source.uuid", "uuid"},
	{"source.repo_url", "repo_url"},

	{"name", "model_name"},
	{"author", "model_author"},
	{"version", "model_version"},
	{"organization", "model_organization"},
	{"description", "model_description"},
	{"finetune", "model_finetune"},
	{"basename", "model_basename"},
	{"size_label", "model_size_label"},
	{"source.url", "model_url"},
	{"source.doi", "model_doi"},
	{"source.uuid", "model_uuid"},
	{"source.repo_url", "model_repo_url"},

	{"author", "model_creator"},
	{"basename", "model_type"},

	{"license", "license"},
	{"license.name", "license_name"},
	{"license.link", "license_link"},
}

// newAuthorship collects what the model card, the configuration and the name of
// the folder say, the first that says something being right. nameOrPath is nil
// where the configuration has no such entry.
func newAuthorship(card frontmatter.Map, nameOrPath *string, folder string, parameters int64) *authorship {
	a := &authorship{texts: map[string]string{}}
	for _, k := range cardKeys {
		if v := card[k.card]; v != nil {
			a.setDefault(k.key, text(v))
		}
	}
	a.baseModels = origins(card, parameters, "base_model", "base_models", "base_model_sources")
	a.datasets = origins(card, parameters, "datasets", "dataset", "dataset_sources")
	a.tags = append(texts(card["tags"]), texts(card["pipeline_tag"])...)
	a.languages = append(texts(card["languages"]), texts(card["language"])...)

	if nameOrPath != nil && strings.Count(*nameOrPath, "/") <= 1 { // a name and not a path
		a.setFromID(parseModelID(*nameOrPath, parameters))
	}
	a.setFromID(parseModelID(folder, parameters))
	return a
}

// complete fills in what a file of its own must have: the name, and the size where
// there are weights.
func (a *authorship) complete(folder, sizeLabel string) {
	a.setDefault("name", folder)
	if sizeLabel != "" {
		a.setDefault("size_label", sizeLabel)
	}
}

func (a *authorship) setDefault(key, text string) {
	if _, ok := a.texts[key]; !ok {
		a.texts[key] = text
	}
}

func (a *authorship) setFromID(id modelID) {
	a.setDefault("name", title(id.name))
	for key, text := range map[string]string{
		"organization": title(id.organization),
		"basename":     id.basename,
		"finetune":     id.finetune,
		"version":      id.version,
		"size_label":   id.sizeLabel,
	} {
		if text != "" {
			a.setDefault(key, text)
		}
	}
}

// hubURL matches the address of a model in the Hugging Face hub.
var hubURL = regexp.MustCompile(`^https?://huggingface.co/([^/]+/[^/]+)$`)

// origins returns the models or data sets that the first of keys in a model
// card lists.
func origins(card frontmatter.Map, parameters int64, keys ...string) []origin {
	for _, key := range keys {
		value, ok := card[key]
		if !ok {
			continue
		}
		list, _ := value.([]any)
		if name, ok := value.(string); ok {
			list = []any{name}
		}
		all := []origin{}
		for _, entry := range list {
			all = append(all, newOrigin(entry, parameters))
		}
		return all
	}
	return nil
}

func newOrigin(entry any, parameters int64) origin {
	o := origin{}
	switch entry := entry.(type) {
	case string:
		id := entry
		for _, scheme := range []string{"http://", "https://", "ssh://"} {
			if strings.HasPrefix(entry, scheme) {
				o["repo_url"] = entry
				id = ""
			}
		}
		if m := hubURL.FindStringSubmatch(entry); m != nil {
			id = m[1]
		}
		if id == "" {
			break
		}
		m := parseModelID(id, parameters)
		o["name"] = title(m.name)
		o["organization"] = title(m.organization)
		o["version"] = m.version
		if o["repo_url"] == "" && m.organization != "" {
			o["repo_url"] = "https://huggingface.co/" + m.organization + "/" + m.name
		}
	case frontmatter.Map:
		for _, key := range originKeys {
			o[key] = text(entry[key])
		}
	}
	return o
}

// text returns a value of a model card as one text. Numbers and dates, which
// stop llama.cpp's converter, stay as they are written.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case frontmatter.Scalar:
		if !v.Empty {
			return v.Text
		}
	case []any:
		return strings.Join(texts(v), ",")
	}
	return ""
}

// texts returns a value of a model card that is a text or a list of them.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, e := range v {
			switch e := e.(type) {
			case string:
				all = append(all, e)
			case frontmatter.Scalar:
				all = append(all, e.Text)
			}
		}
		return all
	}
	return nil
}

// write adds the keys to md; empty texts and lists have none.
func (a *authorship) write(md *gguf.Metadata) {
	for _, key := range authorshipKeys {
		setText(md, "general."+key, a.texts[key])
	}
	writeOrigins(md, "general.base_model", a.baseModels)
	writeOrigins(md, "general.dataset", a.datasets)
	setTexts(md, keyTags, a.tags)
	setTexts(md, keyLanguages, a.languages)
}

func writeOrigins(md *gguf.Metadata, prefix string, all []origin) {
	if all == nil {
		return
	}
	md.Set(prefix+".count", gguf.ValueOf(uint32(len(all))))
	for i, o := range all {
		for _, key := range originKeys {
			setText(md, fmt.Sprintf("%s.%d.%s", prefix, i, key), o[key])
		}
	}
}

func setText(md *gguf.Metadata, key, text string) {
	if text != "" {
		md.Set(key, gguf.ValueOf(text))
	}
}

func setTexts(md *gguf.Metadata, key string, texts []string) {
	if len(texts) > 0 {
		md.Set(key, gguf.ArrayOf(texts))
	}
}

// fileStem returns the name for a file of this model in the convention of
// llama.cpp: name, size, finetune, version and type; a file that has the
// vocabulary alone has neither size nor type.
func (a *authorship) fileStem(fileType string, vocabOnly bool) string {
	name := a.texts["basename"]
	if name == "" {
		name = a.texts["name"]
	}
	if name == "" {
		name = "ggml-model"
	}
	size, end := a.texts["size_label"], strings.ToUpper(fileType)
	if vocabOnly {
		size, end = "", "vocab"
	}
	var parts []string
	for _, p := range []string{name, size, a.texts["finetune"], a.texts["version"], end} {
		if p != "" {
			parts = append(parts, strings.NewReplacer(" ", "-", "/", "-").Replace(strings.TrimSpace(p)))
		}
	}
	return strings.Join(parts, "-")
}
