package allocate

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// improve makes a choice better within a budget. What a change of one weight does
// when all others are quantized too differs from what it does alone. So changes
// are measured within the choice: each weight one step up and one down. That
// corrects what is expected of it, the choice is made again, and kept where it
// loses less. Then pairs, one weight up and another down, are measured in the
// order of what is expected of them, until none helps.
func (s *search) improve(ctx context.Context, pick []int, budget int64) ([]int, error) {
	s.start = pick
	loss, err := s.whole(ctx, pick)
	if err != nil {
		return nil, err
	}
	if f, sum := figure(loss), s.sum(pick); sum > 0 && f.Mean > 0 {
		s.scale = f.Mean / sum
	}
	for round := range s.Sample.Rounds {
		if err := s.correct(ctx, pick, loss, round); err != nil {
			return nil, err
		}
		next, ok := solve(s.rows, budget-s.problem.Base)
		if !ok || slices.Equal(next, pick) {
			break
		}
		better, nextLoss, err := s.better(ctx, next, loss)
		if err != nil {
			return nil, err
		}
		if !better {
			break
		}
		pick, loss = next, nextLoss
	}
	if pick, err = s.swap(ctx, pick, loss, budget); err != nil {
		return nil, err
	}
	return s.validate(ctx, s.start, pick)
}

// better measures a choice and reports whether it loses clearly less than one
// with the given loss.
func (s *search) better(ctx context.Context, pick []int, than Loss) (bool, Loss, error) {
	loss, err := s.whole(ctx, pick)
	if err != nil {
		return false, nil, err
	}
	d := gap(loss, than)
	return d.Mean < -d.Error, loss, nil
}

// validate returns the better of two choices by the texts that took no part: the
// first only where it is clearly better, as then the changes were about the texts
// that chose.
func (s *search) validate(ctx context.Context, start, pick []int) ([]int, error) {
	if s.Sample.HeldOut == 0 || slices.Equal(start, pick) {
		return pick, nil
	}
	before, err := s.heldOut(ctx, s.types(start))
	if err != nil {
		return nil, err
	}
	after, err := s.heldOut(ctx, s.types(pick))
	if err != nil {
		return nil, err
	}
	if d := gap(after, before); d.Mean > d.Error {
		return start, nil
	}
	return pick, nil
}

// correct measures what steps do within a choice, and corrects what is expected of
// the options beyond them.
func (s *search) correct(ctx context.Context, pick []int, loss Loss, round int) error {
	base := loss[:s.Sample.Context]
	trials := s.trials(pick)
	other := slices.Clone(pick)
	for n, t := range trials {
		s.progress("measuring changes of the whole", round*s.Sample.Changes+n, s.Sample.Rounds*s.Sample.Changes)
		other[t.weight] = t.to
		x, err := s.inContext(ctx, other)
		if err != nil {
			return err
		}
		other[t.weight] = pick[t.weight]
		s.learn(t, pick[t.weight], gap(x, base))
	}
	return nil
}

// trials returns the steps that are worth measuring: those whose gain for a byte
// is near that at which the budget ends.
func (s *search) trials(pick []int) []step {
	var up, down []step
	for w, r := range s.rows {
		at := pick[w]
		for o := at + 1; o < len(r.bytes); o++ {
			if r.loss[o] < r.loss[at] && r.bytes[o] > r.bytes[at] {
				up = append(up, step{w, o, r.bytes[o] - r.bytes[at], r.gain(at, o)})
				break
			}
		}
		for o := at - 1; o >= 0; o-- {
			if r.bytes[o] < r.bytes[at] {
				down = append(down, step{w, o, r.bytes[o] - r.bytes[at], r.gain(o, at)})
				break
			}
		}
	}
	// The steps up that gain most and those down that cost least decide.
	slices.SortStableFunc(up, func(a, b step) int { return cmp.Compare(b.gain, a.gain) })
	slices.SortStableFunc(down, func(a, b step) int { return cmp.Compare(a.gain, b.gain) })
	half := s.Sample.Changes / 2
	return slices.Concat(up[:min(half, len(up))], down[:min(half, len(down))])
}

// learn takes in that a step from option at changes the loss by d, and moves the
// options beyond by the same factor. What was expected counts as if it had been
// measured within its half.
func (s *search) learn(t step, at int, d Figure) {
	r := &s.rows[t.weight]
	expected := s.scale * (r.loss[t.to] - r.loss[at])
	doubt := expected*expected/4 + tiny
	error2 := d.Error*d.Error + tiny
	mean := (expected*error2 + d.Mean*doubt) / (error2 + doubt)
	factor := 1.0
	if expected != 0 {
		factor = min(max(mean/expected, 0), 8)
	}
	for o := range r.loss {
		if (t.to > at && o >= t.to) || (t.to < at && o <= t.to) {
			r.loss[o] = r.loss[at] + factor*(r.loss[o]-r.loss[at])
		}
	}
}

// tiny keeps quotients of squares of losses from 0/0.
const tiny = math.SmallestNonzeroFloat64 * (1 << 40)

// swap tries exchanges of two weights, those that promise most first, until as
// many as it may try in a row do not help.
func (s *search) swap(ctx context.Context, pick []int, loss Loss, budget int64) ([]int, error) {
	tries := s.Sample.Changes / 8
	tried := make(map[exchanged]bool)
	for failed := 0; failed < tries; {
		s.progress("trying exchanges", failed, tries)
		next := s.exchangeOf(pick, budget, tried)
		if next == nil {
			break
		}
		better, nextLoss, err := s.better(ctx, next, loss)
		if err != nil {
			return nil, err
		}
		if better {
			pick, loss, failed = next, nextLoss, 0
			continue
		}
		failed++
	}
	return pick, nil
}

// exchangeOf returns the choice after the exchange that promises most of those
// that were not tried, or nil. An exchange may be expected to cost a little, as
// what is expected is not certain.
func (s *search) exchangeOf(pick []int, budget int64, tried map[exchanged]bool) []int {
	left := budget - s.bytes(pick)
	up, down := moves(s.rows, pick)
	type pair struct {
		up, down move
		loss     float64
	}
	var best *pair
	var total float64
	for _, m := range up {
		for _, d := range down {
			if d.weight == m.weight || m.bytes+d.bytes > left {
				continue
			}
			p := pair{m, d, m.loss + d.loss}
			if (best == nil || p.loss < best.loss) && !tried[after(p.up, p.down)] {
				best = &p
			}
		}
	}
	for i, o := range pick {
		total += math.Abs(s.rows[i].loss[o])
	}
	if best == nil || best.loss > 0.002*total {
		return nil
	}
	tried[after(best.up, best.down)] = true
	next := slices.Clone(pick)
	next[best.up.weight], next[best.down.weight] = best.up.to, best.down.to
	return next
}

// exchanged names what two weights are after an exchange.
type exchanged struct{ up, upTo, down, downTo int }

func after(up, down move) exchanged { return exchanged{up.weight, up.to, down.weight, down.to} }
