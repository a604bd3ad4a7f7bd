package chattemplate

import (
	"strings"
	"text/template"
	"time"

	"github.com/gguftool/gguftool/internal/jinja"
)

// A Message is one turn of a conversation.
type Message struct {
	Role    string // system, user or assistant
	Content string
}

// Tokens are the special tokens that templates name, as texts.
type Tokens struct {
	BOS, EOS, Unknown, Pad string
	AddsBOS                bool // the tokenizer puts BOS in front of what it encodes
}

// A Template is a model's own, in Jinja.
type Template struct {
	parsed *jinja.Template
	tokens Tokens
	now    time.Time
	parts  bool
}

// Parse reads a model's template.
func Parse(source string, tokens Tokens) (*Template, error) {
	parsed, err := jinja.Parse(source)
	if err != nil {
		return nil, err
	}
	return &Template{parsed: parsed, tokens: tokens}, nil
}

// Prompt returns what the model sees before it answers, as transformers'
// apply_chat_template gives it with add_generation_prompt, without tools.
func (t *Template) Prompt(messages []Message) (string, error) {
	list := []any{}
	for _, m := range messages {
		content := any(m.Content)
		if t.parts {
			content = []any{jinja.NewDict("type", "text", "text", m.Content)}
		}
		list = append(list, jinja.NewDict("role", m.Role, "content", content))
	}
	values := map[string]any{"messages": list, "tools": nil, "documents": nil, "add_generation_prompt": true}
	for name, text := range map[string]string{
		"bos_token": t.tokens.BOS, "eos_token": t.tokens.EOS, "unk_token": t.tokens.Unknown, "pad_token": t.tokens.Pad,
	} {
		if text != "" {
			values[name] = text
		}
	}
	return t.parsed.Render(values, jinja.Options{Now: t.now})
}

// At returns the template as it runs at that time. The zero time, which templates
// have at first, leaves them without a clock.
func (t *Template) At(now time.Time) *Template {
	c := *t
	c.now = now
	return &c
}

// InParts returns the template as it runs on messages whose contents are lists of
// parts, here one text. Templates of models that see images often take no others.
func (t *Template) InParts() *Template {
	c := *t
	c.parts = true
	return &c
}

// OllamaPrompt returns what Ollama makes of the conversation with a template that
// goes through .Messages. Neighbours of the same role are one message, and
// .System is all system messages.
func OllamaPrompt(t *template.Template, messages []Message) (string, error) {
	type shown struct {
		Role, Content, Thinking string
		Images, ToolCalls       []any
		ToolName, ToolCallID    string
	}
	var all []*shown
	var system []string
	for _, m := range messages {
		if m.Role == "system" {
			system = append(system, m.Content)
		}
		if n := len(all); n > 0 && all[n-1].Role == m.Role {
			all[n-1].Content += "\n\n" + m.Content
		} else {
			all = append(all, &shown{Role: m.Role, Content: m.Content})
		}
	}
	var b strings.Builder
	err := t.Execute(&b, map[string]any{
		"System": strings.Join(system, "\n\n"), "Messages": all, "Tools": nil, "Response": "",
		"Think": false, "ThinkLevel": "", "IsThinkSet": false,
	})
	return b.String(), err
}
