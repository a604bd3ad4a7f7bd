package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/internal/texttable"
	"github.com/gguftool/gguftool/ollama"
)

type modelfileCreateOptions struct {
	store storeOptions
	maker modelMaker
	file  string
	link  bool
	force bool
	json  bool
}

func newModelfileCreate(set *settings) *cobra.Command {
	var o modelfileCreateOptions
	cmd := &cobra.Command{
		Use:   "create NAME[:TAG]",
		Short: "Make a model of a Modelfile in Ollama's store",
		Long: `Create does what "ollama create" does, without a server: it puts what a Modelfile
names into Ollama's store, under the same digests, and a manifest last. A server on
that store lists and runs the model at once.

FROM names a GGUF file, which may be one of several shards; a checkpoint, which is
converted; a folder with one of these; or a model that is in the store already, of
which all is inherited that the Modelfile does not say anew. A second FROM may add
the part of a model that sees (mmproj). Paths begin at the folder of the Modelfile.
Without a TEMPLATE, the one that Ollama knows for the model's chat template is taken.

--quantize makes any type of 'gguftool quantize' of the model. With --imatrix it
weighs errors with importance: that in a file, or with "auto" measured first, on the
text that 'gguftool imatrix' has built in. A checkpoint that is not quantized gets
the 16-bit type that it has, or F16.

Where the file system can, the store shares the bytes of a GGUF file with it (as on
Btrfs and XFS), and otherwise copies them. --link makes the file itself the blob of
the store where they are on one file system: no bytes are copied, but the file must
not be changed from then on.

The model appears whole or not at all. One of that name is replaced with --force;
the same one is left as it is.

` + storeHelp,
		Example: `  gguftool modelfile create embed
  gguftool modelfile create embed:q4 -f Modelfile --quantize Q4_K_M --imatrix auto
  echo FROM ./minilm-q8_0.gguf | gguftool modelfile create embed:q8 -f -`,
		Args: exactly(1, "the name of the model"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, set, args[0]) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.file, "file", "f", "", "read the Modelfile `FILE`; - is standard input (default: Modelfile)")
	f.BoolVar(&o.link, "link", false, "make hard links of GGUF files instead of copies, where the bytes cannot be shared otherwise")
	f.BoolVar(&o.force, "force", false, "replace a model of that name")
	f.BoolVar(&o.json, "json", false, "print what was made as JSON")
	o.maker.addFlags(cmd)
	o.store.addFlags(cmd)
	return cmd
}

func (o *modelfileCreateOptions) run(cmd *cobra.Command, set *settings, arg string) error {
	name, err := ollama.ParseName(arg)
	if err != nil {
		return usageError{err}
	}
	o.maker.cmd, o.maker.set = cmd, set
	if err := o.maker.parse(); err != nil {
		return err
	}
	path := o.file
	if path == "" {
		path = "Modelfile"
	}
	f, err := readModelfile(cmd, path)
	if o.file == "" && errors.Is(err, fs.ErrNotExist) {
		return usagef("there is no Modelfile here; name one with -f, or write one with 'gguftool modelfile init'")
	}
	if err != nil {
		return err
	}
	store, err := o.store.open()
	if err != nil {
		return err
	}
	share := ollama.ShareClone
	if o.link {
		share = ollama.ShareLink
	}
	dir := filepath.Dir(path)
	if path == "-" {
		dir = "."
	}
	note := func(string) {}
	if !set.quiet {
		note = func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), "note:", text) }
	}
	bars := progressBars{w: cmd.ErrOrStderr(), set: set}
	defer bars.finish()
	m, err := store.Create(cmd.Context(), name, f, &ollama.CreateOptions{
		Dir: dir, Share: share, Replace: o.force, Make: o.maker.make, Progress: bars.update, Note: note,
	})
	bars.finish()
	if err != nil {
		return fault.InFile(err, path)
	}
	return o.print(cmd.OutOrStdout(), set, store, m)
}

// A modelReport is a model as --json has it.
type modelReport struct {
	Name     string        `json:"name"`
	ID       string        `json:"id"` // sha256 of the manifest
	Size     int64         `json:"size"`
	Modified string        `json:"modified"` // RFC 3339
	Manifest string        `json:"manifest"` // path
	Layers   []layerReport `json:"layers"`   // the config last
}

type layerReport struct {
	MediaType string        `json:"media_type"`
	Digest    ollama.Digest `json:"digest"`
	Size      int64         `json:"size"`
	From      string        `json:"from,omitempty"`
	Path      string        `json:"path"`
}

func newModelReport(s *ollama.Store, m *ollama.Model) *modelReport {
	r := &modelReport{
		Name: m.Name.Short(), ID: m.ID, Size: m.Manifest.Size(),
		Modified: m.Modified.UTC().Format("2006-01-02T15:04:05Z"), Manifest: s.ManifestPath(m.Name), Layers: []layerReport{},
	}
	for _, l := range m.Manifest.Blobs() {
		r.Layers = append(r.Layers, layerReport{l.MediaType, l.Digest, l.Size, l.From, s.BlobPath(l.Digest)})
	}
	return r
}

func (o *modelfileCreateOptions) print(w io.Writer, set *settings, s *ollama.Store, m *ollama.Model) error {
	if o.json {
		return json.NewEncoder(w).Encode(newModelReport(s, m))
	}
	if set.quiet {
		return nil
	}
	return printModel(w, m)
}

func printModel(w io.Writer, m *ollama.Model) error {
	_, err := fmt.Fprintf(w, "%s: %s bytes in %d blobs, id %s\n", m.Name.Short(), texttable.Grouped(m.Manifest.Size()), len(m.Manifest.Blobs()), m.ID[:12])
	return err
}

// progressBars show one thing after another.
type progressBars struct {
	w    io.Writer
	set  *settings
	what string
	bar  func(done, total int64)
	end  func()
}

func (b *progressBars) update(what string, done, total int64) {
	if what != b.what {
		b.finish()
		b.what = what
		b.bar, b.end = newProgress(b.w, b.set, what)
	}
	b.bar(done, total)
}

func (b *progressBars) finish() {
	if b.end != nil {
		b.end()
		b.end, b.what = nil, ""
	}
}
