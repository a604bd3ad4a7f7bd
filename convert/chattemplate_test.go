package convert

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

func TestChatTemplates(t *testing.T) {
	type files map[string]string
	const config = "tokenizer_config.json"
	for _, c := range []struct {
		name  string
		files files
		want  []chatTemplate
		note  string // a part of the only one
		err   string
	}{
		{name: "nothing", files: files{}},
		{name: "no configuration", files: files{"chat_template.jinja": "x"}, note: "chat_template.jinja is left out: "},
		{name: "empty configuration", files: files{config: "{}", "chat_template.json": `{"chat_template": "x"}`}, note: "is missing or empty"},
		{name: "null", files: files{config: `{"chat_template": null}`, "chat_template.jinja": "x"}, note: "says that there is none"},
		{name: "null and no file", files: files{config: `{"chat_template": null}`}},
		{name: "a number", files: files{config: `{"chat_template": 5}`}, note: "it is 5, want a text or a list"},
		{name: "a number in JSON", files: files{config: `{"a": 1}`, "chat_template.json": `{"chat_template": {}}`}, note: "it is {}, want a text or a list"},
		{name: "null in JSON", files: files{config: `{"a": 1}`, "chat_template.json": `{"chat_template": null}`}},
		{name: "JSON of something else", files: files{config: `{"a": 1}`, "chat_template.json": `{}`}},
		{
			name:  "several",
			files: files{config: `{"chat_template": [{"name": "b c", "template": "1"}, {"template": "2"}, {"name": "a", "template": ""}, {"name": "default", "template": "3"}]}`},
			want:  []chatTemplate{{"b_c", "1"}, {"a", ""}, {"default", "3"}},
		},
		{
			name:  "files",
			files: files{config: `{"a": 1}`, "chat_template.jinja": "1\r\n", "additional_chat_templates/b.jinja": "2", "additional_chat_templates/a.b.jinja": "3\r"},
			want:  []chatTemplate{{"default", "1\n"}, {"a_b", "3\n"}, {"b", "2"}},
		},
		{name: "entry that is a text", files: files{config: `{"chat_template": ["x"]}`}, err: "an entry is no object"},
		{name: "template that is a number", files: files{config: `{"chat_template": [{"name": "a", "template": 1}]}`}, err: "an entry is no object"},
		{name: "file not in UTF-8", files: files{config: `{"a": 1}`, "chat_template.jinja": "a\xff"}, err: "chat_template.jinja: invalid UTF-8 (at byte 1)"},
		{name: "JSON cut off", files: files{config: `{"a": 1}`, "chat_template.json": `{"chat`}, err: "chat_template.json: invalid JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range c.files {
				path := filepath.Join(dir, filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			got, notes, err := readChatTemplates(dir)
			switch {
			case c.err == "" && err != nil, c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
				t.Errorf("error %v, want %q", err, c.err)
			case !reflect.DeepEqual(got, c.want):
				t.Errorf("%q, want %q", got, c.want)
			case c.note == "" && len(notes) > 0, c.note != "" && (len(notes) != 1 || !strings.Contains(notes[0], c.note)):
				t.Errorf("notes %q, want %q", notes, c.note)
			}
		})
	}
}

func TestSetChatTemplates(t *testing.T) {
	md := new(gguf.Metadata)
	setChatTemplates(md, []chatTemplate{{"default", "d"}, {"b", "1"}, {"a", ""}, {"b", "2"}})
	var keys []string
	for key := range md.All() {
		keys = append(keys, key)
	}
	if want := []string{"tokenizer.chat_template.b", "tokenizer.chat_templates", "tokenizer.chat_template"}; !slices.Equal(keys, want) {
		t.Errorf("keys %q, want %q", keys, want)
	}
	names, _ := gguf.Array[string](md, keyChatTemplates)
	if !slices.Equal(names, []string{"b", "a"}) || md.Text("tokenizer.chat_template.b") != "2" || md.Text(keyChatTemplate) != "d" {
		t.Errorf("names %q, %q, %q", names, md.Text("tokenizer.chat_template.b"), md.Text(keyChatTemplate))
	}
}

func FuzzChatTemplates(f *testing.F) {
	for _, value := range []string{
		`"x"`, `"\ud800"`, `[{"name": "a b", "template": "1"}, {"name": "default", "template": "2"}]`, `[{"name": "a", "template": null}]`,
		`[{"name": 1}]`, `[null]`, `[[]]`, `[]`, `{}`, `5`, `null`, `"`, `[`, ``,
	} {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if !json.Valid(value) {
			return // a whole file was valid
		}
		templates, _, err := parseChatTemplates("tokenizer_config.json", bytes.TrimSpace(value))
		if err != nil {
			return
		}
		md := new(gguf.Metadata)
		setChatTemplates(md, templates)
		if _, err := gguf.NewLayout(md, nil, nil); err != nil {
			t.Errorf("%s makes keys that cannot be written: %v", value, err)
		}
	})
}
