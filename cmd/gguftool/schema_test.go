package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaFolder is where the schemas of outputs are.
const schemaFolder = "../../docs"

// compileSchema returns a schema of docs, or the part of it that pointer names, as
// in "#/$defs/case".
func compileSchema(root, name, pointer string) (*jsonschema.Schema, error) {
	path, err := filepath.Abs(filepath.Join(root, name))
	if err != nil {
		return nil, err
	}
	return jsonschema.NewCompiler().Compile("file://" + filepath.ToSlash(path) + pointer)
}

// matchSchema is the command of scripts
//
//	schema NAME.schema.json [PART]
//
// which wants what was printed last to fit a schema of docs, or each line of it to
// fit a part of that.
func matchSchema(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: schema NAME.schema.json [PART]")
	}
	pointer, texts := "", []string{ts.ReadFile("stdout")}
	if len(args) == 2 {
		pointer, texts = "#/$defs/"+args[1], strings.Split(strings.TrimSpace(texts[0]), "\n")
	}
	schema, err := compileSchema(filepath.Join(ts.Getenv("ROOT"), "docs"), args[0], pointer)
	ts.Check(err)
	for _, text := range texts {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		ts.Check(err)
		if err := schema.Validate(v); (err != nil) != neg {
			ts.Fatalf("%s: %v, in %.200s", args[0], err, text)
		}
	}
}

// What schemas do not describe is refused by them, in every object, so that an
// output with a new member does not pass.
func TestSchemasAreStrict(t *testing.T) {
	paths, err := filepath.Glob(schemaFolder + "/bench*.schema.json")
	if err != nil || len(paths) < 5 {
		t.Fatalf("found %d schemas, %v", len(paths), err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var root map[string]any
		if err := json.NewDecoder(bytes.NewReader(data)).Decode(&root); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if _, err := compileSchema(schemaFolder, filepath.Base(path), ""); err != nil {
			t.Error(err)
		}
		strictEverywhere(t, filepath.Base(path), root)
	}
}

func strictEverywhere(t *testing.T, where string, v any) {
	switch v := v.(type) {
	case map[string]any:
		properties, isObject := v["properties"].(map[string]any)
		if isObject && v["type"] == "object" {
			required, _ := v["required"].([]any)
			if v["additionalProperties"] != false || len(required) == 0 {
				t.Errorf("%s: members that are not described are allowed, or none is required", where)
			}
			for _, name := range required {
				if properties[name.(string)] == nil {
					t.Errorf("%s: %v is required and not described", where, name)
				}
			}
		}
		for name, x := range v {
			strictEverywhere(t, where+"/"+name, x)
		}
	case []any:
		for _, x := range v {
			strictEverywhere(t, where, x)
		}
	}
}
