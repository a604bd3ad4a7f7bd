package modelfile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
)

// templateFuncs are the functions that Ollama adds to those of text/template.
// None fails. The argument of toTypeScriptType is a property of a tool, of which
// there are none outside Ollama.
var templateFuncs = template.FuncMap{
	"json": func(v any) string {
		text, _ := json.Marshal(v)
		return string(text)
	},
	"currentDate":      func(...string) string { return time.Now().Format(time.DateOnly) },
	"yesterdayDate":    func(...string) string { return time.Now().AddDate(0, 0, -1).Format(time.DateOnly) },
	"toTypeScriptType": func(any) string { return "any" },
}

// MaxTemplate is the most bytes of a template. Parsing goes down with what is
// nested in it; templates of models have a few thousand bytes.
const MaxTemplate = 256 << 10

// ParseTemplate reads the text of a TEMPLATE with the functions of Ollama.
func ParseTemplate(text string) (*template.Template, error) {
	if len(text) > MaxTemplate {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(text), MaxTemplate)
	}
	return template.New("TEMPLATE").Option("missingkey=zero").Funcs(templateFuncs).Parse(text)
}

// variables are what templates see at the top, and fields what is below.
var (
	variables = []string{"System", "Prompt", "Response", "Messages", "Tools", "Suffix", "Think", "ThinkLevel", "IsThinkSet"}
	fields    = []string{
		"Role", "Content", "Thinking", "Images", "ToolCalls", "ToolName", "ToolCallID", // of messages
		"ID", "Function", "Index", "Name", "Arguments", // of calls of tools
		"Type", "Items", "Description", "Parameters", "Defs", "Required", "Properties", "Enum", "AnyOf", // of tools
	}
)

// A templateUse is a name that a template asks for.
type templateUse struct {
	name string
	at   int // byte of the template
}

// mostUnknown is how many unknown names of a template are told of.
const mostUnknown = 10

// checkTemplate returns what is wrong with the text of a TEMPLATE. Lines count
// from that of the instruction's value.
func checkTemplate(text string) (problems []Problem) {
	t, err := ParseTemplate(text)
	if err != nil {
		line, message := templateError(err)
		return []Problem{{Severity: Wrong, At: Position{line, 0}, Text: "the template is not valid: " + message}}
	}
	var uses []templateUse
	for _, part := range t.Templates() {
		if part.Tree != nil {
			uses = append(uses, usesOf(part.Root)...)
		}
	}
	seen := map[string]bool{}
	for _, u := range uses {
		if !seen[u.name] && len(problems) < mostUnknown && !slices.Contains(variables, u.name) && !slices.Contains(fields, u.name) {
			problems = append(problems, Problem{Severity: Doubtful, At: Position{1 + strings.Count(text[:min(u.at, len(text))], "\n"), 0},
				Text: fmt.Sprintf("templates see no .%s, so that nothing stands in its place", u.name),
				Hint: didYouMean(u.name, append(slices.Clone(variables), fields...))})
		}
		seen[u.name] = true
	}
	if !seen["Messages"] && !seen["Prompt"] {
		problems = append(problems, Problem{Severity: Doubtful, At: Position{1, 0},
			Text: "the template has neither .Messages nor .Prompt, so that the model does not see what it is asked"})
	}
	return problems
}

// templateError takes "template: TEMPLATE:3: text" apart.
func templateError(err error) (line int, text string) {
	text = strings.TrimPrefix(err.Error(), "template: TEMPLATE:")
	if _, scanErr := fmt.Sscanf(text, "%d", &line); scanErr != nil {
		return 1, err.Error()
	}
	_, text, _ = strings.Cut(text, ": ")
	return line, text
}

// usesOf returns the first names of all fields below n.
func usesOf(n parse.Node) []templateUse {
	var all []templateUse
	var walk func(parse.Node)
	use := func(n parse.Node, idents []string) {
		if len(idents) > 0 {
			all = append(all, templateUse{idents[0], int(n.Position())})
		}
	}
	list := func(l *parse.ListNode) {
		if l != nil {
			for _, n := range l.Nodes {
				walk(n)
			}
		}
	}
	branch := func(b *parse.BranchNode) {
		walk(b.Pipe)
		list(b.List)
		list(b.ElseList)
	}
	walk = func(n parse.Node) {
		switch n := n.(type) {
		case *parse.ListNode:
			list(n)
		case *parse.ActionNode:
			walk(n.Pipe)
		case *parse.TemplateNode:
			if n.Pipe != nil {
				walk(n.Pipe)
			}
		case *parse.IfNode:
			branch(&n.BranchNode)
		case *parse.RangeNode:
			branch(&n.BranchNode)
		case *parse.WithNode:
			branch(&n.BranchNode)
		case *parse.PipeNode:
			for _, c := range n.Cmds {
				for _, a := range c.Args {
					walk(a)
				}
			}
		case *parse.FieldNode:
			use(n, n.Ident)
		case *parse.VariableNode: // $ is the top
			if n.Ident[0] == "$" {
				use(n, n.Ident[1:])
			}
		case *parse.ChainNode:
			walk(n.Node)
		}
	}
	walk(n)
	return all
}

// renderers and parsers are those that version 0.24 has built in.
var (
	renderers = []string{
		"qwen3-coder", "qwen3-vl-instruct", "qwen3-vl-thinking", "qwen3.5", "cogito", "deepseek3.1", "olmo3", "olmo3.1", "olmo3-think",
		"olmo3-32b-think", "nemotron-3-nano", "gemma4", "gemma4-small", "gemma4-large", "functiongemma", "glm-4.7", "glm-ocr", "lfm2",
		"lfm2-thinking", "laguna",
	}
	outputParsers = []string{
		"qwen3", "qwen3-thinking", "qwen3.5", "qwen3-coder", "qwen3-vl-instruct", "qwen3-vl-thinking", "ministral", "passthrough", "harmony",
		"cogito", "deepseek3", "olmo3", "olmo3-think", "nemotron-3-nano", "functiongemma", "glm-4.7", "gemma4", "gemma4-no-thinking",
		"glm-ocr", "lfm2", "lfm2-thinking", "laguna",
	}
)
