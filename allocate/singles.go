package allocate

import (
	"context"
	"fmt"
	"slices"

	"github.com/gguftool/gguftool/gguf"
)

// A Weight is a tensor whose type is chosen.
type Weight struct {
	Tensor string
	Types  []Candidate // of which one is chosen, in ascending order of bytes
}

// A Candidate is a type that a weight can get.
type Candidate struct {
	Type   gguf.Type
	Bytes  int64 // that the tensor takes in a file
	Source bool  // the weight stays as it is, which costs nothing
}

// clear is how many standard errors make a difference clear.
const clear = 2.5

// alone stands for the standard error that one text does not tell, as a part of the
// loss.
const alone = 0.2

// measureSingles measures what each type of w costs when no other tensor changes.
// All types see the same texts, at first a few. Those that another type, or a
// mixture of two, beats clearly are dropped; the others see more.
//
// What is measured of one tensor does not depend on the others, so that parts of
// the work can be done elsewhere.
func measureSingles(ctx context.Context, ev Evaluator, w *Weight, ends []int) ([]Single, error) {
	n := len(w.Types)
	losses := make([]Loss, n)
	dropped := make([]bool, n)
	first := 0
	for _, end := range ends {
		if end <= first {
			continue
		}
		var at []int
		var types []gguf.Type
		for i, c := range w.Types {
			switch {
			case c.Source:
				losses[i] = make(Loss, end)
			case !dropped[i]:
				at, types = append(at, i), append(types, c.Type)
			}
		}
		if len(types) == 0 {
			break
		}
		more, err := ev.Single(ctx, w.Tensor, types, Range{first, end})
		if err != nil {
			return nil, err
		}
		for k, i := range at {
			if len(more[k]) != end-first {
				return nil, fmt.Errorf("%s: %d losses of %d texts", w.Tensor, len(more[k]), end-first)
			}
			losses[i] = append(losses[i], more[k]...)
		}
		first = end
		drop(w.Types, losses, dropped)
	}
	singles := make([]Single, n)
	for i, c := range w.Types {
		f := figure(losses[i])
		singles[i] = Single{c.Type.String(), f.Mean, f.Error, f.Texts, dropped[i]}
	}
	return singles, nil
}

// drop marks types that lie clearly above the hull of the others: there is one
// that loses less with no more bytes, or two between which it lies, and on the
// line between them, or below, is less loss.
func drop(types []Candidate, losses []Loss, dropped []bool) {
	var alive []int
	r := row{}
	for i, c := range types {
		if !dropped[i] {
			alive = append(alive, i)
			r.bytes, r.loss = append(r.bytes, c.Bytes), append(r.loss, figure(losses[i]).Mean)
		}
	}
	h := r.hull()
	for k, i := range alive {
		if slices.Contains(h, k) {
			continue
		}
		var above Figure
		after := slices.IndexFunc(h, func(o int) bool { return r.bytes[o] > r.bytes[k] })
		switch {
		case after == 0:
			continue
		case after < 0:
			above = gap(losses[i], losses[alive[h[len(h)-1]]])
		default:
			a, b := h[after-1], h[after]
			part := float64(r.bytes[k]-r.bytes[a]) / float64(r.bytes[b]-r.bytes[a])
			above = chordGap(losses[i], losses[alive[a]], losses[alive[b]], part)
		}
		if above.Texts < 2 {
			above.Error = alone * figure(losses[i]).Mean
		}
		dropped[i] = above.Mean > clear*above.Error
	}
}
