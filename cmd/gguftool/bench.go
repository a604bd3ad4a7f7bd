package main

import "github.com/spf13/cobra"

func newBench(set *settings) *cobra.Command {
	cmd := newSpeed(set)
	cmd.AddCommand(newPerplexity(set), newFidelity(set), newCompare(), newKernels(set))
	return cmd
}
