package convert

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
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

	// Name replaces general.name.
	Name string

	// DropModules converts a sentence-transformers model that ends in modules
	// GGUF does not hold, such as Dense, without them. Otherwise such a model is
	// refused, as its vectors would be others.
	DropModules bool

	// Extras adds what llama.cpp's converter leaves out of a sentence-transformers
	// model, where the checkpoint says it: gguftool.max_seq_length (u32, tokens
	// beyond which the model was not trained), gguftool.normalize (bool) and what
	// embedding.Prompts holds, the texts to put before the input for each task.
	Extras bool

	// Overwrite lets Run replace an existing file.
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
}

// Dropped is a tensor of the checkpoint that the result does not have.
type Dropped struct{ Name, Why string }

// A Tensor is one of the result.
type Tensor struct {
	gguf.TensorInfo        // as it will be written
	Source          string // its name in the checkpoint

	source *checkpoint.Tensor
}

// Open reads all of the checkpoint in the folder dir but its weights, and
// checks that it is complete and free of contradictions. opts may be nil.
//
// Errors about the content are *fault.FormatError, or *fault.UnsupportedError
// for checkpoints that are valid but cannot be converted.
func Open(dir string, opts *Options) (*Model, error) {
	var o Options
	if opts != nil {
		o = *opts
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
	if err := config.checkUnquantized(); err != nil {
		return nil, err
	}
	config.assume(arch.defaults)

	weights, err := checkpoint.Open(dir)
	if err != nil {
		return nil, err
	}
	b := builder{
		Model: &Model{Class: class, Metadata: new(gguf.Metadata), weights: weights},
		dir:   dir, options: o, config: config, arch: arch,
	}
	if err := b.build(); err != nil {
		return nil, errors.Join(err, weights.Close())
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
func (m *Model) Close() error { return m.weights.Close() }
