package tokenizer

// A longWord merges the symbols of a long word in O(n log n): the symbols are a
// doubly linked list, and a heap has the merges that wait.
type longWord struct {
	symbols    []int32 // negative: merged into the one before
	prev, next []int32 // places of the neighbours; negative: none
	heap       []waitingMerge
}

// A waitingMerge is the merge of the symbol at a place with the next one, unless
// one of them has changed.
type waitingMerge struct {
	merge
	at, right int32 // right is the place of the next symbol
}

// before reports whether m comes before n: by rank, then from left to right.
func (m waitingMerge) before(n waitingMerge) bool {
	return m.rank < n.rank || m.rank == n.rank && m.at < n.at
}

func (w *longWord) append(dst, symbols []int32, merges *mergeTable) []int32 {
	w.symbols = append(w.symbols[:0], symbols...)
	w.prev, w.next, w.heap = w.prev[:0], w.next[:0], w.heap[:0]
	for i := range symbols {
		w.prev = append(w.prev, int32(i-1))
		w.next = append(w.next, int32(i+1))
	}
	w.next[len(symbols)-1] = -1
	for i := range len(symbols) - 1 {
		w.wait(int32(i), merges)
	}
	for len(w.heap) > 0 {
		m := w.pop()
		right := w.next[m.at]
		if w.symbols[m.at] < 0 || right != m.right || merges.of(w.symbols[m.at], w.symbols[right]) != m.merge {
			continue
		}
		w.symbols[m.at], w.symbols[right] = m.id, -1
		after := w.next[right]
		w.next[m.at] = after
		if after >= 0 {
			w.prev[after] = m.at
			w.wait(m.at, merges)
		}
		if before := w.prev[m.at]; before >= 0 {
			w.wait(before, merges)
		}
	}
	for _, id := range w.symbols {
		if id >= 0 {
			dst = append(dst, id)
		}
	}
	if cap(w.symbols) > maxKeptBuffer/64 {
		*w = longWord{}
	}
	return dst
}

// wait puts the merge of the symbol at a place with the next one into the heap,
// if there is one.
func (w *longWord) wait(at int32, merges *mergeTable) {
	right := w.next[at]
	m := merges.of(w.symbols[at], w.symbols[right])
	if m == unmerged {
		return
	}
	w.heap = append(w.heap, waitingMerge{m, at, right})
	for i := len(w.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !w.heap[i].before(w.heap[parent]) {
			break
		}
		w.heap[i], w.heap[parent] = w.heap[parent], w.heap[i]
		i = parent
	}
}

// pop takes the first merge out of the heap.
func (w *longWord) pop() waitingMerge {
	first := w.heap[0]
	last := len(w.heap) - 1
	w.heap[0] = w.heap[last]
	w.heap = w.heap[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && w.heap[child+1].before(w.heap[child]) {
			child++
		}
		if !w.heap[child].before(w.heap[i]) {
			break
		}
		w.heap[i], w.heap[child] = w.heap[child], w.heap[i]
		i = child
	}
	return first
}
