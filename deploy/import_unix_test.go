//go:build unix

package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestImport runs import.sh of a bundle as the containers do.
func TestImport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bundle")
	if err := Write(dir, Compose, options(), false, pack); err != nil {
		t.Fatal(err)
	}
	run := func(store string) (string, error) {
		out, err := exec.Command("sh", filepath.Join(dir, "import.sh"), filepath.Join(dir, "package"), store).CombinedOutput()
		return string(out), err
	}
	files := func(store string) string {
		var names []string
		filepath.WalkDir(store, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				name, _ := filepath.Rel(store, path)
				names = append(names, name)
			}
			return err
		})
		return strings.Join(names, " ")
	}
	store := filepath.Join(t.TempDir(), "models")
	whole := "blobs/" + blob + " manifests/" + manifest
	if out, err := run(store); err != nil || files(store) != whole || !strings.Contains(out, blob+" is imported") {
		t.Fatalf("%v: %s, %s", err, out, files(store))
	}
	if out, err := run(store); err != nil || files(store) != whole || !strings.Contains(out, blob+" is there") {
		t.Errorf("a second time: %v: %s, %s", err, out, files(store))
	}
	// What an interrupted copy or a bad disk left is replaced.
	at := filepath.Join(store, "blobs", blob)
	if err := os.WriteFile(at, []byte("hel"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := run(store); err != nil || !strings.Contains(out, "is imported") {
		t.Errorf("over a damaged file: %v: %s", err, out)
	}
	if text, _ := os.ReadFile(at); string(text) != "hello\n" {
		t.Errorf("the file is now %q", text)
	}
	// A damaged package gives no model.
	if err := os.WriteFile(filepath.Join(dir, "package", "blobs", blob), []byte("hullo\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	store = filepath.Join(t.TempDir(), "models")
	if out, err := run(store); err == nil || !strings.Contains(out, "damaged") || files(store) != "" {
		t.Errorf("a damaged package: %v: %s, %s", err, out, files(store))
	}
}
