package tokenizer

import (
	"math"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// Values of tokenizer.ggml.model.
const (
	bertModel = "bert" // WordPiece
	bpeModel  = "gpt2" // BPE of bytes
)

// readers read the tokenizers of each tokenizer.ggml.model.
var readers = map[string]func(*gguf.Metadata) (*Tokenizer, error){
	bertModel:    bertFromGGUF,
	bpeModel:     bpeFromGGUF,
	spmModel:     sentenceFromGGUF,
	unigramModel: sentenceFromGGUF,
}

// otherModels names the tokenizers that a GGUF file can have besides.
var otherModels = map[string]string{
	"rwkv": "RWKV",
}

// FromGGUF returns the tokenizer that the metadata of a model describes.
//
// The keys of llama.cpp do not record all of a tokenizer; what they leave out is
// what the published models have. Files that gguftool wrote say what differs in
// gguftool.tokenizer.* keys.
//
// It fails with a *gguf.FormatError where the keys make no tokenizer, and with
// a *gguf.UnsupportedError where they make one of another kind.
func FromGGUF(md *gguf.Metadata) (*Tokenizer, error) {
	value, ok := md.Lookup(keyModel)
	if !ok {
		return nil, malformedKey(keyModel, "is missing: the file has no tokenizer")
	}
	model, ok := value.Text()
	if !ok {
		return nil, malformedKey(keyModel, "is %s instead of string", value.Type())
	}
	read, ok := readers[model]
	if !ok {
		kind, ok := otherModels[model]
		if !ok {
			kind = "not known"
		}
		return nil, fault.Unsupported("", "key "+keyModel, "WordPiece (bert), BPE (gpt2, llama) and Unigram (t5) are",
			"the tokenizer %q (%s) is not supported", model, kind)
	}
	return read(md)
}

// readTokens reads the token list as it is stored.
func readTokens(md *gguf.Metadata) ([]string, error) {
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
	return stored, nil
}

// readTypes reads the types of n tokens; it returns nil where there are none.
func readTypes(md *gguf.Metadata, n int) ([]tokenType, error) {
	value, ok := md.Lookup(keyTokenType)
	if !ok {
		return nil, nil
	}
	a, ok := gguf.Array[int32](md, keyTokenType)
	if !ok {
		return nil, malformedKey(keyTokenType, "is %s instead of an array of i32", value.Type())
	}
	if len(a) != n {
		return nil, malformedKey(keyTokenType, "has %d types for %d tokens", len(a), n)
	}
	types := make([]tokenType, n)
	for i, t := range a {
		types[i] = tokenType(t)
	}
	return types, nil
}

// newKeyVocabulary is newVocabulary for tokens of metadata.
func newKeyVocabulary(tokens []string, types []tokenType) (*vocabulary, error) {
	v, err := newVocabulary(tokens, types)
	if err != nil {
		return nil, malformedKey(keyTokens, "%v", err)
	}
	return v, nil
}

// readSpecial reads the ids of special tokens, by key.
func readSpecial(md *gguf.Metadata, size int) (map[string]int32, error) {
	ids := make(map[string]int32)
	for _, key := range []string{keyBOS, keyEOS, keyEOT, keyUnknown, keySeparator, keyPadding, keyCLS, keyMask} {
		if err := readID(md, key, size, ids); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// newTokenizer puts the parts of a tokenizer together.
func newTokenizer(v *vocabulary, s *settings, n normalizer, m model, d decoder) (*Tokenizer, error) {
	t := &Tokenizer{tokens: v.tokens, types: v.types, normalizer: n, model: m, prefix: s.prefix, suffix: s.suffix, decoder: d}
	for i, id := range v.added() {
		if err := t.addAdded(addedToken{id: id, content: v.tokens[id], flags: s.flags[i]}); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// addAdded puts an added token where it is looked for.
func (t *Tokenizer) addAdded(token addedToken) error {
	set, content := &t.raw, token.content
	if token.flags&normalized != 0 {
		set = &t.normalized
		if t.normalizer != nil {
			content = string(t.normalizer.append(nil, token.content))
		}
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

func malformedKey(key, format string, args ...any) error {
	return fault.Malformed("", "key "+key, format, args...)
}

func readBool(md *gguf.Metadata, key string, b *bool) error {
	value, ok := md.Lookup(key)
	if !ok {
		return nil
	}
	if *b, ok = value.Bool(); !ok {
		return malformedKey(key, "is %s instead of bool", value.Type())
	}
	return nil
}

// readID puts the token id at key, if there is one, into ids.
func readID(md *gguf.Metadata, key string, size int, ids map[string]int32) error {
	value, ok := md.Lookup(key)
	if !ok {
		return nil
	}
	id, ok := value.Int()
	if !ok {
		return malformedKey(key, "is %s instead of an integer", value.Type())
	}
	if id < 0 || id >= int64(size) {
		return malformedKey(key, "is token %d of a vocabulary of %d", id, size)
	}
	ids[key] = int32(id)
	return nil
}

// readIDs sets ids to the array at key, if there is one.
func readIDs(md *gguf.Metadata, key string, size int, ids *[]int32) error {
	value, ok := md.Lookup(key)
	if !ok {
		return nil
	}
	a, ok := gguf.Array[int32](md, key)
	if !ok {
		return malformedKey(key, "is %s instead of an array of i32", value.Type())
	}
	for _, id := range a {
		if id < 0 || int(id) >= size {
			return malformedKey(key, "has token %d of a vocabulary of %d", id, size)
		}
	}
	*ids = append([]int32{}, a...) // never nil
	return nil
}
