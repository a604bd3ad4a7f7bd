package tokenizer

import (
	"math"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// bertModel is tokenizer.ggml.model of WordPiece.
const bertModel = "bert"

// otherModels names the tokenizers that a GGUF file can have besides.
var otherModels = map[string]string{
	"gpt2":  "BPE",
	"llama": "SentencePiece BPE",
	"t5":    "Unigram",
	"rwkv":  "RWKV",
}

// FromGGUF returns the tokenizer that the metadata of a model describes.
//
// The keys of llama.cpp record neither all settings nor, in older files, the
// letter case: where no key says so, clean_text and handle_chinese_chars are
// on, words have at most 100 characters, and text is lowered in case unless the
// vocabulary has upper-case letters. Files that gguftool wrote say what differs
// in gguftool.tokenizer.* keys.
//
// It fails with a *gguf.FormatError where the keys make no tokenizer, and with
// a *gguf.UnsupportedError where they make one that is not WordPiece.
func FromGGUF(md *gguf.Metadata) (*Tokenizer, error) {
	value, ok := md.Lookup(keyModel)
	if !ok {
		return nil, malformedKey(keyModel, "is missing: the file has no tokenizer")
	}
	model, ok := value.Text()
	if !ok {
		return nil, malformedKey(keyModel, "is %s instead of string", value.Type())
	}
	if model != bertModel {
		kind, ok := otherModels[model]
		if !ok {
			kind = "not known"
		}
		return nil, fault.Unsupported("", "key "+keyModel, "only WordPiece tokenizers (bert) can be used",
			"the tokenizer %q (%s) is not supported", model, kind)
	}
	v, err := readVocabulary(md)
	if err != nil {
		return nil, err
	}
	s, err := understood(md, v)
	if err != nil {
		return nil, err
	}
	if err := s.override(md, v); err != nil {
		return nil, err
	}
	switch {
	case s.unknown < 0:
		return nil, malformedKey(keyUnknown, "is missing, and no token is [UNK]")
	case s.prefix == nil:
		return nil, malformedKey(keyBOS, "is missing, and no token is [CLS]")
	case s.suffix == nil:
		return nil, malformedKey(keySeparator, "is missing, and no token is [SEP]")
	}
	return newTokenizer(v, &s)
}

// readVocabulary reads the token list.
func readVocabulary(md *gguf.Metadata) (*vocabulary, error) {
	value, ok := md.Lookup(keyTokens)
	if !ok {
		return nil, malformedKey(keyTokens, "is missing")
	}
	stored, ok := gguf.Array[string](md, keyTokens)
	if !ok {
		return nil, malformedKey(keyTokens, "is %s instead of an array of strings", value.Type())
	}
	if len(stored) == 0 || len(stored) > math.MaxInt32 {
		return nil, malformedKey(keyTokens, "has %d tokens", len(stored))
	}
	types, err := readTypes(md, len(stored))
	if err != nil {
		return nil, err
	}
	var later []int32
	if err := readIDs(md, keyContinuations, len(stored), &later); err != nil {
		return nil, err
	}
	continues := make(map[int]bool, len(later))
	for _, id := range later {
		continues[int(id)] = true
	}
	tokens := make([]string, len(stored))
	for i, s := range stored {
		tokens[i] = tokenForm(s, types[i], continues[i])
	}
	v, err := newVocabulary(tokens, types)
	if err != nil {
		return nil, malformedKey(keyTokens, "%v", err)
	}
	return v, nil
}

// readTypes reads the token types. Where there are none, tokens in brackets
// without a phantom space are control tokens and others are normal.
func readTypes(md *gguf.Metadata, n int) ([]tokenType, error) {
	types := make([]tokenType, n)
	value, ok := md.Lookup(keyTokenType)
	if !ok {
		stored, _ := gguf.Array[string](md, keyTokens)
		for i, s := range stored {
			types[i] = normalToken
			if isBracketed(s) {
				types[i] = controlToken
			}
		}
		return types, nil
	}
	a, ok := gguf.Array[int32](md, keyTokenType)
	if !ok {
		return nil, malformedKey(keyTokenType, "is %s instead of an array of i32", value.Type())
	}
	if len(a) != n {
		return nil, malformedKey(keyTokenType, "has %d types for %d tokens", len(a), n)
	}
	for i, t := range a {
		types[i] = tokenType(t)
	}
	return types, nil
}

// newTokenizer makes the parts of a tokenizer.
func newTokenizer(v *vocabulary, s *settings) (*Tokenizer, error) {
	t := &Tokenizer{
		tokens:     v.tokens,
		normalizer: newBertNormalizer(s.bertOptions),
		model:      &wordPiece{tokens: newTrie(laterPiece), unknown: s.unknown, maxWordRunes: s.maxWordRunes},
		prefix:     s.prefix,
		suffix:     s.suffix,
	}
	apart := make(map[int]bool) // added tokens that are not in the vocabulary of the model
	for i, id := range v.added() {
		if err := t.addAdded(addedToken{id: id, content: v.tokens[id], flags: s.flags[i]}); err != nil {
			return nil, err
		}
		apart[int(id)] = s.flags[i]&alsoPiece == 0
	}
	for i, token := range v.tokens {
		if v.types[i] == unusedToken || apart[i] {
			continue
		}
		if err := t.model.add(token, int32(i)); err != nil {
			return nil, tooManyPrefixes(err)
		}
	}
	return t, nil
}

// addAdded puts an added token where it is looked for.
func (t *Tokenizer) addAdded(token addedToken) error {
	set, content := &t.raw, token.content
	if token.flags&normalized != 0 {
		set, content = &t.normalized, string(t.normalizer.append(nil, token.content))
	}
	if *set == nil {
		*set = newAddedSet()
	}
	if err := (*set).add(content, token); err != nil {
		return tooManyPrefixes(err)
	}
	return nil
}

func tooManyPrefixes(err error) error {
	return fault.Unsupported("", "key "+keyTokens, "", "the vocabulary is too large: %v", err)
}
