package modelfile_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/modelfile"
)

// inOllamasWords returns what was read as Ollama's parser calls it.
func inOllamasWords(f *modelfile.File) (all [][]string) {
	for _, in := range f.Instructions {
		name, args := strings.ToLower(string(in.Keyword)), in.Value
		switch in.Keyword {
		case modelfile.From:
			name = "model"
		case modelfile.Parameter:
			name = in.Name
		case modelfile.Message:
			args = in.Name + ": " + in.Value
		}
		all = append(all, []string{name, args})
	}
	return all
}

// Files are read as Ollama reads them (testdata/cases.txt says how it was asked).
// Two differences are meant: a file without FROM is read, so that Check can tell
// of all that it lacks, and a parameter whose name is missing is not, which Ollama
// finds out later.
func TestReadsAsOllamaDoes(t *testing.T) {
	data, err := os.ReadFile("testdata/ollama.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Input    string
		Commands [][]string
		Error    string
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 60 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		input, err := strconv.Unquote(c.Input)
		if err != nil {
			t.Fatal(err)
		}
		f, err := modelfile.Parse([]byte(input))
		switch {
		case c.Error == "no FROM line":
			if err != nil {
				t.Errorf("%q: %v", input, err)
			} else if p := modelfile.Check(f); len(p) == 0 || p[len(p)-1].Text != "the file has no FROM" {
				t.Errorf("%q: Check does not tell that FROM is missing: %v", input, p)
			}
		case c.Error != "" || len(c.Commands) > 1 && c.Commands[1][0] == "":
			if err == nil {
				t.Errorf("%q is read as %q, and Ollama refuses it: %s", input, inOllamasWords(f), c.Error)
			}
		case err != nil:
			t.Errorf("%q: %v", input, err)
		case !reflect.DeepEqual(inOllamasWords(f), c.Commands):
			t.Errorf("%q is read as %q, want %q", input, inOllamasWords(f), c.Commands)
		}
	}
}
