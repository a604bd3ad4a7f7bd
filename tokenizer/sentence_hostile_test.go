package tokenizer

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gguftool/gguftool/gguf"
)

// tinySPM is a BPE of characters.
func tinySPM() *gguf.Metadata {
	md := new(gguf.Metadata)
	md.Set(keyModel, gguf.ValueOf(spmModel))
	md.Set(keyTokens, gguf.ArrayOf([]string{"<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁a", "▁ab", "<0x41>", "  "}))
	md.Set(keyScores, gguf.ArrayOf([]float32{0, 0, 0, -9, -9, -9, -1, -2, -3, 0, 0}))
	md.Set(keyTokenType, gguf.ArrayOf([]int32{2, 3, 3, 1, 1, 1, 1, 1, 1, 6, 4}))
	return md
}

// tinyUnigram is a Unigram.
func tinyUnigram() *gguf.Metadata {
	md := new(gguf.Metadata)
	md.Set(keyModel, gguf.ValueOf(unigramModel))
	md.Set(keyTokens, gguf.ArrayOf([]string{"<pad>", "</s>", "<unk>", "▁", "a", "b", "ab", "▁a", "<mask>", "[PAD9]"}))
	md.Set(keyScores, gguf.ArrayOf([]float32{0, 0, 0, -3, -4, -5, -6, -4, 0, -10000}))
	md.Set(keyTokenType, gguf.ArrayOf([]int32{3, 3, 2, 1, 1, 1, 1, 1, 3, 5}))
	return md
}

func TestSentenceKeys(t *testing.T) {
	text := func(s string) gguf.Value { return gguf.ValueOf(s) }
	ids := func(ids ...int32) gguf.Value { return gguf.ArrayOf(ids) }
	rules := make([]int8, 16)
	rules[0] = 8 // an empty trie of two units
	for _, c := range []struct {
		name, text string
		md         *gguf.Metadata
		want       []int32
		decoded    string
	}{
		{"defaults of Llama 2", "ab", tinySPM(), []int32{1, 8}, "<s> ab"},
		{"no space before", "ab", with(tinySPM(), keyAddSpacePrefix, gguf.ValueOf(false)), []int32{1, 6}, "<s>ab"},
		{"an end, too", "a", with(tinySPM(), keyAddEOS, gguf.ValueOf(true)), []int32{1, 7, 2}, "<s> a</s>"},
		{"scores decide", "ab", with(tinySPM(), keyScores, gguf.ArrayOf([]float32{0, 0, 0, 0, 0, 0, -2, -1, -3, 0, 0})), []int32{1, 8}, "<s> ab"},
		{"no scores: ids decide", "ab", without(tinySPM(), keyScores), []int32{1, 8}, "<s> ab"},
		{"no types", "ab", without(tinySPM(), keyTokenType), []int32{1, 8}, "<s> ab"},
		{"a list decides", "aab", with(tinySPM(), keyMergeList, ids(3, 4)), []int32{1, 7, 4, 5}, "<s> aab"},
		{"an empty list", "ab", with(tinySPM(), keyMergeList, ids()), []int32{1, 3, 4, 5}, "<s> ab"},
		{"bytes and what is unknown", "aAé", tinySPM(), []int32{1, 7, 9, 0}, "<s> aA<unk>"},
		{"unknown ones are one", "aéééa", tinySPM(), []int32{1, 7, 0, 4}, "<s> a<unk>a"},
		{"unknown ones are several", "ééé", with(tinySPM(), keyFuseUnknown, gguf.ValueOf(false)), []int32{1, 3, 0, 0, 0}, "<s> <unk><unk><unk>"},
		{"unknown ones vanish", "aéb", with(tinySPM(), keyModelUnknown, gguf.ValueOf(int32(-1))), []int32{1, 8}, "<s> ab"},
		{"no bytes", "aA", with(tinySPM(), keyByteFallback, gguf.ValueOf(false)), []int32{1, 7, 0}, "<s> a<unk>"},
		{"words that are tokens", "ab", with(with(tinySPM(), keyIgnoreMerges, gguf.ValueOf(true)), keyMergeList, ids()), []int32{1, 8}, "<s> ab"},
		{"special tokens", "a<s>a", tinySPM(), []int32{1, 7, 1, 7}, "<s> a<s> a"},
		{"phantom spaces", "▁▁", tinySPM(), []int32{1, 10}, "<s>  "},
		{"spaces stay", "x  ", with(tinySPM(), keyAddSpacePrefix, gguf.ValueOf(false)), []int32{1, 0, 3, 3}, "<s><unk>  "},
		{"not UTF-8", "a\xff", tinySPM(), []int32{1, 7, 0}, "<s> a<unk>"},
		{"another normalizer", "AB", with(tinySPM(), keyNormalizer, text(`{"type": "Lowercase"}`)), []int32{1, 6}, "<s>ab"},
		{"another token", "xyz", with(with(tinySPM(), keyOtherIDs, ids(2)), keyOtherTokens, gguf.ArrayOf([]string{"xyz"})), []int32{1, 2}, "<s>xyz"},
		{"no token", "ab", with(with(tinySPM(), keyOtherIDs, ids(8)), keyOtherTokens, gguf.ArrayOf([]string{""})), []int32{1, 3, 6}, "<s> ab"},

		{"defaults of T5", "a ab b", tinyUnigram(), []int32{7, 3, 6, 3, 5, 1}, "a ab b</s>"},
		{"white space goes", " a\t\nb ", with(tinyUnigram(), keyRemoveExtra, gguf.ValueOf(true)), []int32{7, 3, 5, 1}, "a b</s>"},
		{"white space stays", "a  b", tinyUnigram(), []int32{7, 3, 3, 5, 1}, "a  b</s>"},
		{"no space", "ab", with(tinyUnigram(), keyAddSpacePrefix, gguf.ValueOf(false)), []int32{6, 1}, "ab</s>"},
		{"unknown ones", "xaxx", tinyUnigram(), []int32{3, 2, 4, 2, 1}, "<unk>a<unk></s>"},
		{"the unknown written", "a<unk>x", tinyUnigram(), []int32{7, 2, 3, 2, 1}, "a<unk> <unk></s>"},
		{"the mask takes spaces", "a  <mask>", with(tinyUnigram(), keyMask, gguf.ValueOf(uint32(8))), []int32{7, 8, 1}, "a<mask></s>"},
		{"fillers are no tokens", "[PAD9]", tinyUnigram(), []int32{3, 2, 1}, "<unk></s>"},
		{"rules of signed bytes", "a", with(tinyUnigram(), keyCharsmap, gguf.ArrayOf(rules)), []int32{7, 1}, "a</s>"},
		{"other scores", "ab", with(tinyUnigram(), keyPieceScores, gguf.ArrayOf([]float64{0, 0, 0, -3, -4, -5, -1, -4, 0, 0})), []int32{3, 6, 1}, "ab</s>"},
		{"a score that is no number", "ab", with(tinyUnigram(), keyScores, gguf.ArrayOf([]float32{0, 0, 0, -3, -4, float32(math.NaN()), -6, -4, 0, 0})), []int32{3, 6, 1}, "ab</s>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tok, err := FromGGUF(c.md)
			if err != nil {
				t.Fatal(err)
			}
			if ids := tok.Encode(c.text, true); !slices.Equal(ids, c.want) {
				t.Errorf("ids %d, want %d", ids, c.want)
			}
			if decoded := tok.Decode(c.want, false); decoded != c.decoded {
				t.Errorf("decoded %q, want %q", decoded, c.decoded)
			}
		})
	}
}

func TestSentenceKeysHostile(t *testing.T) {
	ids := func(ids ...int32) gguf.Value { return gguf.ArrayOf(ids) }
	for _, c := range []struct {
		name, want string
		md         *gguf.Metadata
	}{
		{"no tokens", "key tokenizer.ggml.tokens: is missing", without(tinySPM(), keyTokens)},
		{"too few scores", "key tokenizer.ggml.scores: has 1 scores for 11 tokens", with(tinySPM(), keyScores, gguf.ArrayOf([]float32{1}))},
		{"scores of integers", "key tokenizer.ggml.scores: is array instead of an array of f32", with(tinySPM(), keyScores, ids(1))},
		{"too few types", "key tokenizer.ggml.token_type: has 1 types for 11 tokens", with(tinySPM(), keyTokenType, ids(1))},
		{"add_space_prefix a number", "key tokenizer.ggml.add_space_prefix: is u32 instead of bool", with(tinySPM(), keyAddSpacePrefix, gguf.ValueOf(uint32(1)))},
		{"odd merges", "key gguftool.tokenizer.merge_list: has 3 ids, which are no pairs", with(tinySPM(), keyMergeList, ids(3, 4, 5))},
		{"merges out of range", "key gguftool.tokenizer.merge_list: has token 99 of a vocabulary of 11", with(tinySPM(), keyMergeList, ids(3, 99))},
		{"merges that spell nothing", `key gguftool.tokenizer.merge_list: "b" and "a" are merged, which spell no token`, with(tinySPM(), keyMergeList, ids(5, 4))},
		{"another rule", `key gguftool.tokenizer.merge_rule: is none instead of "longest-left" or "lowest-ids"`, with(tinySPM(), keyMergeRule, gguf.ValueOf("none"))},
		{"unknown token out of range", "key gguftool.tokenizer.model_unk_token_id: is 99", with(tinySPM(), keyModelUnknown, gguf.ValueOf(int32(99)))},
		{"other tokens without ids", "key gguftool.tokenizer.other_tokens: is no array of strings with one for each of the 1", with(tinySPM(), keyOtherIDs, ids(1))},
		{"normalizer no JSON", "key gguftool.tokenizer.normalizer: ", with(tinySPM(), keyNormalizer, gguf.ValueOf("x"))},
		{"too few other scores", "key gguftool.tokenizer.piece_scores: is array of 1 instead of an array of f64", with(tinyUnigram(), keyPieceScores, gguf.ArrayOf([]float64{1}))},
		{"rules a string", "key tokenizer.ggml.precompiled_charsmap: is string instead of an array of u8", with(tinyUnigram(), keyCharsmap, gguf.ValueOf("x"))},
		{"rules too short", "key tokenizer.ggml.precompiled_charsmap: has 2 bytes", with(tinyUnigram(), keyCharsmap, gguf.ArrayOf([]uint8{1, 2}))},
		{"rules shorter than they say", "key tokenizer.ggml.precompiled_charsmap: says that its trie has 64 bytes, but has 4", with(tinyUnigram(), keyCharsmap, gguf.ArrayOf([]uint8{64, 0, 0, 0, 0, 0, 0, 0}))},
		{"rules not UTF-8", "key tokenizer.ggml.precompiled_charsmap: has replacements that are not UTF-8", with(tinyUnigram(), keyCharsmap, gguf.ArrayOf([]uint8{4, 0, 0, 0, 0, 0, 0, 0, 0xFF}))},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := FromGGUF(c.md)
			if _, ok := errors.AsType[*gguf.FormatError](err); !ok || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error %T %v\nwant a FormatError %s", err, err, c.want)
			}
		})
	}
	for _, part := range []string{
		`{"type": "StripAccents"}`, `{"type": "Replace", "pattern": {"Regex": "(a|b)*"}, "content": ""}`, `{"type": "Sequence", "normalizers": [{"type": "New"}]}`,
	} {
		_, err := FromGGUF(with(tinySPM(), keyNormalizer, gguf.ValueOf(part)))
		if _, ok := errors.AsType[*gguf.UnsupportedError](err); !ok {
			t.Errorf("%s: error %T %v", part, err, err)
		}
	}
}

// field returns a field of a message: of a number or of bytes.
func field(number int, value any) []byte {
	switch v := value.(type) {
	case int:
		return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(number)<<3), uint64(v))
	case float32:
		return binary.LittleEndian.AppendUint32(binary.AppendUvarint(nil, uint64(number)<<3|5), math.Float32bits(v))
	case string:
		b := binary.AppendUvarint(nil, uint64(number)<<3|2)
		return append(binary.AppendUvarint(b, uint64(len(v))), v...)
	default:
		panic(v)
	}
}

func message(fields ...[]byte) string { return string(bytes.Join(fields, nil)) }

func TestDecodeSentenceModel(t *testing.T) {
	piece := field(1, message(field(1, "▁a"), field(2, float32(-1.5)), field(3, 6)))
	data := message(
		piece, field(2, message(field(1, "x"), field(3, 2), field(40, 7))),
		field(3, message(field(2, "rules"), field(3, 0), field(4, 0))), field(9, 1), field(1, message(field(1, "b"))),
		append(binary.AppendUvarint(nil, 200<<3|1), make([]byte, 8)...),
	)
	m, err := decodeSentenceModel([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	if m.kind != bpeKind || !slices.Equal(m.tokens, []string{"▁a", "b"}) || !slices.Equal(m.scores, []float32{-1.5, 0}) ||
		!slices.Equal(m.types, []tokenType{bytesToken, normalToken}) || string(m.charsmap) != "rules" || m.addPrefix || m.removeExtra {
		t.Errorf("decoded %+v", m)
	}
	for name, data := range map[string]string{
		"empty": "", "cut in a field": data[:len(piece)-3], "cut in a tag": "\x80", "cut in a number": "\x08\x80", "longer than the file": "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"number too long": "\x08" + strings.Repeat("\x80", 11), "group": "\x0b", "cut in 4 bytes": "\x0d\x00", "cut in 8 bytes": "\x09\x00", "inside a piece": "\x0a\x02\x0a\x05", "no pieces": "\x18\x01",
		"in the trainer": message(piece, field(2, "\x80")), "in the normalizer": message(piece, field(3, "\x12\x09")),
	} {
		if m, err := decodeSentenceModel([]byte(data)); err == nil {
			t.Errorf("%s: no error, but %+v", name, m)
		}
	}
}

// A tokenizer.json that is damaged is refused with what is wrong.
func TestReadHFSentenceHostile(t *testing.T) {
	bpe := func(vocab, merges, more string) map[string]string {
		return map[string]string{fileTokenizer: `{"model": {"type": "BPE", "byte_fallback": true, "vocab": ` + vocab + `, "merges": ` + merges + more + `}}`}
	}
	unigram := func(vocab, more string) map[string]string {
		return map[string]string{fileTokenizer: `{"model": {"type": "Unigram", "vocab": ` + vocab + `}` + more + `}`}
	}
	for _, c := range []struct {
		name        string
		files       map[string]string
		unsupported bool
		want        string
	}{
		{"vocab null", bpe(`null`, `[]`, ``), false, "tokenizer.json: model.vocab: is null"},
		{"vocab a list", bpe(`[]`, `[]`, ``), false, "tokenizer.json: model.vocab: "},
		{"id negative", bpe(`{"a": -1}`, `[]`, ``), false, `tokenizer.json: model.vocab: the token "a" has id -1`},
		{"id huge", bpe(`{"a": 9000000000}`, `[]`, ``), false, `tokenizer.json: model.vocab: the token "a" has id 9000000000`},
		{"two of an id", bpe(`{"a": 0, "b": 0}`, `[]`, ``), false, `tokenizer.json: model.vocab: the tokens "a" and "b" are both 0`},
		{"empty token", bpe(`{"": 0}`, `[]`, ``), false, `tokenizer.json: model.vocab: the token 0 has no characters`},
		{"merge of no token", bpe(`{"a": 0}`, `["a b"]`, ``), false, `tokenizer.json: model.merges: merge 0 is of "a" and "b"`},
		{"merge that spells nothing", bpe(`{"a": 0, "b": 1}`, `[["a", "b"]]`, ``), false, `tokenizer.json: model.merges: merge 0 is of "a" and "b"`},
		{"merge of three", bpe(`{"a": 0}`, `[["a", "a", "a"]]`, ``), false, "tokenizer.json: model.merges: merge 0"},
		{"merge a number", bpe(`{"a": 0}`, `[7]`, ``), false, "tokenizer.json: model.merges: merge 0 is no pair"},
		{"unknown token", bpe(`{"a": 0}`, `[]`, `, "unk_token": "x"`), false, `tokenizer.json: model.unk_token: is "x"`},
		{"prefix", bpe(`{"a": 0}`, `[]`, `, "end_of_word_suffix": "</w>"`), true, "tokenizer.json: model: BPE of characters with"},
		{"weights an object", unigram(`{}`, ``), false, "tokenizer.json: model.vocab: entry 0 is no pair"},
		{"weight a string", unigram(`[["a", "b"]]`, ``), false, "tokenizer.json: model.vocab: entry 0 is no pair"},
		{"weight missing", unigram(`[["a", 1], ["b"]]`, ``), false, "tokenizer.json: model.vocab: entry 1 is no pair"},
		{"tokens twice", unigram(`[["a", 1], ["a", 2]]`, ``), false, `tokenizer.json: model.vocab: tokens 0 and 1 are both "a"`},
		{"normalizer", unigram(`[["a", 1]]`, `, "normalizer": {"type": "ByteLevel2"}`), true, "tokenizer.json: normalizer: the normalizer ByteLevel2 is not known"},
		{"rules not base64", unigram(`[["a", 1]]`, `, "normalizer": {"type": "Precompiled", "precompiled_charsmap": "*"}`), false, "tokenizer.json: precompiled_charsmap: illegal base64"},
		{"rules too short", unigram(`[["a", 1]]`, `, "normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}`), false, "tokenizer.json: precompiled_charsmap: has 3 bytes"},
		{"pre-tokenizer", unigram(`[["a", 1]]`, `, "pre_tokenizer": {"type": "UnicodeScripts"}`), true, "tokenizer.json: pre_tokenizer: the pre-tokenizer UnicodeScripts"},
		{"decoder", unigram(`[["a", 1]]`, `, "decoder": {"type": "CTC"}`), true, "tokenizer.json: decoder: the decoder CTC"},
		{"mark of two", unigram(`[["a", 1]]`, `, "pre_tokenizer": {"type": "Metaspace", "replacement": "ab"}`), false, `tokenizer.json: Metaspace: has the replacement "ab"`},
		{"model of words", map[string]string{fileSPM: message(field(1, message(field(1, "a"))), field(2, message(field(3, 3))))}, true, "tokenizer.model: model_type: is 3"},
		{"model damaged", map[string]string{fileSPM: "\x0a"}, false, "tokenizer.model: is no model of SentencePiece"},
		{"size huge", map[string]string{fileSPM: message(field(1, message(field(1, "a"))), field(2, message(field(3, 2)))), fileModel: `{"vocab_size": 1e12}`}, false, "config.json: vocab_size: is 1e+12"},
		{"added far away", including(unigram(`[["a", 1]]`, ``), fileAdded, `{"b": 9000000000}`), false, "tokenizer.json: added tokens: there are 2 tokens, but ids up to 9000000000"},
		{"added negative", including(unigram(`[["a", 1]]`, ``), fileAdded, `{"b": -7}`), false, `tokenizer.json: added tokens: "b" has id -7`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range c.files {
				write(t, dir, name, []byte(content))
			}
			_, err := ReadHF(dir, Options{})
			wantRefusal(t, err, dir, c.unsupported, c.want)
		})
	}
}

// including returns files with one more.
func including(files map[string]string, name, content string) map[string]string {
	files[name] = content
	return files
}

// Whatever the files of a checkpoint are, reading them neither panics nor makes a
// tokenizer that does.
func FuzzSentence(f *testing.F) {
	dir := f.TempDir()
	sentenceCheckpoints(f, dir)
	read := func(name, file string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name, file))
		if err != nil {
			f.Fatal(err)
		}
		return data
	}
	f.Add(read("llama", fileSPM), []byte(`{"vocab_size": 470, "model_type": "llama"}`), []byte(nil), "a b<s> é\xff")
	f.Add(read("xlmr", fileXLMRoberta), []byte(`{"vocab_size": 200, "model_type": "xlm-roberta"}`), read("xlmr", fileTokenizer), "a e\u0301")
	f.Add([]byte(nil), []byte(`{}`), []byte(`{"model": {"type": "BPE", "vocab": {"a": 0, "aa": 1, "<0x0A>": 2}, "merges": ["a a"]}}`), "aaaa\n")
	f.Add([]byte(nil), []byte(`{}`), []byte(`{"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["a", -1e999], ["aa", -2.5]]}}`), "aaa b")
	f.Fuzz(func(t *testing.T, model, config, tokenizer []byte, text string) {
		files := make(fstest.MapFS)
		for name, data := range map[string][]byte{fileSPM: model, fileModel: config, fileTokenizer: tokenizer} {
			if len(data) > 0 {
				files[name] = &fstest.MapFile{Data: data}
			}
		}
		v, err := readHF("checkpoint", files, Options{})
		if err != nil {
			return
		}
		if _, ok := v.scheme.(*sentenceScheme); !ok {
			return
		}
		md := new(gguf.Metadata)
		v.SetMetadata(md)
		tok, err := FromGGUF(md)
		if err != nil {
			return
		}
		if tok.Size() != v.Size() || !slices.Equal(tok.tokens, v.tokens) || !slices.Equal(tok.prefix, v.prefix) && v.prefix != nil {
			t.Fatalf("the tokenizer changed on its way through the metadata: %q, was %q", tok.tokens, v.tokens)
		}
		ids := tok.Encode(text, true)
		for _, id := range ids {
			if id < 0 || int(id) >= tok.Size() {
				t.Fatalf("id %d of %d", id, tok.Size())
			}
		}
		tok.Decode(ids, true)
	})
}

// Whatever the rules of a normalizer are, it neither panics nor runs for ever.
func FuzzCharsmap(f *testing.F) {
	for _, file := range []string{"xlmr", "xlmr-json"} {
		dir := f.TempDir()
		sentenceCheckpoints(f, dir)
		md := sentenceMetadata(f, filepath.Join(dir, file))
		rules, ok := gguf.Array[uint8](md, keyCharsmap)
		if !ok {
			f.Fatal("no charsmap")
		}
		f.Add(rules, "e\u0301 ﬁ\u0301©\u200d©\r\n\u0600a क\u093c\u094dक\u0301 각")
	}
	f.Fuzz(func(t *testing.T, rules []byte, text string) {
		c, err := newCharsmap(rules)
		if err != nil {
			return
		}
		c.append(nil, []byte(text))
		p := hfPart{Type: "Precompiled"}
		encoded := base64.StdEncoding.EncodeToString(rules)
		p.PrecompiledCharsmap = &encoded
		if _, err := textParts(&p); err != nil {
			t.Fatal(err)
		}
	})
}
