package convert

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/convert/internal/jsonfile"
	"github.com/gguftool/gguftool/internal/fault"
)

// A config is a config.json: the hyperparameters of a model under the names of
// its transformers class.
type config struct {
	file    string
	within  []string // the fields whose object this is
	fields  map[string]json.RawMessage
	assumed map[string]bool // fields that are not in the file
	nulls   map[string]bool // fields that are null
}

func readConfig(dir string) (*config, error) {
	c := &config{file: filepath.Join(dir, "config.json"), assumed: map[string]bool{}}
	return c, c.read()
}

func (c *config) read() error {
	data, err := jsonfile.Read(c.file)
	if err != nil {
		return err
	}
	return c.parse(data)
}

func (c *config) parse(data []byte) error {
	if err := jsonfile.Unmarshal(c.file, data, &c.fields); err != nil {
		return err
	}
	if c.fields == nil {
		return fault.Malformed(c.file, "", "it is null, want an object")
	}
	c.dropNulls()
	return nil
}

// dropNulls lets fields that are null count as absent.
func (c *config) dropNulls() {
	c.nulls = make(map[string]bool)
	for k, v := range c.fields {
		if string(v) == "null" {
			delete(c.fields, k)
			c.nulls[k] = true
		}
	}
}

// nullable are fields whose null means something else than their absence.
var nullable = []string{"num_key_value_heads", "sliding_window"}

// assume adds the values, as JSON, that transformers takes where a field is absent.
func (c *config) assume(defaults map[string]string) {
	for k, v := range defaults {
		if _, ok := c.fields[k]; !ok && !(c.nulls[k] && slices.Contains(nullable, k)) {
			c.fields[k] = json.RawMessage(v)
			c.assumed[k] = true
		}
	}
}

// derive sets a field that follows from others.
func (c *config) derive(field string, n uint32) {
	c.fields[field] = strconv.AppendUint(nil, uint64(n), 10)
	c.assumed[field] = true
}

// find returns the first of keys that is there, or "".
func (c *config) find(keys []string) string {
	for _, k := range keys {
		if _, ok := c.fields[k]; ok {
			return k
		}
	}
	return ""
}

// count returns the whole number at key, from 1 to what a u32 holds.
func (c *config) count(key string) (uint32, error) {
	n, err := strconv.ParseUint(string(c.fields[key]), 10, 32)
	if err != nil || n == 0 {
		return 0, c.errorf(key, "it is %s, want a whole number from 1 to %d", excerpt(c.fields[key]), uint32(math.MaxUint32))
	}
	return uint32(n), nil
}

// number returns the number at key, which a float32 holds.
func (c *config) number(key string) (float32, error) {
	f, err := strconv.ParseFloat(string(c.fields[key]), 64)
	if err != nil || math.Abs(f) > math.MaxFloat32 {
		return 0, c.errorf(key, "it is %s, want a number", excerpt(c.fields[key]))
	}
	return float32(f), nil
}

// decode parses the value at key, which may be absent, into v.
func (c *config) decode(key string, v any) error {
	raw, ok := c.fields[key]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return c.errorf(key, "it is %s: %v", excerpt(raw), err)
	}
	return nil
}

func (c *config) errorf(key, format string, args ...any) error {
	return fault.Malformed(c.file, c.part(key), format, args...)
}

// part names a field in errors.
func (c *config) part(key string) string {
	return strconv.Quote(strings.Join(append(c.within[:len(c.within):len(c.within)], key), "."))
}

// describe names a field and its value for errors about tensors.
func (c *config) describe(key string) string {
	if c.assumed[key] {
		return fmt.Sprintf("%s (%s where config.json has none)", key, c.fields[key])
	}
	return fmt.Sprintf("%s of config.json (%s)", key, excerpt(c.fields[key]))
}

func excerpt(raw json.RawMessage) string {
	const most = 40
	s := strings.Join(strings.Fields(string(raw)), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// architecture returns the class of the model, the first of "architectures".
func (c *config) architecture() (string, error) {
	var classes []string
	if err := c.decode("architectures", &classes); err != nil {
		return "", err
	}
	if len(classes) == 0 {
		return "", c.errorf("architectures", "it does not name the class of the model")
	}
	return classes[0], nil
}

// labels returns the names of the classes that a classifier tells apart, as
// transformers knows them: those of id2label, in the order of their ids, or
// LABEL_0, LABEL_1, ... for num_labels.
func (c *config) labels() ([]string, error) {
	if c.find([]string{"id2label"}) == "" {
		n := uint32(2)
		if c.find([]string{"num_labels"}) != "" {
			var err error
			if n, err = c.count("num_labels"); err != nil {
				return nil, err
			}
		}
		if n > maxLabels {
			return nil, c.errorf("num_labels", "it is %d, more than %d", n, maxLabels)
		}
		labels := make([]string, n)
		for i := range labels {
			labels[i] = fmt.Sprintf("LABEL_%d", i)
		}
		return labels, nil
	}
	var names map[string]string
	if err := c.decode("id2label", &names); err != nil {
		return nil, err
	}
	ids := make([]int, 0, len(names))
	byID := make(map[int]string, len(names))
	for key, name := range names {
		id, err := strconv.Atoi(key)
		if _, twice := byID[id]; err != nil || twice {
			return nil, c.errorf("id2label", "the key %q is no id of its own", key)
		}
		ids = append(ids, id)
		byID[id] = name
	}
	slices.Sort(ids)
	labels := make([]string, len(ids))
	for i, id := range ids {
		labels[i] = byID[id]
	}
	return labels, nil
}

// maxLabels bounds the labels that a number alone can ask for.
const maxLabels = 1 << 20

// nameOrPath returns where the model was loaded from when it was saved, or nil.
func (c *config) nameOrPath() *string {
	var name *string
	if c.decode("_name_or_path", &name) != nil {
		return nil // of another type: no name
	}
	return name
}
