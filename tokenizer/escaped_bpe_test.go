package tokenizer

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gguftool/gguftool/gguf"
)

// gemmaJSON is a tokenizer.json like Gemma's, with an added token that is made by a
// merge.
const gemmaJSON = `{
	"added_tokens": [
		{"id": 0, "content": "<bos>", "special": true, "normalized": false},
		{"id": 6, "content": "aa", "special": false, "normalized": false}
	],
	"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
	"pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": false},
	"post_processor": {"type": "TemplateProcessing",
		"single": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
		"special_tokens": {"<bos>": {"id": "<bos>", "ids": [0], "tokens": ["<bos>"]}}},
	"decoder": {"type": "Sequence", "decoders": [
		{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]},
	"model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true, "vocab":
		{"<bos>": 0, "<unk>": 1, "<0x62>": 2, "a": 3, "▁": 4, "▁a": 5, "aa": 6, "aaa": 7},
		"merges": [["▁", "a"], ["a", "a"], ["aa", "a"]]}}`

// escapedMetadata returns the keys of a Gemma 3 without tokenizer.model.
func escapedMetadata(t *testing.T) *gguf.Metadata {
	t.Helper()
	v, err := readHF("", fstest.MapFS{
		fileTokenizer: {Data: []byte(gemmaJSON)},
		fileConfig:    {Data: []byte(`{"bos_token": "<bos>", "unk_token": "<unk>"}`)},
		fileModel:     {Data: []byte(`{"model_type": "gemma3_text"}`)},
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if v.Listed() != 10 {
		t.Errorf("%d tokens are listed", v.Listed())
	}
	md := new(gguf.Metadata)
	v.SetMetadata(md)
	return md
}

// Gemma 3 without tokenizer.model is stored as llama.cpp's converter stores it, and
// read again.
func TestEscapedBPE(t *testing.T) {
	md := escapedMetadata(t)
	if !isEscaped(md) {
		t.Fatalf("it is %q, %q", md.Text(keyModel), md.Text(keyPre))
	}
	if merges, _ := gguf.Array[string](md, keyMerges); !slices.Equal(merges, []string{"▁ a", "a a", "aa a"}) {
		t.Errorf("merges %q", merges)
	}
	if types, _ := gguf.Array[int32](md, keyTokenType); !slices.Equal(types, []int32{3, 3, 1, 1, 1, 1, 4, 1}) {
		t.Errorf("types %v", types)
	}
	for key := range md.All() {
		if strings.HasPrefix(key, "gguftool.") || key == keyScores || key == keyAddSpacePrefix {
			t.Errorf("there is %s", key)
		}
	}
	for _, pre := range []string{escapedPre, otherEscapedPre} {
		md.Set(keyPre, gguf.ValueOf(pre))
		tok, err := FromGGUF(md)
		if err != nil {
			t.Fatal(err)
		}
		for text, want := range map[string][]int32{
			"a":     {0, 3},
			" a b ": {0, 5, 4, 2, 4},
			"aaa":   {0, 6, 3},
			"bab":   {0, 2, 3, 2},
		} {
			if got := tok.Encode(text, true); !slices.Equal(got, want) {
				t.Errorf("%q is %v, want %v", text, got, want)
			}
		}
	}
}

func TestEscapedBPEHostile(t *testing.T) {
	valid := escapedMetadata(t)
	for name, c := range map[string]struct {
		value gguf.Value
		want  string
	}{
		"merges of numbers":  {gguf.ArrayOf([]int32{1}), "key tokenizer.ggml.merges: is array instead of an array of strings"},
		"no pair":            {gguf.ArrayOf([]string{"a"}), `has "a" at 0, which is no pair`},
		"unknown token":      {gguf.ArrayOf([]string{"a a", "a z"}), `has "a z" at 1, which is no pair`},
		"spelling no token":  {gguf.ArrayOf([]string{"▁ ▁"}), `has "▁ ▁" at 0, which is no pair`},
		"half of a token":    {gguf.ArrayOf([]string{"a "}), `has "a " at 0, which is no pair`},
		"more than one part": {gguf.ArrayOf([]string{"a a a"}), `has "a a a" at 0, which is no pair`},
	} {
		md := valid.Clone()
		md.Set(keyMerges, c.value)
		if _, err := FromGGUF(md); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", name, err, c.want)
		}
	}
	for _, key := range []string{keyTokenType, keyMerges} {
		md := valid.Clone()
		md.Delete(key)
		if _, err := FromGGUF(md); err != nil {
			t.Errorf("without %s: %v", key, err)
		}
	}
}
