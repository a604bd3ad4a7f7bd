package bench

import (
	"context"
	"fmt"
	"math"

	"github.com/gguftool/gguftool/kernels/vec"
)

// A LanguageModel predicts the token that follows. *infer.Model is one.
type LanguageModel interface {
	// Logits calls visit for each position from ≤ position < len(ids) with the
	// logits of the token that follows it, one for each token of the vocabulary.
	// They belong to visit until it returns. Calls may overlap.
	Logits(ctx context.Context, ids []int32, from int, visit func(position int, logits []float32) error) error
}

// PerplexitySchema names the form of reports of perplexity. It changes when that does.
const PerplexitySchema = "gguftool/bench-perplexity/1"

// DefaultContextSize is the tokens of a chunk where PerplexityOptions do not say.
const DefaultContextSize = 512

// MinContextSize is the fewest tokens of a chunk: they leave two that count, as a
// standard error needs.
const MinContextSize = 5

// PerplexityOptions are how a text is cut and what is told meanwhile. The zero
// value is the default.
type PerplexityOptions struct {
	ContextSize int     // tokens of a chunk, at least 5; 0 means DefaultContextSize
	Chunks      int     // only as many, where the text has more; 0 means all
	Prefix      []int32 // begins every chunk, in place of its first tokens: the BOS token of models that want one

	// Progress, when set, is told the perplexity so far after each of chunks.
	Progress func(p Perplexity, chunks int)
}

// A Perplexity is how well a text was predicted so far: the exponential of the
// mean over its tokens of their negative log-likelihood.
type Perplexity struct {
	Chunks int // that were computed
	Tokens int // that were predicted

	sum, squares float64 // of the negative log-likelihoods
}

// NLL returns the mean negative log-likelihood of a token, in nats.
func (p Perplexity) NLL() float64 { return p.sum / float64(p.Tokens) }

// Value returns the perplexity. Guessing evenly among n tokens has one of n.
func (p Perplexity) Value() float64 { return math.Exp(p.NLL()) }

// StandardError returns that of Value: the standard error of the mean, carried
// through the exponential to first order. It takes the tokens as independent.
func (p Perplexity) StandardError() float64 {
	variance := p.squares/float64(p.Tokens) - p.NLL()*p.NLL()
	return p.Value() * math.Sqrt(max(0, variance)/float64(p.Tokens-1))
}

// Add adds the negative log-likelihoods of the tokens of another chunk.
func (p *Perplexity) Add(nlls []float64) {
	for _, nll := range nlls {
		p.sum += nll
		p.squares += nll * nll
	}
	p.Chunks++
	p.Tokens += len(nlls)
}

// Sums returns the sums of the negative log-likelihoods and of their squares, as
// ResumePerplexity takes them.
func (p Perplexity) Sums() (nll, squares float64) { return p.sum, p.squares }

// ResumePerplexity returns a Perplexity with what was gathered before.
func ResumePerplexity(chunks, tokens int, nll, squares float64) Perplexity {
	return Perplexity{Chunks: chunks, Tokens: tokens, sum: nll, squares: squares}
}

// PerplexityChunks returns how many chunks a text of so many tokens is cut into.
// Those that are left over make no chunk.
func PerplexityChunks(tokens int, o *PerplexityOptions) int {
	n := tokens / o.contextSize()
	if o != nil && o.Chunks > 0 {
		n = min(n, o.Chunks)
	}
	return n
}

func (o *PerplexityOptions) contextSize() int {
	if o == nil || o.ContextSize == 0 {
		return DefaultContextSize
	}
	return o.ContextSize
}

// MeasurePerplexity returns the perplexity of m on a text. As in llama-perplexity
// the text is cut into chunks of equal size, each of which the model sees by
// itself, and it is the tokens of the second half of each that are predicted, but
// the first of them, so that each has at least half a chunk before it. Where o is
// nil, the defaults hold.
func MeasurePerplexity(ctx context.Context, m LanguageModel, ids []int32, o *PerplexityOptions) (Perplexity, error) {
	if o == nil {
		o = new(PerplexityOptions)
	}
	var p Perplexity
	w, err := cutWindows(ids, o)
	if err != nil {
		return p, err
	}
	for c := range w.count {
		input, targets := w.at(c)
		nlls := make([]float64, len(targets))
		err := m.Logits(ctx, input, w.first, func(position int, logits []float32) error {
			nll, err := NegativeLogLikelihood(logits, targets[position-w.first])
			if err != nil {
				return fmt.Errorf("chunk %d, position %d: %w", c+1, position, err)
			}
			nlls[position-w.first] = nll
			return nil
		})
		if err != nil {
			return p, err
		}
		p.Add(nlls)
		if o.Progress != nil {
			o.Progress(p, w.count)
		}
	}
	return p, nil
}

// textWindows are the chunks of a text.
type textWindows struct {
	ids, prefix        []int32
	size, first, count int
}

// cutWindows cuts a text as MeasurePerplexity says.
func cutWindows(ids []int32, o *PerplexityOptions) (textWindows, error) {
	size := o.contextSize()
	w := textWindows{ids, o.Prefix, size, size / 2, PerplexityChunks(len(ids), o)}
	switch {
	case size < MinContextSize:
		return w, fmt.Errorf("a chunk of %d tokens is too short; choose at least %d", size, MinContextSize)
	case w.count < 1:
		return w, fmt.Errorf("the text has %d tokens, fewer than a chunk of %d; take a longer text or a smaller context size", len(ids), size)
	case len(o.Prefix) > w.first:
		return w, fmt.Errorf("%d tokens begin each chunk, more than half of its %d", len(o.Prefix), size)
	}
	return w, nil
}

// at returns what the model sees of chunk c, and the tokens that follow positions
// first, first+1, ... of it.
func (w *textWindows) at(c int) (input, targets []int32) {
	chunk := w.ids[c*w.size : (c+1)*w.size]
	input = append([]int32{}, chunk[:w.size-1]...)
	copy(input, w.prefix)
	return input, chunk[w.first+1:]
}

// NegativeLogLikelihood returns log Σ exp(logits[i]) - logits[id], in nats. It
// overwrites logits.
func NegativeLogLikelihood(logits []float32, id int32) (float64, error) {
	if id < 0 || int(id) >= len(logits) {
		return 0, fmt.Errorf("token %d follows, but the model knows tokens from 0 to %d", id, len(logits)-1)
	}
	// Sums of float32 are short; those of all pieces are added in float64.
	const piece = 4096
	top := vec.Max(logits)
	target := logits[id]
	var sum float64
	for from := 0; from < len(logits); from += piece {
		sum += float64(vec.ExpSum(logits[from:min(from+piece, len(logits))], 1, top))
	}
	nll := math.Log(sum) + float64(top) - float64(target)
	if math.IsNaN(nll) || math.IsInf(nll, 0) {
		return 0, fmt.Errorf("the logits are not finite: the model's numbers overflow, or the file is damaged")
	}
	return nll, nil
}
