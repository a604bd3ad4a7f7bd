package main

import (
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is set by the linker; a plain "go build" or "go install" takes the
// version that the toolchain recorded.
var version string

// settings are the flags of every verb.
type settings struct {
	quiet bool
}

func newRoot() *cobra.Command {
	var set settings
	root := &cobra.Command{
		Use:   "gguftool",
		Short: "Convert, quantize, inspect and run GGUF models",
		Long: `gguftool turns a Hugging Face checkpoint into a small, verified GGUF model and
shows what it lost on the way.

  gguftool convert  ./all-MiniLM-L6-v2 -o minilm-f32.gguf
  gguftool quantize Q4_K_M minilm-f32.gguf minilm-q4_k_m.gguf
  gguftool inspect  minilm-q4_k_m.gguf
  gguftool embed    minilm-q4_k_m.gguf "a quick brown fox"

` + exitHelp,
		Version:           versionString(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		Args:              cobra.ArbitraryArgs,

		SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; see '%s --help'", err, cmd.CommandPath())
	})
	root.PersistentFlags().BoolVarP(&set.quiet, "quiet", "q", false, "print results and errors only")
	root.AddCommand(
		newConvert(&set),
		newQuantize(&set),
		newInspect(&set),
		newEmbed(&set),
		newTokenize(),
		newImatrix(&set),
		newBench(&set),
		newModelfile(&set),
	)
	return root
}

// unknownCommand tells that cmd has no command of that name.
func unknownCommand(cmd *cobra.Command, name string) error {
	near := ""
	if names := cmd.SuggestionsFor(name); len(names) > 0 {
		near = "; did you mean " + strings.Join(names, " or ") + "?"
	}
	return usagef("unknown command %q%s; see '%s --help'", name, near, cmd.CommandPath())
}

// exactly and between are cobra's argument checks with an error that says what
// is expected. most < 0 means any number.
func exactly(n int, what string) cobra.PositionalArgs {
	return between(n, n, what)
}

func between(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return usagef("%s takes %s; got %d arguments; see '%s --help'", cmd.Name(), what, len(args), cmd.CommandPath())
		}
		return nil
	}
}

func versionString() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}
