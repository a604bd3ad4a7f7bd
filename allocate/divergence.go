package allocate

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/kernels/vec"
)

const (
	// windowPositions is at how many positions of a window distributions are
	// compared. They lie evenly in its second half, where there is context. What
	// positions that are near each other tell is much the same, and each takes a
	// product with the whole head.
	windowPositions = 32

	// distributionMemory is about how many bytes of the source's distributions are
	// kept, and how many more are held at a time where those do not suffice.
	distributionMemory = 256 << 20
)

// predictions compares the distributions of the next token.
type predictions struct {
	source *modelLoss
	kept   [][]distribution // of the first windows, by position
}

// worst is the divergence of a model that gives the tokens that come probabilities
// of e⁻⁵⁰.
func (p *predictions) worst() float64 { return 50 }

// positions returns where a window is compared.
func (p *predictions) positions(window int) []int {
	n := p.source.sample.Tokens(window)
	first := n / 2
	count := min(windowPositions, n-first)
	all := make([]int, count)
	for i := range all {
		all[i] = first + i*(n-first)/count
	}
	return all
}

func (p *predictions) losses(ctx context.Context, at *infer.Sample, models []*infer.Model, r Range) ([]Loss, error) {
	losses := make([]Loss, len(models))
	for i := range losses {
		losses[i] = make(Loss, r.Len())
	}
	if len(models) == 0 {
		return losses, nil
	}
	step := max(1, distributionMemory/(windowPositions*4*p.source.model.Vocabulary()))
	for first := r.First; first < r.End; {
		end := min(first/step*step+step, r.End)
		of, err := p.distributions(ctx, first, end, step)
		if err != nil {
			return nil, err
		}
		err = at.Logits(ctx, models, first, end, p.positions, func(model, window, k int, logits []float32) error {
			d, err := of[window-first][k].divergence(logits)
			if err != nil {
				return fmt.Errorf("window %d, position %d: %w", window, k, err)
			}
			// One goroutine at a time for each model and window.
			losses[model][window-r.First] += d / float64(len(of[window-first]))
			return nil
		})
		if err != nil {
			return nil, err
		}
		first = end
	}
	return losses, nil
}

// distributions returns those of the source, by window and position. Those of the
// first windows, as many as keep says, are kept: changes of single tensors are
// measured on them again and again.
func (p *predictions) distributions(ctx context.Context, first, end, keep int) ([][]distribution, error) {
	if end <= len(p.kept) {
		return p.kept[first:end], nil
	}
	known := max(0, len(p.kept)-first)
	all := append(make([][]distribution, 0, end-first), p.kept[first:first+known]...)
	for window := first + known; window < end; window++ {
		all = append(all, make([]distribution, len(p.positions(window))))
	}
	s := p.source
	err := s.sample.Logits(ctx, []*infer.Model{s.model}, first+known, end, p.positions, func(_, window, k int, logits []float32) error {
		d, err := newDistribution(logits)
		if err != nil {
			return fmt.Errorf("window %d: the logits of the model are not finite", window)
		}
		all[window-first][k] = d
		return nil
	})
	if err == nil && first+known == len(p.kept) && end <= keep {
		p.kept = append(p.kept, all[known:]...)
	}
	return all, err
}

// A distribution p of tokens is what of it a divergence from it needs.
//
//	KL(p, q) = Σ p·(ln p - ln q)
//	         = Σ p·x - ln Σ exp(x)  -  Σ p·y + ln Σ exp(y)     x the logits of p, y those of q
//
// What is known of p in advance is subtracted from its like: both sums, and both
// logarithms, err alike.
type distribution struct {
	p         []float32
	mean, log float64 // Σ p·x, ln Σ exp(x)
}

// newDistribution returns that of logits, which it overwrites.
func newDistribution(logits []float32) (distribution, error) {
	x := append([]float32{}, logits...)
	sum, log, err := exponentials(logits)
	if err != nil {
		return distribution{}, err
	}
	vec.Scale(logits, float32(1/sum))
	mean := dot(logits, x)
	copy(x, logits)
	return distribution{x, mean, log}, nil
}

// divergence returns KL(d, q) in nats of the distribution q of logits, which it
// overwrites.
func (d *distribution) divergence(logits []float32) (float64, error) {
	cross := dot(d.p, logits)
	_, log, err := exponentials(logits)
	return max(0, (d.mean-cross)+(log-d.log)), err
}

// pieceLogits is how many exponentials are summed in float32.
const pieceLogits = 1024

// exponentials stores exp(x - max x) in x, and returns their sum and ln Σ exp(x).
func exponentials(x []float32) (sum, log float64, err error) {
	top := vec.Max(x)
	for rest := x; len(rest) > 0; {
		n := min(pieceLogits, len(rest))
		sum += float64(vec.ExpSum(rest[:n], 1, top))
		rest = rest[n:]
	}
	log = float64(top) + math.Log(sum)
	if math.IsNaN(log) || math.IsInf(log, 0) {
		return 0, 0, errors.New("logits are not finite")
	}
	return sum, log, nil
}

// dot returns Σ a·b in float64. Four sums wait less for each other than one would.
func dot(a, b []float32) float64 {
	var sums [4]float64
	n := len(a) &^ 3
	b = b[:len(a)]
	for i := 0; i < n; i += 4 {
		sums[0] += float64(a[i]) * float64(b[i])
		sums[1] += float64(a[i+1]) * float64(b[i+1])
		sums[2] += float64(a[i+2]) * float64(b[i+2])
		sums[3] += float64(a[i+3]) * float64(b[i+3])
	}
	for i := n; i < len(a); i++ {
		sums[0] += float64(a[i]) * float64(b[i])
	}
	return sums[0] + sums[1] + sums[2] + sums[3]
}
