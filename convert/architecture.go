package convert

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gguftool/gguftool/internal/fault"
)

// An architecture says how the checkpoints of one family of models become GGUF.
// There is one file for each.
type architecture struct {
	name    string   // general.architecture
	classes []string // of transformers, as in "architectures" of config.json

	// defaults are the fields, as JSON, that transformers assumes for config.json.
	defaults map[string]string
	// layerNormEpsilon is that of every model of the family where config.json
	// has no field for it.
	layerNormEpsilon float32

	prefix  string       // that tensors may have, and lose
	drops   []dropRule   // tensors that are left out
	tensors []tensorRule // all others
}

// A dropRule names tensors that GGUF does without: a name, or the beginning of
// names where it ends in a star.
type dropRule struct{ name, why string }

// A tensorRule is a pair of names, in a checkpoint and in GGUF, where # is the
// number of a layer, and the shape.
type tensorRule struct {
	hf, gguf string
	labelled string // the name in GGUF where the model names its classes, if it is another
	parts    []part
	optional bool
}

// A part is a tensor of a rule: the end of its name, and its shape with the
// slowest dimension first.
type part struct {
	suffix string
	shape  []dimension
}

// table is an embedding, linear a matrix with bias, norm a layer normalization.
func table(rows, width dimension) []part { return []part{{".weight", []dimension{rows, width}}} }
func linear(out, in dimension) []part {
	return []part{{".weight", []dimension{out, in}}, {".bias", []dimension{out}}}
}
func norm(width dimension) []part {
	return []part{{".weight", []dimension{width}}, {".bias", []dimension{width}}}
}

// A dimension of a tensor is a hyperparameter.
type dimension uint8

const (
	vocabSize dimension = iota
	positions
	tokenTypes
	hiddenSize
	feedForward
	labelCount
	dimensions // how many there are
)

// dimensionKeys are the fields of config.json that hold dimensions, under the
// names of all families.
var dimensionKeys = [dimensions][]string{
	vocabSize:   {"vocab_size"},
	positions:   {"max_position_embeddings"},
	tokenTypes:  {"type_vocab_size"},
	hiddenSize:  {"hidden_size", "dim"},
	feedForward: {"intermediate_size", "hidden_dim"},
	labelCount:  {"id2label"},
}

var architectures = []*architecture{&bert, &distilBert}

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
	for _, d := range a.drops {
		if stem, ok := strings.CutSuffix(d.name, "*"); name == d.name || ok && strings.HasPrefix(name, stem) {
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
			m[r.hf+p.suffix] = slot{name + p.suffix, p.shape, r.optional}
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
