package quantize

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/kernels/block"
)

// checkImportance refuses values that no quantizer can weigh with, and a file in
// which nothing is about the model. A file that is about some of its weights is
// used for these, as by llama-quantize.
func checkImportance(s *Source, o *Options) error {
	names := slices.Sorted(maps.Keys(o.Importance))
	for _, name := range names {
		for i, v := range o.Importance[name] {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return fault.Malformed(o.ImportanceInfo.File, "importance of "+name, "value %d is %v", i, v)
			}
		}
	}
	if strangers := s.strangers(o); len(strangers) > 0 && len(strangers) == len(names) {
		e := fault.Malformed(o.ImportanceInfo.File, "", "it is of another model: none of its %d weights is in %s, which has no %s",
			len(names), s.Path, listed(strangers, 3))
		e.Hint = "measure importance with this model"
		return e
	}
	return nil
}

// strangers returns the names in the importance of o that s has no tensors of.
func (s *Source) strangers(o *Options) []string {
	known := make(map[string]bool)
	for _, t := range s.Tensors {
		known[t.Name] = true
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(o.Importance)) {
		if !known[name] {
			names = append(names, name)
		}
	}
	return names
}

// Strangers returns the weights that the importance is about and that the model
// does not have. They are not used.
func (p *Plan) Strangers() []string { return p.source.strangers(p.opts) }

// listed returns the first names, and how many there are besides.
func listed(names []string, most int) string {
	text := strings.Join(names[:min(most, len(names))], ", ")
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// weigh gives t its importance: values for every column of every expert.
func (p *Plan) weigh(t *Tensor) error {
	values, ok := p.opts.Importance[t.source.Name]
	want := t.Shape[0] * experts(t.Shape)
	switch {
	case ok && int64(len(values)) == want:
		t.importance = values
	case roleOf(t.Name) == tokenEmbedding && ok:
		t.Unweighted = fmt.Sprintf("token embeddings: the importance file has %d values for %d columns, which are not used", len(values), want)
	case roleOf(t.Name) == tokenEmbedding:
		t.Unweighted = "token embeddings: their rows are read, and no product that was measured takes them"
	case ok:
		return fault.Malformed(p.opts.ImportanceInfo.File, "importance of "+t.source.Name,
			"it has %d values, the tensor %d columns in %d experts; measure importance with this model",
			len(values), t.Shape[0], experts(t.Shape))
	default:
		t.Unweighted = "the importance file has nothing about it"
	}
	return nil
}

// needsImportance reports whether a weight of type to is garbage without
// importance, or cannot be written at all.
func needsImportance(name string, to gguf.Type, of gguf.FileType) bool {
	if codec, ok := block.Lookup(to); ok && codec.NeedsImportance() {
		return true
	}
	if role := roleOf(name); role == tokenEmbedding || role == outputWeight {
		return false
	}
	switch to {
	case gguf.TypeIQ3XXS, gguf.TypeIQ2XXS, gguf.TypeIQ2XS, gguf.TypeIQ2S, gguf.TypeIQ1M, gguf.TypeIQ1S:
		return true
	case gguf.TypeQ2_K:
		return of == gguf.FileQ2_K_S
	}
	return false
}

// gainers are the file types that importance helps most: the vectors of encoders
// came closer to those of F32 by a fifth or more (docs/importance-study.md). The
// others gain less, or nothing, as Q8_0 and those that only round.
var gainers = []gguf.FileType{
	gguf.FileQ5_1, gguf.FileQ5_K_M, gguf.FileQ5_K_S,
	gguf.FileQ4_1, gguf.FileQ4_K_M, gguf.FileQ4_K_S, gguf.FileQ4_0, gguf.FileIQ4NL, gguf.FileIQ4XS,
	gguf.FileQ3_K_L, gguf.FileQ3_K_M, gguf.FileQ3_K_S, gguf.FileIQ3M, gguf.FileIQ3S, gguf.FileIQ3XS, gguf.FileIQ3XXS,
	gguf.FileQ2_K, gguf.FileQ2_K_S, gguf.FileIQ2M, gguf.FileIQ2S, gguf.FileIQ2XS, gguf.FileIQ2XXS,
	gguf.FileIQ1M, gguf.FileIQ1S,
}

// GainsFromImportance reports whether the plan has none and would lose much less
// with it.
func (p *Plan) GainsFromImportance() bool {
	return len(p.opts.Importance) == 0 && !p.opts.Copy && slices.Contains(gainers, p.opts.FileType)
}
