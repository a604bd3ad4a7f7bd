package deploy

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const manifest = "registry.ollama.ai/library/my-embed/q4"

func options() *Options {
	o := Defaults("my-embed:q4", manifest, 24<<20)
	o.Embedding = true
	return o
}

// pack puts a manifest and a blob where the layout has them.
func pack(dir string) error {
	at := filepath.Join(dir, "manifests", filepath.FromSlash(manifest))
	return errors.Join(
		os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte("{}"), 0o644),
		os.Mkdir(filepath.Join(dir, "blobs"), 0o755),
		// sha256 of "hello\n"
		os.WriteFile(filepath.Join(dir, "blobs", blob), []byte("hello\n"), 0o644))
}

const blob = "sha256-5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

func TestWrite(t *testing.T) {
	for _, target := range Targets {
		dir := filepath.Join(t.TempDir(), "bundle")
		if err := Write(dir, target, options(), false, pack); err != nil {
			t.Fatal(err)
		}
		for _, f := range files[target] {
			info, err := os.Stat(filepath.Join(dir, f.path))
			if err != nil {
				t.Fatal(err)
			}
			if info.Size() == 0 {
				t.Errorf("%s: %s is empty", target, f.path)
			}
		}
		if err := Write(dir, target, options(), false, pack); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: a second bundle of that name: %v", target, err)
		}
		kept := filepath.Join(dir, "kept")
		if err := os.WriteFile(kept, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		wrong := errors.New("no model")
		if err := Write(dir, target, options(), true, func(string) error { return wrong }); !errors.Is(err, wrong) {
			t.Errorf("%s: a package that fails: %v", target, err)
		}
		if _, err := os.Stat(kept); err != nil {
			t.Errorf("%s: the old bundle did not survive a new one that failed: %v", target, err)
		}
		if err := Write(dir, target, options(), true, pack); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(kept); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the old bundle is still there: %v", target, err)
		}
		left, err := os.ReadDir(filepath.Dir(dir))
		if err != nil || len(left) != 1 {
			t.Errorf("%s: %v beside the bundle, %v", target, left, err)
		}
	}
}

func TestWriteKeepsOtherFolders(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	if err := os.MkdirAll(filepath.Join(other, "work"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(other, Compose, options(), true, pack); err == nil || !strings.Contains(err.Error(), "no bundle") {
		t.Errorf("a folder of something else: %v", err)
	}
	if _, err := os.Stat(filepath.Join(other, "work")); err != nil {
		t.Error(err)
	}
	empty := func(dir string) error { return nil }
	if err := Write(filepath.Join(dir, "new"), Compose, options(), false, empty); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a package without its manifest: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%v are left", left)
	}
}

func TestRefused(t *testing.T) {
	if _, err := Render("swarm", options()); err == nil || !strings.Contains(err.Error(), "compose") {
		t.Errorf("an unknown target: %v", err)
	}
	for name, change := range map[string]func(o *Options){
		"empty model":      func(o *Options) { o.Model = "" },
		"quoted model":     func(o *Options) { o.Model = `a"b` },
		"lines in model":   func(o *Options) { o.Model = "a\nb: c" },
		"variable":         func(o *Options) { o.Model = "${HOME}" },
		"traversal":        func(o *Options) { o.Manifest = "../x" },
		"absolute":         func(o *Options) { o.Manifest = "/etc/passwd" },
		"quoted manifest":  func(o *Options) { o.Manifest = "a/'b" },
		"image":            func(o *Options) { o.Image = "a b" },
		"option as image":  func(o *Options) { o.Image = "--privileged" },
		"namespace":        func(o *Options) { o.Namespace = "Upper" },
		"no replicas":      func(o *Options) { o.Replicas = 0 },
		"many replicas":    func(o *Options) { o.Replicas = 1 << 20 },
		"no processors":    func(o *Options) { o.CPUs = 0 },
		"not a number":     func(o *Options) { o.CPUs = math.NaN() },
		"port":             func(o *Options) { o.Port = 65536 },
		"rate":             func(o *Options) { o.Rate = -1 },
		"too little":       func(o *Options) { o.Memory = 64 << 20 },
		"negative weights": func(o *Options) { o.ModelBytes = -1 },
	} {
		o := options()
		change(o)
		if _, err := Render(Compose, o); err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
}

func TestName(t *testing.T) {
	for model, want := range map[string]string{
		"my-embed:q4":                     "ollama-my-embed-q4",
		"my-embed:latest":                 "ollama-my-embed",
		"host.example/Team/Qwen3_0.6B:Q8": "ollama-qwen3-0-6b-q8",
		"a..b":                            "ollama-a-b",
		strings.Repeat("long", 30):        "ollama-" + strings.Repeat("long", 10),
	} {
		o := options()
		if o.Model = model; o.name() != want {
			t.Errorf("%s is named %s, not %s", model, o.name(), want)
		}
		if !label.MatchString(o.name()) {
			t.Errorf("%s is no label", o.name())
		}
	}
}

func TestMemory(t *testing.T) {
	o := options()
	o.ModelBytes, o.WorkBytes = 1<<30, 512<<20
	// 1024 + 512 + 256 MiB and a quarter are 2240, in steps of 256 they are 2304.
	if got := mebibytes(o.memory()); got != "2304Mi" {
		t.Errorf("a server has %s", got)
	}
	o.Memory = 4<<30 + 1
	if got := mebibytes(o.memory()); got != "4097Mi" {
		t.Errorf("a server has %s", got)
	}
}
