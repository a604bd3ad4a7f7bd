package infer

import (
	"context"
	"math"
	"sync"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/kernels/gemm"
)

// A head predicts tokens from final states. It is packed when it is first asked
// for: with a large vocabulary it is the largest matrix of a small model, and
// vectors do without it.
type head struct {
	once sync.Once
	*linear
	err error
}

// headMemory is about how many bytes of logits are computed at a time.
const headMemory = 64 << 20

// Vocabulary returns how many tokens there are; ids are smaller.
func (m *Model) Vocabulary() int { return m.config.vocab }

// HasLogits reports whether the model predicts tokens.
func (m *Model) HasLogits() bool { return m.config.logits }

// prepareHead packs the head, or says why there is none.
func (m *Model) prepareHead() error {
	file := m.weights.tokens.file
	if !m.config.logits {
		return fault.Unsupported(file.Path, "", "", "models of architecture %q predict no tokens", m.config.arch)
	}
	m.head.once.Do(func() { m.head.linear, m.head.err = m.loadHead(file) })
	return m.head.err
}

// headName returns the name of the weights that make logits, without its ending:
// those of the embeddings where a model uses them for both.
func (m *Model) headName() string {
	if m.weights.tokens.file.Tensor("output.weight") == nil {
		return "token_embd"
	}
	return "output"
}

// eachLogits calls visit for the final states x of a text, from a position on.
func (m *Model) eachLogits(ctx context.Context, s *session, x gemm.View, from int, visit func(position int, logits []float32) error) error {
	step := max(1, headMemory/4/m.config.vocab)
	for at := max(0, from); at < x.Rows; at += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		rows := min(step, x.Rows-at)
		logits := buffer(&s.logits, rows, m.config.vocab)
		part := x.Part(at, at+rows, 0, x.Cols)
		in := s.states.from(part, nil, part, m.head.linear)
		s.prepare(in)
		s.product(logits, in, m.head.linear, gemm.Epilogue{Rows: m.capping(logits)})
		for i := range rows {
			if err := visit(at+i, logits.Row(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// capping returns what brings logits between ±logitCap where the architecture
// does so.
func (m *Model) capping(logits gemm.View) func(first, end int) {
	c := float64(m.config.logitCap)
	if c <= 0 {
		return nil
	}
	return func(first, end int) {
		for i := first; i < end; i++ {
			row := logits.Row(i)
			for k, v := range row {
				row[k] = float32(c * math.Tanh(float64(v)/c))
			}
		}
	}
}

// loadHead packs output.weight, or token_embd.weight where a model uses its
// embeddings for both.
func (m *Model) loadHead(f *gguf.File) (*linear, error) {
	l := newLoader(f, &m.config, m.pool, m.precision)
	l.replaced = m.replaced
	lin := l.linear(m.config.width, part{m.headName(), m.config.vocab})
	return lin, l.err
}

// densely passes pooled vectors, (texts, width), through the layers that follow
// pooling.
func (m *Model) densely(s *session, vectors gemm.View) gemm.View {
	for i, l := range m.weights.dense {
		out := buffer(&s.pooled[1+i%2], vectors.Rows, m.config.dense[i].outputs)
		s.showVectors(vectors, l.names)
		in := s.states.from(vectors, nil, vectors, l)
		s.prepare(in)
		s.product(out, in, l, gemm.Epilogue{})
		vectors = out
	}
	return vectors
}
