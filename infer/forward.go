package infer

import (
	"context"
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

	spans           []span
	x, qkv, att, up []float32 // the buffers of forward
	quants          gemm.Activations
	scratch         []*scratch // one for each worker of pool
}

// scratch is the memory of one worker.
type scratch struct {
	row []byte
	attention
}

// A span is the place of a text among the concatenated tokens: from ≤ i < to.
type span struct{ from, to int }

// forward computes the final states of texts, which are not empty, within the
// context and of known tokens. Text after text, row after row, they stay in the
// session until its next use.
func (m *Model) forward(ctx context.Context, s *session, texts [][]int32) (gemm.View, error) {
	c, w := &m.config, m.weights
	tokens := 0
	s.spans = s.spans[:0]
	for _, ids := range texts {
		s.spans = append(s.spans, span{tokens, tokens + len(ids)})
		tokens += len(ids)
	}
	for len(s.scratch) < s.pool.Workers() {
		s.scratch = append(s.scratch, new(scratch))
	}
	x := buffer(&s.x, tokens, c.width)       // (tokens, width), the residual stream
	qkv := s.wide(&s.qkv, tokens, 3*c.width) // (tokens, 3 * heads * head_size)
	att := s.wide(&s.att, tokens, c.width)   // (tokens, heads * head_size)
	up := s.wide(&s.up, tokens, c.hidden)    // (tokens, hidden)

	if err := m.embed(s, x, texts); err != nil {
		return x, err
	}
	for i := range w.layers {
		if err := ctx.Err(); err != nil {
			return x, err
		}
		l := &w.layers[i]

		// Attention: every token takes from the tokens of its text.
		s.mul(qkv, x, l.qkv, gemm.Epilogue{})
		s.attend(att, qkv, c.heads)
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
func (m *Model) embed(s *session, x gemm.View, texts [][]int32) error {
	c, w := &m.config, m.weights
	err := s.pool.Try(len(texts), func(worker, t int) error {
		for i, id := range texts[t] {
			row := x.Row(s.spans[t].from + i)
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

// mul stores x·l, with its bias, in dst after the epilogue.
func (s *session) mul(dst, x gemm.View, l *linear, ep gemm.Epilogue) {
	if s.observe != nil {
		for _, name := range l.names {
			s.observe(name, x.Data, x.Rows, x.Cols)
		}
	}
	if l.format != nil {
		s.quantize(x, l.format)
	}
	for i := range l.products {
		p := &l.products[i]
		out := dst.Part(0, dst.Rows, p.left, p.right)
		if p.floats != nil {
			ep.Bias = p.bias
			gemm.Mul(s.pool, out, x, p.floats, ep)
			continue
		}
		if !s.quants.Fits(p.quantized) {
			s.quantize(x, p.quantized)
		}
		ep.Bias = nil
		gemm.MulQuantized(s.pool, out, &s.quants, p.quantized, ep)
	}
}

func (s *session) quantize(x gemm.View, m *gemm.Quantized) {
	s.quants.Resize(x.Rows, m)
	s.eachRow(x, s.quants.QuantizeRow)
}

func (s *session) normalize(x gemm.View, n *norm, epsilon float32) {
	s.eachRow(x, func(_ int, row []float32) { vec.LayerNorm(row, n.weight, n.bias, epsilon) })
}

// eachRow calls f for the rows of x, which are divided among the workers, a few
// pieces for each.
func (s *session) eachRow(x gemm.View, f func(i int, row []float32)) {
	pieces := min(x.Rows, 4*s.pool.Workers())
	s.pool.Each(pieces, func(_, piece int) {
		for i := piece * x.Rows / pieces; i < (piece+1)*x.Rows/pieces; i++ {
			f(i, x.Row(i))
		}
	})
}

// wide is buffer for a matrix whose columns are written a few at a time: its
// rows are not a power of two apart, so that those of a tile do not compete for
// the same places of the cache. Observers are shown rows without gaps.
func (s *session) wide(memory *[]float32, rows, cols int) gemm.View {
	const line = 16 // of the cache
	if s.observe != nil {
		return buffer(memory, rows, cols)
	}
	return buffer(memory, rows, cols+line).Part(0, rows, 0, cols)
}

// buffer returns a matrix in memory, which grows as needed. Its content is
// arbitrary.
func buffer(memory *[]float32, rows, cols int) gemm.View {
	*memory = slices.Grow((*memory)[:0], rows*cols)[:rows*cols]
	return gemm.Dense(*memory, rows, cols)
}
