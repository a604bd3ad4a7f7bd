package tokenizer

import (
	"slices"

	"github.com/gguftool/gguftool/gguf"
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
	keyEOM            = "tokenizer.ggml.eom_token_id"
	keyUnknown        = "tokenizer.ggml.unknown_token_id"
	keySeparator      = "tokenizer.ggml.seperator_token_id"
	keyPadding        = "tokenizer.ggml.padding_token_id"
	keyCLS            = "tokenizer.ggml.cls_token_id" // written until 2025
	keyMask           = "tokenizer.ggml.mask_token_id"
	keyAddBOS         = "tokenizer.ggml.add_bos_token"
	keyAddEOS         = "tokenizer.ggml.add_eos_token"
	keyAddSeparator   = "tokenizer.ggml.add_sep_token"
	keyAddSpacePrefix = "tokenizer.ggml.add_space_prefix"
	keyLowercase      = "tokenizer.ggml.normalizer.lowercase"
	keyStripAccents   = "tokenizer.ggml.normalizer.strip_accents"
)

// Keys of gguftool that tokenizers of every kind can have, for what those of
// llama.cpp cannot say. They are written only where a tokenizer differs from
// what is understood without them.
const (
	keyPrefix     = "gguftool.tokenizer.template_prefix"   // [i32], ids before a text
	keySuffix     = "gguftool.tokenizer.template_suffix"   // [i32], ids after a text
	keyAddedFlags = "gguftool.tokenizer.added_token_flags" // [u8], addedFlags of the control and user tokens in order
)

// settings are what tokenizers of every kind have besides a vocabulary.
type settings struct {
	prefix, suffix []int32      // nil: not known
	flags          []addedFlags // of vocabulary.added
}

// assumedFlags returns the flags of the added tokens where no key says them.
func (v *vocabulary) assumedFlags() []addedFlags {
	var flags []addedFlags
	last := v.lastNormal()
	for _, id := range v.added() {
		var f addedFlags
		if v.types[id] == userToken {
			f |= normalized
		}
		if id < last {
			f |= alsoPiece
		}
		flags = append(flags, f)
	}
	return flags
}

// override changes s by the keys of gguftool.
func (s *settings) override(md *gguf.Metadata, v *vocabulary) error {
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
