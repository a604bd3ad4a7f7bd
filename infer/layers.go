package infer

import (
	"context"

	"github.com/gguftool/gguftool/kernels/gemm"
)

// A LayerVisitor sees the states of a text, a row of m.Width() numbers for each
// token: those that enter the first layer as layer 0, and those behind each layer,
// counted from 1, before the last norm. They are valid during the call.
type LayerVisitor func(layer int, states gemm.View)

// EachLayer passes a text through the model and shows its states to visit.
//
// A text that is empty, has unknown ids or is too long is an error.
func (m *Model) EachLayer(ctx context.Context, ids []int32, visit LayerVisitor) error {
	texts, err := m.fit([][]int32{ids}, new(EmbedOptions))
	if err != nil {
		return err
	}
	pool, end := m.pool.Awake()
	defer end()
	return m.withSession(pool, func(s *session) error {
		s.reached = visit
		_, err := m.forward(ctx, s, texts)
		return err
	})
}

// reach shows the states behind a layer to whom they concern.
func (s *session) reach(layer int, x gemm.View) {
	if s.reached != nil {
		s.reached(layer, x)
	}
}
