package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/convert/internal/jsonfile"
	"github.com/gguftool/gguftool/gguf"
)

// overrides are what a file says about a model in place of its checkpoint: a JSON
// object of keys of GGUF, of those that llama.cpp's converter takes from such a
// file. A value of null stands for nothing: the key is not written.
type overrides struct {
	*config                 // the values that are not null
	given   map[string]bool // all keys
}

// Keys of lists of origins, which become several keys.
const (
	keyBaseModels = "general.base_models"
	keyDatasets   = "general.datasets"
)

// readOverrides reads the file at path; without a path there are none.
func readOverrides(path string) (*overrides, error) {
	o := &overrides{config: &config{file: path}, given: map[string]bool{}}
	if path == "" {
		return o, nil
	}
	data, err := jsonfile.Read(path)
	if err != nil {
		return nil, err
	}
	return o, o.parse(data)
}

func (o *overrides) parse(data []byte) error {
	if err := o.config.parse(data); err != nil {
		return err
	}
	if err := jsonfile.UniqueKeys(o.file, data); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := jsonfile.Unmarshal(o.file, data, &all); err != nil {
		return err
	}
	for key := range all {
		o.given[key] = true
	}
	return nil
}

// unknown returns the keys that have no effect, sorted.
func (o *overrides) unknown() []string {
	known := map[string]bool{keyBaseModels: true, keyDatasets: true, keyTags: true, keyLanguages: true}
	for _, p := range samplingParameters {
		known[keySampling+p.key] = true
	}
	for _, key := range authorshipKeys {
		known["general."+key] = key != "license" // which llama.cpp's converter passes over
	}
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(o.given)) {
		if !known[key] {
			keys = append(keys, key)
		}
	}
	return keys
}

// keySampling is what keys of samplingParameters begin with.
const keySampling = "general.sampling."

// setSampling writes what generation_config.json and then o recommend. As for
// llama.cpp's converter, a generation_config.json that is no JSON counts as absent.
func (o *overrides) setSampling(md *gguf.Metadata, dir string) error {
	generation := &config{file: filepath.Join(dir, "generation_config.json")}
	data, err := jsonfile.Read(generation.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err != nil || generation.parse(data) != nil {
		generation.fields = nil
	}
	for _, p := range samplingParameters {
		from, field := generation, generation.find(p.fields)
		if key := keySampling + p.key; o.given[key] {
			from, field = o.config, o.find([]string{key})
		}
		if field == "" {
			continue
		}
		v, err := from.value(field, p.kind)
		if err != nil {
			return err
		}
		if v.Any() != nil {
			md.Set(keySampling+p.key, v)
		}
	}
	return nil
}

// apply changes what is known of a model's origin.
func (o *overrides) apply(a *authorship) error {
	for _, key := range authorshipKeys {
		field := "general." + key
		if !o.given[field] || key == "license" {
			continue
		}
		text, err := o.text(field)
		if err != nil {
			return err
		}
		if delete(a.texts, key); text != nil {
			a.texts[key] = *text
		}
	}
	for field, list := range map[string]*[]string{keyTags: &a.tags, keyLanguages: &a.languages} {
		if !o.given[field] {
			continue
		}
		var err error
		if *list, err = o.texts(field); err != nil {
			return err
		}
	}
	for field, list := range map[string]*[]origin{keyBaseModels: &a.baseModels, keyDatasets: &a.datasets} {
		if !o.given[field] {
			continue
		}
		var err error
		if *list, err = o.origins(field); err != nil {
			return err
		}
	}
	return nil
}

// text returns the text at field, or nil where it is null.
func (o *overrides) text(field string) (*string, error) {
	var text *string
	if raw, ok := o.fields[field]; ok && json.Unmarshal(raw, &text) != nil {
		return nil, o.errorf(field, "it is %s, want a text", excerpt(raw))
	}
	return text, nil
}

// texts returns the list at field, which is nil where it is null.
func (o *overrides) texts(field string) ([]string, error) {
	raw, ok := o.fields[field]
	if !ok {
		return nil, nil
	}
	var list []*string
	if json.Unmarshal(raw, &list) != nil || slices.Contains(list, nil) {
		return nil, o.errorf(field, "it is %s, want a list of texts", excerpt(raw))
	}
	var texts []string
	for _, text := range list {
		texts = append(texts, *text)
	}
	return texts, nil
}

// origins returns the models or data sets at field; they are nil where it is null.
func (o *overrides) origins(field string) ([]origin, error) {
	raw, ok := o.fields[field]
	if !ok {
		return nil, nil
	}
	var list []map[string]json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil, o.errorf(field, "it is %s, want a list of objects", excerpt(raw))
	}
	all := []origin{}
	for i, entry := range list {
		one := origin{}
		for _, key := range originKeys {
			var text string
			if value, ok := entry[key]; ok && json.Unmarshal(value, &text) != nil {
				return nil, o.errorf(field, "%s of entry %d is %s, want a text", strconv.Quote(key), i, excerpt(value))
			}
			one[key] = text
		}
		all = append(all, one)
	}
	return all, nil
}

// note tells of keys without effect.
func (o *overrides) note() []string {
	keys := o.unknown()
	if len(keys) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: %s left out; llama.cpp's converter takes no such keys from a file", o.file, strings.Join(keys, ", "))}
}
