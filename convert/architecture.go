package convert

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
)

// An architecture says how the checkpoints of one family of models become GGUF.
// There is one file for each.
type architecture struct {
	name    string   // general.architecture
	classes []string // of transformers, as in "architectures" of config.json

	// defaults are the fields, as JSON, that transformers assumes for config.json.
	defaults map[string]string
	// prepare, if set, completes fields that follow from others, refuses what the
	// result would be wrong for, and tells what it does not hold.
	prepare func(c *config) (notes []string, err error)
	// layerNormEpsilon is that of every model of the family where config.json
	// has no field for it.
	layerNormEpsilon float32
	rope             *ropeBases  // nil where positions have embeddings
	parameters       []parameter // of this family alone, after modelParameters
	activation       string      // that readers of the file compute

	encoder      bool // the file says that attention goes both ways, and which labels there are
	pooled       bool // the file says how sentence-transformers pools
	denseModules bool // the file holds the Dense modules behind pooling
	trimsRows    bool // embeddings beyond the vocabulary of tokenizer.json are left out
	skipsRows    bool // positions are counted from behind that of padding on

	// extras, if set, writes what llama.cpp's converter does not; see Options.Extras.
	extras func(md *gguf.Metadata, c *config) error

	prefix  string       // that tensors may have, and lose
	drops   []dropRule   // tensors that are left out
	tensors []tensorRule // all others
}

// A dropRule names tensors that GGUF does without: a name with # for the number of
// a layer, or the beginning of names where it ends in a star.
type dropRule struct{ name, why string }

// A tensorRule is a pair of names, in a checkpoint and in GGUF, where # is the
// number of a layer, and the shape.
type tensorRule struct {
	hf, gguf string
	labelled string // the name in GGUF where the model names its classes, if it is another
	parts    []part
	change   change
	optional bool
}

// A part is a tensor of a rule: the end of its name, and its shape with the
// slowest dimension first.
type part struct {
	suffix   string
	shape    []dimension
	optional bool // but in all layers or in none
}

// table is an embedding or a matrix, linear a matrix with bias, projection a
// matrix that may have one, norm a layer normalization, rmsNorm one by the root
// mean square alone.
func table(rows, width dimension) []part {
	return []part{{suffix: ".weight", shape: []dimension{rows, width}}}
}
func linear(out, in dimension) []part { return append(table(out, in), bias(out)) }
func projection(out, in dimension) []part {
	b := bias(out)
	b.optional = true
	return append(table(out, in), b)
}
func norm(width dimension) []part    { return append(rmsNorm(width), bias(width)) }
func rmsNorm(width dimension) []part { return []part{{suffix: ".weight", shape: []dimension{width}}} }
func bias(width dimension) part      { return part{suffix: ".bias", shape: []dimension{width}} }

// A dimension of a tensor follows from hyperparameters.
type dimension uint8

const (
	vocabSize dimension = iota
	positions
	tokenTypes
	hiddenSize
	feedForward
	labelCount
	headSize   // of queries, keys and values
	queryWidth // of all heads
	keyWidth   // of the heads that keys and values have
	fusedWidth // of queries, keys and values of as many heads
	dimensions // how many there are
)

// Fields of config.json for the heads, under the names of all families.
var (
	headFields     = []string{"num_attention_heads", "n_head", "n_heads"}
	keyHeadFields  = []string{"num_key_value_heads", "n_kv_heads"}
	headSizeFields = []string{"head_dim"}
)

// dimensionFields are the fields of config.json that dimensions are products of,
// under the names of all families.
var dimensionFields = [dimensions][][]string{
	vocabSize:   {{"vocab_size"}},
	positions:   {{"max_position_embeddings"}},
	tokenTypes:  {{"type_vocab_size"}},
	hiddenSize:  {{"hidden_size", "n_embd", "dim"}},
	feedForward: {{"intermediate_size", "n_inner", "hidden_dim"}},
	labelCount:  {{"id2label"}},
	headSize:    {headSizeFields},
	queryWidth:  {headFields, headSizeFields},
	keyWidth:    {keyHeadFields, headSizeFields},
	fusedWidth:  {headFields, headSizeFields},
}

// dimensionField returns the field of config.json that d is, or depends on first.
func (c *config) dimensionField(d dimension) string { return c.find(dimensionFields[d][0]) }

// describeDimension names what d follows from, for errors about tensors.
func (c *config) describeDimension(d dimension) string {
	var all []string
	for _, fields := range dimensionFields[d] {
		if field := c.find(fields); field != "" {
			all = append(all, c.describe(field))
		}
	}
	return strings.Join(all, " and ")
}

var architectures = []*architecture{&bert, &distilBert, &xlmRoBERTa, &roBERTa, &llama, &mistral, &qwen2, &qwen3, &gemma3, &embeddingGemma, &nomicBERT}

// lookupArchitecture returns how models of a class of transformers are converted.
func lookupArchitecture(class, file string) (*architecture, error) {
	var supported []string
	for _, a := range architectures {
		if slices.Contains(a.classes, class) {
			return a, nil
		}
		supported = append(supported, a.classes...)
	}
	return nil, fault.Unsupported(file, "", "supported are "+strings.Join(supported, ", "), "models of class %s are not supported", class)
}

// dropped returns why a tensor is left out, or "".
func (a *architecture) dropped(name string) string {
	pattern, _ := splitLayer(name)
	for _, d := range a.drops {
		if stem, ok := strings.CutSuffix(d.name, "*"); pattern == d.name || ok && strings.HasPrefix(name, stem) {
			return d.why
		}
	}
	return ""
}

// normalize returns the name of a tensor as the rules know it.
func (a *architecture) normalize(name string) string {
	name = strings.TrimPrefix(name, a.prefix)
	// The names of layer normalization in checkpoints made by TensorFlow.
	if stem, ok := strings.CutSuffix(name, ".gamma"); ok {
		return stem + ".weight"
	}
	if stem, ok := strings.CutSuffix(name, ".beta"); ok {
		return stem + ".bias"
	}
	return name
}

// A slot is a tensor that the model has by its rules.
type slot struct {
	name     string // in GGUF
	shape    []dimension
	change   change
	optional bool
}

// slots indexes the rules by the names in checkpoints, with # for the layer.
func (a *architecture) slots(labelled bool) map[string]slot {
	m := make(map[string]slot)
	for _, r := range a.tensors {
		name := r.gguf
		if labelled && r.labelled != "" {
			name = r.labelled
		}
		for _, p := range r.parts {
			m[r.hf+p.suffix] = slot{name + p.suffix, p.shape, r.change, r.optional || p.optional}
		}
	}
	return m
}

// splitLayer takes the number of the layer out of a name: "layer.3.bias" is
// "layer.#.bias" and 3. A name without one has layer -1.
func splitLayer(name string) (pattern string, layer int64) {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 32)
		if err == nil && strconv.FormatUint(n, 10) == p {
			parts[i] = "#"
			return strings.Join(parts, "."), int64(n)
		}
	}
	return name, -1
}

func withLayer(pattern string, layer int64) string {
	return strings.Replace(pattern, "#", fmt.Sprint(layer), 1)
}
