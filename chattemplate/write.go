package chattemplate

import (
	"embed"
	"strings"
	"text/template"
)

// Two layouts hold all templates that can be made. Their holes are written
// [[ ]], and everything else is for Ollama.
//
//go:embed layouts/*.gotmpl
var layoutFiles embed.FS

var layouts = template.Must(template.New("").Delims("[[", "]]").ParseFS(layoutFiles, "layouts/*.gotmpl"))

// A layout is what the holes hold: what stands before and after each message.
type layout struct {
	Head         string // in front of all
	UserHead     string // in front of a message of the user that comes first
	SystemBefore string
	SystemAfter  string
	UserBefore   string
	UserAfter    string
	ModelBefore  string
	ModelAfter   string
	Answer       string // where the model is to write
	Merged       bool   // the system message begins the user's, which has nothing before it then
	Dropped      bool   // system messages are left out
	Date         string // what stands for today's date in the texts, or ""
}

// Lit writes a text of a template so that it stands for itself.
func (l *layout) Lit(text string) string {
	text = strings.ReplaceAll(text, "{{", `{{ "{{" }}`)
	if before, ok := strings.CutSuffix(text, "{"); ok { // an action follows
		text = before + `{{ "{" }}`
	}
	if l.Date != "" {
		text = strings.ReplaceAll(text, l.Date, "{{ currentDate }}")
	}
	return text
}

// layout divides the texts between messages into what belongs to the one and to
// the other. It returns the name of the file.
func (t *turns) layout() (string, *layout) {
	l := &layout{Date: t.date}
	l.UserBefore = commonSuffix(t.startUser, t.modelUser)
	l.Head = strings.TrimSuffix(t.startUser, l.UserBefore)
	l.ModelAfter = strings.TrimSuffix(t.modelUser, l.UserBefore)
	// What ends the model's turn often ends the user's too.
	if after := l.ModelAfter; after != "" && strings.HasPrefix(t.userModel, after) && strings.HasPrefix(t.userAnswer, after) {
		l.UserAfter = after
	}
	l.ModelBefore = strings.TrimPrefix(t.userModel, l.UserAfter)
	l.Answer = strings.TrimPrefix(t.userAnswer, l.UserAfter)
	switch t.system {
	case systemLast:
		l.SystemAfter = t.systemUser
		return "last.gotmpl", l
	case systemDropped:
		l.Dropped = true
		return "turns.gotmpl", l
	case systemRefused:
		l.Merged, l.SystemBefore, l.SystemAfter = true, l.UserBefore, "\n\n"
		return "turns.gotmpl", l
	}
	if before, ok := strings.CutPrefix(t.startSystem, l.Head); ok {
		l.SystemBefore = before
	} else { // the head stands in for a system message
		l.UserHead, l.Head = l.Head, ""
		l.SystemBefore = t.startSystem
	}
	if after, ok := strings.CutSuffix(t.systemUser, l.UserBefore); ok && l.UserBefore != "" {
		l.SystemAfter = after
	} else {
		l.Merged, l.SystemAfter = true, t.systemUser
	}
	return "turns.gotmpl", l
}

// write makes the template. Its lines begin and end with actions, and those at
// their beginning trim the line break, so that only texts add white space.
func (t *turns) write() (string, error) {
	name, l := t.layout()
	var b strings.Builder
	if err := layouts.ExecuteTemplate(&b, name, l); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
