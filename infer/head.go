package infer

import (
	"context"
	"math"
	"sync"

	"github.com/gguftool/gguftool/gguf"
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

// States returns the final states of a text, after the last norm:
// (len(ids), width), row-major.
//
// A text that is empty, has unknown ids or is too long is an error.
func (m *Model) States(ctx context.Context, ids []int32) ([]float32, error) {
	var states []float32
	err := m.whole(ctx, ids, func(_ *session, x gemm.View) error {
		states = append(states, x.Data...)
		return nil
	})
	return states, err
}

// Logits calls visit for the tokens from ≤ position < len(ids) of a text in
// order, with m.Vocabulary() logits for the token that follows, which are valid
// during the call only. An error of visit ends it.
//
// A text that is empty, has unknown ids or is too long is an error, and so is a
// model that has no logits: an UnsupportedError.
func (m *Model) Logits(ctx context.Context, ids []int32, from int, visit func(position int, logits []float32) error) error {
	if err := m.prepareHead(); err != nil {
		return err
	}
	return m.whole(ctx, ids, func(s *session, x gemm.View) error { return m.eachLogits(ctx, s, x, from, visit) })
}

// capLogits brings logits between ±logitCap where the architecture does so.
func (m *Model) capLogits(s *session, logits gemm.View) {
	if c := float64(m.config.logitCap); c > 0 {
		s.eachRow(logits, func(_ int, row []float32) {
			for i, v := range row {
				row[i] = float32(c * math.Tanh(float64(v)/c))
			}
		})
	}
}

// whole passes one text through the layers with all workers, and hands its final
// states to f.
func (m *Model) whole(ctx context.Context, ids []int32, f func(s *session, x gemm.View) error) error {
	texts, _, err := m.fit([][]int32{ids}, new(EmbedOptions))
	if err != nil {
		return err
	}
	pool, end := m.pool.Awake()
	defer end()
	return m.withSession(pool, func(s *session) error {
		x, err := m.forward(ctx, s, texts)
		if err != nil {
			return err
		}
		return f(s, x)
	})
}

// loadHead packs output.weight, or token_embd.weight where a model uses its
// embeddings for both.
func loadHead(f *gguf.File, m *Model) (*linear, error) {
	l := &loader{file: f, config: &m.config, pool: m.pool, precision: m.precision, read: map[string]bool{}}
	lin := l.linear(m.config.width, part{m.headName(), m.config.vocab})
	return lin, l.err
}

// densely passes pooled vectors, (texts, width), through the layers that follow
// pooling.
func (m *Model) densely(s *session, vectors gemm.View) gemm.View {
	for i, l := range m.weights.dense {
		out := buffer(&s.pooled[1+i%2], vectors.Rows, m.config.dense[i].outputs)
		s.showVectors(vectors, l.names)
		s.product(out, vectors, l, gemm.Epilogue{})
		vectors = out
	}
	return vectors
}
