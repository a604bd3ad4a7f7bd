package infer

import (
	"context"
	"slices"

	"github.com/gguftool/gguftool/kernels/cpu"
	"github.com/gguftool/gguftool/kernels/gemm"
	"github.com/gguftool/gguftool/kernels/vec"
)

// A session holds what one forward pass at a time writes to.
type session struct {
	pool      *cpu.Pool  // nil: runs on the caller's goroutine
	observers []Observer // of each text, or none
	reached   LayerVisitor

	spans               []span
	positions           []int32   // of each token in its text
	x, in, qkv, att, up []float32 // the buffers of forward
	logits              []float32
	pooled              [3][]float32 // vectors before and between the layers that follow pooling
	quants              gemm.Activations
	scratch             []*scratch // one for each worker of pool
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
	x := s.begin(m, texts)
	if err := m.embed(s, x, texts); err != nil {
		return x, err
	}
	s.reach(0, x)
	return x, m.layersFrom(ctx, s, x, 0)
}

// begin places texts in the session and returns the memory of their states.
func (s *session) begin(m *Model, texts [][]int32) gemm.View {
	tokens := 0
	s.spans, s.positions = s.spans[:0], s.positions[:0]
	for _, ids := range texts {
		s.spans = append(s.spans, span{tokens, tokens + len(ids)})
		tokens += len(ids)
		for i := range ids {
			s.positions = append(s.positions, int32(i))
		}
	}
	for len(s.scratch) < s.pool.Workers() {
		s.scratch = append(s.scratch, new(scratch))
	}
	return buffer(&s.x, tokens, m.config.width)
}

// layersFrom passes x, (tokens, width), the residual stream in front of a layer,
// through that layer, all that follow it, and the last norm.
func (m *Model) layersFrom(ctx context.Context, s *session, x gemm.View, first int) error {
	c, w, tokens := &m.config, m.weights, x.Rows
	upWidth := c.hidden
	if c.gated {
		upWidth *= 2
	}
	in := s.wide(&s.in, tokens, c.width)              // (tokens, width), normalised, or to be added
	qkv := s.wide(&s.qkv, tokens, c.qkvWidth())       // (tokens, heads + 2·kvHeads, headSize)
	att := s.wide(&s.att, tokens, c.heads*c.headSize) // (tokens, heads, headSize)
	up := s.wide(&s.up, tokens, upWidth)              // (tokens, hidden), or (tokens, 2, hidden)

	for i := first; i < len(w.layers); i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		l := &w.layers[i]

		// Attention: every token takes from tokens of its text.
		s.mul(qkv, s.normalized(in, x, l.beforeAttention), l.qkv, gemm.Epilogue{})
		s.place(qkv, c, l)
		s.attend(att, qkv, c.attentionOf(l))
		s.addTo(x, att, l.attnOut, l.afterAttention, in)
		s.normalize(x, l.attentionSum)

		// Feed-forward network: every token by itself.
		hidden := up
		if c.gated {
			s.mul(up, s.normalized(in, x, l.beforeFFN), l.up, gemm.Epilogue{})
			hidden = s.gate(up, c.activation)
		} else {
			s.mul(up, s.normalized(in, x, l.beforeFFN), l.up, gemm.Epilogue{Act: c.activation})
		}
		s.addTo(x, hidden, l.down, l.afterFFN, in)
		s.normalize(x, l.ffnSum)
		s.reach(i+1, x)
	}
	s.normalize(x, w.final)
	return nil
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
			if c.embeddingScale != 0 {
				vec.Scale(row, c.embeddingScale)
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
	if err == nil {
		s.normalize(x, w.norm)
	}
	return err
}

// normalized returns x, or what n makes of it in dst.
func (s *session) normalized(dst, x gemm.View, n *norm) gemm.View {
	if n == nil {
		return x
	}
	s.eachRow(x, func(i int, row []float32) {
		copy(dst.Row(i), row)
		n.apply(dst.Row(i))
	})
	return dst
}

// normalize applies n to the rows of x; a norm of nil does nothing.
func (s *session) normalize(x gemm.View, n *norm) {
	if n != nil {
		s.eachRow(x, func(_ int, row []float32) { n.apply(row) })
	}
}

// addTo adds y·l to x, normalised by n where that is not nil. free is memory of
// the size of x.
func (s *session) addTo(x, y gemm.View, l *linear, n *norm, free gemm.View) {
	if n == nil {
		s.mul(x, y, l, gemm.Epilogue{Add: true})
		return
	}
	s.mul(free, y, l, gemm.Epilogue{})
	s.eachRow(free, func(i int, row []float32) {
		n.apply(row)
		vec.Add(x.Row(i), row)
	})
}

// place normalises heads of queries and keys and rotates them by the positions
// of their tokens, as far as the architecture does either.
func (s *session) place(qkv gemm.View, c *config, l *layer) {
	if l.query == nil && l.rope == nil {
		return
	}
	var t turns
	half := 0
	if l.rope != nil {
		longest := 0
		for _, t := range s.spans {
			longest = max(longest, t.to-t.from)
		}
		t, half = l.rope.turnsOf(longest), l.rope.dims/2
	}
	s.eachRow(qkv, func(i int, row []float32) {
		from, to := int(s.positions[i])*half, (int(s.positions[i])+1)*half
		for h := range c.heads + c.kvHeads {
			head := row[h*c.headSize : (h+1)*c.headSize]
			n := l.query
			if h >= c.heads {
				n = l.key
			}
			if n != nil {
				n.apply(head)
			}
			if l.rope != nil {
				l.rope.rotate(head, t.cos[from:to], t.sin[from:to])
			}
		}
	})
}

// gate returns the right half of up, multiplied by what act makes of the left.
func (s *session) gate(up gemm.View, act gemm.Activation) gemm.View {
	hidden := up.Cols / 2
	multiply := vec.MulSiLU
	switch act {
	case gemm.GELU:
		multiply = vec.MulGELU
	case gemm.GELUTanh:
		multiply = vec.MulGELUTanh
	}
	s.eachRow(up, func(_ int, row []float32) { multiply(row[hidden:], row[:hidden]) })
	return up.Part(0, up.Rows, hidden, 2*hidden)
}

// mul stores x·l, with its bias, in dst after the epilogue. x has a row for each
// token.
func (s *session) mul(dst, x gemm.View, l *linear, ep gemm.Epilogue) {
	s.show(x, l.names)
	s.product(dst, x, l, ep)
}

// product is mul that observers do not see.
func (s *session) product(dst, x gemm.View, l *linear, ep gemm.Epilogue) {
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
// the same places of the cache.
func (s *session) wide(memory *[]float32, rows, cols int) gemm.View {
	const line = 16 // of the cache
	return buffer(memory, rows, cols+line).Part(0, rows, 0, cols)
}

// buffer returns a matrix in memory, which grows as needed. Its content is
// arbitrary.
func buffer(memory *[]float32, rows, cols int) gemm.View {
	*memory = slices.Grow((*memory)[:0], rows*cols)[:rows*cols]
	return gemm.Dense(*memory, rows, cols)
}
