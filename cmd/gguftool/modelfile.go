package main

import "github.com/spf13/cobra"

func newModelfile(set *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "modelfile",
		Short: "Write Modelfiles, and make models of them in Ollama's store",
		Long: `A Modelfile is the text from which Ollama makes a model: the file that it is made of,
settings, and the template that turns a conversation into a prompt.

Models are made, listed, checked and removed in the store that an Ollama server uses;
no server is needed.`,
		Example: `  gguftool modelfile init smollm2-q4_k_m.gguf
  gguftool modelfile check Modelfile
  gguftool modelfile create smollm2:q4 -f Modelfile`,
		Args: cobra.ArbitraryArgs,

		SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	cmd.AddCommand(
		newModelfileInit(set), newModelfileCheck(set), newModelfileFormat(),
		newModelfileCreate(set), newModelfileList(), newModelfileShow(), newModelfileCopy(set), newModelfileRemove(set), newModelfileVerify(set),
		newModelfileExport(set), newModelfileImport(set), newModelfilePush(set), newModelfilePull(set), newModelfileDeploy(set),
		newModelfileBuild(set),
	)
	return cmd
}
