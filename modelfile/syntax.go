package modelfile

import (
	"fmt"
	"strings"
)

// A Keyword is the name of an instruction, in upper case.
type Keyword string

// All instructions.
const (
	From      Keyword = "FROM"
	Parameter Keyword = "PARAMETER"
	Template  Keyword = "TEMPLATE"
	System    Keyword = "SYSTEM"
	Adapter   Keyword = "ADAPTER"
	License   Keyword = "LICENSE"
	Message   Keyword = "MESSAGE"
	Requires  Keyword = "REQUIRES"
	Renderer  Keyword = "RENDERER"
	Parser    Keyword = "PARSER"
	Draft     Keyword = "DRAFT"
)

var keywords = []string{
	string(From), string(Parameter), string(Template), string(System), string(Adapter), string(License),
	string(Message), string(Requires), string(Renderer), string(Parser), string(Draft),
}

// roles are those a message may have; their case matters.
var roles = []string{"system", "user", "assistant"}

// A Position is a place in a file. Lines and columns count from 1, columns in
// characters. The zero value is no place.
type Position struct{ Line, Column int }

func (p Position) String() string { return fmt.Sprintf("%d:%d", p.Line, p.Column) }

// An Instruction is a keyword with its value.
type Instruction struct {
	Keyword Keyword
	Name    string   // of a parameter, or the role of a message; empty for others
	Value   string   // without quotes
	Above   []string // comments above it, with their #; "" stands for empty lines

	At      Position // of the keyword
	NameAt  Position
	ValueAt Position // of its first character, a quote where there is one

	// Omitted are the characters that were left out of the value.
	Omitted []Omission
}

// An Omission is a character of a file that is not part of the value it is in.
type Omission struct {
	Rune rune
	At   Position
}

// A File is the instructions of a Modelfile in their order.
type File struct {
	Instructions []Instruction
	Below        []string // comments after the last instruction, as in Instruction.Above
}

// Add appends an instruction; name is that of a parameter or a message's role,
// or empty.
func (f *File) Add(k Keyword, name, value string) *Instruction {
	f.Instructions = append(f.Instructions, Instruction{Keyword: k, Name: name, Value: value})
	return &f.Instructions[len(f.Instructions)-1]
}

// Values returns the values of all instructions with the keyword.
func (f *File) Values(k Keyword) []string {
	var all []string
	for i := range f.Instructions {
		if f.Instructions[i].Keyword == k {
			all = append(all, f.Instructions[i].Value)
		}
	}
	return all
}

// Last returns the value of the last instruction with the keyword, which is the
// one that counts where only one can.
func (f *File) Last(k Keyword) (value string, ok bool) {
	for i := range f.Instructions {
		if f.Instructions[i].Keyword == k {
			value, ok = f.Instructions[i].Value, true
		}
	}
	return value, ok
}

// isSpace and isNewline are what separates words and lines; other white space
// of Unicode is none here.
func isSpace(r rune) bool   { return r == ' ' || r == '\t' }
func isNewline(r rune) bool { return r == '\n' || r == '\r' }

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

// closed reports whether a value that is read up to the end of a line is
// complete, and returns it without its quotes. The text is trimmed.
func closed(text string) (value string, ok bool) {
	for _, quote := range []string{`"""`, `"`} {
		if !strings.HasPrefix(text, quote) {
			continue
		}
		if len(text) < 2*len(quote) || !strings.HasSuffix(text, quote) {
			return "", false
		}
		return text[len(quote) : len(text)-len(quote)], true
	}
	return text, true
}
