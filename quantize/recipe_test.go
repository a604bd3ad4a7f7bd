package quantize

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

// The goldens in testdata come from llama-quantize itself:
//
//	go test ./quantize -run Golden -args -llama-quantize=PATH
//
// runs it on the models of these tests and writes them anew.
var llamaQuantize = flag.String("llama-quantize", "", "path of llama-quantize, to make the goldens anew")

const recipesPath = "testdata/recipes.txt"

// typeDigits names the type of a tensor by one character, at its id.
const typeDigits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJ"

// recipeArgs are the options that recipes are compared under. Models without
// a line of their own have only the first.
func recipeArgs(m *testModel) [][]string {
	args := [][]string{nil}
	if m.imatrix {
		args = append(args, []string{"--imatrix"})
	}
	return append(args, m.args...)
}

func TestRecipeGoldens(t *testing.T) {
	if *llamaQuantize != "" {
		writeRecipeGoldens(t)
	}
	goldens := readRecipeGoldens(t)
	for _, m := range testModels() {
		for _, args := range recipeArgs(m) {
			title := strings.TrimSpace(m.name + " " + strings.Join(args, " "))
			t.Run(title, func(t *testing.T) {
				g, ok := goldens[title]
				if !ok {
					t.Fatal("no golden")
				}
				for _, fileType := range FileTypes() {
					got := planDigits(m, args, fileType)
					if got != g.types[fileType.String()] {
						t.Errorf("%s:\n%s", fileType, diffDigits(m, got, g.types[fileType.String()]))
					}
				}
				if got := orderedNames(m); !slices.Equal(got, g.names) {
					t.Errorf("order of tensors:\n%q\nwant\n%q", got, g.names)
				}
			})
		}
	}
}

func planDigits(m *testModel, args []string, fileType gguf.FileType) string {
	o := m.options(args)
	o.FileType = fileType
	p, err := NewPlan(m.file(), o)
	if err != nil {
		return "error"
	}
	var b strings.Builder
	for _, t := range p.Tensors {
		b.WriteByte(typeDigits[t.To])
	}
	return b.String()
}

func orderedNames(m *testModel) []string {
	p, err := NewPlan(m.file(), &Options{Copy: true})
	if err != nil {
		return []string{err.Error()}
	}
	var names []string
	for _, t := range p.Tensors {
		names = append(names, t.Name)
	}
	return names
}

// diffDigits lists the tensors whose types differ.
func diffDigits(m *testModel, got, want string) string {
	names := orderedNames(m)
	if len(got) != len(names) || len(want) != len(names) {
		return fmt.Sprintf("got %s\nwant %s", got, want)
	}
	var b strings.Builder
	for i := range got {
		if got[i] != want[i] {
			fmt.Fprintf(&b, "%s: %s, want %s\n", names[i], gguf.Type(strings.IndexByte(typeDigits, got[i])), gguf.Type(strings.IndexByte(typeDigits, want[i])))
		}
	}
	return b.String()
}

// parseArgs reads options in the spelling of llama-quantize.
func parseArgs(args []string) *Options {
	o := new(Options)
	for i := 0; i < len(args); i++ {
		next := func() string { i++; return args[i] }
		switch args[i] {
		case "--pure":
			o.Pure = true
		case "--leave-output-tensor":
			o.LeaveOutputTensor = true
		case "--allow-requantize":
			o.AllowRequantize = true
		case "--keep-split":
			o.KeepSplit = true
		case "--output-tensor-type":
			o.OutputTensorType = new(must(gguf.ParseType(next())))
		case "--token-embedding-type":
			o.TokenEmbeddingType = new(must(gguf.ParseType(next())))
		case "--tensor-type":
			o.Overrides = append(o.Overrides, must(ParseOverride(next())))
		case "--override-kv":
			o.KVOverrides = append(o.KVOverrides, must(ParseKVOverride(next())))
		case "--prune-layers":
			o.PruneLayers = must(ParseLayers(next()))
		case "--imatrix":
			o.Importance = map[string][]float32{"blk.0.attn_x.weight": {1}}
		default:
			panic(args[i])
		}
	}
	return o
}

// options returns the options of args. With --imatrix there is importance for one
// weight of m, and for one that it does not have.
func (m *testModel) options(args []string) *Options {
	o := parseArgs(args)
	if o.Importance != nil {
		t := m.tensors[0]
		o.Importance[t.Name] = make([]float32, t.Shape[0]*experts(t.Shape))
	}
	return o
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

type recipeGolden struct {
	names []string          // in output order
	types map[string]string // by file type
}

// readRecipeGoldens reads sections of the form
//
//	= MODEL OPTIONS
//	NAME NAME ...
//	FILETYPE FILETYPE ...: TYPES
//
// The line with the names is there only once for each model.
func readRecipeGoldens(t *testing.T) map[string]*recipeGolden {
	data, err := os.ReadFile(recipesPath)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*recipeGolden{}
	var names []string
	for section := range strings.SplitSeq(string(data), "= ") {
		title, rest, _ := strings.Cut(section, "\n")
		if strings.HasPrefix(title, "#") || title == "" {
			continue
		}
		g := &recipeGolden{types: map[string]string{}}
		for line := range strings.Lines(rest) {
			fileTypes, types, found := strings.Cut(line, ":")
			if !found {
				names = strings.Fields(line)
				continue
			}
			for _, f := range strings.Fields(fileTypes) {
				g.types[f] = strings.TrimSpace(types)
			}
		}
		g.names = names
		all[title] = g
	}
	return all
}

func writeRecipeGoldens(t *testing.T) {
	dir := t.TempDir()
	imatrix := filepath.Join(dir, "imatrix.gguf")
	writeImatrix(t, imatrix)
	var out bytes.Buffer
	out.WriteString("# What llama-quantize --dry-run makes of the models of the tests: the names in the order of\n" +
		"# the output, and under each option and file type one character a tensor, its type's id in base 46. Made by go test -args -llama-quantize=PATH.\n")
	for _, m := range testModels() {
		path := filepath.Join(dir, m.name+".gguf")
		m.write(t, path)
		for _, args := range recipeArgs(m) {
			fmt.Fprintf(&out, "= %s\n", strings.TrimSpace(m.name+" "+strings.Join(args, " ")))
			var names []string
			var order []string
			byTypes := map[string][]string{}
			for _, fileType := range FileTypes() {
				digits := "error"
				if n, d, err := dryRun(path, imatrix, args, fileType); err == nil {
					names, digits = n, d
				} else if names == nil && fileType == gguf.FileF32 {
					t.Fatalf("%s: %v", m.name, err)
				}
				if byTypes[digits] == nil {
					order = append(order, digits)
				}
				byTypes[digits] = append(byTypes[digits], fileType.String())
			}
			if args == nil {
				fmt.Fprintln(&out, strings.Join(names, " "))
			}
			for _, digits := range order {
				fmt.Fprintf(&out, "%s: %s\n", strings.Join(byTypes[digits], " "), digits)
			}
		}
		os.Remove(path)
	}
	if err := os.WriteFile(recipesPath, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

var dryRunLine = regexp.MustCompile(`^\[ *\d+/ *\d+\] +(\S+) +- \[.*\], type = +(\S+), size = .*?(?:-> .* MiB \((\S+)\))?$`)

// dryRun returns the tensors that the reference would write and their types.
func dryRun(path, imatrix string, args []string, fileType gguf.FileType) (names []string, digits string, err error) {
	command := []string{"--dry-run"}
	for _, a := range args {
		command = append(command, a)
		if a == "--imatrix" {
			command = append(command, imatrix)
		}
	}
	output, err := exec.Command(*llamaQuantize, append(command, path, fileType.String())...).CombinedOutput()
	if err != nil {
		return nil, "", fmt.Errorf("%w\n%s", err, output)
	}
	var b strings.Builder
	for scan := bufio.NewScanner(bytes.NewReader(output)); scan.Scan(); {
		m := dryRunLine.FindStringSubmatch(scan.Text())
		if m == nil {
			continue
		}
		typeName := m[2]
		if m[3] != "" {
			typeName = m[3]
		}
		id, err := gguf.ParseType(typeName)
		if err != nil {
			return nil, "", err
		}
		names = append(names, m[1])
		b.WriteByte(typeDigits[id])
	}
	return names, b.String(), nil
}
