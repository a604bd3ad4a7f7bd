package calibrate

import (
	_ "embed"
	"strings"
)

//go:embed calibration.txt
var builtIn string

// BuiltInName names the text that is compiled in, where files list their datasets.
const BuiltInName = "gguftool calibration text"

// BuiltIn returns a text to calibrate on that was written for gguftool: short
// passages of many kinds, in many languages and scripts, with an empty line
// between them.
func BuiltIn() string { return strings.TrimSuffix(builtIn, "\n") }

// Paragraphs returns what stands between empty lines, which may hold blanks.
func Paragraphs(text string) (all []string) {
	var lines []string
	flush := func() {
		if len(lines) > 0 {
			all = append(all, strings.Join(lines, "\n"))
		}
		lines = nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" {
			flush()
		} else {
			lines = append(lines, line)
		}
	}
	flush()
	return all
}
