package infer

import (
	"context"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/kernels/gemm"
)

// PredictOptions say what is wanted of each text. The zero value computes its
// states and drops them, which is of use with a Watcher.
type PredictOptions struct {
	First int // index of the first text, where they are part of a list: for errors, Visit and Watch

	// Visit, when set, is called for the tokens From ≤ position of each text in
	// order, with m.Vocabulary() logits for the token that follows, which are its
	// own until it returns. Calls for different texts overlap. An error ends the
	// work.
	Visit func(text, position int, logits []float32) error
	From  int

	// Watch, when set, sees the inputs of all products, and with WatchHead also
	// what logits are made of, for all tokens and whether Visit is set or not.
	Watch     Watcher
	WatchHead bool
}

// Predict passes texts, such as windows of a longer one, through the model,
// several at once where there are many.
//
// A text that is empty, has unknown ids or is too long is an error, and so is a
// Visit of a model that has no logits: an UnsupportedError.
func (m *Model) Predict(ctx context.Context, texts [][]int32, o *PredictOptions) error {
	if o.Visit != nil {
		if err := m.prepareHead(); err != nil {
			return err
		}
	}
	texts, lengths, err := m.fit(texts, &EmbedOptions{First: o.First})
	if err != nil {
		return err
	}
	return m.eachGroup(lengths, o.First, o.Watch, func(s *session, group []int) error {
		inputs := make([][]int32, len(group))
		for i, t := range group {
			inputs[i] = texts[t]
		}
		states, err := m.forward(ctx, s, inputs)
		if err != nil {
			return err
		}
		if o.WatchHead {
			s.show(states, []string{m.headName() + ".weight"})
		}
		if o.Visit == nil {
			return nil
		}
		for i, t := range group {
			x := states.Part(s.spans[i].from, s.spans[i].to, 0, states.Cols)
			err := m.eachLogits(ctx, s, x, o.From, func(position int, logits []float32) error {
				return o.Visit(o.First+t, position, logits)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// prepareHead packs the head, or says why there is none.
func (m *Model) prepareHead() error {
	file := m.weights.tokens.file
	if !m.config.logits {
		return fault.Unsupported(file.Path, "", "", "models of architecture %q predict no tokens", m.config.arch)
	}
	m.head.once.Do(func() { m.head.linear, m.head.err = loadHead(file, m) })
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
		s.product(logits, x.Part(at, at+rows, 0, x.Cols), m.head.linear, gemm.Epilogue{})
		m.capLogits(s, logits)
		for i := range rows {
			if err := visit(at+i, logits.Row(i)); err != nil {
				return err
			}
		}
	}
	return nil
}
