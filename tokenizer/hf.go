package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/internal/fault"
)

// Files of a checkpoint that describe its tokenizer.
const (
	fileTokenizer  = "tokenizer.json"
	fileConfig     = "tokenizer_config.json"
	fileSpecialMap = "special_tokens_map.json"
	fileAdded      = "added_tokens.json"
	fileVocab      = "vocab.txt"
	fileModel      = "config.json"
)

// A checkpoint is what the files in a folder say.
type checkpoint struct {
	dir       string // for messages
	options   Options
	files     fs.FS
	tokenizer *hfTokenizer   // nil without tokenizer.json
	config    map[string]any // tokenizer_config.json
	decoder   struct {       // also tokenizer_config.json
		AddedTokens map[int64]hfAddedToken `json:"added_tokens_decoder"`
	}
	specialMap map[string]any // special_tokens_map.json
	added      map[string]int64
	model      map[string]any // config.json
}

func (c *checkpoint) path(name string) string { return filepath.Join(c.dir, name) }

// Options are how a checkpoint is read.
type Options struct {
	// Pre is the value of tokenizer.ggml.pre; "" means the one that llama.cpp has
	// for tokenizers of the same structure.
	Pre string

	// Llama says that the model is a Llama, for which llama.cpp's converter
	// writes more keys.
	Llama bool
}

// ReadHF reads the tokenizer of the Hugging Face checkpoint in dir: from
// tokenizer.json or, without it, from vocab.txt and tokenizer_config.json, with
// the sizes in config.json.
//
// It fails with a *fault.FormatError where a file is damaged or contradicts
// another, with a *fault.UnsupportedError where the tokenizer is none that can
// be converted, and with fs.ErrNotExist where there is none.
func ReadHF(dir string, o Options) (*Vocab, error) { return readHF(dir, os.DirFS(dir), o) }

func readHF(dir string, files fs.FS, o Options) (*Vocab, error) {
	c := &checkpoint{dir: dir, files: files, options: o}
	switch data, err := c.data(fileTokenizer); {
	case err == nil:
		if c.tokenizer, err = decodeTokenizer(data); err != nil {
			return nil, fault.InFile(err, c.path(fileTokenizer))
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	for _, file := range []struct {
		name string
		into any
	}{
		{fileConfig, &c.config}, {fileConfig, &c.decoder}, {fileSpecialMap, &c.specialMap},
		{fileAdded, &c.added}, {fileModel, &c.model},
	} {
		if err := c.read(file.name, file.into); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if c.config == nil {
		c.config = make(map[string]any)
	}
	if c.tokenizer != nil {
		return c.fromTokenizer()
	}
	if data, err := c.data(fileVocab); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return c.fromVocabFile(data, err)
	}
	if c.hasSentenceModel() {
		return c.sentenceVocab()
	}
	if data, err := c.data(fileVocabJSON); err == nil || !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return nil, err
		}
		return c.fromVocabJSON(data)
	}
	return nil, fmt.Errorf("%s: no tokenizer: none of %s, %s, %s and %s is there: %w", c.dir, fileTokenizer, fileVocab, fileVocabJSON, fileSPM, fs.ErrNotExist)
}

// read decodes a JSON file.
func (c *checkpoint) read(name string, into any) error {
	data, err := c.data(name)
	if err != nil {
		return err
	}
	return fault.InFile(decodeJSON(data, into), c.path(name))
}

func (c *checkpoint) data(name string) ([]byte, error) {
	data, err := fs.ReadFile(c.files, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.dir, err)
	}
	return data, nil
}

func decodeJSON(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	if err == nil {
		return nil
	}
	f := fault.Malformed("", "", "%v", err)
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		f.Offset = e.Offset
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		f.Part, f.Offset = e.Field, e.Offset
	}
	return f
}

// malformed reports a file of the checkpoint.
func (c *checkpoint) malformed(name, part, format string, args ...any) error {
	return fault.Malformed(c.path(name), part, format, args...)
}

// unsupported reports a tokenizer that cannot be converted; hint says which can.
func (c *checkpoint) unsupported(name, part, hint, format string, args ...any) error {
	return fault.Unsupported(c.path(name), part, hint, format, args...)
}

// onlyKinds tells which tokenizers can be converted.
const onlyKinds = "WordPiece tokenizers of BERT, BPE and Unigram can be converted"

// fromTokenizer makes the vocabulary from tokenizer.json.
func (c *checkpoint) fromTokenizer() (*Vocab, error) {
	m := &c.tokenizer.Model
	kind := m.Type
	if kind == "" && m.MaxInputCharsPerWord != nil {
		kind = "WordPiece" // old files do not say so
	}
	switch kind {
	case "WordPiece":
		return c.wordPiece()
	case "BPE":
		if c.tokenizer.ofBytes() {
			return c.byteBPE(c.tokenizer, fileTokenizer)
		}
		return c.sentenceVocab()
	case "Unigram":
		return c.sentenceVocab()
	case "":
		return nil, c.malformed(fileTokenizer, "model", "has no type")
	}
	return nil, c.unsupported(fileTokenizer, "model", onlyKinds, "the tokenizer is %s", kind)
}

// vocabIDs returns the tokens of a model.vocab that is an object.
func (c *checkpoint) vocabIDs() (map[string]int64, error) {
	ids, err := decodeVocab(c.tokenizer.Model.Vocab)
	if err != nil {
		return nil, c.malformedModel("vocab", err)
	}
	if ids == nil {
		return nil, c.malformed(fileTokenizer, "model.vocab", "is null")
	}
	return ids, nil
}

// malformedModel reports a field of the model that cannot be decoded: by where
// the file is damaged or, if it is JSON, by what the field is.
func (c *checkpoint) malformedModel(field string, err error) error {
	if data, readErr := c.data(fileTokenizer); readErr == nil {
		var any json.RawMessage
		if err := decodeJSON(data, &any); err != nil {
			return fault.InFile(err, c.path(fileTokenizer))
		}
	}
	return c.malformed(fileTokenizer, "model."+field, "%v", err)
}

// finish completes v with the tokens in ids, the template and with what all
// checkpoints say.
func (c *checkpoint) finish(v *Vocab, ids map[string]int64, template *hfPart) error {
	if c.tokenizer != nil {
		v.listed = len(ids) + len(c.tokenizer.AddedTokens)
	}
	added, err := c.addedTokens(ids)
	if err != nil {
		return err
	}
	size, err := c.size(ids)
	if err != nil {
		return err
	}
	if size == 0 {
		return c.malformed(c.source(), "vocabulary", "is empty")
	}
	tokens, types := make([]string, size), make([]tokenType, size)
	for token, id := range ids {
		if id < 0 {
			return c.malformed(c.source(), "vocabulary", "the token %q has id %d", token, id)
		}
		if id >= int64(size) {
			return c.malformed(fileModel, "vocab_size", "is %d, but the tokenizer has the token %q with id %d", size, token, id)
		}
		if types[id] != 0 {
			return c.malformed(c.source(), "vocabulary", "the tokens %q and %q are both %d", tokens[id], token, id)
		}
		tokens[id], types[id] = token, normalToken
	}
	for i, t := range types {
		if t == 0 {
			tokens[i], types[i] = fmt.Sprintf("[PAD%d]", i), unusedToken
		}
	}
	for _, id := range slices.Sorted(maps.Keys(added)) {
		a := added[id]
		types[id] = userToken
		if a.Special || looksSpecial(a.Content) {
			types[id] = controlToken
		} else {
			tokens[id] = strings.ReplaceAll(a.Content, phantomSpace, " ") // as llama.cpp's converter does
		}
		f := a.flags()
		if a.alsoPiece {
			f |= alsoPiece
		}
		v.flags = append(v.flags, f)
	}
	if v.vocabulary, err = newVocabulary(tokens, types); err != nil {
		return c.malformed(c.source(), "vocabulary", "%v", err)
	}
	if c.tokenizer != nil {
		v.normalizerKeys(c.tokenizer.Normalizer)
	}
	if err := c.template(v, template); err != nil {
		return err
	}
	if err := c.specialKeys(v); err != nil {
		return err
	}
	return nil
}

// normalizerKeys sets the keys of a normalizer, as llama.cpp's converter finds
// them in the parts of any.
func (v *Vocab) normalizerKeys(p *hfPart) {
	on := true
	for _, part := range p.sequence() {
		switch part.Type {
		case "Lowercase":
			v.lowercaseKey = &on
		case "StripAccents":
			v.stripKey = &on
		case "BertNormalizer":
			v.lowercaseKey, v.stripKey = part.Lowercase, part.StripAccents
		}
	}
}

// source is the file that the vocabulary comes from.
func (c *checkpoint) source() string {
	if c.tokenizer != nil {
		return fileTokenizer
	}
	if _, err := fs.Stat(c.files, fileVocab); err != nil {
		return fileVocabJSON
	}
	return fileVocab
}

// maxPadding bounds the ids without a token, which only make models' matrices
// easier to divide.
const maxPadding = 1 << 16

// size returns the number of ids, which config.json states.
func (c *checkpoint) size(ids map[string]int64) (int, error) {
	highest := int64(len(ids)) - 1
	for _, id := range ids {
		highest = max(highest, id)
	}
	if highest >= int64(len(ids))+maxPadding {
		return 0, c.malformed(c.source(), "vocabulary", "has %d tokens, but ids up to %d", len(ids), highest)
	}
	value := c.model["vocab_size"]
	if value == nil {
		return int(highest) + 1, nil
	}
	size, ok := integer(value)
	if !ok || size < 0 || size > highest+maxPadding {
		return 0, c.malformed(fileModel, "vocab_size", "is %v, but the tokenizer has %d tokens", value, len(ids))
	}
	return int(size), nil
}

// integer returns a JSON number that is a whole one.
func integer(v any) (int64, bool) {
	f, ok := v.(float64)
	return int64(f), ok && f == math.Trunc(f) && math.Abs(f) < 1<<53
}
