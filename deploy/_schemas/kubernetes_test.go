package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// kinds are those of a bundle, with their definitions in the schema.
var kinds = map[string]string{
	"v1 Service":                    "io.k8s.api.core.v1.Service",
	"v1 ConfigMap":                  "io.k8s.api.core.v1.ConfigMap",
	"apps/v1 StatefulSet":           "io.k8s.api.apps.v1.StatefulSet",
	"apps/v1 Deployment":            "io.k8s.api.apps.v1.Deployment",
	"policy/v1 PodDisruptionBudget": "io.k8s.api.policy.v1.PodDisruptionBudget",
}

// schemas compiles the definitions, strictly: a property that the schema does not
// name is refused, as a server with strict validation does.
func schemas(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(map[string]any{"definitions": openapi.Schema().Definitions})
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	definitions := document.(map[string]any)["definitions"].(map[string]any)
	for name, d := range definitions {
		d := d.(map[string]any)
		if _, ok := d["properties"]; ok {
			d["additionalProperties"] = false
		}
		// Written as numbers or as strings.
		if format := d["format"]; format == "int-or-string" || name == "io.k8s.apimachinery.pkg.api.resource.Quantity" {
			d["type"] = []any{"string", "number"}
			delete(d, "format")
		}
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	if err := c.AddResource("kubernetes.json", document); err != nil {
		t.Fatal(err)
	}
	compiled := map[string]*jsonschema.Schema{}
	for kind, definition := range kinds {
		if compiled[kind], err = c.Compile("kubernetes.json#/definitions/" + definition); err != nil {
			t.Fatal(err)
		}
	}
	return compiled
}

// object returns a document as what schemas judge, and its kind.
func object(t *testing.T, n *yaml.RNode) (any, string) {
	t.Helper()
	text, err := n.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v, n.GetApiVersion() + " " + n.GetKind()
}

func TestKubernetes(t *testing.T) {
	compiled := schemas(t)
	for name, o := range bundles() {
		t.Run(name, func(t *testing.T) {
			dir := write(t, "kubernetes", o)
			made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]int{}
			for _, r := range made.Resources() {
				v, kind := object(t, &r.RNode)
				seen[kind]++
				schema := compiled[kind]
				if schema == nil {
					t.Errorf("no schema for %s", kind)
					continue
				}
				if err := schema.Validate(v); err != nil {
					t.Errorf("%s %s: %v", kind, r.GetName(), err)
				}
				if o.Namespace != "" && r.GetNamespace() != o.Namespace {
					t.Errorf("%s %s is in the namespace %q", kind, r.GetName(), r.GetNamespace())
				}
			}
			for kind := range kinds {
				if seen[kind] == 0 {
					t.Errorf("the bundle has no %s", kind)
				}
			}
			text, err := made.AsYaml()
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("replicas: %d", o.Replicas); !bytes.Contains(text, []byte(want)) {
				t.Errorf("no %q", want)
			}
		})
	}
}

// TestKubernetesSchemaFails makes sure that schemas refuse what they should.
func TestKubernetesSchemaFails(t *testing.T) {
	compiled := schemas(t)
	text, err := os.ReadFile(filepath.Join(write(t, "kubernetes", bundles()["encoder"]), "ollama.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{"serviceName: ", "serviseName: "},
		{"replicas: 2", "replicas: two"},
		{"startupProbe:", "startProbe:"},
		{"clusterIP: None", "clusterIP: [None]"},
		{"containerPort: 11434", "hostPort: 11434"},
	} {
		changed := bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(changed, text) {
			t.Fatalf("there is no %q", change[0])
		}
		failed := false
		for _, document := range bytes.Split(changed, []byte("\n---\n")) {
			n, err := yaml.Parse(string(document))
			if err != nil {
				failed = true
				continue
			}
			v, kind := object(t, n)
			failed = failed || compiled[kind].Validate(v) != nil
		}
		if !failed {
			t.Errorf("%q in place of %q was not refused", change[1], change[0])
		}
	}
}
