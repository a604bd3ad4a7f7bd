package tokenizer

import (
	"slices"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// Keys of llama.cpp. "seperator" is how it is spelt.
const (
	keyModel          = "tokenizer.ggml.model"
	keyPre            = "tokenizer.ggml.pre"
	keyTokens         = "tokenizer.ggml.tokens"
	keyTokenType      = "tokenizer.ggml.token_type"
	keyTokenTypeCount = "tokenizer.ggml.token_type_count"
	keyBOS            = "tokenizer.ggml.bos_token_id"
	keyEOS            = "tokenizer.ggml.eos_token_id"
	keyEOT            = "tokenizer.ggml.eot_token_id"
	keyUnknown        = "tokenizer.ggml.unknown_token_id"
	keySeparator      = "tokenizer.ggml.seperator_token_id"
	keyPadding        = "tokenizer.ggml.padding_token_id"
	keyCLS            = "tokenizer.ggml.cls_token_id" // written until 2025
	keyMask           = "tokenizer.ggml.mask_token_id"
	keyAddBOS         = "tokenizer.ggml.add_bos_token"
	keyAddEOS         = "tokenizer.ggml.add_eos_token"
	keyAddSeparator   = "tokenizer.ggml.add_sep_token"
	keyLowercase      = "tokenizer.ggml.normalizer.lowercase"
	keyStripAccents   = "tokenizer.ggml.normalizer.strip_accents"
)

// Keys of gguftool, for what those of llama.cpp cannot say. They are written
// only where a tokenizer differs from what is understood without them.
const (
	keyCleanText     = "gguftool.tokenizer.clean_text"               // bool
	keyCJKWords      = "gguftool.tokenizer.handle_chinese_chars"     // bool
	keyMaxWord       = "gguftool.tokenizer.max_input_chars_per_word" // u32
	keyPrefix        = "gguftool.tokenizer.template_prefix"          // [i32], ids before a text
	keySuffix        = "gguftool.tokenizer.template_suffix"          // [i32], ids after a text
	keyAddedFlags    = "gguftool.tokenizer.added_token_flags"        // [u8], addedFlags of the control and user tokens in order
	keyContinuations = "gguftool.tokenizer.continuation_tokens"      // [i32], ids of tokens "##▁x"
)

// maxMaxWordRunes bounds max_input_chars_per_word.
const maxMaxWordRunes = 1 << 28

// settings are all that makes a Tokenizer of a vocabulary.
type settings struct {
	bertOptions
	maxWordRunes   int
	unknown        int32        // negative: there is none
	prefix, suffix []int32      // nil: not known
	flags          []addedFlags // of vocabulary.added
}

// understood returns the settings that the keys of llama.cpp stand for.
//
// add_bos_token and its like do not count: llama.cpp adds [CLS] and [SEP]
// whatever they say, and its converter gets them wrong for checkpoints that
// spell special tokens as objects.
func understood(md *gguf.Metadata, v *vocabulary) (settings, error) {
	ids := make(map[string]int32)
	for _, key := range []string{keyBOS, keyEOS, keyEOT, keyUnknown, keySeparator, keyPadding, keyCLS, keyMask} {
		if err := readID(md, key, len(v.tokens), ids); err != nil {
			return settings{}, err
		}
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
	s := settings{
		bertOptions:  bertOptions{cleanText: true, cjkWords: true, lowercase: !v.looksCased()},
		maxWordRunes: defaultMaxWordRunes,
		unknown:      -1,
		prefix:       find(keyCLS, "[CLS]", keyBOS),
		suffix:       find(keySeparator, "[SEP]", keyEOS),
	}
	if unknown := find(keyUnknown, "[UNK]"); unknown != nil {
		s.unknown = unknown[0]
	}
	if err := readBool(md, keyLowercase, &s.lowercase); err != nil {
		return settings{}, err
	}
	s.stripAccents = s.lowercase
	if err := readBool(md, keyStripAccents, &s.stripAccents); err != nil {
		return settings{}, err
	}
	last := v.lastNormal()
	for _, id := range v.added() {
		var f addedFlags
		if v.types[id] == userToken {
			f |= normalized
		}
		if id < last {
			f |= alsoPiece
		}
		s.flags = append(s.flags, f)
	}
	return s, nil
}

// override changes s by the keys of gguftool.
func (s *settings) override(md *gguf.Metadata, v *vocabulary) error {
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
	for key, ids := range map[string]*[]int32{keyPrefix: &s.prefix, keySuffix: &s.suffix} {
		if err := readIDs(md, key, len(v.tokens), ids); err != nil {
			return err
		}
	}
	if value, ok := md.Lookup(keyAddedFlags); ok {
		bits, ok := gguf.Array[uint8](md, keyAddedFlags)
		if !ok || len(bits) != len(s.flags) {
			return malformedKey(keyAddedFlags, "is %s of %d instead of an array of u8 with one element for each of the %d control and user tokens",
				value.Type(), value.Len(), len(s.flags))
		}
		for i, b := range bits {
			s.flags[i] = addedFlags(b)
		}
	}
	return nil
}

// setOverrides writes the keys of gguftool that turn was into s.
func (s *settings) setOverrides(md *gguf.Metadata, was *settings) {
	if s.cleanText != was.cleanText {
		md.Set(keyCleanText, gguf.ValueOf(s.cleanText))
	}
	if s.cjkWords != was.cjkWords {
		md.Set(keyCJKWords, gguf.ValueOf(s.cjkWords))
	}
	if s.maxWordRunes != was.maxWordRunes {
		md.Set(keyMaxWord, gguf.ValueOf(uint32(s.maxWordRunes)))
	}
	if was.prefix == nil || !slices.Equal(s.prefix, was.prefix) {
		md.Set(keyPrefix, gguf.ArrayOf(s.prefix))
	}
	if was.suffix == nil || !slices.Equal(s.suffix, was.suffix) {
		md.Set(keySuffix, gguf.ArrayOf(s.suffix))
	}
	if !slices.Equal(s.flags, was.flags) {
		bits := make([]uint8, len(s.flags))
		for i, f := range s.flags {
			bits[i] = uint8(f)
		}
		md.Set(keyAddedFlags, gguf.ArrayOf(bits))
	}
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
