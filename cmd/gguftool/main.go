// Gguftool prepares model artifacts: it converts Hugging Face checkpoints to
// GGUF, quantizes, inspects, and computes embeddings with its own engine.
//
// Each verb has a file of its own that parses flags, calls one library function
// and prints. Results go to standard output, everything else to standard error.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default action is back: a second Ctrl-C ends at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	for _, e := range parts(err) {
		fmt.Fprintln(stderr, "gguftool:", message(ctx, e))
	}
	return exitCode(err)
}
