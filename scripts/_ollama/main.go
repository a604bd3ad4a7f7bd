// Ollama holds package modelfile and package chattemplate against Ollama itself,
// version 0.24.0, whose parser and templates it has as a library. It is a module
// of its own, so that the program does not depend on Ollama.
//
//	go run . golden   CASES.txt >GOLDEN.json   what Ollama reads in each line, a quoted text
//	go run . random   N                        N random Modelfiles: both read the same
//	go run . prompts  TEMPLATE.jinja...        templates made of these: both write the same prompts
//	go run . rendered PROMPTS.json             the prompts of chattemplate/testdata/golden.py are those of our Jinja
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ollama/ollama/api"
	"github.com/ollama/ollama/parser"
	ollamatemplate "github.com/ollama/ollama/template"

	"github.com/gguftool/gguftool/chattemplate"
	"github.com/gguftool/gguftool/modelfile"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "golden":
		return golden(args[1])
	case len(args) == 2 && args[0] == "random":
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		return random(n)
	case len(args) > 1 && args[0] == "prompts":
		return prompts(args[1:])
	case len(args) == 2 && args[0] == "rendered":
		return rendered(args[1])
	}
	return errors.New("usage: golden CASES.txt | random N | prompts TEMPLATE.jinja... | rendered PROMPTS.json")
}

// A result is what Ollama reads in a file.
type result struct {
	Input    string     `json:"input"` // quoted, as it need not be UTF-8
	Commands [][]string `json:"commands,omitempty"`
	Error    string     `json:"error,omitempty"`
}

func read(data string) result {
	r := result{Input: strconv.QuoteToASCII(data)}
	f, err := parser.ParseFile(strings.NewReader(data))
	if err != nil {
		r.Error = err.Error()
		return r
	}
	for _, c := range f.Commands {
		r.Commands = append(r.Commands, []string{c.Name, c.Args})
	}
	return r
}

func golden(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	all := []result{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if s.Text() == "" || strings.HasPrefix(s.Text(), "//") {
			continue
		}
		data, err := strconv.Unquote(s.Text())
		if err != nil {
			return fmt.Errorf("%s: %w", s.Text(), err)
		}
		all = append(all, read(data))
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	return enc.Encode(all)
}

// ours returns what package modelfile reads, in Ollama's words.
func ours(data string) ([][]string, error) {
	f, err := modelfile.Parse([]byte(data))
	if err != nil {
		return nil, err
	}
	var all [][]string
	for _, in := range f.Instructions {
		switch in.Keyword {
		case modelfile.From:
			all = append(all, []string{"model", in.Value})
		case modelfile.Parameter:
			all = append(all, []string{in.Name, in.Value})
		case modelfile.Message:
			all = append(all, []string{"message", in.Name + ": " + in.Value})
		default:
			all = append(all, []string{strings.ToLower(string(in.Keyword)), in.Value})
		}
	}
	return all, nil
}

// compare tells how readings differ, or "". Two differences are meant: a file
// without FROM is read, and a parameter without name is not.
func compare(data string) string {
	want := read(data)
	got, err := ours(data)
	if want.Error == "no FROM line" {
		return ""
	}
	if want.Error != "" {
		if err == nil {
			return fmt.Sprintf("Ollama refuses it (%s), we read %q", want.Error, got)
		}
		return ""
	}
	for _, c := range want.Commands {
		if c[0] == "" {
			if err == nil {
				return "the parameter has no name, and we read it"
			}
			return ""
		}
	}
	if err != nil {
		return fmt.Sprintf("Ollama reads %q, we refuse it: %v", want.Commands, err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want.Commands) {
		return fmt.Sprintf("Ollama reads %q, we read %q", want.Commands, got)
	}
	// What Format writes is the same to Ollama.
	f, err := modelfile.Parse([]byte(data))
	if err != nil {
		return err.Error()
	}
	text, err := modelfile.Format(f)
	if err != nil {
		return fmt.Sprintf("it cannot be written: %v", err)
	}
	if again := read(string(text)); fmt.Sprint(again.Commands) != fmt.Sprint(want.Commands) {
		return fmt.Sprintf("written as %q, Ollama reads %q (%s) and not %q", text, again.Commands, again.Error, want.Commands)
	}
	return ""
}

func random(n int) error {
	parts := []string{
		"FROM ", "from\t", "FROM x\n", "PARAMETER ", "parameter stop ", "PARAMETER num_ctx 4", "TEMPLATE ", "SYSTEM ", "MESSAGE ", "MESSAGE user ",
		"MESSAGE assistant ", "LICENSE ", "ADAPTER ", "REQUIRES ", "RENDERER ", "PARSER ", "DRAFT ", "FORM ", "message System ",
		`"`, `""`, `"""`, `""""`, "'", "\n", "\r\n", "\r", " ", "  ", "\t", "#", "# c\n", "x", "word", "é", "漢字", "🙂", "\u200b", "\u200d", "\u00a0", "\ufeff",
		"\x00", "\x01", "\x7f", "\xff", "\xc3", "\xed\xa0\x80", "\\", "\\\n", ": ", "system: ", "0", "_", "-", "\v", "\f", "\u2028", "\u3000", "\ufffd", "K", "ſ",
	}
	rng := rand.New(rand.NewPCG(1, 2))
	read := 0
	for i := range n {
		var b strings.Builder
		for range 1 + rng.IntN(14) {
			b.WriteString(parts[rng.IntN(len(parts))])
		}
		data := b.String()
		switch rng.IntN(40) {
		case 0:
			data = "\xef\xbb\xbf" + data
		case 1:
			data = "\xff\xfe" + utf16(data, false)
		case 2:
			data = "\xfe\xff" + utf16(data, true)
		case 3:
			data = data[:rng.IntN(len(data)+1)]
		}
		if problem := compare(data); problem != "" {
			return fmt.Errorf("file %d, %q: %s", i, data, problem)
		}
		if _, err := parser.ParseFile(strings.NewReader(data)); err == nil {
			read++
		}
	}
	fmt.Printf("%d random files, %d of which Ollama reads: the same\n", n, read)
	return nil
}

func utf16(s string, big bool) string {
	var b bytes.Buffer
	for _, r := range s {
		units := []rune{r}
		if r > 0xffff {
			r -= 0x10000
			units = []rune{0xd800 + r>>10, 0xdc00 + r&0x3ff}
		}
		for _, u := range units {
			if big {
				b.Write([]byte{byte(u >> 8), byte(u)})
			} else {
				b.Write([]byte{byte(u), byte(u >> 8)})
			}
		}
	}
	return b.String()
}

// prompts makes a template of each and has both run it.
func prompts(paths []string) error {
	recognized, compared := 0, 0
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found, err := chattemplate.Recognize(string(source), chattemplate.Tokens{BOS: "<s>", EOS: "</s>", Unknown: "<unk>", Pad: "<pad>", AddsBOS: true})
		if err != nil {
			fmt.Printf("%s: %v\n", path, err)
			continue
		}
		recognized++
		ollama, err := ollamatemplate.Parse(found.Template)
		if err != nil {
			return fmt.Errorf("%s: Ollama refuses the template: %w", path, err)
		}
		our, err := modelfile.ParseTemplate(found.Template)
		if err != nil {
			return err
		}
		for _, messages := range conversations {
			var b strings.Builder
			var values ollamatemplate.Values
			for _, m := range messages {
				values.Messages = append(values.Messages, api.Message{Role: m.Role, Content: m.Content})
			}
			if err := ollama.Execute(&b, values); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			got, err := chattemplate.OllamaPrompt(our, messages)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if got != b.String() {
				return fmt.Errorf("%s: Ollama writes %q, we expect %q", path, b.String(), got)
			}
			compared++
		}
	}
	fmt.Printf("%d of %d templates recognized, %d prompts the same as Ollama's\n", recognized, len(paths), compared)
	return nil
}

var conversations = [][]chattemplate.Message{
	{{Role: "user", Content: "Hello {{ .Content }}"}},
	{{Role: "system", Content: "Be brief."}, {Role: "user", Content: "Hello"}},
	{{Role: "system", Content: "Be brief."}, {Role: "system", Content: "And kind."}, {Role: "user", Content: "a"}, {Role: "user", Content: "b"}},
	{{Role: "user", Content: "a"}, {Role: "assistant", Content: "b"}, {Role: "user", Content: " c\n"}},
	{{Role: "user", Content: "a"}, {Role: "assistant", Content: "prefill"}},
	{{Role: "user", Content: "a"}, {Role: "system", Content: "later"}, {Role: "user", Content: "b"}, {Role: "assistant", Content: "c"}, {Role: "user", Content: "d"}},
}

// rendered runs templates on the conversations that transformers ran them on,
// today.
func rendered(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var golden struct {
		Conversations [][][2]string
		Templates     []struct {
			Name, Template string
			Prompts        []*string
		}
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		return err
	}
	same := 0
	for _, c := range golden.Templates {
		t, err := chattemplate.Parse(c.Template, chattemplate.Tokens{BOS: "<s>", EOS: "</s>"})
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		for i, want := range c.Prompts {
			var messages []chattemplate.Message
			for _, m := range golden.Conversations[i] {
				messages = append(messages, chattemplate.Message{Role: m[0], Content: m[1]})
			}
			got, err := t.At(time.Now()).Prompt(messages)
			switch {
			case want == nil && err == nil:
				return fmt.Errorf("%s: transformers fails with conversation %d, we write %q", c.Name, i, got)
			case want != nil && err != nil:
				return fmt.Errorf("%s: conversation %d: %w", c.Name, i, err)
			case want != nil && got != *want:
				return fmt.Errorf("%s: conversation %d: transformers writes %q, we write %q", c.Name, i, *want, got)
			}
			same++
		}
	}
	fmt.Printf("%d prompts of %d templates are those of transformers\n", same, len(golden.Templates))
	return nil
}
