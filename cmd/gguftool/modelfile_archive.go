package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/internal/texttable"
	"github.com/gguftool/gguftool/ollama"
	"github.com/gguftool/gguftool/ollama/archive"
)

// Forms of exported models.
const (
	formArchive   = "archive"
	formLayout    = "oci"
	formLayoutTar = "oci-tar"
)

type modelfileExportOptions struct {
	store  storeOptions
	output outputOptions
	form   string
}

func newModelfileExport(set *settings) *cobra.Command {
	var o modelfileExportOptions
	cmd := &cobra.Command{
		Use:   "export NAME FILE",
		Short: "Pack a model of Ollama's store into a file",
		Long: `Export writes a model of the store, with all that belongs to it, to one file, which
'gguftool modelfile import' takes into another store. The same model makes the same
bytes on every machine.

The name of the output says its form, or --format:

  archive  NAME.tar.zst  a tar file that is compressed with zstd; unpacked in the
                         folder of a store, it is the model
  oci      a folder      an image layout of the Open Container Initiative, which
                         the tools of registries read (skopeo, oras, crane)
  oci-tar  NAME.tar      the same in a tar file

"-" writes to standard output.

` + storeHelp,
		Example: `  gguftool modelfile export embed:q4 embed-q4.tar.zst
  gguftool modelfile export embed:q4 - | ssh server gguftool modelfile import -
  gguftool modelfile export embed:q4 layout --format oci`,
		Args: exactly(2, "the name of a model and an output"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, set, args[0], args[1]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.form, "format", "", "`FORMAT`: archive, oci or oci-tar (default: by the name of the output)")
	f.BoolVar(&o.output.force, "force", false, "replace an existing file")
	o.store.addFlags(cmd)
	return cmd
}

// formOf returns the form that the name of an output says.
func formOf(path string) (string, error) {
	switch {
	case path == "-", strings.HasSuffix(path, ".tar.zst"), strings.HasSuffix(path, ".tzst"):
		return formArchive, nil
	case strings.HasSuffix(path, ".tar"):
		return formLayoutTar, nil
	}
	return "", usagef("the name %s does not say what is to be written: end it in .tar.zst, or choose --format archive, oci or oci-tar", path)
}

func (o *modelfileExportOptions) run(cmd *cobra.Command, set *settings, model, path string) error {
	var err error
	switch o.form {
	case "":
		if o.form, err = formOf(path); err != nil {
			return err
		}
	case formArchive, formLayout, formLayoutTar:
	default:
		return usagef("--format: unknown format %q; choose one of %s, %s, %s", o.form, formArchive, formLayout, formLayoutTar)
	}
	if o.form == formLayout && path == "-" {
		return usagef("an image layout is a folder, which standard output cannot hold; choose --format oci-tar")
	}
	s, names, err := o.store.find(model)
	if err != nil {
		return err
	}
	update, finish := newProgress(cmd.ErrOrStderr(), set, "packing")
	defer finish()
	if o.form == formLayout {
		err = archive.ExportLayoutDir(cmd.Context(), s, names[0], path, update)
	} else {
		err = o.write(cmd, s, names[0], path, update)
	}
	finish()
	if err != nil || set.quiet || path == "-" {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "wrote %s\n", texttable.Safe(path))
	return err
}

// write writes a file, whole or not at all.
func (o *modelfileExportOptions) write(cmd *cobra.Command, s *ollama.Store, name ollama.Name, path string, progress ollama.Progress) error {
	o.output.path = path
	out, err := o.output.open(cmd)
	if err != nil {
		return err
	}
	defer out.abort()
	export := archive.Export
	if o.form == formLayoutTar {
		export = archive.ExportLayoutTar
	}
	if err := export(cmd.Context(), s, name, out, progress); err != nil {
		return err
	}
	return out.commit()
}

type modelfileImportOptions struct {
	store       storeOptions
	as, which   string
	force, json bool
}

func newModelfileImport(set *settings) *cobra.Command {
	var o modelfileImportOptions
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Take a model of a file into Ollama's store",
		Long: `Import takes what 'gguftool modelfile export' wrote, or an image layout of another
program, into the store: an archive (.tar.zst or .tar, also from standard input as
"-"), or a folder or a tar file with an image layout.

Nothing in it is trusted: names, sizes and digests must be those of the manifest, and
nothing is written but blobs and, when all of them are there, the manifest. What the
store has already is not written again, so that an import that was interrupted does
only the rest when it is started once more.

` + storeHelp,
		Example: `  gguftool modelfile import embed-q4.tar.zst
  gguftool modelfile import layout --as embed:new`,
		Args: exactly(1, "an archive or an image layout"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, set, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.as, "as", "", "give the model this `NAME` instead of its own")
	f.StringVar(&o.which, "ref", "", "take the model with the reference `REF` of an image layout that has several")
	f.BoolVar(&o.force, "force", false, "replace a model of that name")
	f.BoolVar(&o.json, "json", false, "print what was taken in as JSON")
	o.store.addFlags(cmd)
	return cmd
}

func (o *modelfileImportOptions) run(cmd *cobra.Command, set *settings, path string) error {
	take := &archive.ImportOptions{Replace: o.force}
	if o.as != "" {
		names, err := parseModelNames([]string{o.as})
		if err != nil {
			return err
		}
		take.As = names[0]
	}
	s, err := o.store.open()
	if err != nil {
		return err
	}
	var finish func()
	take.Progress, finish = newProgress(cmd.ErrOrStderr(), set, "importing")
	defer finish()
	name, err := o.take(cmd, s, path, take)
	finish()
	if err != nil {
		return fault.InFile(err, path)
	}
	if set.quiet && !o.json {
		return nil
	}
	m, err := s.Read(name)
	if err != nil {
		return err
	}
	if o.json {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(newModelReport(s, m))
	}
	return printModel(cmd.OutOrStdout(), m)
}

func (o *modelfileImportOptions) take(cmd *cobra.Command, s *ollama.Store, path string, take *archive.ImportOptions) (ollama.Name, error) {
	switch {
	case path == "-" && o.which != "":
		return ollama.Name{}, usagef("--ref is about image layouts, which are no streams")
	case path == "-":
		return archive.Import(cmd.Context(), s, cmd.InOrStdin(), take)
	case archive.IsLayout(path):
		return archive.ImportLayout(cmd.Context(), s, path, o.which, take)
	}
	if info, err := os.Stat(path); err != nil {
		return ollama.Name{}, err
	} else if info.IsDir() {
		return ollama.Name{}, fault.Unsupported(path, "", "name an archive, or a folder with oci-layout in it", "the folder holds no image layout")
	}
	if o.which != "" {
		return ollama.Name{}, usagef("--ref is about image layouts, and %s is none", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return ollama.Name{}, err
	}
	defer f.Close()
	return archive.Import(cmd.Context(), s, f, take)
}
