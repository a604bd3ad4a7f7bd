package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/embedding"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// promptOptions say what goes before every text. Without any of them it is the
// default prompt of the model, if it has one.
type promptOptions struct {
	name string
	text string
	none bool
}

func (o *promptOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.name, "prompt", "", "put the model's prompt called `NAME` before every text, such as query")
	f.StringVar(&o.text, "prompt-text", "", "put `TEXT` before every text")
	f.BoolVar(&o.none, "no-prompt", false, "put nothing before texts, even if the model has a default prompt")
}

// choose returns what to put before texts for the model with the metadata md of
// the file path.
func (o *promptOptions) choose(cmd *cobra.Command, set *settings, path string, md *gguf.Metadata) (string, error) {
	if o.none {
		return "", nil
	}
	prompts, err := embedding.PromptsOf(md)
	if err != nil {
		return "", fault.InFile(err, path)
	}
	prompt := o.text
	switch flags := cmd.Flags(); {
	case flags.Changed("prompt-text"):
	case flags.Changed("prompt"):
		if prompt, err = prompts.Named(o.name); err != nil {
			hint := ""
			if len(prompts.Names) == 0 {
				hint = "; convert --extras stores those of the checkpoint, and --prompt-text gives one"
			}
			return "", usagef("%s: %w%s", path, err, hint)
		}
	case prompts.Default != "":
		if prompt, err = prompts.Named(prompts.Default); err != nil {
			return "", err
		}
		if prompt != "" && !set.quiet {
			fmt.Fprintf(cmd.ErrOrStderr(), "note: before every text stands the model's default prompt, %q: %q (--no-prompt leaves it out)\n", prompts.Default, prompt)
		}
	}
	if prompt != "" && prompts.Unpooled {
		return "", fault.Unsupported(path, "", "--no-prompt gives the vectors of the texts alone",
			"the model leaves the tokens of the prompt out of pooling (include_prompt is false), which is not supported")
	}
	return prompt, nil
}

// check finds options that contradict each other.
func (o *promptOptions) check(cmd *cobra.Command) error {
	var given []string
	for _, name := range []string{"prompt", "prompt-text", "no-prompt"} {
		if cmd.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	if len(given) > 1 {
		return usagef("%s and %s cannot be used together", given[0], given[1])
	}
	return nil
}
