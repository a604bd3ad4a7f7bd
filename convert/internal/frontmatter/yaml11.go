package frontmatter

import (
	"regexp"
	"slices"
	"strings"
)

// Forms of plain scalars in YAML 1.1 that are no strings, as PyYAML knows them:
// https://yaml.org/type/bool.html, int.html, float.html and timestamp.html.
// Where PyYAML differs (floats need a point, exponents a sign), it is right.
var (
	nulls  = []string{"", "~", "null", "Null", "NULL"}
	trues  = []string{"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}
	falses = []string{"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}

	number = regexp.MustCompile(`^(?:` + strings.Join([]string{
		`[-+]?0b[01_]+`,
		`[-+]?0x[0-9a-fA-F_]+`,
		`[-+]?0[0-7_]+`,
		`[-+]?(?:0|[1-9][0-9_]*)`,
		`[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+`, // base 60
		`[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?`,
		`\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?`,
		`[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*`, // base 60
		`[-+]?\.(?:inf|Inf|INF)`,
		`\.(?:nan|NaN|NAN)`,
	}, "|") + `)$`)
	zero = regexp.MustCompile(`^[-+]?(?:0[bx])?[0_.:]+(?:[eE].*)?$`)

	date = regexp.MustCompile(`^(?:\d{4}-\d\d-\d\d|` +
		`\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::?\d\d)?))?)$`)
)

// resolve returns what an unquoted scalar stands for.
func resolve(text string) any {
	switch {
	case slices.Contains(nulls, text):
		return nil
	case slices.Contains(trues, text), date.MatchString(text):
		return Scalar{Text: text}
	case slices.Contains(falses, text):
		return Scalar{Text: text, Empty: true}
	case number.MatchString(text):
		return Scalar{Text: text, Empty: zero.MatchString(text)}
	}
	return text
}
