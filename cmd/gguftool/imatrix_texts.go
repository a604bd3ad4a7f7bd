package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/calibrate"
)

// calibrationTexts say what texts importance is measured on.
type calibrationTexts struct {
	files  []string
	split  string
	format string // "", inputLines or inputJSONLines
	field  string
}

func (c *calibrationTexts) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVarP(&c.files, "text", "f", nil, "measure on the text in `FILE` (repeatable; - for standard input; default: a text that is built in)")
	f.StringVar(&c.split, "split", splitLine, "a text is a `KIND`: line, paragraph (between empty lines), or none (the whole file)")
	f.StringVar(&c.format, "input-format", "", "`FORMAT` of files: text or jsonl (default: jsonl for .jsonl and .ndjson, else text)")
	f.StringVar(&c.field, "field", "text", "`NAME` of the field that is the text, in JSON lines")
}

const (
	splitLine      = "line"
	splitParagraph = "paragraph"
	splitNone      = "none"
	inputText      = "text"
)

func (c *calibrationTexts) check(cmd *cobra.Command) error {
	switch {
	case c.split != splitLine && c.split != splitParagraph && c.split != splitNone:
		return usagef("--split: unknown kind %q; choose one of line, paragraph, none", c.split)
	case c.format != "" && c.format != inputText && c.format != inputJSONLines:
		return usagef("--input-format: unknown format %q; choose one of text, jsonl", c.format)
	}
	if len(c.files) == 0 {
		for _, name := range []string{"split", "input-format", "field"} {
			if cmd.Flags().Changed(name) {
				return usagef("--%s is about the files of --text, and there are none", name)
			}
		}
		return nil
	}
	source := c.source()
	return source.check(cmd, c.files)
}

// source returns what reads JSON lines.
func (c *calibrationTexts) source() textSource {
	s := textSource{field: c.field, format: c.format}
	if s.format == inputText {
		s.format = inputLines
	}
	return s
}

// read returns the texts, and the names of where they come from. For windows it
// is those of files that are whole.
func (c *calibrationTexts) read(cmd *cobra.Command, mode calibrate.Mode) (texts, datasets []string, err error) {
	split := c.split
	if mode == calibrate.Windows {
		split = splitNone
	}
	if len(c.files) == 0 {
		text := calibrate.BuiltIn()
		if split == splitNone {
			return []string{text}, []string{calibrate.BuiltInName}, nil
		}
		return calibrate.Paragraphs(text), []string{calibrate.BuiltInName}, nil
	}
	source := c.source()
	for _, name := range c.files {
		more, err := c.readOne(&source, cmd.InOrStdin(), name, split)
		if err != nil {
			return nil, nil, err
		}
		if name == "-" {
			name = "standard input"
		}
		texts, datasets = append(texts, more...), append(datasets, name)
	}
	return texts, datasets, nil
}

func (c *calibrationTexts) readOne(source *textSource, stdin io.Reader, name, split string) (texts []string, err error) {
	if source.isJSONLines(name) {
		for t, err := range source.read(stdin, []string{name}) {
			if err != nil {
				return nil, err
			}
			if strings.TrimSpace(t.text) != "" {
				texts = append(texts, t.text)
			}
		}
		return texts, nil
	}
	data, err := readWhole(stdin, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	switch split {
	case splitLine:
		return bench.Lines(text), nil
	case splitParagraph:
		return calibrate.Paragraphs(text), nil
	}
	if text = strings.TrimSuffix(text, "\n"); strings.TrimSpace(text) == "" {
		return nil, nil
	}
	return []string{text}, nil
}

// named returns the files that texts come from.
func (c *calibrationTexts) named() (files []string) {
	for _, name := range c.files {
		if name != "-" {
			files = append(files, name)
		}
	}
	return files
}
