package infer

import (
	"math"

	"github.com/gguftool/gguftool/kernels/gemm"
	"github.com/gguftool/gguftool/kernels/vec"
)

// Scores are held for a block of queries and a chunk of keys at a time, so that
// they stay in the cache and memory is linear in the length of a text.
const (
	queryBlock = 48
	keyChunk   = 512
)

// attend computes, for each text and head by itself,
//
//	att = softmax(q·kᵀ / √head_size) · v
func (s *session) attend(att, qkv gemm.View, heads int) {
	s.pool.Each(len(s.spans)*heads, func(worker, i int) {
		s.scratch[worker].attendHead(att, qkv, s.spans[i/heads], i%heads, heads)
	})
}

// attention is the memory of one worker.
type attention struct {
	keys, vals  []gemm.Matrix // of each chunk
	scoreMemory []float32
	tops, sums  [queryBlock]float32
}

// attendHead computes one head of one text. Where the text has several chunks of
// keys, the softmax runs along with them: each row keeps the largest score so
// far, and the sum of the exponentials that are relative to it, and when a larger
// score turns up, what was gathered is scaled down.
func (a *attention) attendHead(att, qkv gemm.View, t span, head, heads int) {
	var (
		width = att.Cols
		size  = width / heads
		left  = head * size
		scale = float32(1 / math.Sqrt(float64(size)))
	)
	n := t.to - t.from
	part := func(which, from, to int) gemm.View { // (to - from, head_size)
		return qkv.Part(t.from+from, t.from+to, which*width+left, which*width+left+size)
	}
	chunks := (n + keyChunk - 1) / keyChunk
	for len(a.keys) < chunks {
		a.keys, a.vals = append(a.keys, gemm.Matrix{}), append(a.vals, gemm.Matrix{})
	}
	for c := range chunks {
		from, to := c*n/chunks, (c+1)*n/chunks
		a.keys[c].PackRows(part(1, from, to))
		a.vals[c].PackColumns(part(2, from, to))
	}
	for from := 0; from < n; from += queryBlock {
		to := min(from+queryBlock, n)
		q := part(0, from, to)
		out := att.Part(t.from+from, t.from+to, left, left+size)
		for c := range chunks {
			keys := (c+1)*n/chunks - c*n/chunks
			scores := buffer(&a.scoreMemory, q.Rows, keys)
			gemm.Mul(nil, scores, q, &a.keys[c], gemm.Epilogue{})
			for r := range q.Rows {
				row := scores.Row(r)
				top := vec.Max(row)
				if c == 0 {
					a.tops[r] = top
					a.sums[r] = vec.ExpSum(row, scale, top)
					continue
				}
				if top > a.tops[r] {
					shrink := float32(math.Exp(float64(scale) * (float64(a.tops[r]) - float64(top))))
					a.tops[r] = top
					a.sums[r] *= shrink
					vec.Scale(out.Row(r), shrink)
				}
				a.sums[r] += vec.ExpSum(row, scale, a.tops[r])
			}
			gemm.Mul(nil, out, scores, &a.vals[c], gemm.Epilogue{Add: c > 0})
		}
		for r := range q.Rows {
			vec.Scale(out.Row(r), 1/a.sums[r])
		}
	}
}
