package modelfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Format writes f as a Modelfile that Parse, and Ollama, read as f. Comments and
// single empty lines between instructions stay. A file with a value that no
// Modelfile can hold is an error that names the instruction.
func Format(f *File) ([]byte, error) {
	var b strings.Builder
	for i := range f.Instructions {
		in := &f.Instructions[i]
		if err := writeComments(&b, in.Above, i == 0); err != nil {
			return nil, fmt.Errorf("instruction %d (%s): %w", i+1, in.Keyword, err)
		}
		if err := in.write(&b); err != nil {
			return nil, fmt.Errorf("instruction %d (%s): %w", i+1, in.Keyword, err)
		}
	}
	if err := writeComments(&b, f.Below, len(f.Instructions) == 0); err != nil {
		return nil, fmt.Errorf("after the last instruction: %w", err)
	}
	return []byte(b.String()), nil
}

func writeComments(b *strings.Builder, lines []string, first bool) error {
	for i, line := range lines {
		switch {
		case line == "" && (first && i == 0 || i > 0 && lines[i-1] == ""):
			continue
		case line != "" && line[0] != '#':
			return fmt.Errorf("the comment %q does not start with #", line)
		case strings.ContainsAny(line, "\r\n") || !utf8.ValidString(line):
			return fmt.Errorf("the comment %q has a line break or is not UTF-8", line)
		}
		b.WriteString(strings.TrimRight(line, " \t"))
		b.WriteByte('\n')
	}
	return nil
}

// write writes the instruction with a line break behind it.
func (in *Instruction) write(b *strings.Builder) error {
	if !slices.Contains(keywords, string(in.Keyword)) {
		return fmt.Errorf("there is no instruction %q", in.Keyword)
	}
	b.WriteString(string(in.Keyword))
	b.WriteByte(' ')
	switch {
	case in.Keyword == Message && !slices.Contains(roles, in.Name):
		return fmt.Errorf("a message has the role system, user or assistant, not %q", in.Name)
	case in.Keyword == Parameter && !isParameterName(in.Name):
		return fmt.Errorf("%q cannot be the name of a parameter", in.Name)
	case in.Keyword == Message || in.Keyword == Parameter:
		b.WriteString(in.Name)
		b.WriteByte(' ')
	case in.Name != "":
		return fmt.Errorf("only parameters and messages have a name, here %q", in.Name)
	}
	value, err := quoted(in.Keyword, in.Name, in.Value)
	if err != nil {
		return err
	}
	b.WriteString(value)
	b.WriteByte('\n')
	return nil
}

func isParameterName(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !isLetter(r) && !('0' <= r && r <= '9') && r != '_' }) < 0
}

// quoted returns the value as it stands in a file: bare where that is possible,
// prose and templates of several lines in three quotes, else in one quote.
func quoted(k Keyword, name, value string) (string, error) {
	if !utf8.ValidString(value) {
		return "", fmt.Errorf("the value %s is not UTF-8", abbreviated(value))
	}
	for _, r := range value {
		if !strconv.IsPrint(r) && !isSpace(r) && !isNewline(r) {
			return "", fmt.Errorf("a value cannot hold the character %U, which is left out when it is read", r)
		}
	}
	const one, three = `"`, `"""`
	forms := []string{"", one, three}
	if value == "" {
		forms = []string{one} // a space at the end of a line is easily lost
	} else if k == Parameter && name == "stop" {
		forms = []string{one, three, ""}
	} else if strings.ContainsAny(value, "\r\n") {
		forms = []string{three, one}
	}
	for _, quote := range forms {
		if text := quote + value + quote; reads(text, value) {
			return text, nil
		}
	}
	return "", fmt.Errorf("no quotes can hold the value %s: it has lines that end with %s", abbreviated(value), three)
}

// reads reports whether text, up to its end, is read as value.
func reads(text, value string) bool {
	start, end := 0, 0 // of what is without the white space around it
	for i, r := range text {
		switch {
		case !isSpace(r) && !isNewline(r):
			end = i + utf8.RuneLen(r)
			continue
		case isNewline(r):
			if _, early := closed(text[start:max(start, end)]); early {
				return false
			}
		}
		if end == 0 {
			start = i + 1
		}
	}
	got, ok := closed(text[start:max(start, end)])
	return ok && got == value
}

func abbreviated(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}
