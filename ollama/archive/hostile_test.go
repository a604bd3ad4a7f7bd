package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/ollama"
)

func digest(s string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s))) }

func layer(content string) string { return sized(digest(content), int64(len(content))) }

func sized(digest string, size int64) string {
	return fmt.Sprintf(`{"mediaType":"x","digest":%q,"size":%d}`, digest, size)
}

func manifestOf(config string, layers ...string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s]}`, ollama.TypeManifest, config, strings.Join(layers, ","))
}

func blobEntry(content string) entry {
	return entry{name: "blobs/sha256-" + strings.TrimPrefix(digest(content), "sha256:"), data: content}
}

const goodName = "manifests/registry.ollama.ai/library/embed/latest"

func TestHostileArchives(t *testing.T) {
	const config, model = "{}", "weights"
	good := entry{name: goodName, data: manifestOf(layer(config), layer(model))}
	named := func(name string) []byte {
		return tarOf(t, entry{name: name, data: good.data}, blobEntry(config), blobEntry(model))
	}
	with := func(manifest string, rest ...entry) []byte {
		return tarOf(t, append([]entry{{name: goodName, data: manifest}}, rest...)...)
	}
	then := func(rest ...entry) []byte { return with(good.data, rest...) }
	if _, err := Import(t.Context(), newStore(t), bytes.NewReader(then(blobEntry(config), blobEntry(model))), &ImportOptions{}); err != nil {
		t.Fatalf("the archive that others are made of: %v", err)
	}
	var many []string
	for range 1<<16 + 1 {
		many = append(many, layer(model))
	}
	huge := blobEntry(model)
	huge.size = 1 << 50
	compressed := func(data []byte) []byte {
		w, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		return w.EncodeAll(data, nil)
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "has no entries"},
		{"no tar file", bytes.Repeat([]byte("no tar file "), 100), "archive"},
		{"no entries", tarOf(t), "has no entries"},
		{"broken zstd", append([]byte{0x28, 0xb5, 0x2f, 0xfd}, "nonsense"...), "archive"},
		{"cut zstd", compressed(then(blobEntry(config), blobEntry(model)))[:60], "archive"},
		{"a huge window", []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 1, 0, 0}, "archive"},

		{"traversal by the manifest", named("manifests/../../../../../tmp/x"), "name of its model"},
		{"traversal in a part", named("manifests/registry.ollama.ai/../embed/latest"), "name of its model"},
		{"an absolute manifest", named("/manifests/registry.ollama.ai/library/embed/latest"), "expected the manifest"},
		{"a backslash", named(`manifests/registry.ollama.ai/library/embed\..\x/latest`), "name of its model"},
		{"too few parts", named("manifests/library/embed/latest"), "name of its model"},
		{"too many parts", named("manifests/a/b/c/d/e"), "name of its model"},
		{"an empty part", named("manifests/registry.ollama.ai//embed/latest"), "name of its model"},
		{"a name of dots", named("manifests/registry.ollama.ai/library/../latest"), "name of its model"},
		{"a long name", named("manifests/registry.ollama.ai/library/" + strings.Repeat("x", 200) + "/latest"), "name of its model"},
		{"a link as manifest", tarOf(t, entry{name: goodName, kind: '2', link: "/etc/passwd"}), "expected the manifest"},
		{"blobs before the manifest", tarOf(t, blobEntry(config), blobEntry(model), good), "expected the manifest"},
		{"a huge manifest", tarOf(t, entry{name: goodName, data: "{", size: 1 << 40}), "bytes, more than"},
		{"a cut manifest", tarOf(t, entry{name: goodName, data: "{", size: 1000}), "manifest"},

		{"no JSON", with("weights"), "JSON"},
		{"deep JSON", with(strings.Repeat("[", 1<<20)), "JSON"},
		{"nothing in the manifest", with("{}"), "refers to nothing"},
		{"another schema", with(strings.Replace(good.data, `"schemaVersion":2`, `"schemaVersion":1`, 1)), "schema version 1"},
		{"a digest that is a path", with(manifestOf(layer(config), sized("sha256:../../../../etc/passwd", 7))), "is no digest"},
		{"a short digest", with(manifestOf(layer(config), sized("sha256:abc", 7))), "is no digest"},
		{"another digest", with(manifestOf(layer(config), sized("md5:"+strings.Repeat("a", 32), 7))), "is no digest"},
		{"a negative size", with(manifestOf(layer(config), sized(digest(model), -1))), "a size of -1 bytes is not possible"},
		{"sizes that overflow", with(manifestOf(sized(digest(config), 1<<62), sized(digest(model), 1<<62))), "is not possible"},
		{"more than any disk", with(manifestOf(layer(config), sized(digest(model), 1<<60))), "the disk of the store has room for"},
		{"two sizes", with(manifestOf(layer(config), sized(digest(model), 7), sized(digest(model), 8))), "7 and 8 bytes"},
		{"too many layers", with(manifestOf(layer(config), many...)), "layers, more than"},

		{"a missing blob", then(blobEntry(config)), "ends without blobs/sha256-"},
		{"a wrong digest", then(blobEntry(config), entry{name: blobEntry(model).name, data: "weighty"}), "instead of sha256:"},
		{"a shorter blob", then(blobEntry(config), entry{name: blobEntry(model).name, data: "weight"}), "has 6 bytes, the manifest says 7"},
		{"a longer blob", then(blobEntry(config), entry{name: blobEntry(model).name, data: "weights!"}), "has 8 bytes, the manifest says 7"},
		{"a huge blob", then(blobEntry(config), huge), "the manifest says 7"},
		{"a blob of nobody", then(blobEntry(config), blobEntry("other")), "is no blob of the model"},
		{"a blob twice", then(blobEntry(config), blobEntry(config), blobEntry(model)), "or there twice"},
		{"one more at the end", then(blobEntry(config), blobEntry(model), blobEntry("other")), "is no blob of the model"},
		{"a second manifest", then(blobEntry(config), good, blobEntry(model)), "is no blob of the model"},
		{"a file elsewhere", then(entry{name: "../../outside", data: "x"}), "is no blob of the model"},
		{"an absolute file", then(entry{name: "/tmp/outside", data: "x"}), "is no blob of the model"},
		{"a blob that is a link", then(entry{name: blobEntry(config).name, kind: '2', link: "/etc/passwd"}), "is not a file"},
		{"a blob that is a hard link", then(entry{name: blobEntry(config).name, kind: '1', link: "/etc/passwd"}), "is not a file"},
		{"a blob that is a device", then(entry{name: blobEntry(config).name, kind: '3'}), "is not a file"},
		{"a blob that is a pipe", then(entry{name: blobEntry(config).name, kind: '6'}), "is not a file"},
		{"a folder", then(entry{name: "blobs/", kind: '5'}), "is not a file"},
		{"a link out of the store", then(entry{name: "blobs", kind: '2', link: "/tmp"}), "is not a file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			outside := t.TempDir()
			into, err := ollama.Open(filepath.Join(outside, "a", "b", "models"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = Import(t.Context(), into, bytes.NewReader(c.data), &ImportOptions{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %q in it", err, c.want)
			}
			checkEmpty(t, into)
			checkInside(t, outside, into.Dir)
		})
	}
}

// checkInside makes sure that nothing was written but below a folder.
func checkInside(t *testing.T, root, inside string) {
	t.Helper()
	filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(path, inside+string(filepath.Separator)) {
			t.Errorf("%s was written", path)
		}
		return nil
	})
}

// zeros reads as so many of them.
type zeros int64

func (z *zeros) Read(p []byte) (int, error) {
	if *z == 0 {
		return 0, errors.New("read to the end")
	}
	n := int64(min(zeros(len(p)), *z))
	clear(p[:n])
	*z -= zeros(n)
	return int(n), nil
}

// A blob of zeros that nearly vanishes when it is compressed is refused long
// before it fills a disk.
func TestBomb(t *testing.T) {
	const size = 64 << 30
	head := tarOf(t, entry{name: goodName, data: manifestOf(sized(digest("x"), size), layer("y"))},
		entry{name: blobEntry("x").name, data: "", size: size})
	head = head[:len(head)/512*512]
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		defer w.Close()
		z, err := zstd.NewWriter(w)
		if err != nil {
			return
		}
		if _, err := z.Write(head); err != nil {
			return
		}
		rest := zeros(size)
		z.ReadFrom(&rest) // ends with the pipe
	}()
	into := newStore(t)
	counted := &measured{r: r}
	_, err = Import(t.Context(), into, counted, &ImportOptions{})
	if err == nil || !strings.Contains(err.Error(), "grows to more than") && !strings.Contains(err.Error(), "has room for") {
		t.Fatalf("error %v", err)
	}
	if n := counted.bytes.Load(); n > 16<<20 {
		t.Errorf("%d bytes were read first", n)
	}
	checkEmpty(t, into)
}

func TestHostileLayouts(t *testing.T) {
	const config, model = "{}", "weights"
	manifest := manifestOf(layer(config), layer(model))
	at := func(content string) string { return "blobs/sha256/" + strings.TrimPrefix(digest(content), "sha256:") }
	index := func(digest string, size int, ref string) string {
		return fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"digest":%q,"size":%d,"annotations":{%q:%q}}]}`, digest, size, refName, ref)
	}
	good := map[string]string{
		layoutFile: `{"imageLayoutVersion":"1.0.0"}`, "index.json": index(digest(manifest), len(manifest), "embed:q4"),
		at(manifest): manifest, at(config): config, at(model): model,
	}
	for _, c := range []struct {
		name   string
		change func(dir string, f map[string]string)
		want   string
	}{
		{"no version", func(_ string, f map[string]string) { delete(f, layoutFile) }, "has no oci-layout"},
		{"another version", func(_ string, f map[string]string) { f[layoutFile] = `{"imageLayoutVersion":"9"}` }, `version "9"`},
		{"no index", func(_ string, f map[string]string) { delete(f, "index.json") }, "has no index.json"},
		{"no JSON", func(_ string, f map[string]string) { f["index.json"] = "{" }, "is not what it should be"},
		{"no models", func(_ string, f map[string]string) { f["index.json"] = "{}" }, "lists no model"},
		{"a digest that is a path", func(_ string, f map[string]string) { f["index.json"] = index("sha256:../../x", 3, "embed") }, "is no digest"},
		{"a name that is a path", func(_ string, f map[string]string) {
			f["index.json"] = index(digest(manifest), len(manifest), "../../../x")
		}, "names its model"},
		{"no name", func(_ string, f map[string]string) { f["index.json"] = index(digest(manifest), len(manifest), "") }, "another name can be given"},
		{"another manifest", func(_ string, f map[string]string) { f[at(manifest)] = "{}" }, "another digest than its name says"},
		{"no manifest", func(_ string, f map[string]string) { delete(f, at(manifest)) }, "has no blobs/sha256/"},
		{"a missing blob", func(_ string, f map[string]string) { delete(f, at(model)) }, "has no blobs/sha256/"},
		{"a shorter blob", func(_ string, f map[string]string) { f[at(model)] = "weight" }, "has 6 bytes, the manifest says 7"},
		{"a wrong blob", func(_ string, f map[string]string) { f[at(model)] = "weighty" }, "instead of sha256:"},
		{"a link out of the folder", func(dir string, f map[string]string) {
			delete(f, at(model))
			secret := filepath.Join(filepath.Dir(dir), "secret")
			if err := errors.Join(os.WriteFile(secret, []byte(model), 0o644), os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755),
				os.Symlink(secret, filepath.Join(dir, at(model)))); err != nil {
				t.Fatal(err)
			}
		}, "escapes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "layout")
			files := map[string]string{}
			for name, text := range good {
				files[name] = text
			}
			c.change(dir, files)
			for name, text := range files {
				path := filepath.Join(dir, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			into := newStore(t)
			if _, err := ImportLayout(t.Context(), into, dir, "", &ImportOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
			checkEmpty(t, into)
		})
	}
}

func FuzzImport(f *testing.F) {
	const config, model = "{}", "weights"
	whole := tarOf(f, entry{name: goodName, data: manifestOf(layer(config), layer(model))}, blobEntry(config), blobEntry(model))
	f.Add(whole)
	f.Add(whole[:700])
	w, err := zstd.NewWriter(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(w.EncodeAll(whole, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		into := newStore(t)
		name, err := Import(context.Background(), into, bytes.NewReader(data), &ImportOptions{})
		if err != nil {
			checkEmpty(t, into)
			_, malformed := errors.AsType[*fault.FormatError](err)
			_, unsupported := errors.AsType[*fault.UnsupportedError](err)
			if !malformed && !unsupported && !strings.Contains(err.Error(), "has room for") {
				t.Errorf("error %v is neither malformed nor unsupported", err)
			}
			return
		}
		checkModel(t, into, name)
	})
}
