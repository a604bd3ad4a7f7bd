package tokenizer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// plainJSON is a small tokenizer.json.
const plainJSON = `{
	"added_tokens": [{"id": 2, "content": "[CLS]", "special": true, "normalized": false}, {"id": 3, "content": "[SEP]", "special": true, "normalized": false}],
	"normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
	"pre_tokenizer": {"type": "BertPreTokenizer"},
	"post_processor": {"type": "TemplateProcessing",
		"single": [{"SpecialToken": {"id": "[CLS]"}}, {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "[SEP]"}}],
		"special_tokens": {"[CLS]": {"ids": [2]}, "[SEP]": {"ids": [3]}}},
	"model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
		"vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "the": 4, "##s": 5}}
}`

// change returns plainJSON with old replaced.
func change(t *testing.T, old, new string) map[string]string {
	t.Helper()
	if !strings.Contains(plainJSON, old) {
		t.Fatalf("%s is not in plainJSON", old)
	}
	return map[string]string{fileTokenizer: strings.Replace(plainJSON, old, new, 1)}
}

func and(files map[string]string, name, content string) map[string]string {
	files[name] = content
	return files
}

func TestReadHFHostile(t *testing.T) {
	plain := func() map[string]string { return map[string]string{fileTokenizer: plainJSON} }
	vocab := func() map[string]string { return map[string]string{fileVocab: "[UNK]\n[CLS]\n[SEP]\nthe\n"} }
	for _, c := range []struct {
		name        string
		files       map[string]string
		unsupported bool
		want        string
	}{
		{"empty", map[string]string{fileTokenizer: ""}, false, "tokenizer.json: unexpected end of JSON input (at byte 0)"},
		{"null", map[string]string{fileTokenizer: "null"}, false, "tokenizer.json: model: has no type"},
		{"cut", map[string]string{fileTokenizer: plainJSON[:300]}, false, "tokenizer.json: unexpected end of JSON input (at byte 300)"},
		{"no JSON", map[string]string{fileTokenizer: "\x00\x01"}, false, "tokenizer.json: invalid character '\\x00' looking for beginning of value (at byte 1)"},
		{"an array", map[string]string{fileTokenizer: "[]"}, false, "tokenizer.json: json: cannot unmarshal array"},
		{"deeply nested", map[string]string{fileTokenizer: strings.Repeat(`{"model":`, 20000)}, false, "tokenizer.json: invalid character '{' exceeded max depth"},
		{"BPE of characters", change(t, `"type": "WordPiece"`, `"type": "BPE"`), true, `tokenizer.json: model: BPE of characters with a prefix or a suffix of its own, "##", is not known`},
		{"Unigram", change(t, `"type": "WordPiece"`, `"type": "Unigram"`), false, "tokenizer.json: model.vocab: entry 0 is no pair of a token and a score"},
		{"no model type", change(t, `"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100`, `"x": 0`), false, "tokenizer.json: model: has no type"},
		{"no normalizer", change(t, `"normalizer"`, `"n"`), true, "tokenizer.json: normalizer: there is none"},
		{"other normalizer", change(t, `"BertNormalizer"`, `"Sequence"`), true, `tokenizer.json: normalizer: the type is "Sequence"`},
		{"no pre-tokenizer", change(t, `{"type": "BertPreTokenizer"}`, `null`), true, "tokenizer.json: pre_tokenizer: there is none"},
		{"other pre-tokenizer", change(t, `"BertPreTokenizer"`, `"Whitespace"`), true, `tokenizer.json: pre_tokenizer: the type is "Whitespace"`},
		{"other prefix", change(t, `"continuing_subword_prefix": "##"`, `"continuing_subword_prefix": "@@"`), true, `tokenizer.json: model: the prefix of pieces inside words is "@@"`},
		{"other template", change(t, `"TemplateProcessing"`, `"ScriptProcessing"`), true, `tokenizer.json: post_processor: the type is "ScriptProcessing"`},
		{"template without text", change(t, `{"Sequence": {"id": "A"}}, `, ``), false, "tokenizer.json: post_processor: the template of a single text has 0 texts"},
		{"template with two texts", change(t, `{"Sequence": {"id": "A"}}`, `{"Sequence": {"id": "A"}}, {"Sequence": {"id": "B"}}`), false, "tokenizer.json: post_processor: the template of a single text has 2 texts"},
		{"undefined special token", change(t, `"special_tokens": {"[CLS]"`, `"special_tokens": {"[XXX]"`), false, `tokenizer.json: post_processor: uses the special token "[CLS]" without defining it`},
		{"template id too high", change(t, `{"ids": [2]}`, `{"ids": [6]}`), false, "tokenizer.json: post_processor: has token 6 of a vocabulary of 6"},
		{"template id negative", change(t, `{"ids": [2]}`, `{"ids": [-1]}`), false, "tokenizer.json: post_processor: has token -1 of a vocabulary of 6"},
		{"BertProcessing without tokens", change(t, `"TemplateProcessing"`, `"BertProcessing"`), false, "tokenizer.json: post_processor: has no pair of token and id"},
		{"BertProcessing without id", change(t, `"TemplateProcessing"`, `"BertProcessing", "cls": ["[CLS]", 2], "sep": ["[SEP]", "3"]`), false, "tokenizer.json: post_processor: has 3 as an id"},
		{"vocabulary a list", change(t, `{"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "the": 4, "##s": 5}`, `[["the", 0]]`), false, "tokenizer.json: model.vocab: json: cannot unmarshal array"},
		{"vocabulary null", change(t, `{"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "the": 4, "##s": 5}`, `null`), false, "tokenizer.json: model.vocab: is null"},
		{"no vocabulary", change(t, `"vocab"`, `"v"`), false, "tokenizer.json: model.vocab: unexpected end of JSON input"},
		{"id a string", change(t, `"the": 4`, `"the": "4"`), false, "tokenizer.json: model.vocab: json: cannot unmarshal string"},
		{"id negative", change(t, `"the": 4`, `"the": -4`), false, `tokenizer.json: vocabulary: the token "the" has id -4`},
		{"id huge", change(t, `"the": 4`, `"the": 4000000000`), false, "tokenizer.json: vocabulary: has 6 tokens, but ids up to 4000000000"},
		{"id twice", change(t, `"the": 4`, `"the": 5`), false, "tokenizer.json: vocabulary: the tokens "},
		{"no unknown token", change(t, `"unk_token": "[UNK]"`, `"unk_token": "<unk>"`), false, `tokenizer.json: vocabulary: the unknown token "<unk>" is not in it`},
		{"longest word negative", change(t, `"max_input_chars_per_word": 100`, `"max_input_chars_per_word": -1`), false, "tokenizer.json: model.max_input_chars_per_word: json: cannot unmarshal number -1"},
		{"added token elsewhere", change(t, `"id": 2, "content": "[CLS]"`, `"id": 4, "content": "[CLS]"`), false, `tokenizer.json: added tokens: "[CLS]" has id 4, but it is 2 in the vocabulary`},
		{"added token negative", change(t, `"id": 2, "content": "[CLS]"`, `"id": -7, "content": "new"`), false, `tokenizer.json: vocabulary: the token "new" has id -7`},
		{"added token with another's id", change(t, `"id": 2, "content": "[CLS]"`, `"id": 2, "content": "new"`), false, "tokenizer.json: vocabulary: the tokens "},
		{"damaged tokenizer_config.json", and(plain(), fileConfig, "{"), false, "tokenizer_config.json: unexpected end of JSON input (at byte 1)"},
		{"tokenizer_config.json a list", and(plain(), fileConfig, "[1]"), false, "tokenizer_config.json: json: cannot unmarshal array"},
		{"added_tokens_decoder a list", and(plain(), fileConfig, `{"added_tokens_decoder": []}`), false, "tokenizer_config.json: added_tokens_decoder: json: cannot unmarshal array"},
		{"damaged added_tokens.json", and(plain(), fileAdded, `{"a": 1.5}`), false, "added_tokens.json: json: cannot unmarshal number 1.5"},
		{"damaged special_tokens_map.json", and(plain(), fileSpecialMap, `"`), false, "special_tokens_map.json: unexpected end of JSON input"},
		{"damaged config.json", and(plain(), fileModel, `{]`), false, "config.json: invalid character ']'"},
		{"vocab_size too small", and(plain(), fileModel, `{"vocab_size": 5}`), false, `config.json: vocab_size: is 5, but the tokenizer has the token "##s" with id 5`},
		{"vocab_size huge", and(plain(), fileModel, `{"vocab_size": 1e12}`), false, "config.json: vocab_size: is 1e+12, but the tokenizer has 6 tokens"},
		{"vocab_size negative", and(plain(), fileModel, `{"vocab_size": -1}`), false, "config.json: vocab_size: is -1, but the tokenizer has 6 tokens"},
		{"vocab_size a string", and(plain(), fileModel, `{"vocab_size": "6"}`), false, "config.json: vocab_size: is 6, but the tokenizer has 6 tokens"},
		{"type_vocab_size negative", and(plain(), fileModel, `{"type_vocab_size": -2}`), false, "config.json: type_vocab_size: is -2"},
		{"special id negative", and(plain(), fileModel, `{"pad_token_id": -1}`), false, "config.json: pad_token_id: is -1"},
		{"no unknown token in vocab.txt", map[string]string{fileVocab: "[CLS]\n[SEP]\n"}, false, `vocab.txt: vocabulary: the unknown token "[UNK]" is not in it`},
		{"no start token in vocab.txt", map[string]string{fileVocab: "[UNK]\n[SEP]\n"}, false, `vocab.txt: vocabulary: the token "[CLS]" is not in it`},
		{"empty vocab.txt", map[string]string{fileVocab: ""}, false, `vocab.txt: vocabulary: the token "`},
		{"another class for vocab.txt", and(vocab(), fileConfig, `{"tokenizer_class": "BertJapaneseTokenizer"}`), true, "tokenizer_config.json: tokenizer_class: BertJapaneseTokenizer"},
		{"empty model file", map[string]string{"sentencepiece.bpe.model": ""}, false, "sentencepiece.bpe.model: has no pieces"},
		{"BPE without merges", map[string]string{"vocab.json": "{}"}, false, "vocab.json: there is no merges.txt with it"},
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

func TestReadHFNothing(t *testing.T) {
	_, err := ReadHF(t.TempDir(), Options{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none of tokenizer.json, vocab.txt, vocab.json and tokenizer.model is there") {
		t.Errorf("error %v", err)
	}
}

func TestReadHFWarnings(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, fileTokenizer, []byte(plainJSON))
	write(t, dir, fileConfig, []byte(`{"do_lower_case": false}`))
	write(t, dir, fileModel, []byte(`{"mask_token_id": 100, "pad_token_id": [0]}`))
	v, err := ReadHF(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"do_lower_case is false, tokenizer.json says lowercase is true", "mask_token_id is 100, but there are 6 tokens",
		"pad_token_id is [0]", "none that llama.cpp's converter knows",
	} {
		if !slices.ContainsFunc(v.Warnings, func(w string) bool { return strings.Contains(w, want) }) {
			t.Errorf("no warning about %q in %q", want, v.Warnings)
		}
	}
	if len(v.Warnings) != 4 {
		t.Errorf("%d warnings: %q", len(v.Warnings), v.Warnings)
	}
}

// The vocabulary of bert-base-uncased needs no keys but llama.cpp's.
func TestSetMetadataUncased(t *testing.T) {
	v := readGolden(t, "minilm")
	if len(v.Warnings) > 0 {
		t.Errorf("warnings: %q", v.Warnings)
	}
	var md gguf.Metadata
	v.SetMetadata(&md)
	var keys []string
	for key := range md.All() {
		keys = append(keys, key)
	}
	if want := []string{keyTokenTypeCount, keyModel, keyPre, keyTokens, keyTokenType}; !slices.Equal(keys, want) {
		t.Errorf("keys %q, want %q", keys, want)
	}
	if pre := md.Text(keyPre); pre != "jina-v2-en" {
		t.Errorf("%s is %q", keyPre, pre)
	}
}

// The name is that of a vocabulary with a few known tokens, for the pipeline of
// the models that have it.
func TestRecognize(t *testing.T) {
	for i, name := range []string{"jina-v2-en", "bert-bge-large"} {
		p := bertPres[i]
		if p.name != name {
			t.Errorf("pre-tokenizer %d is %s, want %s", i, p.name, name)
		}
		lines := make([]string, 30000)
		for i := range lines {
			lines[i] = fmt.Sprintf("[unused%d]", i)
		}
		for token, id := range p.ids {
			lines[id] = token
		}
		read := func(config string) *Vocab {
			v, err := readHF("", fstest.MapFS{
				fileVocab: {Data: []byte(strings.Join(lines, "\n"))}, fileConfig: {Data: []byte(config)},
			}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		if v := read(`{}`); v.pre != p.name || len(v.Warnings) > 0 {
			t.Errorf("%s is %s; warnings %q", p.name, v.pre, v.Warnings)
		}
		for _, config := range []string{`{"do_lower_case": false}`, `{"strip_accents": false}`, `{"tokenize_chinese_chars": false}`} {
			if v := read(config); v.pre != "default" || len(v.Warnings) != 1 {
				t.Errorf("%s with %s is %s; warnings %q", p.name, config, v.pre, v.Warnings)
			}
		}
		lines[p.ids["apple"]] = "pear"
		if v := read(`{}`); v.pre != "default" || len(v.Warnings) != 1 {
			t.Errorf("%s with another word is %s; warnings %q", p.name, v.pre, v.Warnings)
		}
	}
}

// wantRefusal fails the test unless err says, behind the folder dir, what is wanted,
// and is an UnsupportedError or, otherwise, a FormatError.
func wantRefusal(t *testing.T, err error, dir string, wantUnsupported bool, want string) {
	t.Helper()
	_, malformed := errors.AsType[*fault.FormatError](err)
	_, unsupported := errors.AsType[*fault.UnsupportedError](err)
	if malformed == wantUnsupported || unsupported != wantUnsupported {
		t.Errorf("error is %T: %v", err, err)
	}
	if err != nil && !strings.HasPrefix(strings.TrimPrefix(err.Error(), dir+string(os.PathSeparator)), want) {
		t.Errorf("error %v\nwant %s", err, want)
	}
}

// wantKnownKind fails the test where err is neither a FormatError nor an
// UnsupportedError.
func wantKnownKind(t *testing.T, err error) {
	t.Helper()
	_, malformed := errors.AsType[*fault.FormatError](err)
	_, unsupported := errors.AsType[*fault.UnsupportedError](err)
	if !malformed && !unsupported {
		t.Fatalf("error is %T: %v", err, err)
	}
}

// A tokenizer may add nothing to texts, and lack the tokens for it.
func TestNoTemplateNoTokens(t *testing.T) {
	text := strings.NewReplacer("[CLS]", "x", "[SEP]", "y", `"post_processor"`, `"p"`).Replace(plainJSON)
	v, err := readHF("", fstest.MapFS{fileTokenizer: {Data: []byte(text)}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	tok := throughKeys(t, v)
	if got := tok.Encode("the", true); !slices.Equal(got, []int32{4}) {
		t.Errorf("ids %v, want [4]", got)
	}
}

// What ReadHF accepts comes out of the metadata as it went in.
func FuzzReadHF(f *testing.F) {
	f.Add([]byte(plainJSON), []byte(`{"vocab_size": 8, "pad_token_id": 0}`))
	f.Add([]byte(strings.Replace(plainJSON, `"added_tokens": [`, `"added_tokens": [{"id": 6, "content": "E", "lstrip": true, "normalized": true}, {"id": 7, "content": "##▁s"},`, 1)),
		[]byte(`{"cls_token": "[CLS]", "sep_token": {"content": "[SEP]"}, "do_lower_case": false}`))
	f.Add([]byte(strings.Replace(plainJSON, "TemplateProcessing", `BertProcessing", "cls": ["[CLS]", 2], "sep": ["[SEP]", 3], "x": "`, 1)),
		[]byte(`{"added_tokens_decoder": {"5": {"content": "##s", "single_word": true}}, "additional_special_tokens": ["the"]}`))
	f.Fuzz(func(t *testing.T, tokenizer, config []byte) {
		v, err := readHF("", fstest.MapFS{
			fileTokenizer: {Data: tokenizer}, fileConfig: {Data: config}, fileModel: {Data: config},
		}, Options{})
		if err != nil {
			wantKnownKind(t, err)
			return
		}
		tok := throughKeys(t, v)
		if !slices.Equal(tok.tokens, v.tokens) || !slices.Equal(tok.prefix, v.prefix) || !slices.Equal(tok.suffix, v.suffix) {
			t.Errorf("the tokenizer changed on its way through the metadata: %+v, was %+v", tok, v)
		}
		if s, ok := v.scheme.(*bertScheme); ok {
			w := tok.model.(*wordPiece)
			if tok.normalizer.(*bertNormalizer).bertOptions != s.bertOptions || w.unknown != s.unknown || w.maxWordRunes != s.maxWordRunes {
				t.Errorf("the tokenizer changed on its way through the metadata: %+v, was %+v", tok, s)
			}
		}
		for _, id := range tok.Encode("The quick [MASK]s\u00e9 foobar 中文 <X> e", true) {
			if id < 0 || int(id) >= tok.Size() {
				t.Fatalf("id %d of %d", id, tok.Size())
			}
		}
	})
}
