package bench

import (
	_ "embed"
	"strings"
)

//go:embed evaluation.txt
var evaluation string

// BuiltInText returns the texts that models are measured on unless others are
// named: short passages about many things, in several languages, which were written
// for gguftool. They are not those that importance is measured on.
func BuiltInText() []string { return Lines(evaluation) }

// Lines returns the lines of a text that are not blank, without their ends.
func Lines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
