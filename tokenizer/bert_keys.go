package tokenizer

import (
	"github.com/gguftool/gguftool/gguf"
)

// Keys of gguftool for WordPiece, written where a tokenizer differs from what is
// understood without them.
const (
	keyCleanText     = "gguftool.tokenizer.clean_text"               // bool
	keyCJKWords      = "gguftool.tokenizer.handle_chinese_chars"     // bool
	keyMaxWord       = "gguftool.tokenizer.max_input_chars_per_word" // u32
	keyContinuations = "gguftool.tokenizer.continuation_tokens"      // [i32], ids of tokens "##▁x"
)

// maxMaxWordRunes bounds max_input_chars_per_word.
const maxMaxWordRunes = 1 << 28

// bertSettings are all that makes a Tokenizer of the vocabulary of WordPiece.
type bertSettings struct {
	settings
	bertOptions
	maxWordRunes int
	unknown      int32 // negative: there is none
}

// bertFromGGUF reads a WordPiece tokenizer.
//
// The keys of llama.cpp record neither all settings nor, in older files, the
// letter case: where no key says so, clean_text and handle_chinese_chars are
// on, words have at most 100 characters, and text is lowered in case unless the
// vocabulary has upper-case letters.
func bertFromGGUF(md *gguf.Metadata) (*Tokenizer, error) {
	v, err := readBertVocabulary(md)
	if err != nil {
		return nil, err
	}
	s, err := understoodBert(md, v)
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
	w := &wordPiece{tokens: newTrie(laterPiece), unknown: s.unknown, maxWordRunes: s.maxWordRunes}
	for id, token := range v.pieces(s.flags) {
		if err := w.add(token, id); err != nil {
			return nil, tooManyPrefixes(err)
		}
	}
	return newTokenizer(v, &s.settings, newBertNormalizer(s.bertOptions), w, wordPieceDecoder{})
}

// readBertVocabulary reads the token list, which is in phantom form.
func readBertVocabulary(md *gguf.Metadata) (*vocabulary, error) {
	stored, err := readTokens(md)
	if err != nil {
		return nil, err
	}
	types, err := readTypes(md, len(stored))
	if err != nil {
		return nil, err
	}
	if types == nil { // tokens in brackets without a phantom space are control tokens
		types = make([]tokenType, len(stored))
		for i, s := range stored {
			types[i] = normalToken
			if isBracketed(s) {
				types[i] = controlToken
			}
		}
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
	return newKeyVocabulary(tokens, types)
}

// understoodBert returns the settings that the keys of llama.cpp stand for.
//
// add_bos_token and its like do not count: llama.cpp adds [CLS] and [SEP]
// whatever they say, and its converter gets them wrong for checkpoints that
// spell special tokens as objects.
func understoodBert(md *gguf.Metadata, v *vocabulary) (bertSettings, error) {
	ids, err := readSpecial(md, len(v.tokens))
	if err != nil {
		return bertSettings{}, err
	}
	// find returns the first id that there is, of keys and of tokens in brackets.
	find := func(names ...string) []int32 {
		for _, name := range names {
			if id, ok := ids[name]; ok {
				return []int32{id}
			}
			if id, ok := v.ids[name]; ok && isBracketed(name) {
				return []int32{id}
			}
		}
		return nil
	}
	s := bertSettings{
		settings: settings{
			prefix: find(keyCLS, "[CLS]", keyBOS),
			suffix: find(keySeparator, "[SEP]", keyEOS),
			flags:  v.assumedFlags(),
		},
		bertOptions:  bertOptions{cleanText: true, cjkWords: true, lowercase: !v.looksCased()},
		maxWordRunes: defaultMaxWordRunes,
		unknown:      -1,
	}
	if unknown := find(keyUnknown, "[UNK]"); unknown != nil {
		s.unknown = unknown[0]
	}
	if err := readBool(md, keyLowercase, &s.lowercase); err != nil {
		return bertSettings{}, err
	}
	s.stripAccents = s.lowercase
	if err := readBool(md, keyStripAccents, &s.stripAccents); err != nil {
		return bertSettings{}, err
	}
	return s, nil
}

// override changes s by the keys of gguftool.
func (s *bertSettings) override(md *gguf.Metadata, v *vocabulary) error {
	if err := readBool(md, keyCleanText, &s.cleanText); err != nil {
		return err
	}
	if err := readBool(md, keyCJKWords, &s.cjkWords); err != nil {
		return err
	}
	if value, ok := md.Lookup(keyMaxWord); ok {
		n, ok := value.Int()
		if !ok || n < 0 || n > maxMaxWordRunes {
			return malformedKey(keyMaxWord, "is %v instead of a number up to %d", value.Any(), maxMaxWordRunes)
		}
		s.maxWordRunes = int(n)
	}
	return s.settings.override(md, v)
}

// setMetadata writes the keys of WordPiece.
func (s *bertScheme) setMetadata(md *gguf.Metadata, v *Vocab) {
	stored := make([]string, len(v.tokens))
	var later []int32
	for i, token := range v.tokens {
		stored[i] = phantomForm(token, v.types[i])
		if tokenForm(stored[i], v.types[i], false) != token {
			later = append(later, int32(i))
		}
	}
	md.Set(keyTokenTypeCount, gguf.ValueOf(s.tokenTypeCount))
	md.Set(keyModel, gguf.ValueOf(bertModel))
	md.Set(keyPre, gguf.ValueOf(v.pre))
	md.Set(keyTokens, gguf.ArrayOf(stored))
	v.setTypes(md)
	v.setSpecial(md)
	if len(later) > 0 {
		md.Set(keyContinuations, gguf.ArrayOf(later))
	}
	was, err := understoodBert(md, v.vocabulary)
	if err != nil {
		return // not with the keys above
	}
	if s.cleanText != was.cleanText {
		md.Set(keyCleanText, gguf.ValueOf(s.cleanText))
	}
	if s.cjkWords != was.cjkWords {
		md.Set(keyCJKWords, gguf.ValueOf(s.cjkWords))
	}
	if s.maxWordRunes != was.maxWordRunes {
		md.Set(keyMaxWord, gguf.ValueOf(uint32(s.maxWordRunes)))
	}
	v.setOverrides(md, &was.settings)
}
