package inspect

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// checkSchema checks that report fits docs/inspect.schema.json.
func checkSchema(t *testing.T, report []byte) {
	t.Helper()
	if err := readSchema(t).check(parseJSON(t, report)); err != nil {
		t.Errorf("the JSON does not fit its schema: %v", err)
	}
}

// A schema is a JSON Schema of the keywords that docs/inspect.schema.json uses.
// Others are refused, so that none is there without effect.
type schema struct {
	root map[string]any
}

func readSchema(t *testing.T) schema {
	t.Helper()
	data, err := os.ReadFile("../docs/inspect.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema{parseJSON(t, data).(map[string]any)}
}

func parseJSON(t *testing.T, data []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func (s schema) check(v any) error { return s.validate("", v, s.root) }

// validate reports why v, which stands at path, does not fit rules.
func (s schema) validate(path string, v any, rules map[string]any) error {
	fails := func(format string, args ...any) error {
		return fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...))
	}
	object, _ := v.(map[string]any)
	array, _ := v.([]any)
	number, isNumber := v.(float64)
	for _, keyword := range slices.Sorted(maps.Keys(rules)) {
		rule := rules[keyword]
		switch keyword {
		case "$schema", "$defs", "title", "description":
		case "$ref":
			def := s.root["$defs"].(map[string]any)[strings.TrimPrefix(rule.(string), "#/$defs/")]
			if err := s.validate(path, v, def.(map[string]any)); err != nil {
				return err
			}
		case "type":
			if !hasType(v, rule.(string)) {
				return fails("%v is no %s", v, rule)
			}
		case "const":
			if !reflect.DeepEqual(v, rule) {
				return fails("%v is not %v", v, rule)
			}
		case "enum":
			if !slices.ContainsFunc(rule.([]any), func(x any) bool { return reflect.DeepEqual(v, x) }) {
				return fails("%v is none of %v", v, rule)
			}
		case "minimum":
			if isNumber && number < rule.(float64) {
				return fails("%v is less than %v", v, rule)
			}
		case "maximum":
			if isNumber && number > rule.(float64) {
				return fails("%v is more than %v", v, rule)
			}
		case "required":
			for _, name := range rule.([]any) {
				if _, ok := object[name.(string)]; !ok {
					return fails("%s is missing", name)
				}
			}
		case "properties":
			for name, r := range rule.(map[string]any) {
				if x, ok := object[name]; ok {
					if err := s.validate(path+"/"+name, x, r.(map[string]any)); err != nil {
						return err
					}
				}
			}
		case "additionalProperties":
			if rule != false {
				return fails("additionalProperties is only understood as false")
			}
			properties, _ := rules["properties"].(map[string]any)
			for name := range object {
				if _, ok := properties[name]; !ok {
					return fails("%s is not described", name)
				}
			}
		case "items":
			for i, x := range array {
				if err := s.validate(fmt.Sprintf("%s/%d", path, i), x, rule.(map[string]any)); err != nil {
					return err
				}
			}
		case "oneOf":
			fits := 0
			for _, r := range rule.([]any) {
				if s.validate(path, v, r.(map[string]any)) == nil {
					fits++
				}
			}
			if fits != 1 {
				return fails("%v fits %d of the alternatives", v, fits)
			}
		default:
			return fails("the schema uses %q, which this test does not check", keyword)
		}
	}
	return nil
}

func hasType(v any, name string) bool {
	switch v := v.(type) {
	case map[string]any:
		return name == "object"
	case []any:
		return name == "array"
	case string:
		return name == "string"
	case bool:
		return name == "boolean"
	case float64:
		return name == "number" || name == "integer" && v == math.Trunc(v)
	}
	return name == "null"
}

// TestSchemaRefuses checks that the schema and its check can fail.
func TestSchemaRefuses(t *testing.T) {
	data, err := bert.report(t).JSON(false)
	if err != nil {
		t.Fatal(err)
	}
	key := func(r map[string]any, i int) map[string]any { return r["metadata"].([]any)[i].(map[string]any) }
	const tokens = 12 // the key that is an array
	for name, spoil := range map[string]func(r map[string]any){
		"a member is missing":       func(r map[string]any) { delete(r, "totals") },
		"a member is not described": func(r map[string]any) { r["more"] = 1.0 },
		"a string for a number":     func(r map[string]any) { r["size"] = "1" },
		"a negative size":           func(r map[string]any) { r["size"] = -1.0 },
		"a fraction of a byte":      func(r map[string]any) { r["size"] = 1.5 },
		"an unknown byte order":     func(r map[string]any) { r["byte_order"] = "middle" },
		"an unknown value type":     func(r map[string]any) { key(r, 0)["type"] = "u128" },
		"a key without value":       func(r map[string]any) { delete(key(r, 0), "value") },
		"an array as a value":       func(r map[string]any) { key(r, 0)["value"] = []any{} },
		"an array without values":   func(r map[string]any) { delete(key(r, tokens), "values") },
		"null":                      func(r map[string]any) { key(r, 0)["value"] = nil },
	} {
		report := parseJSON(t, data).(map[string]any)
		if err := readSchema(t).check([]any{report, report}); err != nil {
			t.Fatal(err)
		}
		spoil(report)
		if readSchema(t).check(report) == nil || readSchema(t).check([]any{report}) == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
