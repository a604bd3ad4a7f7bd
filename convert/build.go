package convert

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/convert/internal/checkpoint"
	"github.com/gguftool/gguftool/convert/internal/frontmatter"
	"github.com/gguftool/gguftool/convert/internal/jsonfile"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/tokenizer"
)

// A builder fills in a Model.
type builder struct {
	*Model
	dir     string
	options Options
	config  *config
	arch    *architecture
	labels  []string // of the classes; nil for those that transformers made up
}

func (b *builder) build() error {
	sentence, err := readSentenceModel(b.dir)
	if err != nil {
		return err
	}
	if len(sentence.lost) > 0 && !b.options.DropModules {
		return fault.Unsupported(filepath.Join(b.dir, "modules.json"), "", "it can be converted without them, which changes its vectors",
			"the modules %q cannot be stored in GGUF", sentence.lost)
	}
	if err := b.chooseFileType(); err != nil {
		return err
	}
	if err := b.mapTensors(); err != nil {
		return err
	}
	if err := b.setMetadata(sentence); err != nil {
		return err
	}
	b.note(sentence)
	return nil
}

// chooseFileType settles the type, which may depend on the weights.
func (b *builder) chooseFileType() error {
	b.FileType = b.options.FileType
	switch b.FileType {
	case gguf.FileF32, gguf.FileF16, gguf.FileBF16, gguf.FileQ8_0:
		return nil
	case gguf.FileGuessed:
		b.FileType = gguf.FileF16
		for _, t := range b.weights.Tensors {
			if len(t.Shape) < 2 || b.arch.dropped(b.arch.normalize(t.Name)) != "" {
				continue
			}
			if t.DType == checkpoint.F16 {
				return nil
			}
			if t.DType == checkpoint.BF16 {
				b.FileType = gguf.FileBF16
				return nil
			}
		}
		return nil
	}
	return fmt.Errorf("a checkpoint can be converted to F32, F16, BF16 or Q8_0 and not to %s; quantize the result", b.FileType)
}

// mapTensors gives each tensor of the checkpoint its name, shape and type in
// the result.
func (b *builder) mapTensors() error {
	sizes, err := b.sizes()
	if err != nil {
		return err
	}
	layers, err := b.config.count(b.config.find(modelParameters[0].fields))
	if err != nil {
		return err
	}
	slots := b.arch.slots(b.labels != nil)
	sources := make(map[string]*checkpoint.Tensor)
	for _, source := range b.weights.Tensors {
		name := b.arch.normalize(source.Name)
		if why := b.arch.dropped(name); why != "" {
			b.Dropped = append(b.Dropped, Dropped{source.Name, why})
			continue
		}
		pattern, layer := splitLayer(name)
		slot, ok := slots[pattern]
		if !ok || layer >= int64(layers) {
			return fault.Unsupported(source.File, tensorPart(source.Name), "", "%s has no such tensor", b.describeModel(layers))
		}
		if twin := sources[name]; twin != nil {
			return fault.Malformed(source.File, tensorPart(source.Name), "it is the same weight as %q", twin.Name)
		}
		sources[name] = source
		if err := b.checkShape(source, slot, sizes); err != nil {
			return err
		}
		b.Tensors = append(b.Tensors, b.newTensor(withLayer(slot.name, layer), source))
	}
	return b.checkComplete(slots, layers, sources)
}

func tensorPart(name string) string { return "tensor " + strconv.Quote(name) }

func (b *builder) describeModel(layers uint32) string {
	return fmt.Sprintf("a %s of %d layers", b.Class, layers)
}

// sizes returns the dimensions that config.json gives to tensors.
func (b *builder) sizes() (sizes [dimensions]int64, err error) {
	for d, keys := range dimensionKeys {
		key := b.config.find(keys)
		if dimension(d) == labelCount || key == "" {
			continue
		}
		n, err := b.config.count(key)
		if err != nil {
			return sizes, err
		}
		sizes[d] = int64(n)
	}
	labels, err := b.config.labels()
	if err != nil {
		return sizes, err
	}
	sizes[labelCount] = int64(len(labels))
	if len(labels) > 0 && !(len(labels) == 2 && labels[0] == "LABEL_0") { // not what transformers makes up
		b.labels = labels
	}
	return sizes, b.config.checkHeads()
}

// checkShape compares the shape of a tensor with config.json.
func (b *builder) checkShape(t *checkpoint.Tensor, s slot, sizes [dimensions]int64) error {
	want := make([]int64, len(s.shape))
	for i, d := range s.shape {
		want[i] = sizes[d]
	}
	if slices.Equal(t.Shape, want) {
		return nil
	}
	e := fault.Malformed(t.File, tensorPart(t.Name), "its shape is %v, want %v", t.Shape, want)
	for i, d := range s.shape {
		if len(t.Shape) == len(want) && t.Shape[i] != want[i] {
			e.Problem += " by " + b.config.describe(b.config.find(dimensionKeys[d]))
			break
		}
	}
	return e
}

// checkComplete finds the first tensor that the model needs and that is missing.
func (b *builder) checkComplete(slots map[string]slot, layers uint32, sources map[string]*checkpoint.Tensor) error {
	for _, r := range b.arch.tensors {
		for _, p := range r.parts {
			pattern := r.hf + p.suffix
			if slots[pattern].optional {
				continue
			}
			for layer := range int64(layers) {
				name := withLayer(pattern, layer)
				if sources[name] == nil {
					e := fault.Malformed(b.dir, tensorPart(name), "it is missing; %s has it", b.describeModel(layers))
					e.Hint = "download all files of the model"
					return e
				}
				if name == pattern {
					break // it belongs to no layer
				}
			}
		}
	}
	return nil
}

// newTensor returns the tensor called name of the result.
func (b *builder) newTensor(name string, source *checkpoint.Tensor) *Tensor {
	shape := slices.Clone(source.Shape)
	slices.Reverse(shape)
	t := tensorType(name, shape, b.FileType)
	size, _ := t.Size(source.Elements())
	return &Tensor{
		TensorInfo: gguf.TensorInfo{Name: name, Type: t, Shape: shape, Size: size},
		Source:     source.Name,
		source:     source,
	}
}

// setMetadata writes all keys, in the order of llama.cpp's converter.
func (b *builder) setMetadata(sentence *sentenceModel) error {
	md := b.Metadata
	md.Set(gguf.KeyArchitecture, gguf.ValueOf(b.arch.name))
	md.Set("general.type", gguf.ValueOf("model"))
	if err := setSampling(md, b.dir); err != nil {
		return err
	}
	if err := b.setAuthorship(); err != nil {
		return err
	}
	if err := b.arch.setParameters(md, b.config, b.FileType); err != nil {
		return err
	}
	md.Set(b.arch.name+".attention.causal", gguf.ValueOf(false))
	if sentence.pooling != poolingUnsaid {
		md.Set(b.arch.name+".pooling_type", gguf.ValueOf(uint32(sentence.pooling)))
	}
	setTexts(md, b.arch.name+".classifier.output_labels", b.labels)
	md.Set(gguf.KeyQuantizationVersion, gguf.ValueOf(gguf.QuantizationVersion))
	if err := b.setTokenizer(); err != nil {
		return err
	}
	if b.options.Extras {
		sentence.setExtras(md)
	}
	return nil
}

// setAuthorship writes where the model comes from.
func (b *builder) setAuthorship() error {
	var card frontmatter.Map
	readme := filepath.Join(b.dir, "README.md")
	data, err := jsonfile.Read(readme)
	if err == nil {
		card, err = frontmatter.Parse(data)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.InFile(err, readme)
	}
	dir, err := filepath.Abs(b.dir)
	if err != nil {
		return err
	}
	var nameOrPath *string
	if b.config.decode("_name_or_path", &nameOrPath) != nil {
		nameOrPath = nil // of another type: no name
	}
	a := newAuthorship(card, nameOrPath, filepath.Base(dir), b.parameters())
	if b.options.Name != "" {
		a.texts["name"] = b.options.Name
	}
	a.write(b.Metadata)
	b.FileName = a.fileStem(b.FileType.String()) + ".gguf"
	return nil
}

// parameters returns how many numbers the tensors have.
func (m *Model) parameters() int64 {
	var n int64
	for _, t := range m.Tensors {
		n += t.source.Elements()
	}
	return n
}

// Keys of the tokenizer that conversion knows about.
const (
	keyTokenTypeCount = "tokenizer.ggml.token_type_count"
	keyLowercase      = "tokenizer.ggml.normalizer.lowercase"
)

// setTokenizer writes the tokenizer's keys.
func (b *builder) setTokenizer() error {
	vocab, err := tokenizer.ReadHF(b.dir)
	if err != nil {
		return err
	}
	size := b.config.find(dimensionKeys[vocabSize])
	if n, err := b.config.count(size); err != nil || int64(n) != int64(vocab.Size()) {
		return b.config.errorf(size, "%s is not the number of tokens, %d", b.config.describe(size), vocab.Size())
	}
	vocab.SetMetadata(b.Metadata)
	types := uint32(1) // of a model that has none
	if field := b.config.find(dimensionKeys[tokenTypes]); field != "" {
		if types, err = b.config.count(field); err != nil {
			return err
		}
	}
	b.Metadata.Set(keyTokenTypeCount, gguf.ValueOf(types))
	b.Notes = append(b.Notes, vocab.Warnings...)
	return nil
}

// note tells what the result lacks or does differently.
func (b *builder) note(s *sentenceModel) {
	note := func(format string, args ...any) { b.Notes = append(b.Notes, fmt.Sprintf(format, args...)) }
	if len(s.lost) > 0 {
		note("the modules %q are left out, so vectors differ from those of sentence-transformers", s.lost)
	}
	if lowers, _ := b.Metadata.Bool(keyLowercase); s.lowerCase && !lowers {
		note("sentence-transformers puts texts in lower case before the tokenizer does its work (do_lower_case); the file does not say so")
	}
	context := b.config.find(modelParameters[1].fields)
	if n, err := b.config.count(context); err == nil && s.maxTokens > 0 && s.maxTokens < n && !b.options.Extras {
		note("sentence-transformers cuts texts off at %d tokens (max_seq_length); the file allows %d", s.maxTokens, n)
	}
	if len(s.prompts) > 0 && !b.options.Extras {
		note("sentence-transformers puts prompts before texts (%q); the file does not have them (--extras)", slices.Sorted(maps.Keys(s.prompts)))
	}
	var activation string
	err := b.config.decode(b.config.find([]string{"hidden_act", "activation"}), &activation)
	if err != nil || activation != "" && activation != "gelu" {
		note("the activation is %q; what reads the file computes gelu", activation)
	}
	isClassifier := slices.ContainsFunc(b.Tensors, func(t *Tensor) bool { return strings.HasPrefix(t.Name, "cls.") })
	losesPooler := slices.ContainsFunc(b.Dropped, func(d Dropped) bool { return d.Why == poolerDropped })
	if isClassifier && losesPooler {
		note("the classifier reads the output of the pooler, which the file does not have, so its scores differ")
	}
}
