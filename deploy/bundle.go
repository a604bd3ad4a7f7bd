package deploy

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"github.com/gguftool/gguftool/internal/atomicfile"
)

// A Target is what a bundle is for.
type Target string

// The targets.
const (
	Compose    Target = "compose"
	Kubernetes Target = "kubernetes"
)

// Targets are all of them.
var Targets = []Target{Compose, Kubernetes}

// Options describe what runs.
type Options struct {
	Model      string  // as clients of the server name it, such as "my-embed:q4"
	Manifest   string  // path of its manifest below package/manifests, with slashes
	ModelBytes int64   // of the weights
	WorkBytes  int64   // that a server needs beside the weights, for activations and caches
	Embedding  bool    // whether the model makes vectors, not text
	Replicas   int     // servers
	CPUs       float64 // of each server
	Memory     int64   // bytes of each server; 0 for what the model needs
	Port       int     // of the gateway on the host
	Rate       int     // requests per second of one client; 0 for no limit
	Image      string  // of the Ollama server
	Namespace  string  // of Kubernetes; "" for the one that kubectl uses
}

// Defaults returns options for a model.
func Defaults(model, manifest string, bytes int64) *Options {
	return &Options{
		Model: model, Manifest: manifest, ModelBytes: bytes, WorkBytes: 256 << 20,
		Replicas: 2, CPUs: 2, Port: 11434, Rate: 50, Image: "ollama/ollama:0.24.0",
	}
}

var (
	modelName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.:/-]*$`)
	imageName = regexp.MustCompile(`^[a-z0-9][A-Za-z0-9_.:/@-]*$`)
	label     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// Check refuses what would make a bundle that does not run, and text that could
// mean something else in one of its files.
func (o *Options) Check() error {
	switch {
	case !modelName.MatchString(o.Model) || len(o.Model) > 400:
		return fmt.Errorf("%q is no name of a model", o.Model)
	case o.Manifest == "" || !fs.ValidPath(o.Manifest) || !modelName.MatchString(o.Manifest):
		return fmt.Errorf("%q is no path of a manifest", o.Manifest)
	case !imageName.MatchString(o.Image) || len(o.Image) > 400:
		return fmt.Errorf("%q is no name of an image", o.Image)
	case o.Namespace != "" && !label.MatchString(o.Namespace):
		return fmt.Errorf("%q is no name of a namespace: lower-case letters, digits and hyphens", o.Namespace)
	case o.Replicas < 1 || o.Replicas > 1000:
		return fmt.Errorf("%d replicas: 1 to 1000 are possible", o.Replicas)
	case !(o.CPUs >= 0.1 && o.CPUs <= 1024):
		return fmt.Errorf("%g processors for a server: 0.1 to 1024 are possible", o.CPUs)
	case o.Port < 1 || o.Port > math.MaxUint16:
		return fmt.Errorf("%d is no port", o.Port)
	case o.Rate < 0 || o.Rate > 1e6:
		return fmt.Errorf("%d requests per second: 1 to 1000000 are possible, and 0 for no limit", o.Rate)
	case o.ModelBytes < 0 || o.WorkBytes < 0 || o.Memory < 0:
		return errors.New("sizes in bytes cannot be negative")
	case o.Memory > 0 && o.Memory < o.least():
		return fmt.Errorf("%s of memory do not hold the model: it needs about %s", mebibytes(o.Memory), mebibytes(o.least()))
	}
	return nil
}

// serverBytes is what an Ollama server with its runner takes before a model is
// loaded, about twice what was measured.
const serverBytes = 256 << 20

// least is the memory below which the model cannot be loaded.
func (o *Options) least() int64 { return o.ModelBytes + o.WorkBytes + serverBytes }

// memory returns the limit of a server, with a quarter to spare, in steps of 256 MiB.
func (o *Options) memory() int64 {
	if o.Memory > 0 {
		return o.Memory
	}
	const step = 256 << 20
	return (o.least() + o.least()/4 + step - 1) / step * step
}

// mebibytes writes a size as Kubernetes reads it, rounded up.
func mebibytes(n int64) string { return fmt.Sprintf("%dMi", (n+1<<20-1)>>20) }

// name returns the model's name as a label of DNS, which Kubernetes and Compose ask for.
func (o *Options) name() string {
	s := strings.ToLower(o.Model)
	if i := strings.LastIndexByte(s, '/'); i >= 0 {
		s = s[i+1:]
	}
	s = strings.TrimSuffix(s, ":latest")
	var b strings.Builder
	for _, r := range s {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
	}
	// What stands in front keeps names apart from numbers, which they may not begin with.
	s = b.String()
	return "ollama-" + strings.Trim(s[:min(len(s), 40)], "-")
}

//go:embed templates
var templates embed.FS

// bundleFile is a file of a bundle and the template that it is made of.
type bundleFile struct {
	path, template string
	mode           fs.FileMode
}

var shared = []bundleFile{
	{"import.sh", "both/import.sh", 0o755},
	{"haproxy.cfg", "both/haproxy.cfg", 0o644},
}

var files = map[Target][]bundleFile{
	Compose: append([]bundleFile{
		{"compose.yaml", "compose/compose.yaml", 0o644},
		{"prometheus.yml", "compose/prometheus.yml", 0o644},
		{"README.md", "compose/README.md", 0o644},
	}, shared...),
	Kubernetes: append([]bundleFile{
		{"kustomization.yaml", "kubernetes/kustomization.yaml", 0o644},
		{"ollama.yaml", "kubernetes/ollama.yaml", 0o644},
		{"gateway.yaml", "kubernetes/gateway.yaml", 0o644},
		{"Dockerfile", "kubernetes/Dockerfile", 0o644},
		{"README.md", "kubernetes/README.md", 0o644},
	}, shared...),
}

// Render returns the files of a bundle but the package, by path.
func Render(target Target, o *Options) (map[string][]byte, error) {
	list, ok := files[target]
	if !ok {
		return nil, fmt.Errorf("there is no target %q: %v are the ones", target, Targets)
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	rendered := make(map[string][]byte, len(list))
	for _, f := range list {
		text, err := templates.ReadFile(path.Join("templates", f.template))
		if err != nil {
			return nil, err
		}
		t, err := template.New(f.template).Option("missingkey=error").Parse(string(text))
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := t.Execute(&b, o.values()); err != nil {
			return nil, err
		}
		rendered[f.path] = b.Bytes()
	}
	return rendered, nil
}

// values are what templates may name.
func (o *Options) values() map[string]any {
	milli := int(math.Ceil(o.CPUs * 1000))
	probe := "/api/generate"
	body := fmt.Sprintf(`{"model":%q,"prompt":"Hello","stream":false}`, o.Model)
	if o.Embedding {
		probe, body = "/api/embed", fmt.Sprintf(`{"model":%q,"input":"a first text"}`, o.Model)
	}
	return map[string]any{
		"Name":      o.name(),
		"Model":     o.Model,
		"Manifest":  o.Manifest,
		"Embedding": o.Embedding,
		"Replicas":  o.Replicas,
		"CPUs":      fmt.Sprintf("%.3g", o.CPUs),
		"MilliCPUs": milli,
		"Threads":   max(1, milli/1000),
		"Memory":    mebibytes(o.memory()),
		"MemoryMiB": (o.memory() + 1<<20 - 1) >> 20,
		"Least":     mebibytes(o.least()),
		"Storage":   mebibytes(o.ModelBytes + o.ModelBytes/4 + 256<<20),
		"Port":      o.Port,
		"Rate":      o.Rate,
		"Image":     o.Image,
		"Namespace": o.Namespace,
		"TryPath":   probe,
		"TryBody":   body,
	}
}

// Write makes the folder dir with the bundle: whole, or not at all. pack puts the
// model into the folder that it is given, in the layout of an Ollama store. A
// folder that exists is refused unless replace is set, and then takes the place of
// the old one, which must be a bundle.
func Write(dir string, target Target, o *Options, replace bool, pack func(dir string) error) error {
	rendered, err := Render(target, o)
	if err != nil {
		return err
	}
	dir = filepath.Clean(dir)
	old, err := os.Lstat(dir)
	switch {
	case err == nil && !replace:
		return fmt.Errorf("%s: %w; --force replaces a bundle", dir, fs.ErrExist)
	case err == nil && !isBundle(dir, old):
		return fmt.Errorf("%s exists and is no bundle: it is not replaced, give another name", dir)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return atomicfile.Folder(dir, replace, func(made string) error {
		for _, f := range files[target] {
			if err := os.WriteFile(filepath.Join(made, f.path), rendered[f.path], f.mode); err != nil {
				return err
			}
		}
		packed := filepath.Join(made, "package")
		if err := os.Mkdir(packed, 0o755); err != nil {
			return err
		}
		if err := pack(packed); err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(packed, "manifests", filepath.FromSlash(o.Manifest))); err != nil {
			return fmt.Errorf("the package has no manifest of %s: %w", o.Model, err)
		}
		return nil
	})
}

// isBundle reports whether dir holds the files that only a bundle has together.
func isBundle(dir string, info fs.FileInfo) bool {
	if !info.IsDir() {
		return false
	}
	for _, f := range shared {
		if _, err := os.Stat(filepath.Join(dir, f.path)); err != nil {
			return false
		}
	}
	return true
}
