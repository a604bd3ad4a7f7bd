package bench

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// A LogitFidelity tells how far the predictions of a decoder are from those of a
// reference for the same tokens of a text. The divergence and the agreement are
// means over windows, which are resampled as a whole, since the tokens of one
// depend on each other.
type LogitFidelity struct {
	Windows     int     `json:"windows"`
	ContextSize int     `json:"context_size"` // tokens of a window
	Tokens      int     `json:"tokens"`       // that were predicted
	Perplexity  float64 `json:"perplexity"`
	Reference   float64 `json:"reference_perplexity"`

	KL       Estimate `json:"kl"`             // divergence of the distribution of the next token from the reference's, in nats
	KLWorst  float64  `json:"kl_worst"`       // largest, of one token
	SameTop  Estimate `json:"top1_agreement"` // part of the tokens for which both name the same most likely one
	Increase Estimate `json:"nll_increase"`   // of the mean negative log-likelihood, in nats: the logarithm of the ratio of perplexities
}

// CompareLogits lets two decoders of one vocabulary predict a text, in the windows
// of MeasurePerplexity and with its options, and compares what they say.
//
// It holds the logits of the reference for the tokens of one window that count,
// half its size times the vocabulary in float32, and no others.
func CompareLogits(ctx context.Context, reference, other LanguageModel, ids []int32, o *PerplexityOptions) (*LogitFidelity, error) {
	if o == nil {
		o = new(PerplexityOptions)
	}
	w, err := cutWindows(ids, o)
	if err != nil {
		return nil, err
	}
	var p, q Perplexity // of the reference and of the other
	var kls, sames, increases []float64
	f := &LogitFidelity{ContextSize: w.size}
	rows := make([]predictions, w.size-1-w.first)
	for c := range w.count {
		input, targets := w.at(c)
		at := func(model string, position int, err error) error {
			return fmt.Errorf("chunk %d, position %d, %s: %w", c+1, position, model, err)
		}
		err := reference.Logits(ctx, input, w.first, func(position int, logits []float32) error {
			if err := rows[position-w.first].record(logits, targets[position-w.first]); err != nil {
				return at("the reference", position, err)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		err = other.Logits(ctx, input, w.first, func(position int, logits []float32) error {
			if err := rows[position-w.first].compare(logits, targets[position-w.first]); err != nil {
				return at("the other model", position, err)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		var before, after []float64
		var kl, same, increase float64
		for i := range rows {
			r, n := &rows[i], float64(len(rows))
			before, after = append(before, r.nll), append(after, r.otherNLL)
			kl += r.kl / n
			increase += (r.otherNLL - r.nll) / n
			if r.same {
				same++
			}
			f.KLWorst = max(f.KLWorst, r.kl)
		}
		p.Add(before)
		q.Add(after)
		kls, sames, increases = append(kls, kl), append(sames, same/float64(len(rows))), append(increases, increase)
		if o.Progress != nil {
			o.Progress(q, w.count)
		}
	}
	f.Windows, f.Tokens, f.Perplexity, f.Reference = q.Chunks, q.Tokens, q.Value(), p.Value()
	f.KL, f.SameTop, f.Increase = estimateMean(kls), estimateMean(sames), estimateMean(increases)
	return f, nil
}

// predictions of one token: by the reference, and how another's differ.
type predictions struct {
	logits []float32
	top    int     // the most likely token
	norm   float64 // log Σ exp(logits[i])
	nll    float64 // of the token that follows

	otherNLL, kl float64
	same         bool // the most likely token
}

// record keeps the logits of the reference. It overwrites them.
func (r *predictions) record(logits []float32, next int32) error {
	r.logits = append(r.logits[:0], logits...)
	r.top = argmax(logits)
	nll, err := NegativeLogLikelihood(logits, next)
	if err != nil {
		return err
	}
	r.nll = nll
	r.norm = nll + float64(r.logits[next])
	return nil
}

// compare compares the logits of another model, which it overwrites:
//
//	KL = Σ p (log p - log q),  log p = logits - norm
//
// A token that the reference rules out counts nothing.
func (r *predictions) compare(logits []float32, next int32) error {
	if len(logits) != len(r.logits) {
		return fmt.Errorf("there are logits for %d tokens, but the reference has them for %d", len(logits), len(r.logits))
	}
	r.same = argmax(logits) == r.top
	other := slices.Clone(logits)
	nll, err := NegativeLogLikelihood(logits, next)
	if err != nil {
		return err
	}
	r.otherNLL = nll
	norm := nll + float64(other[next])
	r.kl = 0
	for i, l := range r.logits {
		logP := float64(l) - r.norm
		if p := math.Exp(logP); p > 0 {
			r.kl += p * (logP - (float64(other[i]) - norm))
		}
	}
	if math.IsNaN(r.kl) || math.IsInf(r.kl, 0) {
		return fmt.Errorf("the divergence is not finite: one model rules out a token that the other expects")
	}
	r.kl = max(0, r.kl)
	return nil
}

// argmax returns the first of the largest numbers.
func argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// A stopwatch is a LanguageModel that tells how long it took. What it is asked
// to do with the logits counts for nothing.
type stopwatch struct {
	LanguageModel
	tokens int
	busy   time.Duration
}

// Logits is that of the model.
func (s *stopwatch) Logits(ctx context.Context, ids []int32, from int, visit func(position int, logits []float32) error) error {
	start := time.Now()
	var elsewhere atomic.Int64 // nanoseconds
	err := s.LanguageModel.Logits(ctx, ids, from, func(position int, logits []float32) error {
		called := time.Now()
		defer func() { elsewhere.Add(int64(time.Since(called))) }()
		return visit(position, logits)
	})
	s.tokens += len(ids)
	s.busy += time.Since(start) - time.Duration(elsewhere.Load())
	return err
}
