package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/convert/internal/jsonfile"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// Keys of chat templates: the default one, the names of all others, and each of
// those.
const (
	keyChatTemplate  = "tokenizer.chat_template"
	keyChatTemplates = "tokenizer.chat_templates"
)

// defaultTemplate is the name of the template that is used where none is asked
// for.
const defaultTemplate = "default"

// A chatTemplate turns a conversation into a text.
type chatTemplate struct{ name, text string }

// readChatTemplates returns the chat templates of the checkpoint in dir, and
// what is left out of them.
//
// llama.cpp's converter takes "chat_template" of tokenizer_config.json, even
// where it is null; only where there is no such field, chat_template.jinja with
// those in additional_chat_templates beside it; and only without that file
// chat_template.json. Without tokenizer_config.json it takes none.
func readChatTemplates(dir string) (templates []chatTemplate, notes []string, err error) {
	file := filepath.Join(dir, "tokenizer_config.json")
	var config map[string]json.RawMessage
	if _, err := readOptional(file, &config); err != nil {
		return nil, nil, err
	}
	if value, ok := config["chat_template"]; ok {
		if string(value) == "null" {
			return nil, leftOut(dir, file, "says that there is none"), nil
		}
		return parseChatTemplates(file, value)
	}
	if len(config) == 0 {
		return nil, leftOut(dir, file, "is missing or empty, without which llama.cpp's converter takes none"), nil
	}
	if templates, err = readTemplateFiles(dir); len(templates) > 0 || err != nil {
		return templates, nil, err
	}
	file = filepath.Join(dir, "chat_template.json")
	var only map[string]json.RawMessage
	if _, err := readOptional(file, &only); err != nil {
		return nil, nil, err
	}
	if value, ok := only["chat_template"]; ok && string(value) != "null" {
		return parseChatTemplates(file, value)
	}
	return nil, nil, nil
}

// leftOut tells of files with templates that do not count.
func leftOut(dir, config, why string) []string {
	var notes []string
	for _, name := range []string{"chat_template.jinja", "chat_template.json"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			notes = append(notes, fmt.Sprintf("the chat template in %s is left out: %s %s", name, config, why))
		}
	}
	return notes
}

// parseChatTemplates parses a text, which is the default template, or a list of
// named ones. Anything else is left out.
func parseChatTemplates(file string, value json.RawMessage) (templates []chatTemplate, notes []string, err error) {
	switch value[0] {
	case '"':
		var text string
		err := json.Unmarshal(value, &text)
		return []chatTemplate{{defaultTemplate, text}}, nil, err
	case '[':
		var list []struct {
			Name     string  `json:"name"`
			Template *string `json:"template"`
		}
		if err := json.Unmarshal(value, &list); err != nil {
			return nil, nil, fault.Malformed(file, `"chat_template"`, "an entry is no object of the texts name and template: %v", err)
		}
		for _, entry := range list {
			if entry.Name != "" && entry.Template != nil {
				templates = append(templates, chatTemplate{templateName(entry.Name), *entry.Template})
			}
		}
		return templates, nil, nil
	}
	return nil, []string{fmt.Sprintf("chat_template of %s is left out: it is %s, want a text or a list of templates", file, excerpt(value))}, nil
}

// readTemplateFiles reads chat_template.jinja and, where that is there, those of
// additional_chat_templates in the order of their names.
func readTemplateFiles(dir string) ([]chatTemplate, error) {
	text, err := readTemplate(filepath.Join(dir, "chat_template.jinja"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	templates := []chatTemplate{{defaultTemplate, text}}
	more := filepath.Join(dir, "additional_chat_templates")
	entries, err := os.ReadDir(more)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".jinja")
		if !ok || e.IsDir() {
			continue
		}
		if text, err = readTemplate(filepath.Join(more, e.Name())); err != nil {
			return nil, err
		}
		templates = append(templates, chatTemplate{templateName(name), text})
	}
	return templates, nil
}

// readTemplate reads a file of text as Python does, which makes a line feed of
// every line ending.
func readTemplate(path string) (string, error) {
	data, err := jsonfile.Read(path)
	if err != nil {
		return "", err
	}
	if err := jsonfile.CheckUTF8(path, data); err != nil {
		return "", err
	}
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data)), nil
}

// templateName returns a name with _ for every character that is no ASCII letter
// or digit.
func templateName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, name)
}

// setChatTemplates writes templates: those with a name of their own, the list of
// their names, and the default one. llama.cpp's converter lists the names in an
// order that changes from run to run; here it is that of the templates. An empty
// template is not written.
func setChatTemplates(md *gguf.Metadata, templates []chatTemplate) {
	var names []string
	var standard string
	for _, t := range templates {
		if t.name == defaultTemplate {
			standard = t.text
			continue
		}
		if !slices.Contains(names, t.name) {
			names = append(names, t.name)
		}
		setText(md, keyChatTemplate+"."+t.name, t.text)
	}
	setTexts(md, keyChatTemplates, names)
	setText(md, keyChatTemplate, standard)
}

// passChatTemplates has the chat templates written among the tokenizer's keys.
func (b *builder) passChatTemplates() error {
	templates, notes, err := readChatTemplates(b.dir)
	if err != nil {
		return err
	}
	b.Notes = append(b.Notes, notes...)
	b.vocab.Templates = func(md *gguf.Metadata) { setChatTemplates(md, templates) }
	return nil
}
