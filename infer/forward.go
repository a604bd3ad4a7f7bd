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
	states, inner       input        // of products of the residual stream, and of what layers make of it
	scratch             []*scratch   // one for each worker of pool
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
// through that layer, all that follow it, and the last norm. Each product leads
// its rows up to the next one: they are normalised, placed, gated and quantized as
// the epilogue of the product that made them, in one visit.
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
		if i == first {
			s.prepare(s.states.from(x, l.beforeAttention, in, l.qkv))
		}

		// Attention: every token takes from tokens of its text.
		s.mul(qkv, &s.states, l.qkv, gemm.Epilogue{Rows: s.placing(qkv, c, l)})
		s.attend(att, qkv, c.attentionOf(l))
		s.prepare(s.inner.from(att, nil, att, l.attnOut))
		s.states.from(x, l.beforeFFN, in, l.up)
		s.addTo(x, l.attnOut, l.afterAttention, l.attentionSum, in)

		// Feed-forward network: every token by itself.
		s.activate(up, l, c)
		s.states.nothing()
		if i+1 < len(w.layers) {
			next := &w.layers[i+1]
			s.states.from(x, next.beforeAttention, in, next.qkv)
		}
		s.addTo(x, l.down, l.afterFFN, l.ffnSum, in)
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

// normalize applies n to the rows of x; a norm of nil does nothing.
func (s *session) normalize(x gemm.View, n *norm) {
	if n == nil {
		return
	}
	s.eachRow(x.Rows, func(first, end int) {
		for i := first; i < end; i++ {
			n.apply(x.Row(i))
		}
	})
}

// addTo adds s.inner·l, normalised by after, to x, of which it then makes what sum
// does; either norm may be nil. From each row of x that is complete it prepares
// that of s.states. free is memory of the size of x.
func (s *session) addTo(x gemm.View, l *linear, after, sum *norm, free gemm.View) {
	dst, ep := x, gemm.Epilogue{Add: true}
	if after != nil {
		dst, ep.Add = free, false
	}
	if after != nil || sum != nil || s.states.differs() {
		ep.Rows = func(first, end int) {
			for i := first; i < end; i++ {
				row := x.Row(i)
				if after != nil {
					after.apply(free.Row(i))
					vec.Add(row, free.Row(i))
				}
				if sum != nil {
					sum.apply(row)
				}
				s.states.prepare(i)
			}
		}
	}
	s.mul(dst, &s.inner, l, ep)
}

// placing returns what normalises heads of queries and keys and rotates them by
// the positions of their tokens, as far as the architecture does either.
func (s *session) placing(qkv gemm.View, c *config, l *layer) func(first, end int) {
	if l.query == nil && l.rope == nil {
		return nil
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
	return func(first, end int) {
		for i := first; i < end; i++ {
			row := qkv.Row(i)
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
		}
	}
}

// activate stores s.states·l.up in up and makes s.inner the activation of it: of
// all, or of the left half, which the right half is multiplied by.
func (s *session) activate(up gemm.View, l *layer, c *config) {
	if !c.gated {
		s.inner.from(up, nil, up, l.down)
		ep := gemm.Epilogue{Act: c.activation}
		if s.inner.differs() {
			ep.Rows = s.inner.prepareRows
		}
		s.mul(up, &s.states, l.up, ep)
		return
	}
	multiply := vec.MulSiLU
	switch c.activation {
	case gemm.GELU:
		multiply = vec.MulGELU
	case gemm.GELUTanh:
		multiply = vec.MulGELUTanh
	}
	hidden := up.Part(0, up.Rows, c.hidden, 2*c.hidden)
	s.inner.from(hidden, nil, hidden, l.down)
	s.mul(up, &s.states, l.up, gemm.Epilogue{Rows: func(first, end int) {
		for i := first; i < end; i++ {
			multiply(hidden.Row(i), up.Row(i)[:c.hidden])
			s.inner.prepare(i)
		}
	}})
}

// eachRow calls f for all of so many rows, which are divided among the workers, a
// few pieces for each.
func (s *session) eachRow(rows int, f func(first, end int)) {
	pieces := min(rows, 4*s.pool.Workers())
	s.pool.Each(pieces, func(_, i int) { f(i*rows/pieces, (i+1)*rows/pieces) })
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
