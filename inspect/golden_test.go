package inspect

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files and the generated tables of docs/formats.md")

// report describes the model without the temporary folder that it lies in.
func (x fixture) report(t *testing.T) *Report {
	t.Helper()
	r := Describe(x.open(t))
	r.Path = filepath.Base(r.Path)
	for i := range r.Shards {
		r.Shards[i].Path = filepath.Base(r.Shards[i].Path)
	}
	return r
}

func TestText(t *testing.T) {
	for _, x := range fixtures() {
		t.Run(x.name, func(t *testing.T) {
			r := x.report(t)
			text := writeText(t, r, Options{})
			compare(t, x.name+".txt.golden", text)
			full := writeText(t, r, Options{Full: true})
			if x.name == values.name {
				compare(t, x.name+"-full.txt.golden", full)
			}
			for line := range strings.Lines(text) {
				if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 120 {
					t.Errorf("a line has %d columns: %s", n, line)
				}
			}
		})
	}
}

// writeText returns the text of r and checks that a terminal can only print it.
func writeText(t *testing.T, r *Report, o Options) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteText(&b, o); err != nil {
		t.Fatal(err)
	}
	checkPrintable(t, b.String())
	return b.String()
}

func checkPrintable(t *testing.T, s string) {
	t.Helper()
	for i, r := range s {
		if r != '\n' && !strconv.IsPrint(r) {
			t.Errorf("byte %d of the output is %q, which a terminal may act on", i, r)
		}
	}
}

func TestJSON(t *testing.T) {
	for _, x := range fixtures() {
		t.Run(x.name, func(t *testing.T) {
			r := x.report(t)
			for suffix, full := range map[string]bool{".json.golden": false, "-full.json.golden": true} {
				data, err := r.JSON(full)
				if err != nil {
					t.Fatal(err)
				}
				checkPrintable(t, string(data))
				checkSchema(t, data)
				var indented bytes.Buffer
				if err := json.Indent(&indented, data, "", " "); err != nil {
					t.Fatal(err)
				}
				if !full || x.name == values.name {
					compare(t, x.name+suffix, indented.String()+"\n")
				}
			}
		})
	}
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; look at it and run 'go test ./inspect -update' if it is right. Got:\n%s", path, got)
	}
}
