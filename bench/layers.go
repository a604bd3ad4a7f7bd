package bench

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/kernels/gemm"
)

// A LayerFidelity tells in which layers a model goes away from a reference, on a
// sample of the texts.
//
// The error of a layer is that of the states behind it, relative to the length of
// those of the reference, in the quadratic mean over tokens:
//
//	√ mean ‖state - reference‖² / ‖reference‖²
//
// Every token counts as much as any other, since in many decoders the states of the
// first are a thousand times as long as those of all others.
type LayerFidelity struct {
	Texts  int       `json:"texts"`
	Tokens int       `json:"tokens"`
	Errors []float64 `json:"relative_rms"` // of what enters the first layer, and behind each layer; before the last norm
}

// What layers are compared on: so many texts, or pieces of one, spread evenly, of at
// most so many tokens each. Errors of layers differ by far more than those of samples.
const (
	layerTexts  = 16
	layerPieces = 4
	layerTokens = 128
)

// CompareLayers passes texts through both models and compares their states. It
// returns nil where they have not the same number of layers of the same width, or
// where there are no texts. States of one text are in memory at a time, for all
// layers of the reference.
func CompareLayers(ctx context.Context, reference, other *infer.Model, texts [][]int32) (*LayerFidelity, error) {
	f := &LayerFidelity{Texts: len(texts)}
	var squares []float64 // of relative errors, summed over tokens, for each layer
	var want [][]float32  // states of the reference behind each layer
	for _, ids := range texts {
		layers := 0
		err := reference.EachLayer(ctx, ids, func(layer int, states gemm.View) {
			if layer == len(want) {
				want = append(want, nil)
			}
			want[layer] = want[layer][:0]
			for i := range states.Rows {
				want[layer] = append(want[layer], states.Row(i)...)
			}
			layers++
		})
		if err != nil {
			return nil, err
		}
		if squares == nil {
			squares = make([]float64, layers)
		}
		seen, same := 0, reference.Width() == other.Width()
		err = other.EachLayer(ctx, ids, func(layer int, states gemm.View) {
			seen++
			if same = same && layer < layers; same {
				squares[layer] += squaredErrors(want[layer], states)
			}
		})
		if err != nil {
			return nil, err
		}
		if !same || seen != layers {
			return nil, nil
		}
		f.Tokens += len(ids)
	}
	if f.Tokens == 0 {
		return nil, nil
	}
	for layer, sum := range squares {
		e := math.Sqrt(sum / float64(f.Tokens))
		if math.IsNaN(e) || math.IsInf(e, 0) {
			return nil, fmt.Errorf("the states behind layer %d are not finite: the numbers of the model overflow", layer)
		}
		f.Errors = append(f.Errors, e)
	}
	return f, nil
}

// squaredErrors sums, over the rows of states, the squared distance from that of
// the reference as a part of its squared length. A row without length counts
// nothing.
func squaredErrors(reference []float32, states gemm.View) float64 {
	var sum float64
	for i := range states.Rows {
		var distance, length float64
		want := reference[i*states.Cols : (i+1)*states.Cols]
		for k, v := range states.Row(i) {
			d := float64(v) - float64(want[k])
			distance += d * d
			length += float64(want[k]) * float64(want[k])
		}
		if length > 0 {
			sum += distance / length
		}
	}
	return sum
}

// textSample returns the tokens of some of the texts whose vectors are compared,
// without prompts.
func (r *fidelityRun) textSample(limit int) [][]int32 {
	texts := r.options.Texts
	if texts == nil && r.options.Retrieval != nil {
		texts = r.options.Retrieval.Corpus
	} else if texts == nil {
		texts = BuiltInText()
	}
	var sample [][]int32
	for i := range min(layerTexts, len(texts)) {
		text := texts[i*len(texts)/min(layerTexts, len(texts))]
		if ids := r.reference.Tokenizer.Encode(text, true); len(ids) > 0 {
			sample = append(sample, ids[:min(limit, len(ids))])
		}
	}
	return sample
}

// spanSample cuts pieces out of a long text, evenly spread, each behind the prefix
// that the text begins with, of at most limit tokens in all.
func spanSample(ids, prefix []int32, limit int) [][]int32 {
	size := max(1, limit-len(prefix))
	rest := ids[min(len(prefix), len(ids)):]
	count := min(layerPieces, (len(rest)+size-1)/size)
	var sample [][]int32
	for i := range count {
		from := i * len(rest) / count
		sample = append(sample, slices.Concat(prefix, rest[from:min(from+size, len(rest))]))
	}
	return sample
}

// layerLimit returns how many tokens of a text layers are compared on.
func (r *fidelityRun) layerLimit(m *Model) int {
	return min(layerTokens, r.reference.ContextLength(), m.ContextLength())
}
