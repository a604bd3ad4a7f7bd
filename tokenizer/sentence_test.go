package tokenizer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gguftool/gguftool/gguf"
)

// sentenceIDs names the tokenizers of testdata/sentence.jsonl.gz that those of
// the checkpoints of testdata/sentence.txtar.gz are.
var sentenceIDs = map[string]string{
	"llama": "llama", "llama-old": "llama-old", "llama-first": "llama-first", "llama-json": "llama", "llama-model": "llama",
	"gemma": "gemma", "gemma-json": "gemma", "gemma-model": "gemma",
	"xlmr": "xlmr", "xlmr-json": "xlmr", "xlmr-model": "xlmr", "t5": "t5",
}

// sentenceAdditions are the keys that gguftool writes for these checkpoints
// beyond those of llama.cpp's converter.
var sentenceAdditions = map[string][]string{
	"llama":     listedTokens,
	"llama-old": listedTokens,
	"llama-first": append(slices.Clone(listedTokens), `gguftool.tokenizer.normalizer string "null"`,
		`gguftool.tokenizer.pre_tokenizer string "{\"type\":\"Metaspace\",\"replacement\":\"▁\",\"prepend_scheme\":\"first\",\"split\":false}"`),
	// tokenizer_config.json says that there is no space before texts, tokenizer.json
	// that there is.
	"llama-json": append(slices.Clone(listedTokens),
		`gguftool.tokenizer.normalizer string "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"▁\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"▁\"}]}"`,
		`gguftool.tokenizer.decoder string "{\"type\":\"Sequence\",\"... of 247`),
	"t5": {
		"gguftool.tokenizer.other_ids array i32 [412, 413]", `gguftool.tokenizer.other_tokens array string ["<extra_id_1>", "<extra_id_0>"]`,
		"gguftool.tokenizer.added_token_flags array u8 [16 16 16 16 16]", `gguftool.tokenizer.normalizer string "{\"type\":\"Sequence\"... of 284`,
		`gguftool.tokenizer.pre_tokenizer string "{\"type\":\"Metaspace\",\"replacement\":\"▁\",\"prepend_scheme\":\"always\",\"split\":true}"`,
		`gguftool.tokenizer.decoder string "{\"type\":\"Sequence\",\"... of 216`,
	},
}

// listedTokens are for added tokens with real spaces and with flags.
var listedTokens = []string{
	"gguftool.tokenizer.other_ids array i32 [461, 462]", `gguftool.tokenizer.other_tokens array string ["a b", "new word"]`,
	"gguftool.tokenizer.added_token_flags array u8 [16 16 16 0 0 9 6]",
}

func unzip(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if data, err = io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	return data
}

// sentenceCheckpoints writes the checkpoints of testdata/sentence.txtar.gz into
// folders of dir, and returns the keys that each should have.
func sentenceCheckpoints(t testing.TB, dir string) map[string]string {
	t.Helper()
	want := make(map[string]string)
	for _, f := range txtar.Parse(unzip(t, "sentence.txtar.gz")).Files {
		name, file := filepath.Split(f.Name)
		name = filepath.Clean(name)
		if file == "want" {
			want[name] = string(f.Data)
			continue
		}
		data := f.Data
		if plain, ok := strings.CutSuffix(file, ".base64"); ok {
			var err error
			if data, err = base64.StdEncoding.DecodeString(strings.ReplaceAll(string(f.Data), "\n", "")); err != nil {
				t.Fatal(err)
			}
			file = plain
		}
		if err := os.MkdirAll(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), file, data)
	}
	return want
}

// Checkpoints with models of SentencePiece get the keys that llama.cpp's
// converter writes, in its order.
func TestSentenceMetadata(t *testing.T) {
	dir := t.TempDir()
	for name, want := range sentenceCheckpoints(t, dir) {
		t.Run(name, func(t *testing.T) {
			md := sentenceMetadata(t, filepath.Join(dir, name))
			lines := strings.SplitAfter(want, "\n")
			var more []string
			for key, value := range md.All() {
				if len(lines) > 0 && sameKey(t, lines[0], key, value) {
					lines = lines[1:]
				} else {
					more = append(more, shorten(key+" "+describe(t, value)))
				}
			}
			if rest := strings.Join(lines, ""); rest != "" && !strings.HasPrefix(want, "error: ") {
				t.Errorf("missing: %s\nthere is instead: %s", shorten(rest), strings.Join(more, "\n"))
			}
			if strings.HasPrefix(want, "error: ") {
				more = slices.DeleteFunc(more, func(line string) bool { return strings.HasPrefix(line, "tokenizer.ggml.") })
			}
			if !slices.Equal(more, sentenceAdditions[name]) {
				t.Errorf("added:\n%s\nwant:\n%s", strings.Join(more, "\n"), strings.Join(sentenceAdditions[name], "\n"))
			}
		})
	}
}

func sentenceMetadata(t testing.TB, dir string) *gguf.Metadata {
	t.Helper()
	v, err := ReadHF(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	md := new(gguf.Metadata)
	v.SetMetadata(md)
	return md
}

// sameKey reports whether a line of the goldens is key with value.
func sameKey(t *testing.T, line, key string, value gguf.Value) bool {
	t.Helper()
	kind := value.Type().String()
	if value.Type() == gguf.ValueArray {
		kind += " " + value.Elem().String()
	}
	text, ok := strings.CutPrefix(line, key+" "+kind+" ")
	if !ok {
		return false
	}
	is := value.Any()
	if bits, ok := is.([]uint8); ok { // which would be base64
		numbers := make([]int, len(bits))
		for i, b := range bits {
			numbers[i] = int(b)
		}
		is = numbers
	}
	data, err := json.Marshal(is)
	if err != nil {
		t.Fatal(err)
	}
	if scores, ok := is.([]float32); ok {
		var want []float32
		return json.Unmarshal([]byte(text), &want) == nil && slices.Equal(want, scores)
	}
	var want, have any
	return json.Unmarshal([]byte(text), &want) == nil && json.Unmarshal(data, &have) == nil && reflect.DeepEqual(want, have)
}

func shorten(line string) string {
	if len(line) > 200 {
		return fmt.Sprintf("%s... of %d", line[:60], len(line))
	}
	return line
}

// A sentenceText is a line of testdata/sentence.jsonl.gz.
type sentenceText struct {
	text string
	by   map[string]sentenceEncoding
}

type sentenceEncoding struct {
	IDs     []int32 `json:"ids"`
	Decoded string  `json:"decoded"`
}

func sentenceTexts(t testing.TB) []sentenceText {
	t.Helper()
	var texts []sentenceText
	for sc := bufio.NewScanner(bytes.NewReader(unzip(t, "sentence.jsonl.gz"))); sc.Scan(); {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(sc.Bytes(), &fields); err != nil {
			t.Fatal(err)
		}
		s := sentenceText{by: make(map[string]sentenceEncoding)}
		if err := json.Unmarshal(fields["text"], &s.text); err != nil {
			t.Fatal(err)
		}
		delete(fields, "text")
		for name, data := range fields {
			var e sentenceEncoding
			if err := json.Unmarshal(data, &e); err != nil {
				t.Fatal(err)
			}
			s.by[name] = e
		}
		texts = append(texts, s)
	}
	if len(texts) < 300 {
		t.Fatalf("only %d texts", len(texts))
	}
	return texts
}

// onlyListed are the tokens that only tokenizer.json has.
var onlyListed = []string{"[INST]", "a b", "new word", "<X>", "<mask>", "<image_soft_token>", "<table>", "\t\t", "\n\n", "▁▁", "<pad>"}

// The ids are those of Hugging Face's tokenizers, before and after the way
// through the keys, and so is the text that they stand for.
func TestSentenceGolden(t *testing.T) {
	dir := t.TempDir()
	sentenceCheckpoints(t, dir)
	texts := sentenceTexts(t)
	for name, golden := range sentenceIDs {
		t.Run(name, func(t *testing.T) {
			tok, err := FromGGUF(sentenceMetadata(t, filepath.Join(dir, name)))
			if err != nil {
				t.Fatal(err)
			}
			alone := strings.HasSuffix(name, "-model")
			compared, failed := 0, 0
			for _, text := range texts {
				if alone && slices.ContainsFunc(onlyListed, func(s string) bool { return strings.Contains(text.text, s) }) {
					continue
				}
				compared++
				want := text.by[golden]
				if slices.ContainsFunc(want.IDs, func(id int32) bool { return int(id) >= tok.Size() }) {
					continue // config.json says that there are fewer tokens
				}
				if ids := tok.Encode(text.text, false); !slices.Equal(ids, want.IDs) {
					if failed++; failed < 5 {
						t.Errorf("%q\n got %d\nwant %d", text.text, ids, want.IDs)
					}
				}
				if decoded := tok.Decode(want.IDs, false); decoded != want.Decoded {
					if failed++; failed < 5 {
						t.Errorf("%q\n  decoded %q\n     want %q", text.text, decoded, want.Decoded)
					}
				}
			}
			if compared < 250 {
				t.Errorf("compared only %d texts", compared)
			}
		})
	}
}
