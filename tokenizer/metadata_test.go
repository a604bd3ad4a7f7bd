package tokenizer

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

// tiny returns the metadata of a small tokenizer:
//
//	0 [PAD]  1 [UNK]  2 [CLS]  3 [SEP]  4 [MASK]  5 the  6 ##s  7 fox
func tiny() *gguf.Metadata {
	var md gguf.Metadata
	md.Set(keyModel, gguf.ValueOf("bert"))
	md.Set(keyTokens, gguf.ArrayOf([]string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "▁the", "s", "▁fox"}))
	md.Set(keyTokenType, gguf.ArrayOf([]int32{3, 3, 3, 3, 3, 1, 1, 1}))
	return &md
}

func with(md *gguf.Metadata, key string, v gguf.Value) *gguf.Metadata {
	md.Set(key, v)
	return md
}

func without(md *gguf.Metadata, key string) *gguf.Metadata {
	md.Delete(key)
	return md
}

func TestFromGGUFHostile(t *testing.T) {
	text := func(s string) gguf.Value { return gguf.ValueOf(s) }
	tokens := func(s ...string) gguf.Value { return gguf.ArrayOf(s) }
	for _, c := range []struct {
		name, want string
		md         *gguf.Metadata
	}{
		{"nothing", "key tokenizer.ggml.model: is missing", &gguf.Metadata{}},
		{"model no string", "key tokenizer.ggml.model: is u32 instead of string", with(tiny(), keyModel, gguf.ValueOf(uint32(1)))},
		{"no tokens", "key tokenizer.ggml.tokens: is missing", without(tiny(), keyTokens)},
		{"tokens a string", "key tokenizer.ggml.tokens: is string instead of an array of strings", with(tiny(), keyTokens, text("the"))},
		{"tokens are numbers", "key tokenizer.ggml.tokens: is array instead of an array of strings", with(tiny(), keyTokens, gguf.ArrayOf([]int32{1}))},
		{"tokens are arrays", "key tokenizer.ggml.tokens: is array instead of an array of strings", with(tiny(), keyTokens, gguf.ArrayOfArrays([]gguf.Value{tokens("a")}))},
		{"empty tokens", "key tokenizer.ggml.tokens: has 0 tokens", with(tiny(), keyTokens, tokens())},
		{"same token twice", `key tokenizer.ggml.tokens: tokens 5 and 7 are both "the"`,
			with(tiny(), keyTokens, tokens("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "▁the", "s", "▁the"))},
		{"types of another length", "key tokenizer.ggml.token_type: has 2 types for 8 tokens", with(tiny(), keyTokenType, gguf.ArrayOf([]int32{1, 1}))},
		{"types of another type", "key tokenizer.ggml.token_type: is array instead of an array of i32", with(tiny(), keyTokenType, gguf.ArrayOf(make([]float32, 8)))},
		{"type no array", "key tokenizer.ggml.token_type: is u32 instead of an array of i32", with(tiny(), keyTokenType, gguf.ValueOf(uint32(3)))},
		{"id too high", "key tokenizer.ggml.bos_token_id: is token 8 of a vocabulary of 8", with(tiny(), keyBOS, gguf.ValueOf(uint32(8)))},
		{"id negative", "key tokenizer.ggml.mask_token_id: is token -1 of a vocabulary of 8", with(tiny(), keyMask, gguf.ValueOf(int32(-1)))},
		{"id huge", "key tokenizer.ggml.eos_token_id: is u64 instead of an integer", with(tiny(), keyEOS, gguf.ValueOf(uint64(1<<63)))},
		{"id a string", "key tokenizer.ggml.seperator_token_id: is string instead of an integer", with(tiny(), keySeparator, text("[SEP]"))},
		{"id an array", "key tokenizer.ggml.unknown_token_id: is array instead of an integer", with(tiny(), keyUnknown, gguf.ArrayOf([]uint32{1}))},
		{"lowercase a number", "key tokenizer.ggml.normalizer.lowercase: is u8 instead of bool", with(tiny(), keyLowercase, gguf.ValueOf(uint8(1)))},
		{"strip_accents a string", "key tokenizer.ggml.normalizer.strip_accents: is string instead of bool", with(tiny(), keyStripAccents, text("yes"))},
		{"clean_text a string", "key gguftool.tokenizer.clean_text: is string instead of bool", with(tiny(), keyCleanText, text("yes"))},
		{"handle_chinese_chars a string", "key gguftool.tokenizer.handle_chinese_chars: is string instead of bool", with(tiny(), keyCJKWords, text("yes"))},
		{"longest word negative", "key gguftool.tokenizer.max_input_chars_per_word: is -1 instead of a number up to 268435456", with(tiny(), keyMaxWord, gguf.ValueOf(int32(-1)))},
		{"longest word huge", "key gguftool.tokenizer.max_input_chars_per_word: is 4294967295 instead of a number up to", with(tiny(), keyMaxWord, gguf.ValueOf(uint32(1<<32-1)))},
		{"prefix no array", "key gguftool.tokenizer.template_prefix: is i32 instead of an array of i32", with(tiny(), keyPrefix, gguf.ValueOf(int32(2)))},
		{"prefix too high", "key gguftool.tokenizer.template_prefix: has token 8 of a vocabulary of 8", with(tiny(), keyPrefix, gguf.ArrayOf([]int32{2, 8}))},
		{"suffix negative", "key gguftool.tokenizer.template_suffix: has token -3 of a vocabulary of 8", with(tiny(), keySuffix, gguf.ArrayOf([]int32{-3}))},
		{"continuations too high", "key gguftool.tokenizer.continuation_tokens: has token 100 of a vocabulary of 8", with(tiny(), keyContinuations, gguf.ArrayOf([]int32{100}))},
		{"flags of another length", "key gguftool.tokenizer.added_token_flags: is array of 1 instead of an array of u8 with one element for each of the 5 control and user tokens",
			with(tiny(), keyAddedFlags, gguf.ArrayOf([]uint8{1}))},
		{"flags no array", "key gguftool.tokenizer.added_token_flags: is bool of 0 instead of", with(tiny(), keyAddedFlags, gguf.ValueOf(true))},
		{"no unknown token", "key tokenizer.ggml.unknown_token_id: is missing, and no token is [UNK]", with(tiny(), keyTokens, tokens("[PAD]", "a", "[CLS]", "[SEP]", "[MASK]", "▁the", "s", "▁fox"))},
		{"no start token", "key tokenizer.ggml.bos_token_id: is missing, and no token is [CLS]", with(tiny(), keyTokens, tokens("[PAD]", "[UNK]", "a", "[SEP]", "[MASK]", "▁the", "s", "▁fox"))},
		{"no end token", "key tokenizer.ggml.seperator_token_id: is missing, and no token is [SEP]", with(tiny(), keyTokens, tokens("[PAD]", "[UNK]", "[CLS]", "a", "[MASK]", "▁the", "s", "▁fox"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := FromGGUF(c.md)
			if _, ok := errors.AsType[*gguf.FormatError](err); !ok || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error %T %v\nwant a FormatError %s", err, err, c.want)
			}
		})
	}
}

func TestFromGGUFUnsupported(t *testing.T) {
	for model, want := range map[string]string{
		"rwkv": `the tokenizer "rwkv" (RWKV) is not supported`,
		"new":  `the tokenizer "new" (not known) is not supported`,
	} {
		_, err := FromGGUF(with(tiny(), keyModel, gguf.ValueOf(model)))
		if _, ok := errors.AsType[*gguf.UnsupportedError](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %T %v\nwant an UnsupportedError with %s", model, err, err, want)
		}
	}
	tok, err := FromGGUF(tiny())
	if err != nil {
		t.Fatal(err)
	}
	w := tok.model.(*wordPiece)
	w.tokens.ids = make([]int32, maxTrieNodes)
	if err := w.add("new", 8); err != errTrieFull {
		t.Errorf("full trie: error %v", err)
	}
}

// What keys say that a file need not have.
func TestFromGGUFKeys(t *testing.T) {
	set := func(keys map[string]gguf.Value) *gguf.Metadata {
		md := tiny()
		for key, v := range keys {
			md.Set(key, v)
		}
		return md
	}
	cased := with(with(tiny(), keyTokens, gguf.ArrayOf([]string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "▁The", "s", "▁fox"})), keyPre, gguf.ValueOf("x"))
	for _, c := range []struct {
		name, text string
		md         *gguf.Metadata
		want       []int32
	}{
		{"plain", "Thes fóx [MASK]", tiny(), []int32{2, 5, 6, 7, 4, 3}},
		{"old files have cls_token_id", "the", set(map[string]gguf.Value{keyCLS: gguf.ValueOf(uint32(4)), keySeparator: gguf.ValueOf(uint32(0))}), []int32{4, 5, 0}},
		{"[CLS] before bos_token_id", "the", set(map[string]gguf.Value{keyBOS: gguf.ValueOf(uint32(4)), keyEOS: gguf.ValueOf(uint32(4))}), []int32{2, 5, 3}},
		{"add_bos_token does not count", "the", set(map[string]gguf.Value{keyAddBOS: gguf.ValueOf(false), keyAddEOS: gguf.ValueOf(false)}), []int32{2, 5, 3}},
		{"not lowered", "the The", set(map[string]gguf.Value{keyLowercase: gguf.ValueOf(false)}), []int32{2, 5, 1, 3}},
		{"not lowered keeps accents", "fóx", set(map[string]gguf.Value{keyLowercase: gguf.ValueOf(false)}), []int32{2, 1, 3}},
		{"not lowered but stripped", "fóx", set(map[string]gguf.Value{keyLowercase: gguf.ValueOf(false), keyStripAccents: gguf.ValueOf(true)}), []int32{2, 7, 3}},
		{"upper-case letters in the vocabulary", "the The", cased, []int32{2, 1, 5, 3}},
		{"no types", "the [MASK]", without(tiny(), keyTokenType), []int32{2, 5, 4, 3}},
		{"short words", "the thes", set(map[string]gguf.Value{keyMaxWord: gguf.ValueOf(uint32(3))}), []int32{2, 5, 1, 3}},
		{"empty template", "the", set(map[string]gguf.Value{keyPrefix: gguf.ArrayOf([]int32{}), keySuffix: gguf.ArrayOf([]int32(nil))}), []int32{5}},
		{"user tokens are normalized", "xFOXx", with(tiny(), keyTokenType, gguf.ArrayOf([]int32{3, 3, 3, 3, 3, 1, 1, 4})), []int32{2, 1, 7, 1, 3}},
		{"unused tokens are none", "fox", with(tiny(), keyTokenType, gguf.ArrayOf([]int32{3, 3, 3, 3, 3, 1, 1, 5})), []int32{2, 1, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tok, err := FromGGUF(c.md)
			if err != nil {
				t.Fatal(err)
			}
			if got := tok.Encode(c.text, true); !slices.Equal(got, c.want) {
				t.Errorf("%q is %v, want %v", c.text, got, c.want)
			}
		})
	}
}
