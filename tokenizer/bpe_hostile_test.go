package tokenizer

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gguftool/gguftool/gguf"
)

// bytesJSON is a small tokenizer.json with BPE of bytes.
const bytesJSON = `{
	"added_tokens": [{"id": 7, "content": "<|end|>", "special": true, "normalized": false}],
	"normalizer": {"type": "NFC"},
	"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
	"post_processor": {"type": "ByteLevel", "trim_offsets": false},
	"decoder": {"type": "ByteLevel"},
	"model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "",
		"vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4, "1": 5, "Ã": 6}, "merges": ["a b", ["Ġ", "ab"]]}
}`

func TestReadHFBytesHostile(t *testing.T) {
	with := func(old, new string) fstest.MapFS {
		t.Helper()
		if !strings.Contains(bytesJSON, old) {
			t.Fatalf("%s is not in bytesJSON", old)
		}
		return fstest.MapFS{fileTokenizer: {Data: []byte(strings.Replace(bytesJSON, old, new, 1))}}
	}
	files := func(class, merges string) fstest.MapFS {
		return fstest.MapFS{
			fileVocabJSON: {Data: []byte(`{"a": 0, "b": 1, "ab": 2}`)}, fileMerges: {Data: []byte(merges)},
			fileConfig: {Data: []byte(`{"tokenizer_class": "` + class + `"}`)},
		}
	}
	const byteLevel = `{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}`
	split := func(s string) fstest.MapFS {
		return with(byteLevel, `{"type": "Sequence", "pretokenizers": [`+s+`, {"type": "ByteLevel"}]}`)
	}
	for _, c := range []struct {
		name        string
		files       fstest.MapFS
		unsupported bool
		want        string
	}{
		{"dropout", with(`"dropout": null`, `"dropout": 0.1`), true, "tokenizer.json: model.dropout: is 0.1, which makes ids random"},
		{"prefix", with(`"continuing_subword_prefix": ""`, `"continuing_subword_prefix": "##"`), true, `tokenizer.json: model.continuing_subword_prefix: is "##"`},
		{"suffix", with(`"end_of_word_suffix": ""`, `"end_of_word_suffix": "</w>"`), true, `tokenizer.json: model.end_of_word_suffix: is "</w>"`},
		{"unknown token", with(`"unk_token": null`, `"unk_token": "<unk>"`), false, `tokenizer.json: vocabulary: the unknown token "<unk>" is not in it`},
		{"byte fallback", with(`"unk_token": null`, `"byte_fallback": true, "unk_token": "a"`), true, `tokenizer.json: model.byte_fallback: is true, and the vocabulary lacks the byte`},
		{"normalizer", with(`"NFC"`, `"Nmt"`), true, `tokenizer.json: normalizer: `},
		{"two ByteLevel", split(byteLevel), true, "tokenizer.json: pre_tokenizer: it has ByteLevel twice"},
		{"no ByteLevel", with(byteLevel, `{"type": "Digits"}`), true, "tokenizer.json: pre_tokenizer: it has no ByteLevel"},
		{"other pre-tokenizer", split(`{"type": "Metaspace"}`), true, "tokenizer.json: pre_tokenizer: it has Metaspace"},
		{"Split without pattern", split(`{"type": "Split", "behavior": "Isolated"}`), true, "tokenizer.json: pre_tokenizer: its Split has no pattern"},
		{"Split with another behavior", split(`{"type": "Split", "pattern": {"Regex": "x"}, "behavior": "Joined"}`), true, `tokenizer.json: pre_tokenizer: its Split has the behavior "Joined"`},
		{"Punctuation with another behavior", split(`{"type": "Punctuation", "behavior": "Removed"}`), true, `tokenizer.json: pre_tokenizer: its Punctuation has the behavior "Removed"`},
		{"no regular expression", split(`{"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated"}`), true, `tokenizer.json: pre_tokenizer: its pattern "(a" cannot be used: error parsing regexp`},
		{"set without end", split(`{"type": "Split", "pattern": {"Regex": "[a"}, "behavior": "Isolated"}`), true, `tokenizer.json: pre_tokenizer: its pattern "[a" cannot be used: a set does not end`},
		{"nested set", split(`{"type": "Split", "pattern": {"Regex": "[a&&[b]]"}, "behavior": "Isolated"}`), true, `tokenizer.json: pre_tokenizer: its pattern "[a&&[b]]" cannot be used: sets with "&&"`},
		{"pattern a number", split(`{"type": "Split", "pattern": {"Regex": 7}, "behavior": "Isolated"}`), false, `tokenizer.json: pre_tokenizer.pretokenizers.pattern.Regex: json: cannot unmarshal number`},
		{"merge of three", with(`"a b"`, `"a b c"`), false, `tokenizer.json: model.merges: has "a b c" at 0, which is no pair`},
		{"merge of one", with(`"a b"`, `"ab"`), false, `tokenizer.json: model.merges: has "ab" at 0, which is no pair`},
		{"merge list of three", with(`["Ġ", "ab"]`, `["Ġ", "a", "b"]`), false, `tokenizer.json: model.merges: has [Ġ a b] at 1, which is no pair`},
		{"merge of numbers", with(`["Ġ", "ab"]`, `[1, 2]`), false, `tokenizer.json: model.merges: has [1 2] at 1, which is no pair of tokens`},
		{"merges an object", with(`["a b", ["Ġ", "ab"]]`, `{}`), false, `tokenizer.json: model.merges: json: cannot unmarshal object`},
		{"merges cut", fstest.MapFS{fileTokenizer: {Data: []byte(bytesJSON[:len(bytesJSON)-12])}}, false, `tokenizer.json: unexpected end of JSON input`},
		{"vocabulary a list", with(`"vocab": {`, `"vocab": [{`), false, `tokenizer.json: invalid character`},
		{"empty vocabulary", fstest.MapFS{fileTokenizer: {Data: []byte(`{"pre_tokenizer": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": {}}}`)}}, false, `tokenizer.json: vocabulary: is empty`},
		{"id of a fraction", with(`"ab": 3`, `"ab": 3.5`), false, `tokenizer.json: model.vocab: json: cannot unmarshal number 3.5`},
		{"id with a zero", with(`"ab": 3`, `"ab": 03`), false, `tokenizer.json: invalid character '3' after object key:value pair`},
		{"bad escape", with(`"ab": 3`, `"\x": 3`), false, `tokenizer.json: invalid character 'x' in string escape code`},
		{"RobertaProcessing without ids", with(`"post_processor": {"type": "ByteLevel"`, `"post_processor": {"type": "RobertaProcessing"`), false, `tokenizer.json: post_processor: has no pair of token and id`},
		{"another class", files("LukeTokenizer", "a b"), true, "tokenizer_config.json: tokenizer_class: LukeTokenizer has no tokenizer.json"},
		{"Roberta without its tokens", files("RobertaTokenizer", "a b"), false, "tokenizer.json: post_processor: has no pair of token and id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readHF("", c.files, Options{})
			wantRefusal(t, err, "", c.unsupported, c.want)
		})
	}
}

// bytesMetadata returns the metadata of bytesJSON.
func bytesMetadata(t testing.TB) *gguf.Metadata {
	t.Helper()
	v, err := readHF("", fstest.MapFS{fileTokenizer: {Data: []byte(bytesJSON)}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var md gguf.Metadata
	v.SetMetadata(&md)
	return &md
}

func TestFromGGUFBytes(t *testing.T) {
	text := func(s string) gguf.Value { return gguf.ValueOf(s) }
	for _, c := range []struct {
		name, want string // "" where there is no error
		md         *gguf.Metadata
		ids        []int32 // of "ab ab1"
	}{
		{"plain", "", bytesMetadata(t), []int32{3, 4, 5}},
		{"no pre-tokenizer", "", without(bytesMetadata(t), keyPre), []int32{3, 4, 5}},
		{"no types", "", without(bytesMetadata(t), keyTokenType), []int32{3, 4, 5}},
		{"no merges", "", without(bytesMetadata(t), keyMerges), []int32{0, 1, 2, 0, 1, 5}},
		{"merges of tokens that are not there", "", with(bytesMetadata(t), keyMerges, gguf.ArrayOf([]string{"a x", "x b", "b a"})), []int32{0, 1, 2, 0, 1, 5}},
		{"words before merges", "", with(with(bytesMetadata(t), keyIgnoreMerges, gguf.ValueOf(true)), keyMerges, gguf.ArrayOf([]string{"b 1"})), []int32{3, 4, 5}},
		{"unknown bytes", "", with(with(bytesMetadata(t), keyModelUnknown, gguf.ValueOf(int32(6))), keyTokens, gguf.ArrayOf([]string{"a", "z", "Ġ", "x", "y", "1", "Ã", "<|end|>"})), []int32{0, 6, 2, 0, 6, 5}},
		{"start and end", "", with(with(with(with(bytesMetadata(t), keyBOS, gguf.ValueOf(uint32(7))), keyAddBOS, gguf.ValueOf(true)), keyEOS, gguf.ValueOf(uint32(6))), keyAddEOS, gguf.ValueOf(true)), []int32{7, 3, 4, 5, 6}},
		{"pre-tokenizer of its own", "", with(bytesMetadata(t), keyPreTokenizer, text(`{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"String": "b"}, "behavior": "Removed"}, {"type": "ByteLevel", "add_prefix_space": true, "use_regex": false}]}`)), []int32{2, 0, 2, 0, 2, 5}},
		{"normalizer null", "", with(bytesMetadata(t), keyNormalizer, text("null")), []int32{3, 4, 5}},

		{"pre-tokenizer that is not known", `key tokenizer.ggml.pre: the pre-tokenizer new is not supported`, with(bytesMetadata(t), keyPre, text("new")), nil},
		{"pre-tokenizer no string", "key tokenizer.ggml.pre: is u8 instead of string", with(bytesMetadata(t), keyPre, gguf.ValueOf(uint8(1))), nil},
		{"no tokens", "key tokenizer.ggml.tokens: is missing", without(bytesMetadata(t), keyTokens), nil},
		{"merges are numbers", "key tokenizer.ggml.merges: is array instead of an array of strings", with(bytesMetadata(t), keyMerges, gguf.ArrayOf([]int32{1})), nil},
		{"merge of one", `key tokenizer.ggml.merges: has "ab" at 1, which is no pair`, with(bytesMetadata(t), keyMerges, gguf.ArrayOf([]string{"a b", "ab"})), nil},
		{"add_bos_token a number", "key tokenizer.ggml.add_bos_token: is u8 instead of bool", with(bytesMetadata(t), keyAddBOS, gguf.ValueOf(uint8(1))), nil},
		{"part no JSON", "key gguftool.tokenizer.pre_tokenizer: unexpected end of JSON input", with(bytesMetadata(t), keyPreTokenizer, text("{")), nil},
		{"part a number", "key gguftool.tokenizer.normalizer: is u8 instead of string", with(bytesMetadata(t), keyNormalizer, gguf.ValueOf(uint8(1))), nil},
		{"part of another kind", "key gguftool.tokenizer.pre_tokenizer: the pre-tokenizer cannot be used: it has Metaspace", with(bytesMetadata(t), keyPreTokenizer, text(`{"type": "Metaspace"}`)), nil},
		{"normalizer of another kind", `key gguftool.tokenizer.normalizer: `, with(bytesMetadata(t), keyNormalizer, text(`{"type": "Nmt"}`)), nil},
		{"unknown token too high", "key gguftool.tokenizer.model_unk_token_id: is token 9 of a vocabulary of 8", with(bytesMetadata(t), keyModelUnknown, gguf.ValueOf(int32(9))), nil},
		{"ignore_merges a number", "key gguftool.tokenizer.ignore_merges: is u8 instead of bool", with(bytesMetadata(t), keyIgnoreMerges, gguf.ValueOf(uint8(1))), nil},
		{"fuse_unk a number", "key gguftool.tokenizer.fuse_unk: is u8 instead of bool", with(bytesMetadata(t), keyFuseUnknown, gguf.ValueOf(uint8(1))), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			tok, err := FromGGUF(c.md)
			if c.want != "" {
				if err == nil || !strings.HasPrefix(err.Error(), c.want) {
					t.Errorf("error %v, want %s", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := tok.Encode("ab ab1", true); !slices.Equal(got, c.ids) {
				t.Errorf("ids %v, want %v", got, c.ids)
			}
		})
	}
}

// The user's value of tokenizer.ggml.pre is written, and what it leaves out.
func TestPreOption(t *testing.T) {
	files := fstest.MapFS{fileTokenizer: {Data: []byte(bytesJSON)}}
	for _, pre := range []string{"gpt-2", "mine", "qwen2"} {
		v, err := readHF("", files, Options{Pre: pre})
		if err != nil {
			t.Fatal(err)
		}
		if v.pre != pre || len(v.Warnings) > 0 {
			t.Errorf("--pre %s gives %s with warnings %q", pre, v.pre, v.Warnings)
		}
		var md gguf.Metadata
		v.SetMetadata(&md)
		if _, ok := md.Lookup(keyPreTokenizer); ok != (pre != "gpt-2") {
			t.Errorf("--pre %s: the pre-tokenizer is written: %t", pre, ok)
		}
		if _, ok := md.Lookup(keyNormalizer); ok != (pre != "qwen2") {
			t.Errorf("--pre %s: the normalizer is written: %t", pre, ok)
		}
		tok, err := FromGGUF(&md)
		if err != nil {
			t.Fatal(err)
		}
		if got := tok.Encode("ab ab1", true); !slices.Equal(got, []int32{3, 4, 5}) {
			t.Errorf("--pre %s: ids %v", pre, got)
		}
	}
}

// llama.cpp's converter writes more keys for Llama.
func TestLlamaKeys(t *testing.T) {
	files := fstest.MapFS{
		fileTokenizer: {Data: []byte(bytesJSON)}, fileConfig: {Data: []byte(`{"add_prefix_space": false}`)},
		fileModel: {Data: []byte(`{"vocab_size": 49152}`)},
	}
	for _, llama := range []bool{false, true} {
		v, err := readHF("", files, Options{Llama: llama})
		if err != nil {
			t.Fatal(err)
		}
		v.Templates = func(md *gguf.Metadata) { md.Set("tokenizer.chat_template", gguf.ValueOf("{{x}}")) }
		var md gguf.Metadata
		v.SetMetadata(&md)
		var keys []string
		for key := range md.All() {
			keys = append(keys, strings.TrimPrefix(key, "tokenizer."))
		}
		want := "ggml.model ggml.pre ggml.tokens ggml.token_type ggml.merges ggml.add_bos_token ggml.add_eos_token chat_template"
		if llama {
			want = "ggml.add_space_prefix ggml.model"
		}
		if got := strings.Join(keys, " "); !strings.HasPrefix(got, want) {
			t.Errorf("Llama %t: keys %s, want %s", llama, got, want)
		}
		if _, ok := md.Lookup(keyAddSpacePrefix); ok != llama {
			t.Errorf("Llama %t: %s is there: %t", llama, keyAddSpacePrefix, ok)
		}
		if v.Size() != 49152 || v.tokens[49151] != "[PAD49151]" {
			t.Errorf("%d tokens, the last %q", v.Size(), v.tokens[v.Size()-1])
		}
	}
}

// What ReadHF accepts comes out of the metadata as it went in.
func FuzzReadHFBytes(f *testing.F) {
	f.Add([]byte(bytesJSON), []byte(`{"vocab_size": 9, "bos_token_id": 7}`))
	for _, v := range readBPEVariants(f) {
		if data := string(v.tokenizerJSON(f)); v.Pre != "gpt-2" { // the parts, with a small model
			a, b := strings.Index(bytesJSON, `"normalizer"`), strings.Index(bytesJSON, `"decoder"`)
			parts := data[strings.Index(data, `"normalizer"`):]
			if end := strings.LastIndex(parts, `,"truncation"`); end > 0 {
				parts = parts[:end]
			}
			f.Add([]byte(bytesJSON[:a]+parts+","+bytesJSON[b:]), []byte(`{"add_bos_token": true, "bos_token": "<|end|>", "eos_token": {"content": "<|end|>"}}`))
		}
	}
	f.Fuzz(func(t *testing.T, file, config []byte) {
		v, err := readHF("", fstest.MapFS{fileTokenizer: {Data: file}, fileConfig: {Data: config}, fileModel: {Data: config}}, Options{})
		if err != nil {
			wantKnownKind(t, err)
			return
		}
		tok := throughKeys(t, v)
		if !slices.Equal(tok.tokens, v.tokens) || !slices.Equal(tok.prefix, v.prefix) || !slices.Equal(tok.suffix, v.suffix) {
			t.Errorf("the tokenizer changed on its way through the metadata: %+v, was %+v", tok, v)
		}
		if s, ok := v.scheme.(*bpeScheme); ok {
			m := tok.model.(*byteBPE)
			if !m.pre.equal(s.pre) || m.unknown != s.unknown || m.fuse != s.fuseUnknown || (tok.normalizer != nil) != (s.normalizer.form() != "") {
				t.Errorf("the tokenizer changed on its way through the metadata: %+v, was %+v", m, s)
			}
		}
		for _, id := range tok.Encode("ab ab1 \u00e9e\u0301<|end|> a", true) {
			if id < 0 || int(id) >= tok.Size() {
				t.Fatalf("id %d of %d", id, tok.Size())
			}
		}
	})
}

// ignore_merges is written only where it makes a difference.
func TestIgnoreMergesKey(t *testing.T) {
	for _, c := range []struct {
		merges string
		want   bool
	}{
		{`["a b", ["Ġ", "ab"]]`, false},
		{`["a b", ["Ġ", "a"]]`, true},
	} {
		text := strings.NewReplacer(`["a b", ["Ġ", "ab"]]`, c.merges, `"dropout": null`, `"ignore_merges": true`).Replace(bytesJSON)
		v, err := readHF("", fstest.MapFS{fileTokenizer: {Data: []byte(text)}}, Options{Pre: "gpt-2"})
		if err != nil {
			t.Fatal(err)
		}
		var md gguf.Metadata
		v.SetMetadata(&md)
		if _, ok := md.Lookup(keyIgnoreMerges); ok != c.want {
			t.Errorf("merges %s: the key is there: %t", c.merges, ok)
		}
	}
}
