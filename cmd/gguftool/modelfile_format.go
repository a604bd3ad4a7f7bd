package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/internal/atomicfile"
	"github.com/gguftool/gguftool/modelfile"
)

type modelfileFormatOptions struct {
	write, list bool
}

func newModelfileFormat() *cobra.Command {
	var o modelfileFormatOptions
	cmd := &cobra.Command{
		Use:   "format MODELFILE",
		Short: "Write a Modelfile in one way",
		Long: `Format prints a Modelfile with keywords in upper case, one space behind them, quotes
where they are needed, and as UTF-8 with line feeds between instructions. Comments
stay, and of several empty lines one. What Ollama reads is the same. "-" is standard
input.`,
		Example: `  gguftool modelfile format Modelfile
  gguftool modelfile format --write Modelfile
  gguftool modelfile format --check Modelfile`,
		Args: exactly(1, "a Modelfile"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	cmd.Flags().BoolVarP(&o.write, "write", "w", false, "replace the file")
	cmd.Flags().BoolVar(&o.list, "check", false, "print nothing; exit with 5 if the file is in another form")
	return cmd
}

func (o *modelfileFormatOptions) run(cmd *cobra.Command, path string) error {
	switch {
	case o.write && o.list:
		return usagef("--write and --check cannot be used together")
	case o.write && path == "-":
		return usagef("--write needs a file that it can replace")
	}
	f, err := readModelfile(cmd, path)
	if err != nil {
		return err
	}
	text, err := modelfile.Format(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !o.write && !o.list {
		_, err = cmd.OutOrStdout().Write(text)
		return err
	}
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if bytes.Equal(before, text) {
		return nil
	}
	if o.list {
		return &modelfile.CheckError{Path: path, Format: true}
	}
	out, err := atomicfile.Create(path, true)
	if err != nil {
		return err
	}
	defer out.Abort()
	if _, err := out.Write(text); err != nil {
		return err
	}
	return out.Commit(true)
}
