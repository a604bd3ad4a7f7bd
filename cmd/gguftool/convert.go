package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/gguftool/gguftool/convert"
)

type convertOptions struct {
	output  string
	outtype string
	maxSize string
	json    bool
	library convert.Options
}

func newConvert(set *settings) *cobra.Command {
	var o convertOptions
	cmd := &cobra.Command{
		Use:   "convert MODEL_DIR|MODEL.safetensors|hf://MODEL",
		Short: "Convert a Hugging Face checkpoint to GGUF",
		Long: `Convert makes a GGUF file of a Hugging Face checkpoint: a folder with
config.json, the tokenizer, and weights in safetensors or pytorch_model.bin. The
file is, byte for byte, the one that llama.cpp's converter writes. Instead of the
folder, one of its files of weights can be named.

Without -o it is named after the model and the type, in the current folder; where
FILE is a folder, in that. In the name of FILE, {ftype} stands for the type, as in
q8_0, and {FTYPE} for the type in upper case.

With --split-max-tensors or --split-max-size the model is stored in shards that
are named after FILE: model-00001-of-00003.gguf and so on. A shard ends before it
would have more tensors, or more bytes of them, than that; a tensor that is larger
gets a shard of its own.

--metadata names a JSON file with an object of keys that replace what the
checkpoint says, as in {"general.author": "me", "general.sampling.top_k": 20}: the
keys of general.sampling, and those that tell where a model comes from. In it
general.base_models and general.datasets are lists of objects with name, author,
version, organization, description, url, doi, uuid and repo_url. A value of null
leaves the key out.

Weights in 8-bit floats (FP8) become what they stand for: numbers times their
scales. Other quantized checkpoints, such as those of GPTQ, AWQ and bitsandbytes,
are refused.

` + checkpointHelp,
		Example: `  gguftool convert ./all-MiniLM-L6-v2 -o minilm-f32.gguf
  gguftool convert hf://sentence-transformers/all-MiniLM-L6-v2 -o minilm-f32.gguf
  gguftool convert ./bge-small-en-v1.5 --outtype auto -o bge-{ftype}.gguf
  gguftool convert ./bge-m3 --split-max-size 500M --dry-run`,
		Args: exactly(1, "a checkpoint"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, set, args[0]) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.output, "output", "o", "", "write to `FILE`")
	f.StringVar(&o.outtype, "outtype", "f32", "`TYPE` of the matrices: f32, f16, bf16, q8_0, or auto (the 16-bit type of the checkpoint)")
	f.BoolVar(&o.library.Float8AsQ8, "fp8-as-q8", false, "make Q8_0 of matrices in FP8, whatever the type of others")
	f.StringVar(&o.library.Name, "model-name", "", "`NAME` of the model instead of the one found in the checkpoint")
	f.StringVar(&o.library.Pre, "pre", "", "`NAME` of the pre-tokenizer (tokenizer.ggml.pre) instead of the one that the structure of the tokenizer stands for")
	f.StringVar(&o.library.MetadataFile, "metadata", "", "take keys from the JSON `FILE` instead of the checkpoint")
	f.BoolVar(&o.library.VocabOnly, "vocab-only", false, "write the keys alone, among them the tokenizer; no weights are needed")
	f.IntVar(&o.library.Split.MaxTensors, "split-max-tensors", 0, "`N` tensors in a shard (default: any number)")
	f.StringVar(&o.maxSize, "split-max-size", "", "`SIZE` of the tensors in a shard: bytes, or as in 500K, 500M or 2G; K is 1000 bytes (default: any size)")
	f.BoolVar(&o.library.Split.NoTensorsFirst, "no-tensor-first-split", false, "begin with a shard that has the keys and no tensors")
	f.BoolVar(&o.library.Extras, "extras", false, "also store what llama.cpp's converter leaves out: longest text, prompts, normalization")
	f.BoolVar(&o.library.DropModules, "drop-modules", false, "leave out sentence-transformers modules behind pooling, such as Dense; vectors will differ")
	f.BoolVar(&o.library.DryRun, "dry-run", false, "show what would be written and write nothing")
	f.BoolVar(&o.library.Overwrite, "force", false, "replace existing outputs")
	f.IntVarP(&o.library.Threads, "threads", "t", 0, "`N` threads (default: as many as there are processors)")
	f.BoolVar(&o.json, "json", false, "print what was done as JSON")
	return cmd
}

// parse turns flags into options of the library; everything wrong here is wrong
// usage.
func (o *convertOptions) parse() error {
	lib := &o.library
	var err error
	if lib.FileType, err = convert.ParseFileType(o.outtype); err != nil {
		return usagef("--outtype %w", err)
	}
	if lib.Threads < 0 {
		return usagef("--threads %d is negative", lib.Threads)
	}
	if lib.Split.MaxTensors < 0 {
		return usagef("--split-max-tensors %d is negative", lib.Split.MaxTensors)
	}
	if o.maxSize != "" {
		if lib.Split.MaxSize, err = strconv.ParseInt(o.maxSize, 10, 64); err != nil || lib.Split.MaxSize < 0 {
			if lib.Split.MaxSize, err = parseSize(o.maxSize); err != nil {
				return usagef("--split-max-size: %w", err)
			}
		}
	}
	if lib.VocabOnly && lib.Split.NoTensorsFirst {
		return usagef("--vocab-only writes no tensors that --no-tensor-first-split could put elsewhere")
	}
	return nil
}

func (o *convertOptions) run(cmd *cobra.Command, set *settings, path string) error {
	if err := o.parse(); err != nil {
		return err
	}
	lib := o.library
	from, err := findCheckpoint(cmd, set, path, !lib.VocabOnly)
	if err != nil {
		return err
	}
	lib.FolderName = from.name
	update, finish := newProgress(cmd.ErrOrStderr(), set, "converting")
	lib.Progress = update
	report, err := convert.Run(cmd.Context(), from.dir, o.output, &lib)
	finish()
	if err != nil {
		return err
	}
	if o.json {
		return printConvertJSON(cmd.OutOrStdout(), report, lib.DryRun)
	}
	w := cmd.ErrOrStderr()
	if !set.quiet {
		printConvertNotes(w, report.Model)
	}
	if lib.DryRun {
		outputs := rewriteReport{DryRun: true, Tensors: len(report.Tensors), Bytes: report.Bytes, Outputs: convertOutputs(report)}
		return outputs.writeText(cmd.OutOrStdout())
	}
	if set.quiet {
		return nil
	}
	shards := ""
	if n := len(report.Outputs); n > 1 {
		shards = fmt.Sprintf(" in %d shards", n)
	}
	fmt.Fprintf(w, "%s: %s as %s, %d tensors, %d parameters, %d bytes%s\n",
		report.Outputs[0].Path, report.Class, report.FileType, len(report.Tensors), report.Parameters, report.Bytes, shards)
	return nil
}

func convertOutputs(r *convert.Report) []outputReport {
	var outputs []outputReport
	for _, out := range r.Outputs {
		outputs = append(outputs, outputReport{filepath.ToSlash(out.Path), len(out.Tensors), out.Bytes})
	}
	return outputs
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

func printConvertJSON(w io.Writer, r *convert.Report, dryRun bool) error {
	type dropped struct {
		Name   string `json:"name"`
		Reason string `json:"reason"`
	}
	out := struct {
		Path       string         `json:"path"`
		DryRun     bool           `json:"dry_run"`
		Class      string         `json:"class"`
		FileType   string         `json:"file_type"`
		Tensors    int            `json:"tensors"`
		Parameters int64          `json:"parameters"`
		Bytes      int64          `json:"bytes"`
		Outputs    []outputReport `json:"outputs"`
		Dropped    []dropped      `json:"dropped"`
		Notes      []string       `json:"notes"`
	}{
		Path: filepath.ToSlash(r.Outputs[0].Path), DryRun: dryRun, Class: r.Class, FileType: r.FileType.String(),
		Tensors: len(r.Tensors), Parameters: r.Parameters, Bytes: r.Bytes, Outputs: convertOutputs(r),
		Dropped: []dropped{}, Notes: append([]string{}, r.Notes...),
	}
	for _, d := range r.Dropped {
		out.Dropped = append(out.Dropped, dropped{d.Name, d.Why})
	}
	return json.NewEncoder(w).Encode(out)
}
