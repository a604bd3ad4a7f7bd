package infer

import (
	"math"

	"github.com/gguftool/gguftool/kernels/gemm"
	"github.com/gguftool/gguftool/kernels/vec"
)

// Scores are held for a block of queries and a chunk of keys at a time, so that
// they stay in the cache and memory is linear in the length of a text. Chunks are
// shorter where tokens see a window, as fewer scores are then computed in vain.
const (
	queryBlock  = 48
	keyChunk    = 512
	windowChunk = 128
)

// A heads describes the attention of one layer.
type heads struct {
	queries, keys int // how many heads; queries/keys heads of queries share one of keys and values
	size          int // elements of a head
	kind          attentionKind
	window        int     // 0: none
	scale         float32 // of the scores
}

// attentionOf returns the attention of a layer.
func (c *config) attentionOf(l *layer) heads {
	h := heads{queries: c.heads, keys: c.kvHeads, size: c.headSize, kind: c.attention, scale: c.scoreScale}
	if l.slides {
		h.window = c.window
	}
	return h
}

// seen returns which tokens of a text of n token i sees: low ≤ j < high. Both
// grow with i.
func (h *heads) seen(i, n int) (low, high int) {
	switch {
	case h.kind == causal && h.window > 0:
		return max(0, i+1-h.window), i + 1
	case h.kind == causal:
		return 0, i + 1
	case h.window > 0:
		return max(0, i-h.window/2), min(n, i+h.window/2+1)
	}
	return 0, n
}

// chunk is the most keys of a chunk.
func (h *heads) chunk() int {
	if h.window > 0 {
		return windowChunk
	}
	return keyChunk
}

// attend computes, for each text and head by itself,
//
//	att = softmax(scale·q·kᵀ) · v
//
// of the keys that a query sees.
func (s *session) attend(att, qkv gemm.View, h heads) {
	items := len(s.spans) * h.keys
	// Few heads are divided further, so that all workers get about as much.
	parts := 1
	if w := s.pool.Workers(); w > 1 && items < 4*w {
		parts = min((4*w+items-1)/items, h.queries/h.keys)
	}
	s.pool.Each(items*parts, func(worker, i int) {
		item, part := i/parts, i%parts
		s.scratch[worker].attendHeads(att, qkv, s.spans[item/h.keys], h, item%h.keys, part, parts)
	})
}

// attention is the memory of one worker.
type attention struct {
	keys, vals  []gemm.Matrix  // of each chunk, packed
	near        [2]gemm.Matrix // those of a chunk that a block sees
	scoreMemory []float32
	tops, sums  [queryBlock]float32
}

// attendHeads computes the heads of one text that share the keys and values of
// head kv, or one of several parts of these heads.
func (a *attention) attendHeads(att, qkv gemm.View, t span, h heads, kv, part, parts int) {
	n := t.to - t.from
	head := func(i, from, to int) gemm.View { // (to - from, size)
		return qkv.Part(t.from+from, t.from+to, i*h.size, (i+1)*h.size)
	}
	chunks := (n + h.chunk() - 1) / h.chunk()
	for len(a.keys) < chunks {
		a.keys, a.vals = append(a.keys, gemm.Matrix{}), append(a.vals, gemm.Matrix{})
	}
	for c := range chunks {
		from, to := c*n/chunks, (c+1)*n/chunks
		a.keys[c].PackRows(head(h.queries+kv, from, to))
		a.vals[c].PackColumns(head(h.queries+h.keys+kv, from, to))
	}
	shared := h.queries / h.keys
	for i := kv*shared + part*shared/parts; i < kv*shared+(part+1)*shared/parts; i++ {
		for from := 0; from < n; from += queryBlock {
			to := min(from+queryBlock, n)
			a.attendBlock(att.Part(t.from+from, t.from+to, i*h.size, (i+1)*h.size), head(i, from, to), h, from, n, chunks)
		}
	}
}

// attendBlock computes out for the queries q, the first of which is token first
// of a text of n tokens, from the packed chunks. Where a query sees several
// chunks, the softmax runs along with them: each row keeps the largest score so
// far, and the sum of the exponentials that are relative to it, and when a larger
// score turns up, what was gathered is scaled down.
func (a *attention) attendBlock(out, q gemm.View, h heads, first, n, chunks int) {
	low, _ := h.seen(first, n)
	_, high := h.seen(first+q.Rows-1, n)
	begun := false
	for c := range chunks {
		from, to := c*n/chunks, (c+1)*n/chunks
		if to <= low || from >= high {
			continue
		}
		to = min(to, high)
		a.near[0], a.near[1] = a.keys[c].First(to-from, h.size), a.vals[c].First(h.size, to-from)
		scores := buffer(&a.scoreMemory, q.Rows, to-from)
		gemm.Mul(nil, scores, q, &a.near[0], gemm.Epilogue{})
		for r := range q.Rows {
			row := scores.Row(r)
			left, right := h.seen(first+r, n)
			left, right = min(max(left-from, 0), len(row)), min(max(right-from, 0), len(row))
			if !begun {
				a.tops[r], a.sums[r] = float32(math.Inf(-1)), 0
			}
			if left >= right {
				clear(row)
				continue
			}
			clear(row[:left])
			clear(row[right:])
			row = row[left:right]
			top := vec.Max(row)
			if top > a.tops[r] {
				if a.sums[r] > 0 {
					shrink := float32(math.Exp(float64(h.scale) * (float64(a.tops[r]) - float64(top))))
					a.sums[r] *= shrink
					vec.Scale(out.Row(r), shrink)
				}
				a.tops[r] = top
			}
			a.sums[r] += vec.ExpSum(row, h.scale, a.tops[r])
		}
		gemm.Mul(nil, out, scores, &a.near[1], gemm.Epilogue{Add: begun})
		begun = true
	}
	for r := range q.Rows {
		vec.Scale(out.Row(r), 1/a.sums[r])
	}
}
