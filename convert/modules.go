package convert

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/convert/internal/checkpoint"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// A denseModule is a matrix that sentence-transformers multiplies a pooled vector
// by.
type denseModule struct {
	name    string // in GGUF
	folder  string
	in, out uint32
}

// denseNames are the names of the matrices in GGUF, in the order of their use.
var denseNames = []string{"dense_2", "dense_3"}

// firstDense is the folder of the first module. llama.cpp's converter knows it by
// this name and takes any other module for the second.
const firstDense = "2_Dense"

// readDense reads the configuration of a Dense module behind pooling. ok is false
// where GGUF cannot hold what it does.
func (s *sentenceModel) readDense(dir, path string) (ok bool, err error) {
	if len(s.dense) == len(denseNames) || (len(s.dense) == 0) != (path == firstDense) {
		return false, nil
	}
	file := filepath.Join(dir, path, "config.json")
	c := &config{file: file, assumed: map[string]bool{}}
	if err := c.read(); err != nil {
		return false, missingModule(file, err)
	}
	var activation string
	if err := c.decode("activation_function", &activation); err != nil {
		return false, err
	}
	// A module has a bias and computes tanh where it does not say otherwise.
	if string(c.fields["bias"]) != "false" || activation[strings.LastIndexByte(activation, '.')+1:] != "Identity" {
		return false, nil
	}
	m := denseModule{name: denseNames[len(s.dense)], folder: filepath.Join(dir, path)}
	if m.in, err = c.count("in_features"); err != nil {
		return false, err
	}
	if m.out, err = c.count("out_features"); err != nil {
		return false, err
	}
	if n := len(s.dense); n > 0 && s.dense[n-1].out != m.in {
		return false, c.errorf("in_features", "it is %d, but the module before has %d out_features", m.in, s.dense[n-1].out)
	}
	s.dense = append(s.dense, m)
	return true, nil
}

// addTensors adds the tensors that are not among the weights of the model, before
// all others.
func (b *builder) addTensors(s *sentenceModel, sizes [dimensions]int64) error {
	var added []*Tensor
	if b.rope != nil {
		factors, err := b.rope.factors(b.config, sizes[headSize])
		if err != nil {
			return err
		}
		if factors != nil {
			added = append(added, b.newTensor(ropeFactors, factors, asIs, 0))
		}
	}
	for i, m := range s.dense {
		if i == 0 && int64(m.in) != sizes[hiddenSize] {
			return fault.Malformed(filepath.Join(m.folder, "config.json"), `"in_features"`, "it is %d, but %s", m.in, b.config.describeDimension(hiddenSize))
		}
		weights, err := checkpoint.Open(m.folder)
		if err != nil {
			return err
		}
		b.modules = append(b.modules, weights)
		const name = "linear.weight"
		at := slices.IndexFunc(weights.Tensors, func(t *checkpoint.Tensor) bool { return t.Name == name })
		if at < 0 || len(weights.Tensors) > 1 {
			return fault.Malformed(m.folder, tensorPart(name), "it is not the only tensor of the module")
		}
		t := weights.Tensors[at]
		if want := []int64{int64(m.out), int64(m.in)}; !slices.Equal(t.Shape, want) {
			return fault.Malformed(t.File, tensorPart(name), "its shape is %v, want %v by config.json", t.Shape, want)
		}
		added = append(added, b.newTensor(m.name+".weight", t, asIs, 0))
	}
	b.Tensors = append(added, b.Tensors...)
	return nil
}

// setDenseModules writes the sizes of the Dense modules.
func (b *builder) setDenseModules(s *sentenceModel) {
	for _, m := range s.dense {
		b.Metadata.Set(fmt.Sprintf("%s.%s_feat_in", b.arch.name, m.name), gguf.ValueOf(m.in))
		b.Metadata.Set(fmt.Sprintf("%s.%s_feat_out", b.arch.name, m.name), gguf.ValueOf(m.out))
	}
}

// tokenEmbeddings has one row for each token.
const tokenEmbeddings = "token_embd.weight"

// trimRows leaves out the embeddings that tokenizer.json has no tokens for. A
// tokenizer.model has tokens for all: those it lacks are made up.
func (b *builder) trimRows() error {
	if !b.arch.trimsRows {
		return nil
	}
	switch _, err := os.Stat(filepath.Join(b.dir, "tokenizer.model")); {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	rows := int64(b.vocab.Listed())
	for _, t := range b.Tensors {
		if t.Name == tokenEmbeddings && rows < t.Shape[1] {
			t.Shape[1] = rows
			t.Size, _ = t.Type.Size(rows * t.Shape[0])
		}
	}
	return nil
}

// noteHead tells of a model that computes logits with a matrix the checkpoint does
// not have. Readers of the file take the embeddings.
func (b *builder) noteHead(s *sentenceModel) {
	if !strings.HasSuffix(b.Class, "ForCausalLM") || s.pooling != poolingUnsaid || b.options.VocabOnly ||
		string(b.config.fields["tie_word_embeddings"]) == "true" {
		return
	}
	if !slices.ContainsFunc(b.Tensors, func(t *Tensor) bool { return t.Name == "output.weight" }) {
		b.Notes = append(b.Notes, "the checkpoint has no head (lm_head); what reads the file computes logits with the embeddings")
	}
}
