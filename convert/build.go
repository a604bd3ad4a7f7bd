package convert

import (
	"cmp"
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
	dir          string
	options      Options
	config       *config
	arch         *architecture
	rope         *rope // nil where positions have embeddings
	vocab        *tokenizer.Vocab
	overrides    *overrides
	quantization *quantization
	labels       []string // of the classes; nil for those that transformers made up
}

func (b *builder) build() error {
	sentence, err := readSentenceModel(b.dir, b.arch.denseModules && !b.options.DropModules)
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
	if err := b.prepare(); err != nil {
		return err
	}
	sizes, err := b.sizes()
	if err != nil {
		return err
	}
	if !b.options.VocabOnly {
		if err := refuseQuantized(b.weights); err != nil {
			return err
		}
		if err := b.applyScales(); err != nil {
			return err
		}
		if err := b.mapTensors(sizes); err != nil {
			return err
		}
		if err := b.addTensors(sentence, sizes); err != nil {
			return err
		}
	}
	if b.vocab, err = tokenizer.ReadHF(b.dir, tokenizer.Options{Pre: b.options.Pre, Llama: b.arch.name == llama.name}); err != nil {
		return err
	}
	if err := b.trimRows(); err != nil {
		return err
	}
	if err := b.setMetadata(sentence); err != nil {
		return err
	}
	b.note(sentence)
	b.Notes = append(b.Notes, b.overrides.note()...)
	return nil
}

// prepare settles what follows from the fields of config.json.
func (b *builder) prepare() (err error) {
	if b.arch.prepare != nil {
		notes, err := b.arch.prepare(b.config)
		if err != nil {
			return err
		}
		b.Notes = append(b.Notes, notes...)
	}
	if b.arch.rope != nil {
		if b.rope, err = b.config.readRope(b.arch.rope); err != nil {
			return err
		}
		if n := b.rope.note(b.options.Extras); n != "" {
			b.Notes = append(b.Notes, n)
		}
	}
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
func (b *builder) mapTensors(sizes [dimensions]int64) error {
	layers, err := b.config.layerCount()
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
		t := b.newTensor(withLayer(slot.name, layer), source, slot.change, sizes[headSize])
		if err := b.skipRows(t); err != nil {
			return err
		}
		b.Tensors = append(b.Tensors, t)
	}
	return b.checkComplete(slots, layers, sources)
}

func tensorPart(name string) string { return "tensor " + strconv.Quote(name) }

func (b *builder) describeModel(layers uint32) string {
	return fmt.Sprintf("a %s of %d layers", b.Class, layers)
}

// sizes returns the dimensions that config.json gives to tensors.
func (b *builder) sizes() (sizes [dimensions]int64, err error) {
	c := b.config
	for d, fields := range dimensionFields {
		field := c.find(fields[0])
		if dimension(d) == labelCount || len(fields) > 1 || field == "" {
			continue
		}
		n, err := c.count(field)
		if err != nil {
			return sizes, err
		}
		sizes[d] = int64(n)
	}
	if err := c.checkHeads(); err != nil {
		return sizes, err
	}
	size, err := c.headSize()
	if err != nil {
		return sizes, err
	}
	heads, err := c.count(c.find(headFields))
	if err != nil {
		return sizes, err
	}
	keyHeads := heads
	if field := c.find(keyHeadFields); field != "" {
		if keyHeads, err = c.count(field); err != nil {
			return sizes, err
		}
	}
	if b.arch.rope != nil && (size%2 != 0 || size > maxHeadSize) {
		return sizes, c.errorf(c.find(slices.Concat(headSizeFields, headFields)), "heads are %d wide, want an even number up to %d for rope", size, maxHeadSize)
	}
	sizes[headSize] = int64(size)
	sizes[queryWidth] = int64(heads) * int64(size)
	sizes[keyWidth] = int64(keyHeads) * int64(size)
	sizes[fusedWidth] = 3 * sizes[queryWidth]
	if !b.arch.encoder {
		return sizes, nil
	}
	labels, err := b.config.labels()
	if err != nil {
		return sizes, err
	}
	sizes[labelCount] = int64(len(labels))
	if len(labels) > 0 && !(len(labels) == 2 && labels[0] == "LABEL_0") { // not what transformers makes up
		b.labels = labels
	}
	return sizes, nil
}

// maxHeadSize is far more than heads have.
const maxHeadSize = 1 << 16

// checkShape compares the shape of a tensor with config.json.
func (b *builder) checkShape(t *checkpoint.Tensor, s slot, sizes [dimensions]int64) error {
	want := make([]int64, len(s.shape))
	for i, d := range s.shape {
		want[i] = sizes[d]
		if d == positions && b.arch.skipsRows {
			skipped, err := b.config.skippedPositions()
			if err != nil {
				return err
			}
			want[i] += skipped
		}
	}
	if slices.Equal(t.Shape, want) {
		return nil
	}
	e := fault.Malformed(t.File, tensorPart(t.Name), "its shape is %v, want %v", t.Shape, want)
	for i, d := range s.shape {
		if len(t.Shape) == len(want) && t.Shape[i] != want[i] {
			e.Problem += " by " + b.config.describeDimension(d)
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
			if r.optional || p.optional && !hasAny(sources, pattern, layers) {
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

// hasAny reports whether there is a tensor of a pattern in any layer.
func hasAny(sources map[string]*checkpoint.Tensor, pattern string, layers uint32) bool {
	for layer := range int64(layers) {
		if sources[withLayer(pattern, layer)] != nil {
			return true
		}
	}
	return false
}

// newTensor returns the tensor called name of the result.
func (b *builder) newTensor(name string, source *checkpoint.Tensor, change change, headSize int64) *Tensor {
	shape := slices.Clone(source.Shape)
	slices.Reverse(shape)
	t := b.typeOf(source, name, shape)
	size, _ := t.Size(source.Elements())
	return &Tensor{
		TensorInfo: gguf.TensorInfo{Name: name, Type: t, Shape: shape, Size: size},
		Source:     source.Name,
		source:     source,
		change:     change,
		headSize:   headSize,
	}
}

// setMetadata writes all keys, in the order of llama.cpp's converter.
func (b *builder) setMetadata(sentence *sentenceModel) error {
	md := b.Metadata
	md.Set(gguf.KeyArchitecture, gguf.ValueOf(b.arch.name))
	md.Set("general.type", gguf.ValueOf("model"))
	if err := b.overrides.setSampling(md, b.dir); err != nil {
		return err
	}
	if err := b.setAuthorship(); err != nil {
		return err
	}
	if err := b.arch.setParameters(md, b.config, b.rope, b.FileType); err != nil {
		return err
	}
	if b.arch.encoder {
		md.Set(b.arch.name+".attention.causal", gguf.ValueOf(false))
	}
	b.setDenseModules(sentence)
	if b.arch.pooled && sentence.pooling != poolingUnsaid {
		md.Set(b.arch.name+".pooling_type", gguf.ValueOf(uint32(sentence.pooling)))
	}
	setTexts(md, b.arch.name+".classifier.output_labels", b.labels)
	md.Set(gguf.KeyQuantizationVersion, gguf.ValueOf(gguf.QuantizationVersion))
	if err := b.setTokenizer(); err != nil {
		return err
	}
	if !b.options.Extras {
		return nil
	}
	sentence.setExtras(md)
	if b.rope != nil {
		if err := b.rope.setExtras(md); err != nil {
			return err
		}
	}
	if b.arch.extras != nil {
		return b.arch.extras(md, b.config)
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
	folder := cmp.Or(b.options.FolderName, filepath.Base(dir))
	a := newAuthorship(card, b.config.nameOrPath(), folder, b.parameters())
	if err := b.overrides.apply(a); err != nil {
		return err
	}
	if b.options.Name != "" {
		a.texts["name"] = b.options.Name
	}
	a.complete(folder, b.sizeLabel())
	a.write(b.Metadata)
	b.FileName = a.fileStem(b.FileType.String(), b.options.VocabOnly) + ".gguf"
	return nil
}

// parameters returns how many numbers the tensors have.
func (m *Model) parameters() int64 {
	var n int64
	for _, t := range m.Tensors {
		n += t.Rows() * t.RowLen()
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
	vocab := b.vocab
	size := b.config.dimensionField(vocabSize)
	if n, err := b.config.count(size); err != nil || int64(n) != int64(vocab.Size()) {
		return b.config.errorf(size, "%s is not the number of tokens, %d", b.config.describe(size), vocab.Size())
	}
	if err := b.passChatTemplates(); err != nil {
		return err
	}
	vocab.SetMetadata(b.Metadata)
	if b.arch.encoder {
		types := uint32(1) // of a model that has none
		if field := b.config.dimensionField(tokenTypes); field != "" {
			var err error
			if types, err = b.config.count(field); err != nil {
				return err
			}
		}
		b.Metadata.Set(keyTokenTypeCount, gguf.ValueOf(types))
	}
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
	err := b.config.decode(b.config.find([]string{"hidden_activation", "hidden_act", "activation"}), &activation)
	if err != nil || activation != "" && activation != b.arch.activation {
		note("the activation is %q; what reads the file computes %s", activation, b.arch.activation)
	}
	b.noteHead(s)
	isClassifier := slices.ContainsFunc(b.Tensors, func(t *Tensor) bool { return strings.HasPrefix(t.Name, "cls.") })
	losesPooler := slices.ContainsFunc(b.Dropped, func(d Dropped) bool { return d.Why == poolerDropped })
	if isClassifier && losesPooler {
		note("the classifier reads the output of the pooler, which the file does not have, so its scores differ")
	}
}
