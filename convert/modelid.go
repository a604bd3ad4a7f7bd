package convert

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// A modelID is what a model's name says about it, in the naming scheme that
// most of the Hugging Face hub follows, as in "BAAI/bge-small-en-v1.5". Parts
// that the name does not have are empty.
type modelID struct {
	name         string // without the organization
	organization string
	basename     string
	finetune     string
	version      string
	sizeLabel    string
}

// A role is what a part of a model's name tells. A part can have two until the
// whole name is known.
type role uint8

const (
	roleBasename role = 1 << iota
	roleSizeLabel
	roleFinetune
	roleVersion
	roleType // of the numbers, as in "fp16"
)

// Forms of the parts.
var (
	versionForm  = partForm(`(v|iter)?\d+([.]\d+)*`)
	typeForm     = partForm(`i?q\d(_\w)*|b?fp?(16|32)`)
	sizeForm     = partForm(`((A|\d+x)?\d+([._]\d+)?[KMBT]\d?|small|mini|medium|large|x?xl)`)
	finetuneForm = partForm(`chat|instruct|vision|lora`)
)

// partForm matches a whole part in any case, with digits and letters of any script.
func partForm(pattern string) *regexp.Regexp {
	pattern = strings.NewReplacer(`\d`, `\p{Nd}`, `\w`, `[\p{L}\p{N}_]`).Replace(pattern)
	return regexp.MustCompile(`^(?i:` + pattern + `)$`)
}

// parseModelID takes the name of a model apart. From the number of its
// parameters it knows a size in the name from a context length. The rules are
// those of gguf-py, so that the same names come out.
func parseModelID(id string, parameters int64) modelID {
	m := modelID{name: id}
	if strings.Contains(id, " ") {
		return m // a sentence, not an identifier
	}
	if organization, name, ok := strings.Cut(id, "/"); ok {
		m.name = name
		if !strings.HasPrefix(organization, ".") { // not a path such as ./model
			m.organization = organization
		}
	}
	parts := slices.DeleteFunc(strings.Split(m.name, "-"), func(p string) bool { return p == "" })
	roles := make([]role, len(parts))
	for i, part := range parts {
		parts[i], roles[i] = classify(part, i == 0, parameters)
	}
	dropWordSizes(parts, roles)
	markBasename(parts, roles)

	with := func(want, without role) (chosen []string) {
		for i, r := range roles {
			if r&want != 0 && r&without == 0 {
				chosen = append(chosen, parts[i])
			}
		}
		return chosen
	}
	m.basename = strings.Join(with(roleBasename, 0), "-")
	m.sizeLabel = strings.Join(unique(with(roleSizeLabel, 0)), "-")
	m.finetune = strings.Join(with(roleFinetune, 0), "-")
	m.version = strings.Join(with(roleVersion, roleBasename), "-")
	if m.sizeLabel == "" && m.finetune == "" && m.version == "" {
		m.basename = "" // a name without any structure says nothing
	}
	return m
}

// classify returns a part in its usual spelling, and its role if its form tells.
func classify(part string, first bool, parameters int64) (string, role) {
	switch {
	case versionForm.MatchString(part):
		return part, roleVersion
	case typeForm.MatchString(part):
		return strings.ToUpper(part), roleType
	case !first && sizeForm.MatchString(part):
		return classifySize(part, parameters)
	case !first && finetuneForm.MatchString(part):
		return part, roleFinetune
	}
	return part, 0
}

// classifySize normalizes a size such as 7b, 7b1 (which is 7.1B) or large.
func classifySize(part string, parameters int64) (string, role) {
	s := []rune(strings.ReplaceAll(part, "_", "."))
	if n := len(s); unicode.IsDigit(s[n-1]) {
		s = append(s[:n-2:n-2], '.', s[n-1], s[n-2])
	}
	n := len(s)
	if n > 1 && unicode.IsDigit(s[n-2]) && strings.ContainsRune("kmbt", s[n-1]) {
		s[n-1] = unicode.ToUpper(s[n-1])
	}
	size, err := strconv.ParseFloat(string(s[:n-1]), 64)
	if err != nil || parameters == 0 {
		return string(s), roleSizeLabel
	}
	size *= math.Pow(1000, float64(strings.IndexRune(" KMBT", s[n-1])))
	if math.Abs(size-float64(parameters)) > float64(7*parameters/8) {
		// Far from the model's size: likely a context length.
		s[n-1] = unicode.ToLower(s[n-1])
		return string(s), roleFinetune
	}
	return string(s), roleSizeLabel
}

// dropWordSizes ignores sizes in words, as in "large", beside one in numbers.
func dropWordSizes(parts []string, roles []role) {
	numbered := false
	for i, part := range parts {
		numbered = numbered || roles[i]&roleSizeLabel != 0 && strings.ContainsFunc(part, unicode.IsDigit)
	}
	for i, part := range parts {
		isWord := !strings.ContainsFunc(part, func(r rune) bool { return !unicode.IsLetter(r) })
		if numbered && isWord {
			roles[i] &^= roleSizeLabel
		}
	}
}

// markBasename gives a role to the parts that have none: those at the start are
// the base name, with the versions between them; all others tell the finetune.
func markBasename(parts []string, roles []role) {
	atStart := true
	for i, r := range roles {
		first := []rune(parts[i])[0]
		if atStart && (r == 0 && unicode.IsLetter(first) || r&roleVersion != 0) {
			roles[i] |= roleBasename
			continue
		}
		atStart = false
		if r == 0 {
			roles[i] = roleFinetune
		}
	}
	// Versions at the end belong to the model, not to the base name.
	for i := len(roles) - 1; i >= 0 && roles[i]&roleBasename != 0 && roles[i] != roleBasename; i-- {
		roles[i] &^= roleBasename
	}
}

func unique(s []string) []string {
	var u []string
	for _, e := range s {
		if !slices.Contains(u, e) {
			u = append(u, e)
		}
	}
	return u
}

// keepsCase matches words that title leaves alone: versions and numbers.
var keepsCase = regexp.MustCompile(`^(v\p{Nd}+(?:\.\p{Nd}+)*|\p{Nd}.*)$`)

// title turns an identifier into a title: hyphens become spaces, and words in
// lower case are capitalized.
func title(id string) string {
	words := strings.Fields(strings.ReplaceAll(id, "-", " "))
	for i, w := range words {
		if isLower(w) && !keepsCase.MatchString(w) {
			words[i] = capitalize(w)
		}
	}
	return strings.Join(words, " ")
}

// isLower reports whether s has letters with case, all of them in lower case.
func isLower(s string) bool {
	upper := func(r rune) bool { return unicode.IsUpper(r) || unicode.IsTitle(r) }
	return strings.ContainsFunc(s, unicode.IsLower) && !strings.ContainsFunc(s, upper)
}

// capitalize puts every letter of a word in lower case that follows no letter in
// title case, as in "Don'T" and "L6".
func capitalize(word string) string {
	titleCase := cases.Title(language.Und)
	var b strings.Builder
	inWord := false
	for _, r := range word {
		if unicode.IsLower(r) && !inWord {
			b.WriteString(titleCase.String(string(r))) // two letters for ß
		} else {
			b.WriteRune(r)
		}
		inWord = unicode.IsLower(r)
	}
	return b.String()
}

// sizeLabel returns a number of parameters in short, with two digits at least:
// 22.7M is "23M", 1.5 million "1.5M".
func sizeLabel(parameters int64) string {
	scale, suffix := 1e-3, "K"
	for _, s := range []struct {
		above  float64
		scale  float64
		suffix string
	}{{1e6, 1e-6, "M"}, {1e9, 1e-9, "B"}, {1e12, 1e-12, "T"}} {
		if float64(parameters) > s.above {
			scale, suffix = s.scale, s.suffix
		}
	}
	scaled := float64(parameters) * scale
	whole := strings.TrimLeft(strconv.FormatFloat(math.RoundToEven(scaled), 'f', 0, 64), "0")
	return strconv.FormatFloat(scaled, 'f', max(2-len(whole), 0), 64) + suffix
}
