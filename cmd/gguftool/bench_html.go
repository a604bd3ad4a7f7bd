package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/bench/report"
	"github.com/gguftool/gguftool/internal/atomicfile"
	"github.com/gguftool/gguftool/internal/texttable"
)

// htmlOptions say where a report for people goes besides the output.
type htmlOptions struct {
	path  string
	force bool
	file  *atomicfile.File
}

func (o *htmlOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.path, "html", "", "also write a page with charts to `FILE`, complete in itself")
	cmd.Flags().BoolVar(&o.force, "force", false, "replace an existing report")
}

func (o *htmlOptions) check() error {
	switch {
	case o.path == "-":
		return usagef("--html writes to a file; standard output has the table")
	case o.force && o.path == "":
		return usagef("--force is about the report of --html, which is missing")
	}
	return nil
}

// create begins the report, so that one that cannot be written is known before
// anything is measured.
func (o *htmlOptions) create() (err error) {
	if o.path != "" {
		o.file, err = atomicfile.Create(o.path, o.force)
	}
	return err
}

// abort removes a report that is not complete. It can be deferred after create.
func (o *htmlOptions) abort() {
	if o.file != nil {
		o.file.Abort()
	}
}

// write completes the report, if one was asked for.
func (o *htmlOptions) write(cmd *cobra.Command, set *settings, page func() *report.Page) error {
	if o.file == nil {
		return nil
	}
	p := page()
	p.Facts = append([]report.Fact{
		{Name: "Program", Value: "gguftool " + versionString()},
		{Name: "Date", Value: time.Now().UTC().Format("2006-01-02 15:04 UTC")},
	}, p.Facts...)
	p.Commands = append(p.Commands, commandLine(os.Args))
	if err := p.Write(o.file); err != nil {
		return err
	}
	if err := o.file.Commit(o.force); err != nil {
		return err
	}
	if !set.quiet {
		fmt.Fprintf(cmd.ErrOrStderr(), "gguftool: wrote %s\n", texttable.Safe(o.path))
	}
	return nil
}

// commandLine returns a command as it can be pasted into a shell.
func commandLine(args []string) string {
	words := []string{filepath.Base(args[0])}
	for _, arg := range args[1:] {
		words = append(words, quoted(arg))
	}
	return strings.Join(words, " ")
}

// quoted returns a word as shells read it: in single quotes where it has more than
// letters, digits and marks that mean nothing to them, and with escapes where it has
// characters that cannot be seen.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@%+", r)
	}
	visible := strconv.Quote(word)
	visible = visible[1 : len(visible)-1]
	switch {
	case word != "" && strings.TrimFunc(word, plain) == "":
		return word
	case visible != strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word):
		return "$'" + strings.NewReplacer(`\"`, `"`, `'`, `\'`).Replace(visible) + "'"
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
