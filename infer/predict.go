package infer

import (
	"context"
	"slices"

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
	texts, err := m.fit(texts, &EmbedOptions{First: o.First})
	if err != nil {
		return err
	}
	return m.eachGroup(ctx, texts, o.First, o.Watch, func(s *session, group []int, states gemm.View) error {
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

// Logits is Predict for one text: it calls visit for the tokens
// from ≤ position < len(ids) in order, with m.Vocabulary() logits for the token
// that follows, which are valid during the call only. An error of visit ends it.
func (m *Model) Logits(ctx context.Context, ids []int32, from int, visit func(position int, logits []float32) error) error {
	return m.Predict(ctx, [][]int32{ids}, &PredictOptions{
		From:  from,
		Visit: func(_, position int, logits []float32) error { return visit(position, logits) },
	})
}

// States returns the final states of a text, after the last norm:
// (len(ids), width), row-major.
//
// A text that is empty, has unknown ids or is too long is an error.
func (m *Model) States(ctx context.Context, ids []int32) ([]float32, error) {
	texts, err := m.fit([][]int32{ids}, new(EmbedOptions))
	if err != nil {
		return nil, err
	}
	var states []float32
	err = m.eachGroup(ctx, texts, 0, nil, func(_ *session, _ []int, x gemm.View) error {
		states = slices.Clone(x.Data)
		return nil
	})
	return states, err
}
