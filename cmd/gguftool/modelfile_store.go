package main

import (
	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/ollama"
)

// storeHelp is a part of the help of commands that work on a store.
const storeHelp = `The store is the folder that OLLAMA_MODELS names, else .ollama/models in the home
folder; --store names another one. No Ollama server is needed, and one may run on
the same store.`

// storeOptions say which store is meant.
type storeOptions struct{ dir string }

func (o *storeOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.dir, "store", "", "`FOLDER` of the store (default: OLLAMA_MODELS, else ~/.ollama/models)")
}

func (o *storeOptions) open() (*ollama.Store, error) { return ollama.Open(o.dir) }

// parseModelNames reads names of models; a wrong one is wrong usage.
func parseModelNames(args []string) ([]ollama.Name, error) {
	var names []ollama.Name
	for _, arg := range args {
		n, err := ollama.ParseName(arg)
		if err != nil {
			return nil, usageError{err}
		}
		names = append(names, n)
	}
	return names, nil
}

// find opens the store and returns the models that arguments name, in its case.
func (o *storeOptions) find(args ...string) (*ollama.Store, []ollama.Name, error) {
	s, err := o.open()
	if err != nil {
		return nil, nil, err
	}
	names, err := parseModelNames(args)
	if err != nil {
		return nil, nil, err
	}
	for i := range names {
		if names[i], err = s.Find(names[i]); err != nil {
			return nil, nil, err
		}
	}
	return s, names, nil
}
