package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/internal/texttable"
	"github.com/gguftool/gguftool/modelfile"
)

type modelfileCheckOptions struct {
	strict bool
	json   bool
}

func newModelfileCheck(set *settings) *cobra.Command {
	var o modelfileCheckOptions
	cmd := &cobra.Command{
		Use:   "check MODELFILE...",
		Short: "Tell what is wrong with Modelfiles",
		Long: `Check reads Modelfiles as Ollama does and tells what it would refuse, and what it
would take and not do: unknown parameters and what they were meant to be, values of
the wrong type or out of range, parameters without effect, templates that are not
valid or ask for what there is not, a missing FROM, and characters that are lost.

A problem is an error or a warning, with its line and column. An error ends with
exit code 5, and with --strict a warning does too. A file that Ollama cannot read at
all has exit code 3; the others are checked all the same. "-" is standard input.`,
		Example: `  gguftool modelfile check Modelfile
  gguftool modelfile check --json --strict models/*/Modelfile`,
		Args: between(1, -1, "Modelfiles"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, set, args) },
	}
	cmd.Flags().BoolVar(&o.strict, "strict", false, "take warnings for errors")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// A checkedModelfile is a file with its problems, as --json has it.
type checkedModelfile struct {
	Path     string              `json:"path"`
	Errors   int                 `json:"errors"`
	Warnings int                 `json:"warnings"`
	Problems []modelfile.Problem `json:"problems"`
}

func (o *modelfileCheckOptions) run(cmd *cobra.Command, set *settings, paths []string) error {
	checked := []checkedModelfile{}
	failed := 0
	var unread []error
	for _, path := range paths {
		f, err := readModelfile(cmd, path)
		if err != nil {
			unread = append(unread, err)
			continue
		}
		c := checkedModelfile{Path: path, Problems: modelfile.Check(f)}
		for _, p := range c.Problems {
			if p.Severity == modelfile.Wrong {
				c.Errors++
			} else {
				c.Warnings++
			}
		}
		if failed += c.Errors; o.strict {
			failed += c.Warnings
		}
		if c.Problems == nil {
			c.Problems = []modelfile.Problem{}
		}
		checked = append(checked, c)
	}
	if err := o.print(cmd.OutOrStdout(), set, checked); err != nil {
		return err
	}
	if failed > 0 {
		unread = append(unread, &modelfile.CheckError{Problems: failed})
	}
	return errors.Join(unread...)
}

func (o *modelfileCheckOptions) print(w io.Writer, set *settings, checked []checkedModelfile) error {
	if o.json {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(struct {
			Files []checkedModelfile `json:"files"`
		}{checked})
	}
	for _, c := range checked {
		path := texttable.Safe(c.Path)
		for _, p := range c.Problems {
			place := path
			if p.At.Line > 0 {
				place = fmt.Sprintf("%s:%v", path, p.At)
			}
			if _, err := fmt.Fprintf(w, "%s: %s\n", place, texttable.Safe(p.String())); err != nil {
				return err
			}
		}
		if len(c.Problems) == 0 && !set.quiet {
			if _, err := fmt.Fprintf(w, "%s: nothing is wrong\n", path); err != nil {
				return err
			}
		}
	}
	return nil
}

// readModelfile reads the file at path, or standard input for "-".
func readModelfile(cmd *cobra.Command, path string) (*modelfile.File, error) {
	if path == "-" {
		return modelfile.ReadFrom(cmd.InOrStdin(), "standard input")
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a folder; name the Modelfile in it", path)
	}
	return modelfile.Read(path)
}
