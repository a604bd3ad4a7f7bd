package tokenizer

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gguftool/gguftool/gguf"
)

// additions are the keys that gguftool writes for the checkpoints of
// testdata/checkpoints.txtar beyond those of llama.cpp's converter, besides
// continuation_tokens for "##▁x", which all have.
var additions = map[string][]string{
	// llama.cpp assumes ids of bert-base-uncased where there are none.
	"no-config":      {bosID, maskID, separatorID, unknownID},
	"empty-config":   {bosID, maskID, separatorID, unknownID},
	"no-names":       {maskID, separatorID, unknownID},
	"model-ids":      {maskID},
	"old-added-file": {bosID, maskID, separatorID, unknownID, lowercase},
	"vocab-file":     {bosID, maskID, separatorID, unknownID, lowercase},

	"vocab-file-alone":     {bosID, maskID, separatorID, unknownID, lowercase},
	"vocab-file-blanks":    {bosID, maskID, separatorID, unknownID, lowercase},
	"vocab-file-adds":      {bosID, maskID, separatorID, unknownID, lowercase},
	"vocab-file-cased":     {bosID, maskID, separatorID, unknownID, "tokenizer.ggml.normalizer.lowercase bool false"},
	"special-by-name":      {maskID},
	"special-map":          {maskID},
	"fast-class":           {maskID, separatorID, unknownID},
	"other-start-no-names": {maskID, separatorID, unknownID, "gguftool.tokenizer.template_prefix array i32 [4]"},

	"added":         {"gguftool.tokenizer.added_token_flags array u8 [16 16 16 16 16 0 8 8 0]"},
	"added-decoder": {"gguftool.tokenizer.added_token_flags array u8 [16 16 16 16 16 0 8 8 0]"},
	"added-flags":   {"gguftool.tokenizer.added_token_flags array u8 [16 16 16 16 18]"},
	"other-start":   {"gguftool.tokenizer.template_prefix array i32 [4]"},
	"other-end":     {"gguftool.tokenizer.template_suffix array i32 [4]"},
	"no-end":        {"gguftool.tokenizer.template_suffix array i32 []"},
	"no-end-two":    {"gguftool.tokenizer.template_suffix array i32 []"},
	"bare-template": {"gguftool.tokenizer.template_prefix array i32 []", "gguftool.tokenizer.template_suffix array i32 []"},
	"no-template":   {"gguftool.tokenizer.template_prefix array i32 []", "gguftool.tokenizer.template_suffix array i32 []"},
	"no-cleaning": {
		"gguftool.tokenizer.clean_text bool false", "gguftool.tokenizer.handle_chinese_chars bool false",
		"gguftool.tokenizer.max_input_chars_per_word u32 7",
	},
}

const (
	bosID       = "tokenizer.ggml.bos_token_id u32 2"
	unknownID   = "tokenizer.ggml.unknown_token_id u32 1"
	separatorID = "tokenizer.ggml.seperator_token_id u32 3"
	maskID      = "tokenizer.ggml.mask_token_id u32 4"
	lowercase   = "tokenizer.ggml.normalizer.lowercase bool true"
)

// SetMetadata writes the keys that llama.cpp's converter writes, in its order.
func TestSetMetadataGolden(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/checkpoints.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	want := make(map[string]string)
	var names []string
	for _, f := range archive.Files {
		name, file := filepath.Split(f.Name)
		name = filepath.Clean(name)
		if file == "want" {
			want[name] = string(f.Data)
			names = append(names, name)
			continue
		}
		if err := os.MkdirAll(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), file, f.Data)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			v, err := ReadHF(filepath.Join(dir, name), Options{})
			if err != nil {
				t.Fatal(err)
			}
			var md gguf.Metadata
			v.SetMetadata(&md)
			lines := strings.SplitAfter(want[name], "\n")
			var more []string
			for key, value := range md.All() {
				line := key + " " + describe(t, value) + "\n"
				if len(lines) > 0 && line == lines[0] {
					lines = lines[1:]
				} else {
					more = append(more, strings.TrimSpace(line))
				}
			}
			if rest := strings.Join(lines, ""); rest != "" {
				t.Errorf("missing: %s\nthere is instead: %s", rest, strings.Join(more, "\n"))
			}
			wantMore := append(additions[name], "gguftool.tokenizer.continuation_tokens array i32 [14]")
			slices.Sort(wantMore)
			slices.Sort(more)
			if !slices.Equal(more, wantMore) {
				t.Errorf("added:\n%s\nwant:\n%s", strings.Join(more, "\n"), strings.Join(wantMore, "\n"))
			}
		})
	}
}

// describe prints a value as testdata/checkpoints.py does.
func describe(t *testing.T, v gguf.Value) string {
	t.Helper()
	if bits, ok := v.Any().([]uint8); ok {
		return fmt.Sprintf("array u8 %d", bits)
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v.Any()); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(strings.TrimSpace(b.String()), `\u2028`, "\u2028")
	if v.Type() != gguf.ValueArray {
		return fmt.Sprintf("%s %s", v.Type(), text)
	}
	return fmt.Sprintf("array %s %s", v.Elem(), strings.NewReplacer(`","`, `", "`, ",", ", ").Replace(text))
}
