package ollama_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// readIndependently reads a store by what is known of its layout, without package
// ollama, and fails where a server would stumble: it wants so many models (-1 for
// any number), each with a config, one GGUF model and parts of known kinds, and
// every blob to be what its name says. It returns the media types of each model's
// layers.
func readIndependently(t *testing.T, store string, models int) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	paths, err := filepath.Glob(filepath.Join(store, "manifests", "*", "*", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		rel, _ := filepath.Rel(filepath.Join(store, "manifests"), path)
		for _, part := range strings.Split(rel, string(filepath.Separator)) {
			if !regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.:-]*$`).MatchString(part) {
				t.Errorf("%s: a server takes this for a corrupt manifest", path)
			}
		}
		var m map[string]any
		readJSON(t, path, &m)
		if m["schemaVersion"] != 2.0 || m["mediaType"] != "application/vnd.docker.distribution.manifest.v2+json" {
			t.Errorf("%s: %v", path, m)
		}
		config := blob(t, store, m["config"])
		var c map[string]any
		if err := json.Unmarshal(config, &c); err != nil {
			t.Errorf("%s: config: %v", path, err)
		}
		var kinds []string
		var digests []any
		for _, l := range m["layers"].([]any) {
			data := blob(t, store, l)
			digests = append(digests, l.(map[string]any)["digest"])
			kind := strings.TrimPrefix(l.(map[string]any)["mediaType"].(string), "application/vnd.ollama.image.")
			kinds = append(kinds, kind)
			switch kind {
			case "model", "projector", "adapter":
				if !strings.HasPrefix(string(data), "GGUF") {
					t.Errorf("%s: the %s is no GGUF", path, kind)
				}
			case "params":
				var v map[string]any
				if err := json.Unmarshal(data, &v); err != nil {
					t.Errorf("%s: params: %v", path, err)
				}
			case "messages":
				var v []struct{ Role, Content string }
				if err := json.Unmarshal(data, &v); err != nil || len(v) == 0 {
					t.Errorf("%s: messages: %v", path, err)
				}
			case "template", "system", "license":
			default:
				t.Errorf("%s: unknown layer %q", path, kind)
			}
		}
		if n := strings.Count(strings.Join(kinds, " ")+" ", "model "); n != 1 {
			t.Errorf("%s: %d models", path, n)
		}
		if got := fmt.Sprint(c["rootfs"].(map[string]any)["diff_ids"]); got != fmt.Sprint(digests) {
			t.Errorf("%s: the config lists %s", path, got)
		}
		if c["model_format"] != "gguf" || c["os"] != "linux" || c["architecture"] != "amd64" {
			t.Errorf("%s: config %s", path, config)
		}
		found[filepath.Base(filepath.Dir(path))+":"+filepath.Base(path)] = kinds
	}
	if models >= 0 && len(found) != models {
		t.Errorf("%d models, want %d", len(found), models)
	}
	return found
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// blob returns the content that a descriptor refers to.
func blob(t *testing.T, store string, descriptor any) []byte {
	t.Helper()
	d := descriptor.(map[string]any)
	digest := d["digest"].(string)
	data, err := os.ReadFile(filepath.Join(store, "blobs", strings.Replace(digest, ":", "-", 1)))
	if err != nil {
		t.Errorf("%v", err)
		return nil
	}
	if got := fmt.Sprintf("sha256:%x", sha256.Sum256(data)); got != digest || float64(len(data)) != d["size"] {
		t.Errorf("%s: the content is %s with %d bytes", digest, got, len(data))
	}
	return data
}
