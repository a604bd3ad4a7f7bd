package chattemplate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gguftool/gguftool/internal/jinja"
)

// Contents of messages that are looked for in prompts. They are words that no
// template has, and have nothing that a template would change.
const (
	systemWord = "Quokkasystem"
	userWord   = "Quokkauser"
	user2Word  = "Quokkaagain"
	modelWord  = "Quokkaanswer"
)

// turns are the texts between messages: what follows one role and comes before
// the next.
type turns struct {
	startSystem, startUser string
	systemUser             string
	userModel, userAnswer  string // before a message of the model, and where it is to write one
	modelUser              string
	system                 systemPlace
	refusal                string // why the template takes no system message
	date                   string // today's, where these texts may have it as Ollama writes it; else ""
	defaultSystem          string // what it writes where there is none
}

// A systemPlace is where a template puts the system message.
type systemPlace int

const (
	systemFirst   systemPlace = iota
	systemLast                // into the last message of the user
	systemRefused             // the template raises an error
	systemDropped             // nowhere
)

// An UnknownError says why no template was made.
type UnknownError struct{ Reason string }

func (e *UnknownError) Error() string { return "the chat template is unknown: " + e.Reason }

func unknownf(format string, args ...any) error {
	return &UnknownError{fmt.Sprintf(format, args...)}
}

// between runs the template on messages and returns what stands around their
// contents, one text more than there are contents. The contents come in the
// order of words.
func (t *Template) between(messages []Message, words ...string) ([]string, error) {
	prompt, err := t.Prompt(messages)
	if err != nil {
		return nil, err
	}
	if t.tokens.AddsBOS && t.tokens.BOS != "" {
		prompt = strings.TrimPrefix(prompt, t.tokens.BOS)
	}
	var parts []string
	for _, w := range words {
		if n := strings.Count(prompt, w); n > 1 {
			return nil, unknownf("it writes a message more than once")
		}
		before, after, ok := strings.Cut(prompt, w)
		if !ok {
			return nil, errOrder
		}
		parts, prompt = append(parts, before), after
	}
	return append(parts, prompt), nil
}

// errOrder says that messages are missing, or come in another order.
var errOrder = errors.New("a message is missing or out of order")

func system(text string) Message { return Message{"system", text} }
func user(text string) Message   { return Message{"user", text} }
func model(text string) Message  { return Message{"assistant", text} }

// learn finds the texts between messages; date is that of today in them, if they
// may have it.
func (t *Template) learn(date string) (*turns, error) {
	out := &turns{date: date}
	alone, err := t.between([]Message{user(userWord)}, userWord)
	if err != nil {
		return nil, explained(err, "a message of the user")
	}
	out.startUser, out.userAnswer = alone[0], alone[1]
	three, err := t.between([]Message{user(userWord), model(modelWord), user(user2Word)}, userWord, modelWord, user2Word)
	if err != nil {
		return nil, explained(err, "a conversation of three messages")
	}
	out.userModel, out.modelUser = three[1], three[2]
	if three[0] != out.startUser || three[3] != out.userAnswer {
		return nil, unknownf("a message is written in another way when others follow or come before")
	}
	return out, t.learnSystem(out)
}

// explained says which conversation a template fails on.
func explained(err error, what string) error {
	if _, ok := errors.AsType[*UnknownError](err); ok {
		return err
	}
	return unknownf("with %s: %v", what, err)
}

// learnSystem finds where a system message goes.
func (t *Template) learnSystem(out *turns) error {
	two, err := t.between([]Message{system(systemWord), user(userWord)}, systemWord, userWord)
	switch {
	case errors.Is(err, errOrder):
		prompt, err := t.Prompt([]Message{system(systemWord), user(userWord)})
		if err != nil || strings.Contains(prompt, systemWord) {
			return unknownf("the system message comes after that of the user")
		}
		out.system = systemDropped
		return nil
	case err != nil:
		if raised, ok := errors.AsType[*jinja.RaisedError](err); ok {
			out.system, out.refusal = systemRefused, raised.Text
			return nil
		}
		return explained(err, "a system message")
	}
	out.startSystem, out.systemUser = two[0], two[1]
	if two[2] != out.userAnswer {
		return unknownf("what follows the user's message depends on the system message")
	}
	conversation := []Message{system(systemWord), user(userWord), model(modelWord), user(user2Word)}
	if _, err := t.between(conversation, systemWord, userWord, modelWord, user2Word); err != nil {
		if _, err := t.between(conversation, userWord, modelWord, systemWord, user2Word); err != nil {
			return explained(err, "a conversation of four messages")
		}
		out.system = systemLast
		return nil
	}
	// A default is what the template writes between the same texts as a system
	// message when there is none.
	inner, ok := strings.CutPrefix(out.startUser, out.startSystem)
	if inner, ok2 := strings.CutSuffix(inner, out.systemUser); ok && ok2 && inner != "" && out.startSystem != "" && !out.hasDate(inner) {
		out.defaultSystem = inner
		out.startUser = afterTurn(out.modelUser, out.startSystem)
	}
	return nil
}

// hasDate reports whether a text has today's date, which SYSTEM cannot have.
func (t *turns) hasDate(text string) bool { return t.date != "" && strings.Contains(text, t.date) }

// afterTurn returns the end of a text between messages that begins as a first
// message does: what is left of it where no message comes before.
func afterTurn(between, start string) string {
	best, longest := len(between), 0
	for i := range between {
		if n := commonPrefix(between[i:], start); n > longest {
			best, longest = i, n
		}
	}
	return between[best:]
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func commonSuffix(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	// Do not begin inside a character.
	for n > 0 && a[len(a)-n]&0xc0 == 0x80 {
		n--
	}
	return a[len(a)-n:]
}
