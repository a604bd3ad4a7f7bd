package chattemplate_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/chattemplate"
	"github.com/gguftool/gguftool/modelfile"
)

// golden is what testdata/golden.py wrote.
type golden struct {
	Conversations [][][2]string
	Templates     []struct {
		Name, Template string
		Prompts        []*string // nil where transformers raises, or the prompt has the date
	}
}

func readGolden(t testing.TB) *golden {
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	g := new(golden)
	if err := json.Unmarshal(data, g); err != nil {
		t.Fatal(err)
	}
	if len(g.Templates) < 25 {
		t.Fatalf("only %d templates", len(g.Templates))
	}
	return g
}

func messages(conversation [][2]string) (all []chattemplate.Message) {
	for _, m := range conversation {
		all = append(all, chattemplate.Message{Role: m[0], Content: m[1]})
	}
	return all
}

var tokens = chattemplate.Tokens{BOS: "<s>", EOS: "</s>", AddsBOS: true}

// A recognized template is what is expected of a template of testdata.
type recognized struct {
	family string
	system string
	note   string // part of a note
	reason string // part of why it is unknown
}

var expected = map[string]recognized{
	"ChatML":                               {family: "ChatML"},
	"ChatML with a default":                {family: "ChatML", system: "You are a test."},
	"Qwen 3":                               {family: "ChatML"},
	"Llama 3":                              {family: "Llama 3", note: "strips white space"},
	"Llama 3 with a date":                  {family: "Llama 3", note: "today's date"},
	"Llama 2":                              {family: "Llama 2"},
	"Mistral":                              {family: "Mistral", note: "refuses system messages (roles must alternate)"},
	"Mistral with the system message last": {family: "Mistral"},
	"Gemma 2":                              {family: "Gemma", note: "System role not supported"},
	"Gemma 3":                              {family: "Gemma", note: "strips white space"},
	"Phi 3":                                {family: "Phi 3"},
	"Zephyr":                               {family: "Zephyr"},
	"DeepSeek":                             {family: "DeepSeek"},
	"Command R":                            {family: "Command R", note: "strips white space"},
	"Granite":                              {family: "Granite"},
	"Vicuna":                               {family: "Vicuna"},
	"Alpaca":                               {family: "Alpaca"},
	"braces":                               {},
	"one brace":                            {},
	"no system message":                    {note: "leaves out system messages"},
	"date":                                 {reason: "it writes the date"},
	"in parts":                             {family: "ChatML", system: "See."},
	"date of Ollama":                       {},
	"numbered":                             {reason: "it does more than to put texts around messages"},
	"length":                               {reason: "it does more than to put texts around messages"},
	"upper case":                           {reason: "a message is missing or out of order"},
	"only the last":                        {reason: "a message is missing or out of order"},
	"twice":                                {reason: "more than once"},
	"always raises":                        {reason: "not for chat"},
	"newlines lost":                        {reason: "it does more than to put texts around messages"},
	"empty":                                {reason: "a message is missing or out of order"},
}

func TestPromptsAreThoseOfTransformers(t *testing.T) {
	g := readGolden(t)
	for _, c := range g.Templates {
		tmpl, err := chattemplate.Parse(c.Template, tokens)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if c.Name == "in parts" {
			tmpl = tmpl.InParts()
		}
		for i, want := range c.Prompts {
			got, err := tmpl.Prompt(messages(g.Conversations[i]))
			if want == nil && err == nil && !strings.Contains(c.Template, "strftime") {
				t.Errorf("%s: conversation %d gives %q and not an error", c.Name, i, got)
			}
			if want != nil && (err != nil || got != *want) {
				t.Errorf("%s: conversation %d gives %q, %v\nwant %q", c.Name, i, got, err, *want)
			}
		}
	}
}

// Templates are recognized, and what is made of them gives the prompts of
// transformers, or the reason why they are not is told.
func TestRecognize(t *testing.T) {
	g := readGolden(t)
	for _, c := range g.Templates {
		want, ok := expected[c.Name]
		if !ok {
			t.Errorf("%s: nothing is expected of it", c.Name)
			continue
		}
		got, err := chattemplate.Recognize(c.Template, tokens)
		if want.reason != "" {
			if _, ok := errors.AsType[*chattemplate.UnknownError](err); !ok || !strings.Contains(err.Error(), want.reason) {
				t.Errorf("%s: got %v, want %q", c.Name, err, want.reason)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if notes := strings.Join(got.Notes, "|"); got.Family != want.family || got.System != want.system || !strings.Contains(notes, want.note) || want.note == "" && notes != "" {
			t.Errorf("%s: got family %q, system %q, notes %q; want %+v", c.Name, got.Family, got.System, notes, want)
		}
		ollama, err := modelfile.ParseTemplate(got.Template)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		for i, prompt := range c.Prompts {
			conversation := messages(g.Conversations[i])
			if conversation[0].Role != "system" && got.System != "" {
				conversation = append([]chattemplate.Message{{Role: "system", Content: got.System}}, conversation...)
			}
			made, err := chattemplate.OllamaPrompt(ollama, conversation)
			if err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
			if prompt != nil && made != strings.TrimPrefix(*prompt, tokens.BOS) {
				t.Errorf("%s: conversation %d: Ollama sees %q\nwant %q\nfrom %s", c.Name, i, made, *prompt, got.Template)
			}
		}
	}
}

// A tokenizer that adds no BOS leaves it to the template.
func TestBOS(t *testing.T) {
	const source = "{{ bos_token }}{% for m in messages %}{{ '<' + m.role + '>' + m.content }}{% endfor %}<assistant>"
	for _, adds := range []bool{true, false} {
		got, err := chattemplate.Recognize(source, chattemplate.Tokens{BOS: "<s>", AddsBOS: adds})
		if err != nil {
			t.Fatal(err)
		}
		if has := strings.Contains(got.Template, "<s>"); has == adds {
			t.Errorf("the tokenizer adds BOS: %v, and the template has it: %v", adds, has)
		}
	}
}

// What SYSTEM undone, or an answer that is begun, gives.
func TestOtherConversations(t *testing.T) {
	const source = "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\nDefault.<|im_end|>\n' }}{% endif %}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
	got, err := chattemplate.Recognize(source, chattemplate.Tokens{})
	if err != nil {
		t.Fatal(err)
	}
	ollama, err := modelfile.ParseTemplate(got.Template)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		conversation [][2]string
		want         string
	}{
		{[][2]string{{"user", "a"}}, "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n"},
		{[][2]string{{"user", "a"}, {"assistant", "b"}}, "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb"},
		{[][2]string{{"user", "a"}, {"user", "b"}}, "<|im_start|>user\na\n\nb<|im_end|>\n<|im_start|>assistant\n"},
	} {
		if prompt, err := chattemplate.OllamaPrompt(ollama, messages(c.conversation)); err != nil || prompt != c.want {
			t.Errorf("%v: got %q, %v; want %q", c.conversation, prompt, err, c.want)
		}
	}
}

func TestHostile(t *testing.T) {
	for name, source := range map[string]string{
		"loop":           "{% for i in range(100000000) %}{% for j in range(100000000) %}{% endfor %}{% endfor %}",
		"long prompts":   "{{ 'a' * 10000000 }}{% for m in messages %}{{ m.content }}{% endfor %}",
		"calls itself":   "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
		"not a template": "{% if",
		"too large":      strings.Repeat("x", 1<<20),
		"reads a file":   "{% include '/etc/passwd' %}",
		"no text":        "{% for m in messages %}{% endfor %}",
	} {
		got, err := chattemplate.Recognize(source, tokens)
		if err == nil && len(got.Template) > 1<<24 {
			t.Errorf("%s: the template has %d bytes", name, len(got.Template))
		}
		if err == nil && name != "long prompts" {
			t.Errorf("%s is recognized as %q", name, got.Template)
		}
	}
}

// Whatever is recognized can be run by Ollama.
func FuzzRecognize(f *testing.F) {
	for _, c := range readGolden(f).Templates {
		f.Add(c.Template, true)
	}
	f.Add("{% for m in messages %}{{ '{{ .X }}[[' ~ m.role ~ ' -}}' ~ m.content }}{% endfor %}{{ '{{- ' }}", false)
	f.Fuzz(func(t *testing.T, source string, adds bool) {
		got, err := chattemplate.Recognize(source, chattemplate.Tokens{BOS: "<s>", EOS: "</s>", AddsBOS: adds})
		if err != nil {
			return
		}
		if _, err := modelfile.ParseTemplate(got.Template); err != nil {
			t.Fatalf("%q: %v", got.Template, err)
		}
	})
}
