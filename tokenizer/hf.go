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
	"unicode"

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

// An hfAddedToken is an added token in tokenizer.json, tokenizer_config.json or
// special_tokens_map.json.
type hfAddedToken struct {
	ID         int64  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized *bool  `json:"normalized"`
	Special    bool   `json:"special"`
}

func (a *hfAddedToken) flags() addedFlags {
	var f addedFlags
	set := func(flag addedFlags, on bool) {
		if on {
			f |= flag
		}
	}
	set(singleWord, a.SingleWord)
	set(leftStrip, a.LStrip)
	set(rightStrip, a.RStrip)
	if a.Normalized != nil {
		set(normalized, *a.Normalized)
	} else {
		set(normalized, !a.Special)
	}
	return f
}

// hfTokenizer is tokenizer.json.
type hfTokenizer struct {
	AddedTokens []hfAddedToken `json:"added_tokens"`
	Normalizer  *struct {
		Type               string `json:"type"`
		CleanText          bool   `json:"clean_text"`
		HandleChineseChars bool   `json:"handle_chinese_chars"`
		StripAccents       *bool  `json:"strip_accents"`
		Lowercase          bool   `json:"lowercase"`
	} `json:"normalizer"`
	PreTokenizer *struct {
		Type string `json:"type"`
	} `json:"pre_tokenizer"`
	Model struct {
		Type                    string          `json:"type"`
		UnkToken                string          `json:"unk_token"`
		ContinuingSubwordPrefix *string         `json:"continuing_subword_prefix"`
		MaxInputCharsPerWord    *uint64         `json:"max_input_chars_per_word"`
		Vocab                   json.RawMessage `json:"vocab"` // its type depends on Type
	} `json:"model"`
	PostProcessor *hfPostProcessor `json:"post_processor"`
}

// An hfPostProcessor is the template, in one of two spellings.
type hfPostProcessor struct {
	Type string `json:"type"`

	// of TemplateProcessing
	Single        []hfTemplatePiece `json:"single"`
	Pair          []hfTemplatePiece `json:"pair"`
	SpecialTokens map[string]struct {
		IDs []int64 `json:"ids"`
	} `json:"special_tokens"`

	// of BertProcessing: token and id
	CLS []any `json:"cls"`
	Sep []any `json:"sep"`
}

// An hfTemplatePiece is a special token or a text, A or B.
type hfTemplatePiece struct {
	SpecialToken struct {
		ID string `json:"id"`
	} `json:"SpecialToken"`
	Sequence struct {
		ID string `json:"id"`
	} `json:"Sequence"`
}

// A checkpoint is what the files in a folder say.
type checkpoint struct {
	dir       string // for messages
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

// ReadHF reads the tokenizer of the Hugging Face checkpoint in dir: from
// tokenizer.json or, without it, from vocab.txt and tokenizer_config.json, with
// the sizes in config.json.
//
// It fails with a *fault.FormatError where a file is damaged or contradicts
// another, with a *fault.UnsupportedError where the tokenizer is not WordPiece
// as BERT has it, and with fs.ErrNotExist where there is no tokenizer.
func ReadHF(dir string) (*Vocab, error) { return readHF(dir, os.DirFS(dir)) }

func readHF(dir string, files fs.FS) (*Vocab, error) {
	c := &checkpoint{dir: dir, files: files}
	var t hfTokenizer
	switch err := c.read(fileTokenizer, &t); {
	case err == nil:
		c.tokenizer = &t
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
	return c.fromVocabFile()
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

// unsupported reports a tokenizer that is none of BERT's.
func (c *checkpoint) unsupported(name, part, format string, args ...any) error {
	return fault.Unsupported(c.path(name), part, "only the WordPiece tokenizers of BERT can be converted", format, args...)
}

// fromTokenizer makes the vocabulary from tokenizer.json.
func (c *checkpoint) fromTokenizer() (*Vocab, error) {
	t := c.tokenizer
	if err := c.checkPipeline(); err != nil {
		return nil, err
	}
	var ids map[string]int64
	if err := decodeJSON(t.Model.Vocab, &ids); err != nil {
		return nil, c.malformed(fileTokenizer, "model.vocab", "%v", err)
	}
	if ids == nil {
		return nil, c.malformed(fileTokenizer, "model.vocab", "is null")
	}
	n := t.Normalizer
	options := bertOptions{cleanText: n.CleanText, cjkWords: n.HandleChineseChars, stripAccents: n.Lowercase, lowercase: n.Lowercase}
	if n.StripAccents != nil {
		options.stripAccents = *n.StripAccents
	}
	v := &Vocab{lowercaseKey: &n.Lowercase, stripKey: n.StripAccents}
	v.bertOptions = options
	v.maxWordRunes = defaultMaxWordRunes
	if m := t.Model.MaxInputCharsPerWord; m != nil {
		v.maxWordRunes = int(min(*m, maxMaxWordRunes))
	}
	if lower, ok := c.config["do_lower_case"].(bool); ok && lower != n.Lowercase {
		v.warn("%s says do_lower_case is %t, %s says lowercase is %t; the latter counts", fileConfig, lower, fileTokenizer, n.Lowercase)
	}
	return c.finish(v, ids, t.Model.UnkToken)
}

// checkPipeline fails when a part of tokenizer.json is not BERT's.
func (c *checkpoint) checkPipeline() error {
	t := c.tokenizer
	kind := t.Model.Type
	if kind == "" && t.Model.MaxInputCharsPerWord != nil {
		kind = "WordPiece" // old files do not say so
	}
	switch {
	case kind == "":
		return c.malformed(fileTokenizer, "model", "has no type")
	case kind != "WordPiece":
		return c.unsupported(fileTokenizer, "model", "the tokenizer is %s", kind)
	case t.Normalizer == nil:
		return c.unsupported(fileTokenizer, "normalizer", "there is none, where BERT has BertNormalizer")
	case t.Normalizer.Type != "BertNormalizer":
		return c.unsupported(fileTokenizer, "normalizer", "the type is %q, where BERT has BertNormalizer", t.Normalizer.Type)
	case t.PreTokenizer == nil:
		return c.unsupported(fileTokenizer, "pre_tokenizer", "there is none, where BERT has BertPreTokenizer")
	case t.PreTokenizer.Type != "BertPreTokenizer":
		return c.unsupported(fileTokenizer, "pre_tokenizer", "the type is %q, where BERT has BertPreTokenizer", t.PreTokenizer.Type)
	case t.Model.ContinuingSubwordPrefix != nil && *t.Model.ContinuingSubwordPrefix != continuation:
		return c.unsupported(fileTokenizer, "model", "the prefix of pieces inside words is %q, where BERT has %q", *t.Model.ContinuingSubwordPrefix, continuation)
	}
	if p := t.PostProcessor; p != nil && p.Type != "TemplateProcessing" && p.Type != "BertProcessing" {
		return c.unsupported(fileTokenizer, "post_processor", "the type is %q, where BERT has TemplateProcessing", p.Type)
	}
	return nil
}

// fromVocabFile makes the vocabulary from vocab.txt, as BertTokenizer does.
func (c *checkpoint) fromVocabFile() (*Vocab, error) {
	data, err := c.data(fileVocab)
	if errors.Is(err, fs.ErrNotExist) {
		for _, other := range []string{"sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "vocab.json"} {
			if _, err := fs.Stat(c.files, other); err == nil {
				return nil, c.unsupported(other, "", "the tokenizer is not WordPiece")
			}
		}
		return nil, fmt.Errorf("%s: no tokenizer: neither %s nor %s is there: %w", c.dir, fileTokenizer, fileVocab, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	class, _ := c.config["tokenizer_class"].(string)
	switch strings.TrimSuffix(class, "Fast") {
	case "", "BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer":
	default:
		return nil, c.unsupported(fileConfig, "tokenizer_class", "%s is not %s and has no %s", class, "BertTokenizer", fileTokenizer)
	}
	ids := make(map[string]int64)
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	for i, line := range lines {
		ids[strings.TrimRightFunc(line, unicode.IsSpace)] = int64(i)
	}
	v := &Vocab{}
	v.maxWordRunes = defaultMaxWordRunes
	v.bertOptions = bertOptions{cleanText: true, cjkWords: true, lowercase: true}
	for key, option := range map[string]*bool{"do_lower_case": &v.bertOptions.lowercase, "tokenize_chinese_chars": &v.cjkWords} {
		if on, ok := c.config[key].(bool); ok {
			*option = on
		}
	}
	v.bertOptions.stripAccents = v.bertOptions.lowercase
	if strip, ok := c.config["strip_accents"].(bool); ok {
		v.bertOptions.stripAccents = strip
		v.stripKey = &strip
	}
	return c.finish(v, ids, c.specialName("unk"))
}

// finish completes v, whose settings are known, with the tokens in ids.
func (c *checkpoint) finish(v *Vocab, ids map[string]int64, unknown string) (*Vocab, error) {
	pieces := maps.Clone(ids)
	added, err := c.addedTokens(ids)
	if err != nil {
		return nil, err
	}
	size, err := c.size(ids)
	if err != nil {
		return nil, err
	}
	tokens, types := make([]string, size), make([]tokenType, size)
	for i := range tokens {
		tokens[i], types[i] = fmt.Sprintf("[PAD%d]", i), unusedToken
	}
	for token, id := range ids {
		if id < 0 {
			return nil, c.malformed(c.source(), "vocabulary", "the token %q has id %d", token, id)
		}
		if id >= int64(size) {
			return nil, c.malformed(fileModel, "vocab_size", "is %d, but the tokenizer has the token %q with id %d", size, token, id)
		}
		if types[id] != unusedToken {
			return nil, c.malformed(c.source(), "vocabulary", "the tokens %q and %q are both %d", tokens[id], token, id)
		}
		tokens[id], types[id] = token, normalToken
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
		if _, ok := pieces[a.Content]; ok {
			f |= alsoPiece
		}
		v.flags = append(v.flags, f)
	}
	if v.vocabulary, err = newVocabulary(tokens, types); err != nil {
		return nil, c.malformed(c.source(), "vocabulary", "%v", err)
	}
	var ok bool
	if v.unknown, ok = v.ids[unknown]; !ok {
		return nil, c.malformed(c.source(), "vocabulary", "the unknown token %q is not in it", unknown)
	}
	if err := c.template(v); err != nil {
		return nil, err
	}
	v.tokenTypeCount = 2 // of transformers' BertConfig
	if n, ok := integer(c.model["type_vocab_size"]); ok {
		if n < 0 || n > math.MaxUint32 {
			return nil, c.malformed(fileModel, "type_vocab_size", "is %d", n)
		}
		v.tokenTypeCount = uint32(n)
	}
	if err := c.specialKeys(v); err != nil {
		return nil, err
	}
	v.complete()
	if _, ok := c.config["chat_template"]; ok {
		v.warn("%s: the chat_template is left out", fileConfig)
	}
	return v, nil
}

// source is the file that the vocabulary comes from.
func (c *checkpoint) source() string {
	if c.tokenizer != nil {
		return fileTokenizer
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
