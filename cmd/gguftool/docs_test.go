package main

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/spf13/cobra/doc"
)

//go:generate go test -run TestDocs -update .

var update = flag.Bool("update", false, "write docs/commands")

// TestDocs compares the pages in docs/commands with the commands.
func TestDocs(t *testing.T) {
	const dir = "../../docs/commands"
	want := t.TempDir()
	if *update {
		want = dir
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	root := newRoot()
	root.InitDefaultCompletionCmd() // as Execute does
	root.DisableAutoGenTag = true
	for _, cmd := range root.Commands() {
		cmd.DisableAutoGenTag = true
		for _, sub := range cmd.Commands() {
			sub.DisableAutoGenTag = true
		}
	}
	if err := doc.GenMarkdownTree(root, want); err != nil {
		t.Fatal(err)
	}
	if *update {
		return
	}
	pages := readPages(t, want)
	have := readPages(t, dir)
	for name, page := range pages {
		if have[name] != page {
			t.Errorf("docs/commands/%s is not current: run 'make generate'", name)
		}
	}
	for name := range have {
		if _, ok := pages[name]; !ok {
			t.Errorf("docs/commands/%s belongs to no command: run 'make generate'", name)
		}
	}
}

func readPages(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	pages := make(map[string]string)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pages[filepath.Base(path)] = string(data)
	}
	return pages
}
