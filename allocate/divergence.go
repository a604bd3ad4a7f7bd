package allocate

import (
	"context"
	"fmt"
	"math"

	"github.com/gguftool/gguftool/infer"
)

const (
	// windowPositions is at how many positions of a window distributions are
	// compared. They lie evenly in its second half, where there is context.
	windowPositions = 64

	// logitMemory is about how many bytes of the source's logits are held at a time.
	logitMemory = 256 << 20
)

// predictions compares the distributions of the next token.
type predictions struct{ source *modelLoss }

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

// A distribution is logits, and the logarithm of the sum of their exponentials.
type distribution struct {
	logits []float32
	log    float64
}

func (p *predictions) losses(ctx context.Context, at *infer.Sample, models []*infer.Model, r Range) ([]Loss, error) {
	losses := make([]Loss, len(models))
	for i := range losses {
		losses[i] = make(Loss, r.Len())
	}
	if len(models) == 0 {
		return losses, nil
	}
	step := max(1, logitMemory/(windowPositions*4*p.source.model.Vocabulary()))
	for first := r.First; first < r.End; first += step {
		end := min(first+step, r.End)
		of, err := p.distributions(ctx, first, end)
		if err != nil {
			return nil, err
		}
		for i, m := range models {
			err := at.Logits(ctx, m, first, end, p.positions, func(window, k int, logits []float32) error {
				d, err := of[window-first][k].divergence(logits)
				if err != nil {
					return fmt.Errorf("window %d, position %d: %w", window, k, err)
				}
				// One goroutine at a time for each window.
				losses[i][window-r.First] += d / float64(len(of[window-first]))
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return losses, nil
}

// distributions returns those of the source, by window and position.
func (p *predictions) distributions(ctx context.Context, first, end int) ([][]distribution, error) {
	all := make([][]distribution, end-first)
	for i := range all {
		all[i] = make([]distribution, len(p.positions(first+i)))
	}
	s := p.source
	err := s.sample.Logits(ctx, s.model, first, end, p.positions, func(window, k int, logits []float32) error {
		log := logSum(logits)
		if math.IsNaN(log) || math.IsInf(log, 0) {
			return fmt.Errorf("window %d: the logits of the model are not finite", window)
		}
		all[window-first][k] = distribution{append([]float32{}, logits...), log}
		return nil
	})
	return all, err
}

// logSum returns ln Σ exp(x).
func logSum(x []float32) float64 {
	top := float64(math.Inf(-1))
	for _, v := range x {
		top = max(top, float64(v))
	}
	var sum float64
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}

// divergence returns Σ p·ln(p/q), in nats, of the distribution p to that of logits:
//
//	ln p - ln q = (logit of p - log of p) - (logit of q - log of q)
func (d *distribution) divergence(logits []float32) (float64, error) {
	log := logSum(logits)
	if math.IsNaN(log) || math.IsInf(log, 0) {
		return 0, fmt.Errorf("logits are not finite")
	}
	var sum float64
	for i, v := range d.logits {
		sum += math.Exp(float64(v)-d.log) * (float64(v) - float64(logits[i]))
	}
	return max(0, sum+log-d.log), nil
}
