package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/convert"
)

type convertOptions struct {
	output  string
	outtype string
	json    bool
	library convert.Options
}

func newConvert(set *settings) *cobra.Command {
	var o convertOptions
	cmd := &cobra.Command{
		Use:   "convert MODEL_DIR",
		Short: "Convert a Hugging Face checkpoint to GGUF",
		Long: `Convert makes a GGUF file of a Hugging Face checkpoint: a folder with
config.json, the tokenizer, and weights in safetensors or pytorch_model.bin. The
file is, byte for byte, the one that llama.cpp's converter writes.

Without -o it is named after the model and the type, in the current folder.`,
		Example: `  gguftool convert ./all-MiniLM-L6-v2 -o minilm-f32.gguf
  gguftool convert ./bge-small-en-v1.5 --outtype f16`,
		Args: exactly(1, "the folder of a checkpoint"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, set, args[0]) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.output, "output", "o", "", "write to `FILE`")
	f.StringVar(&o.outtype, "outtype", "f32", "`TYPE` of the matrices: f32, f16, bf16, q8_0, or auto (the 16-bit type of the checkpoint)")
	f.StringVar(&o.library.Name, "model-name", "", "`NAME` of the model instead of the one found in the checkpoint")
	f.BoolVar(&o.library.Extras, "extras", false, "also store what llama.cpp's converter leaves out: longest text, prompts, normalization")
	f.BoolVar(&o.library.DropModules, "drop-modules", false, "leave out sentence-transformers modules that GGUF cannot hold; vectors will differ")
	f.BoolVar(&o.library.Overwrite, "force", false, "replace an existing output")
	f.IntVarP(&o.library.Threads, "threads", "t", 0, "`N` threads (default: as many as there are processors)")
	f.BoolVar(&o.json, "json", false, "print what was done as JSON")
	return cmd
}

func (o *convertOptions) run(cmd *cobra.Command, set *settings, dir string) error {
	lib := o.library
	var err error
	if lib.FileType, err = convert.ParseFileType(o.outtype); err != nil {
		return usagef("--outtype %w", err)
	}
	if lib.Threads < 0 {
		return usagef("--threads %d is negative", lib.Threads)
	}
	update, finish := newProgress(cmd.ErrOrStderr(), set, "converting")
	lib.Progress = update
	report, err := convert.Run(cmd.Context(), dir, o.output, &lib)
	finish()
	if err != nil {
		return err
	}
	if o.json {
		return printConvertJSON(cmd.OutOrStdout(), report)
	}
	if set.quiet {
		return nil
	}
	w := cmd.ErrOrStderr()
	printConvertNotes(w, report.Model)
	fmt.Fprintf(w, "%s: %s as %s, %d tensors, %d parameters, %d bytes\n",
		report.Path, report.Class, report.FileType, len(report.Tensors), report.Parameters, report.Bytes)
	return nil
}

// printConvertNotes tells what a user should know about the model.
func printConvertNotes(w io.Writer, m *convert.Model) {
	for _, note := range m.Notes {
		fmt.Fprintln(w, "note:", note)
	}
	for _, d := range m.Dropped {
		fmt.Fprintf(w, "left out: %s: %s\n", d.Name, d.Why)
	}
}

func printConvertJSON(w io.Writer, r *convert.Report) error {
	type dropped struct {
		Name   string `json:"name"`
		Reason string `json:"reason"`
	}
	out := struct {
		Path       string    `json:"path"`
		Class      string    `json:"class"`
		FileType   string    `json:"file_type"`
		Tensors    int       `json:"tensors"`
		Parameters int64     `json:"parameters"`
		Bytes      int64     `json:"bytes"`
		Dropped    []dropped `json:"dropped"`
		Notes      []string  `json:"notes"`
	}{
		Path: filepath.ToSlash(r.Path), Class: r.Class, FileType: r.FileType.String(),
		Tensors: len(r.Tensors), Parameters: r.Parameters, Bytes: r.Bytes,
		Dropped: []dropped{}, Notes: append([]string{}, r.Notes...),
	}
	for _, d := range r.Dropped {
		out.Dropped = append(out.Dropped, dropped{d.Name, d.Why})
	}
	return json.NewEncoder(w).Encode(out)
}
