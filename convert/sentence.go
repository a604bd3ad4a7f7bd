package convert

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/convert/internal/jsonfile"
	"github.com/gguftool/gguftool/embedding"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// A sentenceModel is what sentence-transformers stores beside the weights: the
// modules that turn the states of the tokens into a vector, and how to use it.
type sentenceModel struct {
	pooling   pooling
	normalize bool // whether vectors get length 1
	dense     []denseModule
	lost      []string // modules that change vectors and that GGUF does not hold

	maxTokens     uint32            // where texts are cut off; 0: not said
	lowerCase     bool              // whether texts are put in lower case before the tokenizer
	prompts       map[string]string // texts put before the input, by task
	defaultPrompt string            // the task whose prompt is used where none is asked for
	promptLeftOut bool              // whether the tokens of a prompt do not count in pooling
}

// pooling is the value of <architecture>.pooling_type; 0 is not written.
type pooling uint32

const (
	poolingUnsaid pooling = 0
	poolingMean   pooling = 1
	poolingCLS    pooling = 2
	poolingLast   pooling = 3
)

// poolingModes are the ways of pooling that GGUF knows, with their names in the
// configuration until sentence-transformers 5.3 and since.
var poolingModes = []struct {
	mode          pooling
	oldName, name string
}{
	{poolingMean, "pooling_mode_mean_tokens", "mean"},
	{poolingCLS, "pooling_mode_cls_token", "cls"},
	{poolingLast, "pooling_mode_lasttoken", "lasttoken"},
}

// readSentenceModel reads modules.json and what it refers to. Without that file
// the result is the zero sentenceModel. Dense modules are lost unless the file can
// hold them.
func readSentenceModel(dir string, holdsDense bool) (*sentenceModel, error) {
	s := new(sentenceModel)
	var modules []struct {
		Type string `json:"type"`
		Path string `json:"path"`
	}
	file := filepath.Join(dir, "modules.json")
	if ok, err := readOptional(file, &modules); !ok {
		return s, err
	}
	for _, m := range modules {
		name := m.Type[strings.LastIndexByte(m.Type, '.')+1:]
		if m.Path != "" && !filepath.IsLocal(m.Path) {
			return nil, fault.Malformed(file, "", "the path %q is outside the model's folder", m.Path)
		}
		switch {
		case name == "Transformer", name == "Dropout":
		case name == "Normalize":
			s.normalize = true
		case strings.HasSuffix(name, "Pooling") && s.pooling == poolingUnsaid:
			if err := s.readPooling(filepath.Join(dir, m.Path, "config.json")); err != nil {
				return nil, err
			}
		case name == "Dense" && holdsDense && s.pooling != poolingUnsaid && !s.normalize:
			held, err := s.readDense(dir, m.Path)
			if err != nil {
				return nil, err
			}
			if !held {
				s.lost = append(s.lost, name)
			}
		default:
			s.lost = append(s.lost, name)
		}
	}
	return s, s.readUse(dir)
}

// readPooling reads the configuration of the pooling module.
func (s *sentenceModel) readPooling(file string) error {
	var fields map[string]any
	switch ok, err := readOptional(file, &fields); {
	case err != nil:
		return err
	case !ok:
		return missingModule(file, fs.ErrNotExist)
	}
	s.promptLeftOut = fields["include_prompt"] == false
	var modes []string
	for name, value := range fields {
		if strings.HasPrefix(name, "pooling_mode_") && value == true {
			modes = append(modes, name)
		}
	}
	if mode, ok := fields["pooling_mode"]; ok && len(modes) == 0 {
		modes = []string{fmt.Sprint(mode)}
	}
	slices.Sort(modes)
	for _, m := range poolingModes {
		if len(modes) == 1 && (modes[0] == m.oldName || modes[0] == m.name) {
			s.pooling = m.mode
			return nil
		}
	}
	return fault.Unsupported(file, "", "supported are mean, cls and lasttoken, one of them",
		"pooling by %s is not supported", orNothing(strings.Join(modes, " and ")))
}

// missingModule explains why a module's file that is not there should be.
func missingModule(file string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	e := fault.Malformed(file, "", "modules.json refers to it, but it is missing")
	e.Hint = "download all files of the model"
	return e
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// readUse reads the files that say how texts are prepared.
func (s *sentenceModel) readUse(dir string) error {
	var transformer struct {
		MaxSeqLength *uint32 `json:"max_seq_length"`
		DoLowerCase  bool    `json:"do_lower_case"`
	}
	if _, err := readOptional(filepath.Join(dir, "sentence_bert_config.json"), &transformer); err != nil {
		return err
	}
	if transformer.MaxSeqLength != nil {
		s.maxTokens = *transformer.MaxSeqLength
	}
	s.lowerCase = transformer.DoLowerCase
	var use struct {
		Prompts           map[string]string `json:"prompts"`
		DefaultPromptName string            `json:"default_prompt_name"`
	}
	if _, err := readOptional(filepath.Join(dir, "config_sentence_transformers.json"), &use); err != nil {
		return err
	}
	s.prompts, s.defaultPrompt = use.Prompts, use.DefaultPromptName
	return nil
}

// readOptional parses a JSON file; ok is false where there is none.
func readOptional(file string, v any) (ok bool, err error) {
	data, err := jsonfile.Read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = jsonfile.Unmarshal(file, data, v)
	return err == nil, err
}

// Keys that llama.cpp's converter does not write, besides those of prompts; see
// Options.Extras.
const (
	keyMaxTokens = "gguftool.max_seq_length"
	keyNormalize = "gguftool.normalize"
)

// setExtras writes how sentence-transformers uses the model.
func (s *sentenceModel) setExtras(md *gguf.Metadata) {
	if s.maxTokens > 0 {
		md.Set(keyMaxTokens, gguf.ValueOf(s.maxTokens))
	}
	if s.pooling != poolingUnsaid {
		md.Set(keyNormalize, gguf.ValueOf(s.normalize))
	}
	prompts := embedding.Prompts{
		Names:    slices.Sorted(maps.Keys(s.prompts)),
		Default:  s.defaultPrompt,
		Unpooled: s.promptLeftOut,
	}
	for _, name := range prompts.Names {
		prompts.Texts = append(prompts.Texts, s.prompts[name])
	}
	prompts.SetMetadata(md)
}
