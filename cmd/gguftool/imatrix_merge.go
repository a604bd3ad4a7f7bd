package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/imatrix"
	"github.com/gguftool/gguftool/internal/atomicfile"
	"github.com/gguftool/gguftool/internal/texttable"
)

// imatrixFileOptions say how an importance file is written.
type imatrixFileOptions struct {
	output    outputOptions
	format    string
	chunkSize int
	json      bool
}

func (o *imatrixFileOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "", "`FORMAT` of the output: gguf or dat (default: dat for .dat, else gguf)")
	f.IntVar(&o.chunkSize, "chunk-size", 0, "`N` tokens in a chunk, which .dat files do not say (default: as the first file that says it, or 512)")
	f.BoolVar(&o.json, "json", false, "print what was written as JSON")
}

// check finds wrong usage.
func (o *imatrixFileOptions) check() error {
	switch {
	case o.format == "":
		o.format = "gguf"
		if filepath.Ext(o.output.path) == ".dat" {
			o.format = "dat"
		}
	case o.format != "gguf" && o.format != "dat":
		return usagef("--format %s is neither gguf nor dat", o.format)
	}
	if o.chunkSize < 0 || o.chunkSize > 1<<30 {
		return usagef("--chunk-size %d is no number of tokens", o.chunkSize)
	}
	if o.json && !o.output.toFile() {
		return usagef("--json and the importance file cannot both go to standard output")
	}
	return nil
}

type imatrixMergeOptions struct{ imatrixFileOptions }

func newImatrixMerge(set *settings) *cobra.Command {
	var o imatrixMergeOptions
	cmd := &cobra.Command{
		Use:   "merge FILE... -o OUT.gguf",
		Short: "Add the measurements of importance files",
		Long: `Merge adds the measurements of several importance files of one model, such as those
of parts of a text: sums of squares and counts are added, datasets listed one after
the other. A tensor that only some files have is taken from these. Files that have
another width for a tensor are of another model and refused.

Files may be GGUF or .dat, also mixed. A .dat file holds means and their number of
chunks, not of tokens: --chunk-size says how many tokens a chunk had.`,
		Example: `  gguftool imatrix merge part1.gguf part2.gguf -o imatrix.gguf
  gguftool imatrix merge old.dat new.gguf --chunk-size 512 -o imatrix.gguf`,
		Args: between(1, -1, "at least one importance file"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.execute(cmd, set, args) },
	}
	o.output.addFlags(cmd)
	cmd.Flags().Lookup("output").Usage = "write to `FILE`"
	o.addFlags(cmd)
	return cmd
}

func (o *imatrixMergeOptions) execute(cmd *cobra.Command, set *settings, paths []string) error {
	if o.output.path == "" {
		return usagef("merge needs the name of its output, as in -o imatrix.gguf")
	}
	if err := o.check(); err != nil {
		return err
	}
	var files []*imatrix.File
	for _, path := range paths {
		f, err := imatrix.Read(path)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	merged, err := imatrix.Merge(o.chunkSize, files...)
	if err != nil {
		return err
	}
	return o.write(cmd, set, merged, paths)
}

type imatrixConvertOptions struct{ imatrixFileOptions }

func newImatrixConvert(set *settings) *cobra.Command {
	var o imatrixConvertOptions
	cmd := &cobra.Command{
		Use:   "convert IN OUT",
		Short: "Store an importance file in the other format",
		Long: `Convert stores an importance file as GGUF or, where the name of the output ends in
.dat, in the older format of llama-imatrix. That one keeps means instead of sums,
ones for experts that saw nothing, and the name of the last dataset.`,
		Example: `  gguftool imatrix convert imatrix.dat imatrix.gguf
  gguftool imatrix convert imatrix.gguf imatrix.dat`,
		Args: exactly(2, "an importance file and an output"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.output.path = args[1]
			return o.execute(cmd, set, args[0])
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&o.output.force, "force", false, "replace an existing output")
	return cmd
}

func (o *imatrixConvertOptions) execute(cmd *cobra.Command, set *settings, path string) error {
	if err := o.check(); err != nil {
		return err
	}
	f, err := imatrix.Read(path)
	if err != nil {
		return err
	}
	if f.ChunkSize == 0 && o.format == "gguf" || o.chunkSize > 0 {
		if f, err = imatrix.Merge(o.chunkSize, f); err != nil {
			return err
		}
	}
	return o.write(cmd, set, f, []string{path})
}

// write writes f, which was made of the files at paths, and reports it.
func (o *imatrixFileOptions) write(cmd *cobra.Command, set *settings, f *imatrix.File, paths []string) error {
	if o.output.toFile() {
		if err := atomicfile.RefuseInputs([]string{o.output.path}, paths); err != nil {
			return err
		}
	}
	out, err := o.output.open(cmd)
	if err != nil {
		return err
	}
	defer out.abort()
	if o.format == "dat" {
		err = f.WriteLegacy(out)
	} else {
		err = f.WriteGGUF(out)
	}
	if err != nil {
		return err
	}
	if err := out.commit(); err != nil {
		return err
	}
	if o.format == "dat" && !set.quiet {
		noteLosses(cmd.ErrOrStderr(), f)
	}
	switch {
	case o.json:
		return o.report(f, paths).writeJSON(cmd.OutOrStdout())
	case set.quiet || !o.output.toFile():
		return nil
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "wrote %s: %d tensors, %d chunks\n", texttable.Safe(o.output.path), len(f.Entries), f.Chunks)
	return err
}

// noteLosses tells what the older format has no room for.
func noteLosses(stderr io.Writer, f *imatrix.File) {
	if len(f.Datasets) > 1 {
		fmt.Fprintf(stderr, "note: the .dat format names one dataset; %d others are left out\n", len(f.Datasets)-1)
	}
	if f.Weighing == imatrix.ByVectors {
		fmt.Fprintln(stderr, "note: the .dat format does not say that texts were weighed by vectors: do not merge it with what is weighed by tokens")
	}
	partly, empty := 0, 0
	for _, e := range f.Entries {
		switch {
		case slices.Max(e.Counts) == 0:
			empty++
		case slices.Min(e.Counts) == 0:
			partly++
		}
	}
	if partly > 0 {
		fmt.Fprintf(stderr, "note: experts of %d tensors saw nothing and have ones in the .dat format\n", partly)
	}
	if empty > 0 {
		fmt.Fprintf(stderr, "note: %d tensors saw nothing and are left out\n", empty)
	}
}

// An imatrixFileReport tells what was written.
type imatrixFileReport struct {
	Inputs    []string `json:"inputs"`
	Output    string   `json:"output"`
	Format    string   `json:"format"`
	Tensors   int      `json:"tensors"`
	Chunks    int      `json:"chunks"`
	ChunkSize int      `json:"chunk_size,omitempty"`
	Datasets  []string `json:"datasets"`
}

func (o *imatrixFileOptions) report(f *imatrix.File, paths []string) *imatrixFileReport {
	return &imatrixFileReport{paths, o.output.path, o.format, len(f.Entries), f.Chunks, f.ChunkSize, append([]string{}, f.Datasets...)}
}

func (r *imatrixFileReport) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}
