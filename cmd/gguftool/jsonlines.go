package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gguftool/gguftool/internal/fault"
)

// parseJSONLine returns the text in a line of JSON: the string itself, or the
// field of an object. Everything else is a FormatError with file and line.
func parseJSONLine(line text, field string) (string, error) {
	malformed := func(hint, format string, args ...any) error {
		e := fault.Malformed(line.file, fmt.Sprintf("line %d", line.line), format, args...)
		e.Hint = hint
		return e
	}
	if !utf8.ValidString(line.text) {
		return "", malformed("", "is not UTF-8")
	}
	var value any // of the kinds that json.Unmarshal gives
	if err := json.Unmarshal([]byte(line.text), &value); err != nil {
		return "", malformed("--input-format "+inputLines+" takes lines as they are", "is no JSON: %v", err)
	}
	switch v := value.(type) {
	case string:
		return v, nil
	case map[string]any:
		member, ok := v[field]
		if !ok {
			return "", malformed("choose another with --field", "has no field %q, only %s", field, fieldNames(v))
		}
		if s, ok := member.(string); ok {
			return s, nil
		}
		return "", malformed("choose another with --field", "the field %q is %s, expected a string", field, jsonKind(member))
	}
	return "", malformed("", "is %s, expected an object or a string", jsonKind(value))
}

// fieldNames lists the first names of an object.
func fieldNames(object map[string]any) string {
	const most = 8
	var quoted []string
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if len(quoted) == most {
			quoted = append(quoted, "...")
			break
		}
		quoted = append(quoted, strconv.Quote(name))
	}
	if len(quoted) == 0 {
		return "{}"
	}
	return strings.Join(quoted, ", ")
}

func jsonKind(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case float64:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "an array"
	}
	return "an object"
}
