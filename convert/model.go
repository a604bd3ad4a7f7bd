package convert

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gguftool/gguftool/convert/internal/checkpoint"
	"github.com/gguftool/gguftool/gguf"
)

// Options change what a checkpoint becomes. The zero value means F32.
type Options struct {
	// FileType is gguf.FileF32, FileF16, FileBF16 or FileQ8_0. FileGuessed
	// stands for the 16-bit type of the checkpoint, F16 where it has none.
	// Vectors, positions and token types are F32 always, and rows that Q8_0
	// cannot hold are F16.
	FileType gguf.FileType

	// Float8AsQ8 makes Q8_0 of matrices in 8-bit floats that have scales, whatever
	// FileType says.
	Float8AsQ8 bool

	// Name replaces general.name.
	Name string

	// MetadataFile names a JSON file of keys that replace what the checkpoint
	// says: those of general.sampling, and of general those about the origin of a
	// model, as llama.cpp's converter takes them. general.base_models and
	// general.datasets are lists of objects there. A key of null is left out.
	MetadataFile string

	// FolderName stands for the name of the folder, from which the name of the
	// model comes where the checkpoint has none, for folders that are called
	// otherwise, as in a cache.
	FolderName string

	// VocabOnly leaves out all weights: the file has keys alone, among them the
	// tokenizer. The checkpoint need not have weights then.
	VocabOnly bool

	// Pre replaces tokenizer.ggml.pre, which is otherwise found by the structure
	// of the tokenizer.
	Pre string

	// DropModules converts a sentence-transformers model without the modules behind
	// pooling that change its vectors. Otherwise a model with some that GGUF does not
	// hold is refused, and the Dense modules of EmbeddingGemma are kept.
	DropModules bool

	// Extras adds what llama.cpp's converter leaves out of a sentence-transformers
	// model, where the checkpoint says it: gguftool.max_seq_length (u32, tokens
	// beyond which the model was not trained), gguftool.normalize (bool) and what
	// embedding.Prompts holds, the texts to put before the input for each task; also
	// gguftool.rope.scaling.dynamic_factor (f32), and gemma3's
	// attention.sliding_window_pattern where it is not the one that readers assume.
	Extras bool

	// Split divides what Run writes into shards. A model that fits one shard
	// becomes a file like any other.
	Split gguf.ShardLimits

	// DryRun lets Run write nothing.
	DryRun bool

	// Overwrite lets Run replace existing files.
	Overwrite bool

	// Threads is how many goroutines Run converts with; 0 is one for each processor.
	Threads int

	// Progress, if set, is called by Run, never from two goroutines at once, with
	// the bytes of tensor data that are written and those that there will be.
	Progress func(done, total int64)
}

// ParseFileType returns the value of Options.FileType called name, in any case.
func ParseFileType(name string) (gguf.FileType, error) {
	switch strings.ToLower(name) {
	case "f32":
		return gguf.FileF32, nil
	case "f16":
		return gguf.FileF16, nil
	case "bf16":
		return gguf.FileBF16, nil
	case "q8_0":
		return gguf.FileQ8_0, nil
	case "auto":
		return gguf.FileGuessed, nil
	}
	return 0, fmt.Errorf("%q is none of f32, f16, bf16, q8_0 or auto; other types are for quantize", name)
}

// A Model is a checkpoint seen as a GGUF file.
type Model struct {
	Class    string // of transformers, as in "BertModel"
	FileType gguf.FileType
	Metadata *gguf.Metadata
	Tensors  []*Tensor // in the order of the file
	Dropped  []Dropped
	Notes    []string // what a user should know about the result, a sentence each
	FileName string   // in llama.cpp's naming convention, as in "MiniLM-L6-H384-23M-uncased-F16.gguf"

	weights *checkpoint.Checkpoint
	modules []*checkpoint.Checkpoint // behind pooling
}

// Dropped is a tensor of the checkpoint that the result does not have.
type Dropped struct{ Name, Why string }

// A Tensor is one of the result.
type Tensor struct {
	gguf.TensorInfo        // as it will be written
	Source          string // its name in the checkpoint

	source   *checkpoint.Tensor
	change   change
	headSize int64 // of the model
	skipped  int64 // rows of the source before the first
}

// Open reads all of a checkpoint but its weights, and checks that it is complete
// and free of contradictions. path is its folder, or a file of its weights, beside
// which the folder has the others; where an index names that file as one of
// several, all of them belong to the model. opts may be nil.
//
// Errors about the content are *fault.FormatError, or *fault.UnsupportedError
// for checkpoints that are valid but cannot be converted.
func Open(path string, opts *Options) (*Model, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	dir := path
	isFile := checkpoint.IsWeights(path)
	if isFile {
		dir = filepath.Dir(path)
	}
	config, err := readConfig(dir)
	if err != nil {
		return nil, noCheckpoint(dir, err)
	}
	class, err := config.architecture()
	if err != nil {
		return nil, err
	}
	arch, err := lookupArchitecture(class, config.file)
	if err != nil {
		return nil, err
	}
	quantized := new(quantization)
	if !o.VocabOnly {
		if quantized, err = config.quantization(dir); err != nil {
			return nil, err
		}
	}
	config.assume(arch.defaults)
	overrides, err := readOverrides(o.MetadataFile)
	if err != nil {
		return nil, err
	}

	open := checkpoint.Open
	if isFile {
		open = checkpoint.OpenFile
	}
	weights, err := open(path)
	if o.VocabOnly && errors.Is(err, fs.ErrNotExist) {
		weights, err = new(checkpoint.Checkpoint), nil
	}
	if err != nil {
		return nil, err
	}
	b := builder{
		Model: &Model{Class: class, Metadata: new(gguf.Metadata), weights: weights},
		dir:   dir, options: o, config: config, arch: arch, overrides: overrides, quantization: quantized,
	}
	if err := b.build(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b.Model, nil
}

// noCheckpoint explains a folder without a config.json, and what is no folder.
func noCheckpoint(dir string, err error) error {
	if info, statErr := os.Stat(dir); statErr == nil && !info.IsDir() {
		return fmt.Errorf("%s is a file; name the folder of a checkpoint", dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; %s is not the folder of a Hugging Face checkpoint", err, dir)
	}
	return err
}

// Close unmaps the weights.
func (m *Model) Close() error {
	err := m.weights.Close()
	for _, c := range m.modules {
		err = errors.Join(err, c.Close())
	}
	return err
}
