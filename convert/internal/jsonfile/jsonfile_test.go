package jsonfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUniqueKeys(t *testing.T) {
	for text, twice := range map[string]string{
		`{}`:                                "",
		`[{"a":1},{"a":2}]`:                 "",
		`{"a":{"a":{"a":["a","a"]}}}`:       "",
		`{"a":[{"b":1},"b"],"b":"a"}`:       "",
		`{"a":"a","b":"a","c":["b"]}`:       "",
		`{"a":1,"a":1}`:                     `"a" appears twice (at byte 10)`,
		`{"a":[],"b":{},"a":null}`:          `"a" appears twice (at byte 18)`,
		`[0,{"x":{"y":[],"z":{},"y":"y"}}]`: `"y" appears twice`,
		`{"a":1,"\u0061":2}`:                `"a" appears twice`,
	} {
		err := UniqueKeys("f.json", []byte(text))
		if twice == "" && err != nil || twice != "" && (err == nil || !strings.Contains(err.Error(), twice)) {
			t.Errorf("%s: %v, want %q", text, err, twice)
		}
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("folder: %v", err)
	}
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, MaxSize+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(large); err == nil || !strings.Contains(err.Error(), "it has more than 100000000 bytes") {
		t.Errorf("large file: %v", err)
	}
}
