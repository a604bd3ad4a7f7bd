package allocate

import (
	"cmp"
	"slices"
)

// A row holds what one weight can become: options in ascending order of bytes,
// and the loss that is expected of each.
type row struct {
	bytes []int64
	loss  []float64
}

// hull returns the options that lie on the lower convex hull of loss over bytes,
// from the fewest bytes to those with the least loss. The others are never the
// best for any price of a byte.
func (r row) hull() []int {
	var h []int
	for i := range r.bytes {
		if len(h) > 0 && r.loss[i] >= r.loss[h[len(h)-1]] {
			continue
		}
		for len(h) > 0 {
			last := h[len(h)-1]
			if r.bytes[last] == r.bytes[i] {
				h = h[:len(h)-1]
				continue
			}
			if len(h) == 1 {
				break
			}
			before := h[len(h)-2]
			if r.gain(before, last) > r.gain(last, i) {
				break
			}
			h = h[:len(h)-1]
		}
		h = append(h, i)
	}
	return h
}

// gain returns how much loss a byte saves on the way from option a to b.
func (r row) gain(a, b int) float64 {
	return (r.loss[a] - r.loss[b]) / float64(r.bytes[b]-r.bytes[a])
}

// A step leads a weight from one option on its hull to the next.
type step struct {
	weight, to int
	bytes      int64
	gain       float64
}

// steps returns the steps of all rows, those that gain most for a byte first: the
// order in which a falling price of a byte, the Lagrangian multiplier, makes them
// worth it. Of each row they are in the order of its hull.
func steps(rows []row) (all []step) {
	for w, r := range rows {
		h := r.hull()
		for k := 1; k < len(h); k++ {
			a, b := h[k-1], h[k]
			all = append(all, step{w, b, r.bytes[b] - r.bytes[a], r.gain(a, b)})
		}
	}
	slices.SortStableFunc(all, func(a, b step) int { return cmp.Compare(b.gain, a.gain) })
	return all
}

// solve returns the option of every row with the least sum of losses that is found
// within the budget of bytes. ok is false where even the smallest exceed it.
//
// A Lagrangian over the hulls comes within a step of the budget. What is left of
// it is filled by the next steps that fit, and then by exchanges: one weight up,
// or one up and another down, while that lowers the sum.
func solve(rows []row, budget int64) (pick []int, ok bool) {
	pick = make([]int, len(rows))
	left := budget
	for w, r := range rows {
		if h := r.hull(); len(h) > 0 {
			pick[w] = h[0]
			left -= r.bytes[h[0]]
		}
	}
	if left < 0 {
		return pick, false
	}
	stuck := make([]bool, len(rows))
	for _, s := range steps(rows) {
		if s.bytes > left || stuck[s.weight] {
			stuck[s.weight] = true
			continue
		}
		pick[s.weight] = s.to
		left -= s.bytes
	}
	for exchange(rows, pick, &left) {
	}
	return pick, true
}

// A move gives one weight another option.
type move struct {
	weight, to int
	bytes      int64 // more than before
	loss       float64
}

// moves returns all that can be done to pick.
func moves(rows []row, pick []int) (up, down []move) {
	for w, r := range rows {
		at := pick[w]
		for o := range r.bytes {
			m := move{w, o, r.bytes[o] - r.bytes[at], r.loss[o] - r.loss[at]}
			switch {
			case m.loss < 0:
				up = append(up, m)
			case m.bytes < 0:
				down = append(down, m)
			}
		}
	}
	slices.SortStableFunc(down, func(a, b move) int { return cmp.Compare(a.bytes, b.bytes) })
	return up, down
}

// least is the smallest change of a sum of losses, as a part of it, that counts:
// less is rounding, and could be found again for ever.
const least = 1e-9

// exchange makes the best of the exchanges that lower the loss and fit into left,
// and reports whether there was one.
func exchange(rows []row, pick []int, left *int64) bool {
	var total float64
	for w, r := range rows {
		total += max(r.loss[pick[w]], -r.loss[pick[w]])
	}
	up, down := moves(rows, pick)
	// cheapest[i] are the two of down[:i+1], of different weights, that cost least.
	type pair [2]int
	cheapest := make([]pair, len(down))
	best := pair{-1, -1}
	for i, m := range down {
		switch {
		case best[0] < 0 || m.loss < down[best[0]].loss:
			if best[0] >= 0 && down[best[0]].weight != m.weight {
				best[1] = best[0]
			}
			best[0] = i
		case m.weight != down[best[0]].weight && (best[1] < 0 || m.loss < down[best[1]].loss):
			best[1] = i
		}
		cheapest[i] = best
	}
	found, with, gain := -1, -1, least*total
	for i, u := range up {
		if u.bytes <= *left {
			if -u.loss > gain {
				found, with, gain = i, -1, -u.loss
			}
			continue
		}
		n, _ := slices.BinarySearchFunc(down, *left-u.bytes+1, func(m move, bytes int64) int { return cmp.Compare(m.bytes, bytes) })
		if n == 0 {
			continue
		}
		for _, k := range cheapest[n-1] {
			if k >= 0 && down[k].weight != u.weight {
				if g := -u.loss - down[k].loss; g > gain {
					found, with, gain = i, k, g
				}
				break
			}
		}
	}
	if found < 0 {
		return false
	}
	apply := func(m move) {
		pick[m.weight] = m.to
		*left -= m.bytes
	}
	apply(up[found])
	if with >= 0 {
		apply(down[with])
	}
	return true
}

// Files come this near to their size from below, as long as that costs no more than
// a hundredth of the loss: who asks for a size expects it.
const (
	near     = 0.004
	nearCost = 0.01
)

// fill uses up what a choice leaves of a budget, by one change or two that cost
// least, where more is left than near.
func fill(rows []row, pick []int, budget int64) {
	left := budget
	var total float64
	for w, o := range pick {
		left -= rows[w].bytes[o]
		total += max(rows[w].loss[o], -rows[w].loss[o])
	}
	enough := left - int64(near*float64(budget))
	if enough <= 0 {
		return
	}
	var all []move
	for w, r := range rows {
		for o := range r.bytes {
			if o != pick[w] {
				all = append(all, move{w, o, r.bytes[o] - r.bytes[pick[w]], r.loss[o] - r.loss[pick[w]]})
			}
		}
	}
	least := nearCost * total
	var best []move
	for i, m := range all {
		if m.bytes >= enough && m.bytes <= left && m.loss < least {
			least, best = m.loss, []move{m}
		}
		for _, n := range all[i+1:] {
			if sum := m.bytes + n.bytes; n.weight != m.weight && sum >= enough && sum <= left && m.loss+n.loss < least {
				least, best = m.loss+n.loss, []move{m, n}
			}
		}
	}
	for _, m := range best {
		pick[m.weight] = m.to
	}
}
