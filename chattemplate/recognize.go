package chattemplate

import (
	"strings"
	"text/template"
	"time"

	"github.com/gguftool/gguftool/modelfile"
)

// A Recognized template is one that Ollama runs to the same prompts.
type Recognized struct {
	Family   string // what templates with such turns are called, or ""
	Template string // for TEMPLATE
	System   string // what the model's template says where there is no system message, for SYSTEM
	Notes    []string

	// BeforeUser and AfterModel are what a model that goes on by itself would
	// write at the end of its turn.
	AfterModel, BeforeUser string
}

// Recognize makes a template for Ollama from a model's own and holds it against
// it. An *UnknownError says why there is none.
func Recognize(source string, tokens Tokens) (*Recognized, error) {
	t, err := Parse(source, tokens)
	if err != nil {
		return nil, unknownf("%v", err)
	}
	found, err := t.recognizeAnyDay()
	if err != nil {
		if inParts, err := t.InParts().recognizeAnyDay(); err == nil {
			return inParts, nil
		}
	}
	return found, err
}

// recognizeAnyDay recognizes a template that may write the date.
func (t *Template) recognizeAnyDay() (*Recognized, error) {
	day := time.Date(2024, 2, 29, 13, 14, 15, 0, time.UTC)
	later := day.AddDate(1, 3, 5)
	if sameOn(t.At(day), t.At(later)) {
		return t.recognize("", day)
	}
	// Ollama writes dates as 2024-02-29. Where that does not do, what the template
	// writes without a clock may.
	if found, err := t.recognize(time.DateOnly, day, later); err == nil {
		return found, nil
	}
	if !runs(t) {
		return nil, unknownf("it writes the date, which templates of Ollama cannot write in this way")
	}
	found, err := t.recognize("", time.Time{})
	if err == nil {
		found.Notes = append(found.Notes, "The model's template writes today's date. This one has the date that it writes without a clock.")
	}
	return found, err
}

// recognize learns the template at the first of some times and compares what it
// makes at all of them. With a layout, dates that are written so may differ.
func (t *Template) recognize(dates string, times ...time.Time) (*Recognized, error) {
	t = t.At(times[0])
	date := ""
	if dates != "" {
		date = times[0].Format(dates)
	}
	learned, err := t.learn(date)
	if err != nil {
		return nil, err
	}
	text, err := learned.write()
	if err != nil {
		return nil, err
	}
	ollama, err := modelfile.ParseTemplate(text)
	if err != nil {
		return nil, unknownf("what was made of it is no template: %v", err)
	}
	for _, now := range times {
		if dates != "" {
			ollama.Funcs(template.FuncMap{"currentDate": func(...string) string { return now.Format(dates) }})
		}
		if err := learned.compare(t.At(now), ollama); err != nil {
			return nil, err
		}
	}
	var notes []string
	switch learned.system {
	case systemRefused:
		notes = append(notes, "The model's template refuses system messages ("+oneLine(learned.refusal)+"). This one puts them in front of the user's first message.")
	case systemDropped:
		notes = append(notes, "The model's template leaves out system messages, and so does this one.")
	}
	if learned.trims(t.At(times[len(times)-1]), ollama) {
		notes = append(notes, "The model's template strips white space at the ends of messages, which templates of Ollama cannot do.")
	}
	_, l := learned.layout()
	return &Recognized{
		Family: family(learned), Template: text, System: learned.defaultSystem, Notes: notes,
		AfterModel: l.ModelAfter, BeforeUser: l.UserBefore,
	}, nil
}

func oneLine(s string) string {
	const most = 120
	if s = strings.Join(strings.Fields(s), " "); len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

func runs(t *Template) bool {
	_, err := t.Prompt([]Message{user(userWord)})
	return err == nil
}

// sameOn reports whether a template writes the same at two times.
func sameOn(a, b *Template) bool {
	for _, messages := range [][]Message{{user(userWord)}, {system(systemWord), user(userWord)}} {
		x, err1 := a.Prompt(messages)
		y, err2 := b.Prompt(messages)
		if x != y || (err1 == nil) != (err2 == nil) {
			return false
		}
	}
	return true
}

// Conversations that both templates are run on. What is in them is what would
// show that a template reads or changes messages.
var conversations = [][]Message{
	{user("What is 2+2?")},
	{system("Answer in one word."), user("What is the capital of France?")},
	{user("Hello"), model("Hi there! How can I help?"), user("Tell me a joke.")},
	{system("You are a pirate."), user("Hello"), model("Ahoy!"), user("Who are you?")},
	{
		system("Be brief.\n\nDo not use lists."), user("First question\nin two lines"), model("First answer.\n\nWith a paragraph."),
		user("Second question?"), model("Second answer"), user("Third question"), model("Third answer."), user("Fourth {{ question }} {% with %} \"tags\" & 'quotes' <b>"),
	},
	{user("用中文回答 🙂 naïve"), model("好的。"), user("1.\n2.\n\n3.")},
	{user("a"), model("b"), user("c"), model("d"), user("e")},
	{user(strings.Repeat("A long message. ", 200) + "End.")},
}

// compare runs both templates on all conversations.
func (t *turns) compare(model *Template, ollama *template.Template) error {
	compared := 0
	for _, messages := range conversations {
		if messages[0].Role == "system" && t.system == systemRefused {
			continue
		}
		want, got, err := t.both(model, ollama, messages)
		if err != nil {
			return explained(err, "a longer conversation")
		}
		if got != want {
			return unknownf("it does more than to put texts around messages: %s", difference(want, got))
		}
		compared++
	}
	if compared == 0 {
		return unknownf("it takes no conversation")
	}
	return nil
}

// both returns the prompts of the model's template and of Ollama's, which puts
// SYSTEM in front where there is no system message.
func (t *turns) both(model *Template, ollama *template.Template, messages []Message) (want, got string, err error) {
	if want, err = model.Prompt(messages); err != nil {
		return "", "", err
	}
	if model.tokens.AddsBOS {
		want = strings.TrimPrefix(want, model.tokens.BOS)
	}
	if messages[0].Role != "system" && t.defaultSystem != "" {
		messages = append([]Message{system(t.defaultSystem)}, messages...)
	}
	got, err = OllamaPrompt(ollama, messages)
	return want, got, err
}

// trims reports whether the model's template leaves out white space around
// contents.
func (t *turns) trims(m *Template, ollama *template.Template) bool {
	want, got, err := t.both(m, ollama, []Message{user(" a\n"), model("\n b "), user(" c\n")})
	return err == nil && want != got
}

// difference shows where two prompts part.
func difference(want, got string) string {
	n := commonPrefix(want, got)
	show := func(s string) string {
		s = s[max(0, n-10):min(len(s), n+30)]
		return strings.ToValidUTF8(s, "")
	}
	return strings.Join([]string{quoted(show(want)), "where", quoted(show(got)), "was expected"}, " ")
}

func quoted(s string) string {
	return `"` + strings.NewReplacer("\n", `\n`, `"`, `\"`).Replace(s) + `"`
}

// families are the names of templates by what stands in front of an answer. The
// first that is found counts.
var families = []struct{ answer, name string }{
	{"<|im_start|>assistant<|im_sep|>", "Phi 4"},
	{"<|im_start|>assistant", "ChatML"},
	{"<|start_header_id|>assistant<|end_header_id|>", "Llama 3"},
	{"<start_of_turn>model", "Gemma"},
	{"<|turn>model", "Gemma 4"},
	{"<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>", "Command R"},
	{"<|start_of_role|>assistant<|end_of_role|>", "Granite"},
	{"<｜Assistant｜>", "DeepSeek"},
	{"<|assistant_start|>", "Apertus"},
	{"<|im_assistant|>", "Kimi"},
	{"[|assistant|]", "EXAONE"},
	{"[/INST]", "Mistral"},
	{"### Response:", "Alpaca"},
	{"ASSISTANT:", "Vicuna"},
	{"GPT4 Correct Assistant:", "OpenChat"},
}

// family names the template.
func family(t *turns) string {
	switch {
	case strings.Contains(t.startSystem, "<<SYS>>"):
		return "Llama 2"
	case strings.Contains(t.userAnswer, "<|assistant|>") && strings.Contains(t.modelUser, "<|end|>"):
		return "Phi 3"
	case strings.Contains(t.userAnswer, "<|assistant|>") && strings.Contains(t.modelUser, "</s>"):
		return "Zephyr"
	}
	for _, f := range families {
		if strings.Contains(t.userAnswer, f.answer) {
			return f.name
		}
	}
	return ""
}
