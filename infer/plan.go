package infer

import "slices"

// groupTokens bounds the tokens of a group of texts, unless one text alone has
// more: products are at full speed with far fewer, and the buffers of a group
// should stay in the cache.
const groupTokens = 256

// tailTokens is about how many tokens the last groups of a batch have: fewer
// would leave tiles of the products empty.
const tailTokens = 48

// plan divides texts of the given lengths into groups that go through the
// forward pass together. Where they are apart, each worker takes whole groups by
// itself, which needs no barriers; where that would leave workers idle, as with
// a single text, all of them are to share each group in turn. Texts are taken as
// they are best divided, or in their order.
func plan(lengths []int, workers int, inOrder bool) (groups [][]int, apart bool) {
	total := 0
	order := make([]int, len(lengths))
	for i, n := range lengths {
		order[i] = i
		total += n
	}
	if !inOrder {
		// Long texts first, so that the last groups to begin are short.
		slices.SortStableFunc(order, func(a, b int) int { return lengths[b] - lengths[a] })
	}
	// Groups shrink towards the end, so that workers finish together though some
	// are slower, and though texts do not divide evenly.
	least := min(tailTokens, total/(4*workers))
	loads := make([]int, workers) // when each takes the next group as soon as it is free
	for rest := total; len(order) > 0; {
		target := max(least, rest/(2*workers))
		n, tokens := 1, lengths[order[0]]
		for n < len(order) {
			next := lengths[order[n]]
			if tokens+next > groupTokens || tokens+next/2 > target {
				break
			}
			tokens += next
			n++
		}
		groups = append(groups, order[:n])
		order = order[n:]
		rest -= tokens
		next := slices.Index(loads, slices.Min(loads))
		loads[next] += tokens
	}
	// Barriers cost less than a fifth of the time.
	return groups, 5*slices.Max(loads)*workers <= 6*total
}
