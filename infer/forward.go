package infer

import (
	"context"
	"math"
	"slices"

	"github.com/gguftool/gguftool/kernels/cpu"
	"github.com/gguftool/gguftool/kernels/gemm"
	"github.com/gguftool/gguftool/kernels/vec"
)

// An Observer sees the input of each product of the forward pass: x is
// (rows, cols), row-major, and tensor names the weights in the file. It must
// not keep or change x.
type Observer func(tensor string, x []float32, rows, cols int)

// A session holds what one forward pass at a time writes to.
type session struct {
	pool    *cpu.Pool // nil: runs on the caller's goroutine
	observe Observer  // or nil

	x, qkv, att, up []float32  // the buffers of forward
	scratch         []*scratch // one for each worker of pool
}

// scratch is the memory of one worker.
type scratch struct {
	row         []byte
	keys, vals  gemm.Matrix
	scoreMemory []float32
}

// A span is the place of a text among the concatenated tokens: from ≤ i < to.
type span struct{ from, to int }

// forward computes the final states of texts, which are not empty, within the
// context and of known tokens. Text after text, row after row, they stay in the
// session until its next use.
func (m *Model) forward(ctx context.Context, s *session, texts [][]int32) (gemm.View, error) {
	c, w := &m.config, m.weights
	var (
		spans  []span
		tokens int
	)
	for _, ids := range texts {
		spans = append(spans, span{tokens, tokens + len(ids)})
		tokens += len(ids)
	}
	for len(s.scratch) < s.pool.Workers() {
		s.scratch = append(s.scratch, new(scratch))
	}
	x := buffer(&s.x, tokens, c.width)       // (tokens, width), the residual stream
	qkv := buffer(&s.qkv, tokens, 3*c.width) // (tokens, 3 * heads * head_size)
	att := buffer(&s.att, tokens, c.width)   // (tokens, heads * head_size)
	up := buffer(&s.up, tokens, c.hidden)    // (tokens, hidden)

	if err := m.embed(s, x, texts, spans); err != nil {
		return x, err
	}
	for i := range w.layers {
		if err := ctx.Err(); err != nil {
			return x, err
		}
		l := &w.layers[i]

		// Attention: every token takes from the tokens of its text.
		s.mul(qkv, x, l.qkv, gemm.Epilogue{})
		s.attend(att, qkv, spans, c.heads)
		s.mul(x, att, l.attnOut, gemm.Epilogue{Add: true})
		s.normalize(x, l.attnOutNorm, c.epsilon)

		// Feed-forward network: every token by itself.
		s.mul(up, x, l.up, gemm.Epilogue{Act: c.activation})
		s.mul(x, up, l.down, gemm.Epilogue{Add: true})
		s.normalize(x, l.outNorm, c.epsilon)
	}
	return x, nil
}

// embed stores in x the sum of what is known of each token: its own row, that
// of its type, that of its position in the text.
func (m *Model) embed(s *session, x gemm.View, texts [][]int32, spans []span) error {
	c, w := &m.config, m.weights
	err := s.pool.Try(len(texts), func(worker, t int) error {
		for i, id := range texts[t] {
			row := x.Row(spans[t].from + i)
			if err := w.tokens.row(row, int64(id), &s.scratch[worker].row); err != nil {
				return err
			}
			if w.tokenType != nil {
				vec.Add(row, w.tokenType)
			}
			if w.positions != nil {
				vec.Add(row, w.positions[i*c.width:(i+1)*c.width])
			}
		}
		return nil
	})
	if err == nil && w.norm != nil {
		s.normalize(x, w.norm, c.epsilon)
	}
	return err
}

// attend computes, for each text and head by itself,
//
//	att = softmax(q·kᵀ / √head_size) · v
//
// Scores are held for a block of queries at a time, so that memory is linear in
// the length of a text.
func (s *session) attend(att, qkv gemm.View, spans []span, heads int) {
	const queryBlock = 32
	var (
		width = att.Cols
		size  = width / heads
		scale = float32(1 / math.Sqrt(float64(size)))
	)
	s.pool.Each(len(spans)*heads, func(worker, i int) {
		t, left, b := spans[i/heads], i%heads*size, s.scratch[worker]
		head := func(which int) gemm.View { // (tokens of the text, head_size)
			return qkv.Part(t.from, t.to, which*width+left, which*width+left+size)
		}
		q := head(0)
		b.keys.PackRows(head(1))
		b.vals.PackColumns(head(2))
		for from := 0; from < q.Rows; from += queryBlock {
			to := min(from+queryBlock, q.Rows)
			scores := buffer(&b.scoreMemory, to-from, q.Rows) // (queries, tokens of the text)
			gemm.Mul(nil, scores, q.Part(from, to, 0, size), &b.keys, gemm.Epilogue{})
			for r := range scores.Rows {
				vec.Softmax(scores.Row(r), scale)
			}
			gemm.Mul(nil, att.Part(t.from+from, t.from+to, left, left+size), scores, &b.vals, gemm.Epilogue{})
		}
	})
}

// mul stores x·l, with its bias, in dst after the epilogue.
func (s *session) mul(dst, x gemm.View, l *linear, ep gemm.Epilogue) {
	if s.observe != nil {
		for _, name := range l.names {
			s.observe(name, x.Data, x.Rows, x.Cols)
		}
	}
	ep.Bias = l.bias
	gemm.Mul(s.pool, dst, x, l.weights, ep)
}

func (s *session) normalize(x gemm.View, n *norm, epsilon float32) {
	s.pool.Each(x.Rows, func(_, i int) { vec.LayerNorm(x.Row(i), n.weight, n.bias, epsilon) })
}

// buffer returns a matrix in memory, which grows as needed. Its content is
// arbitrary.
func buffer(memory *[]float32, rows, cols int) gemm.View {
	*memory = slices.Grow((*memory)[:0], rows*cols)[:rows*cols]
	return gemm.Dense(*memory, rows, cols)
}
