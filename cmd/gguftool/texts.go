package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// textSource says where the texts of a command come from: arguments, a file
// with one text a line, or standard input.
type textSource struct {
	input string
}

const textHelp = `Texts are arguments, or lines of --input FILE; a single "-" reads lines from
standard input. An empty line is an empty text.`

func (s *textSource) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&s.input, "input", "i", "", "read texts from `FILE`, one a line (- for standard input)")
}

// open returns the texts in order. The second value of the sequence is an error
// of reading, after which it ends. close must be called in the end.
func (s *textSource) open(cmd *cobra.Command, args []string) (texts iter.Seq2[string, error], close func() error, err error) {
	nothing := func() error { return nil }
	if s.input != "" && len(args) > 0 {
		return nil, nil, usagef("texts come from arguments or from --input %s, not from both", s.input)
	}
	input := s.input
	if len(args) == 1 && args[0] == "-" {
		input = "-"
	}
	switch {
	case input == "-":
		return lines("standard input", cmd.InOrStdin()), nothing, nil
	case input != "":
		f, err := os.Open(input)
		if err != nil {
			return nil, nil, err
		}
		return lines(input, f), f.Close, nil
	case len(args) == 0:
		return nil, nil, usagef(`no text to work on: give it as an argument, with --input FILE, or "-" for standard input`)
	}
	return func(yield func(string, error) bool) {
		for _, text := range args {
			if !yield(text, nil) {
				return
			}
		}
	}, nothing, nil
}

func lines(name string, r io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		br := bufio.NewReaderSize(r, 1<<16)
		for {
			line, err := br.ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				yield("", fmt.Errorf("read %s: %w", name, err))
				return
			}
			if line == "" {
				return
			}
			line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
			if !yield(line, nil) || err != nil {
				return
			}
		}
	}
}
