package modelfile_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/modelfile"
)

func parse(t *testing.T, text string) *modelfile.File {
	t.Helper()
	f, err := modelfile.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPositions(t *testing.T) {
	f := parse(t, "# é\r\nFROM  x\r\n\r\n  PARAMETER stop\t\"a\r\nb\" \rMESSAGE user \"\"\"h\u200bi\"\"\"\nSYSTEM ")
	var got []modelfile.Position
	for _, in := range f.Instructions {
		got = append(got, in.At, in.NameAt, in.ValueAt)
	}
	want := []modelfile.Position{
		{2, 1}, {}, {2, 7},
		{4, 3}, {4, 13}, {4, 18},
		{6, 1}, {6, 9}, {6, 14},
		{7, 1}, {}, {7, 8},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if o := f.Instructions[2].Omitted; len(o) != 1 || o[0] != (modelfile.Omission{Rune: 0x200b, At: modelfile.Position{Line: 6, Column: 18}}) {
		t.Errorf("omitted: %v", o)
	}
}

func TestComments(t *testing.T) {
	f := parse(t, "\n\n# one \n\n\n  # two\nFROM x\n\n\n# three\n#four\nSYSTEM y\n\n# five\n\n")
	want := [][]string{{"# one", "", "# two"}, {"", "# three", "#four"}}
	for i, in := range f.Instructions {
		if !reflect.DeepEqual(in.Above, want[i]) {
			t.Errorf("above %s: %q, want %q", in.Keyword, in.Above, want[i])
		}
	}
	if !reflect.DeepEqual(f.Below, []string{"", "# five"}) {
		t.Errorf("below: %q", f.Below)
	}
	const formatted = "# one\n\n# two\nFROM x\n\n# three\n#four\nSYSTEM y\n\n# five\n"
	if text, err := modelfile.Format(f); err != nil || string(text) != formatted {
		t.Errorf("formatted as %q, %v", text, err)
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"FORM model":                             `line 1:1: unknown instruction "FORM"; did you mean FROM?`,
		"FROM x\n\n  TEMPLTE y":                  `line 3:3: unknown instruction "TEMPLTE"; did you mean TEMPLATE?`,
		"EXPOSE 80":                              `line 1:1: unknown instruction "EXPOSE"; choose one of FROM, PARAMETER, TEMPLATE, SYSTEM, ADAPTER, LICENSE, MESSAGE, REQUIRES, RENDERER, PARSER, DRAFT`,
		"FROM: x":                                `line 1:5: ':' cannot be in the instruction`,
		"FROM":                                   `line 1:5: there is no value behind "FROM"; write it on the same line`,
		"FROM x\r\nSYSTEM\r\n":                   `line 2:7: there is no value behind "SYSTEM"; write it on the same line`,
		"PARAMETER num_ctx\n":                    `line 1:18: there is no value behind "num_ctx"; write it on the same line`,
		"PARAMETER  num_ctx 1":                   `line 1:11: the name of a parameter is missing; write one space before it`,
		"PARAMETER num-ctx 1":                    `line 1:14: '-' cannot be in the name of a parameter`,
		"MESSAGE asistant hi":                    `line 1:9: a message has the role system, user or assistant, not "asistant"; did you mean assistant?`,
		"MESSAGE tool hi":                        `line 1:9: a message has the role system, user or assistant, not "tool"; choose one of system, user, assistant`,
		"FROM x\nSYSTEM \"\"\"a\nFROM b":         `line 2:8: the value of SYSTEM starts with """, and no line ends with it; end a line with """`,
		"FROM x\nPARAMETER stop \"a\nFROM \"b\n": `line 2:16: the value of PARAMETER starts with ", and no line ends with it; end a line with "`,
	} {
		_, err := modelfile.Parse([]byte(text))
		if err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
		if _, ok := errors.AsType[*fault.FormatError](err); !ok {
			t.Errorf("%q: %T is no FormatError", text, err)
		}
	}
}

func TestReadNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "Modelfile")
	if err := os.WriteFile(path, []byte("FROM x\nnonsense\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := modelfile.Read(path); err == nil || !strings.HasPrefix(err.Error(), path+": line 2:9: ") {
		t.Errorf("got %v", err)
	}
	_, err := modelfile.ReadFrom(bytes.NewReader(make([]byte, modelfile.MaxSize+1)), "big")
	if _, ok := errors.AsType[*fault.FormatError](err); !ok || !strings.Contains(err.Error(), "big: a Modelfile has at most 16777216 bytes") {
		t.Errorf("got %v", err)
	}
}

// Files that would take long or much memory if they were read badly.
func TestHostile(t *testing.T) {
	const n = 1 << 18
	for name, text := range map[string]string{
		"quote that never ends":    "FROM \"" + strings.Repeat("\n", n),
		"quotes in all lines":      "FROM \"\"\"" + strings.Repeat("a\"\n", n/2),
		"spaces":                   "FROM x" + strings.Repeat(" ", n),
		"keyword":                  strings.Repeat("F", n),
		"name":                     "PARAMETER " + strings.Repeat("x", n) + " 1",
		"empty lines":              strings.Repeat("\n", n),
		"comments":                 strings.Repeat("#\n", n/2),
		"instructions":             strings.Repeat("FROM x\n", n/8),
		"only what is left out":    "FROM " + strings.Repeat("\u200b", n/4),
		"zeros":                    strings.Repeat("\x00", n),
		"not UTF-8":                "FROM " + strings.Repeat("\xff", n),
		"UTF-16 of odd length":     "\xff\xfe" + strings.Repeat("F", n+1),
		"UTF-16 with half letters": "\xfe\xff" + strings.Repeat("\xd8\x00", n/2),
		"template that nests":      "TEMPLATE " + strings.Repeat("{{if 1}}", 30000) + strings.Repeat("{{end}}", 2000),
		"template with brackets":   "TEMPLATE {{" + strings.Repeat("(", 200000) + "}}",
		"template of all unknown":  "TEMPLATE " + strings.Repeat("{{.A}}\t{{.B}}", 9000),
		"template too large":       "TEMPLATE " + strings.Repeat("{{if 1}}", n/4),
		"parameters":               strings.Repeat("PARAMETER nun_ctx 1\n", n/40),
		"carriage returns":         strings.Repeat("FROM x\r", n/8),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			f, err := modelfile.Parse([]byte(text))
			if err == nil {
				problems := modelfile.Check(f)
				if len(problems) > 1<<18 {
					t.Errorf("%d problems", len(problems))
				}
				modelfile.Format(f)
			} else if len(err.Error()) > 2*n {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}
