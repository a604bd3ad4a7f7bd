package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// batchTexts and batchBytes bound the texts that are held at a time. They are
// many, so that texts of all lengths keep all threads busy.
const (
	batchTexts = 1024
	batchBytes = 4 << 20
)

// textSource says where the texts of a command come from: arguments, files or
// standard input.
type textSource struct {
	inputs []string
	format string // "", inputLines or inputJSONLines
	field  string
}

const (
	inputLines     = "lines"
	inputJSONLines = "jsonl"
)

const textHelp = `Texts are arguments, or come from the files of --input; a single "-" is standard
input. A file has one text a line, and an empty line is an empty text. A file
that ends in .jsonl or .ndjson has JSON on each line: an object whose field
"text" is the text (--field names another), or a string; blank lines are passed
over. --input-format says which of the two it is, whatever the name.`

func (s *textSource) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVarP(&s.inputs, "input", "i", nil, "read texts from `FILE` (repeatable; - for standard input)")
	f.StringVar(&s.format, "input-format", "", "`FORMAT` of inputs: lines or jsonl (default: jsonl for .jsonl and .ndjson, else lines)")
	f.StringVar(&s.field, "field", "text", "`NAME` of the field that is the text, in JSON lines")
}

// A text is one text and where it stands.
type text struct {
	text string
	file string // "" for an argument
	line int    // in file, counted from 1
}

// where returns file and line, as a prefix of an error.
func (t text) where() string {
	if t.file == "" {
		return ""
	}
	return fmt.Sprintf("%s: line %d: ", t.file, t.line)
}

// open returns the texts in order, and how many there are, or -1. An error of
// reading is the last value of the sequence.
func (s *textSource) open(cmd *cobra.Command, args []string) (texts iter.Seq2[text, error], count int, err error) {
	inputs := s.inputs
	if len(inputs) > 0 && len(args) > 0 {
		return nil, 0, usagef("texts come from arguments or from --input %s, not from both", inputs[0])
	}
	if len(args) == 1 && args[0] == "-" {
		inputs = args
	}
	if err := s.check(cmd, inputs); err != nil {
		return nil, 0, err
	}
	switch {
	case len(inputs) > 0:
		return s.read(cmd.InOrStdin(), inputs), -1, nil
	case len(args) == 0:
		return nil, 0, usagef(`no text to work on: give it as an argument, with --input FILE, or "-" for standard input`)
	}
	return func(yield func(text, error) bool) {
		for _, arg := range args {
			if !yield(text{text: arg}, nil) {
				return
			}
		}
	}, len(args), nil
}

// check finds mistakes before any work is done.
func (s *textSource) check(cmd *cobra.Command, inputs []string) error {
	if s.format != "" && s.format != inputLines && s.format != inputJSONLines {
		return usagef("--input-format: unknown format %q; choose one of %s, %s", s.format, inputLines, inputJSONLines)
	}
	if s.format != "" && len(inputs) == 0 {
		return usagef("--input-format is about --input and standard input; arguments are texts as they are")
	}
	if cmd.Flags().Changed("field") && !slices.ContainsFunc(inputs, s.isJSONLines) {
		return usagef("--field is about JSON lines, and no input has them; say so with --input-format %s", inputJSONLines)
	}
	standard := false
	for _, name := range inputs {
		if name == "-" {
			if standard {
				return usagef("standard input can be read only once")
			}
			standard = true
			continue
		}
		info, err := os.Stat(name)
		if err == nil && info.IsDir() {
			err = &fs.PathError{Op: "read", Path: name, Err: errors.New("is a directory; name the files in it")}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *textSource) isJSONLines(name string) bool {
	if s.format != "" {
		return s.format == inputJSONLines
	}
	ext := strings.ToLower(filepath.Ext(name))
	return ext == ".jsonl" || ext == ".ndjson"
}

// read opens the inputs one after the other.
func (s *textSource) read(stdin io.Reader, inputs []string) iter.Seq2[text, error] {
	return func(yield func(text, error) bool) {
		for _, name := range inputs {
			if !s.readOne(stdin, name, yield) {
				return
			}
		}
	}
}

// readOne reports whether to go on.
func (s *textSource) readOne(stdin io.Reader, name string, yield func(text, error) bool) bool {
	r, label := stdin, "standard input"
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			yield(text{}, err)
			return false
		}
		defer f.Close()
		r, label = f, name
	}
	isJSON := s.isJSONLines(name)
	for t, err := range lines(label, r) {
		if err == nil && isJSON {
			if strings.TrimSpace(t.text) == "" {
				continue
			}
			t.text, err = parseJSONLine(t, s.field)
		}
		if !yield(t, err) || err != nil {
			return false
		}
	}
	return true
}

// lines returns the lines of r without their ends, and without the byte order
// mark that some editors put in front.
func lines(name string, r io.Reader) iter.Seq2[text, error] {
	return func(yield func(text, error) bool) {
		br := bufio.NewReaderSize(r, 1<<16)
		for n := 1; ; n++ {
			line, err := br.ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				yield(text{}, fmt.Errorf("read %s: %w", name, err))
				return
			}
			if n == 1 {
				line = strings.TrimPrefix(line, "\ufeff")
			}
			if line == "" && err != nil {
				return
			}
			line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
			if !yield(text{line, name, n}, nil) || err != nil {
				return
			}
		}
	}
}

// batches cuts a sequence of texts into slices of at most batchTexts texts and
// of batchBytes bytes, unless one text has more. The next batch is read while one
// is worked on. Reading that waits, as for a person at a terminal, ends with ctx.
func batches(ctx context.Context, texts iter.Seq2[text, error]) iter.Seq2[[]text, error] {
	type item struct {
		batch []text
		err   error
	}
	return func(yield func([]text, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		items := make(chan item)
		send := func(i item) bool {
			select {
			case items <- i:
				return true
			case <-ctx.Done():
				return false
			}
		}
		go func() {
			defer close(items)
			var batch []text
			size := 0
			for t, err := range texts {
				if err != nil {
					// The texts before it are worked on first, as if it came later.
					if len(batch) == 0 || send(item{batch: batch}) {
						send(item{err: err})
					}
					return
				}
				if len(batch) == batchTexts || len(batch) > 0 && size+len(t.text) > batchBytes {
					if !send(item{batch: batch}) {
						return
					}
					batch, size = nil, 0
				}
				batch = append(batch, t)
				size += len(t.text)
			}
			if len(batch) > 0 {
				send(item{batch: batch})
			}
		}()
		for {
			select {
			case i, ok := <-items:
				if !ok || !yield(i.batch, i.err) {
					return
				}
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
	}
}

// readWhole returns the content of a file, or of standard input for "-".
func readWhole(stdin io.Reader, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(name)
}
