package infer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gguftool/gguftool/kernels/cpu"
	"github.com/gguftool/gguftool/kernels/gemm"
	"github.com/gguftool/gguftool/kernels/vec"
)

// A Sample is texts of which the way through a model is kept: what entered its
// layers. Models that With makes of that model begin where the first tensor is
// that differs. Several goroutines may use it at once.
type Sample struct {
	base   *Model
	texts  [][]int32
	starts []int       // of each text among the rows of all, and the end
	stride int         // layers from one that is kept to the next
	kept   [][]float32 // (tokens, width) that enter layer 0, stride, 2·stride, ...; the last one may be what enters the last norm
}

// NewSample passes texts, which are not empty, through the model; those that are
// longer than the context are cut to it. It keeps what enters as many layers as
// budget bytes allow for, at least the first one.
func (m *Model) NewSample(ctx context.Context, texts [][]int32, budget int64) (*Sample, error) {
	texts, err := m.fit(texts, &EmbedOptions{Truncated: func(int, int, int) {}})
	if err != nil {
		return nil, err
	}
	if len(texts) == 0 {
		return nil, errors.New("there is no text to measure on")
	}
	s := &Sample{base: m, texts: texts, starts: make([]int, 1, len(texts)+1)}
	for t, ids := range texts {
		s.starts = append(s.starts, s.starts[t]+len(ids))
	}
	points := len(m.weights.layers) + 1
	each := int64(s.rowElements()) * 4
	for s.stride = 1; s.stride < points && int64((points+s.stride-1)/s.stride)*each > budget; s.stride++ {
	}
	s.kept = make([][]float32, (points+s.stride-1)/s.stride)
	return s, s.keep(ctx, m, s, 0)
}

// With returns the way of the first texts through changed, a model that With made
// of the sample's. What does not differ is shared.
func (s *Sample) With(ctx context.Context, changed *Model, texts int) (*Sample, error) {
	if texts < 1 || texts > len(s.texts) {
		return nil, fmt.Errorf("%d texts of %d are not in the sample", texts, len(s.texts))
	}
	other := &Sample{base: changed, texts: s.texts[:texts], starts: s.starts[:texts+1], stride: s.stride, kept: make([][]float32, len(s.kept))}
	point := s.resume(changed)
	for i := range point + 1 {
		other.kept[i] = s.kept[i][:other.rowElements()]
	}
	return other, other.keep(ctx, changed, s, point+1)
}

// rowElements returns the elements of the states of all texts.
func (s *Sample) rowElements() int { return s.starts[len(s.texts)] * s.base.config.width }

// keep fills kept from an index on with the way of the texts through m, which
// begins in from.
func (s *Sample) keep(ctx context.Context, m *Model, from *Sample, index int) error {
	if index == len(s.kept) {
		return nil
	}
	for i := index; i < len(s.kept); i++ {
		s.kept[i] = make([]float32, s.rowElements())
	}
	return s.each(1, 0, len(s.texts), func(t *session, _, first, end int) error {
		t.reached = func(layer int, x gemm.View) {
			if i := layer / s.stride; layer%s.stride == 0 && i >= index {
				copy(s.kept[i][s.starts[first]*m.config.width:], x.Data)
			}
		}
		_, err := from.pass(ctx, t, m, first, end, index-1)
		return err
	})
}

// resume returns the index in kept that changed can begin at, or -1.
func (s *Sample) resume(changed *Model) int {
	layer := -1
	switch s.base.id {
	case changed.id:
		layer = len(changed.weights.layers)
	case changed.origin:
		layer = changed.first
	}
	if layer < 0 {
		return -1
	}
	return min(layer/s.stride, len(s.kept)-1)
}

// Texts returns the number of texts.
func (s *Sample) Texts() int { return len(s.texts) }

// Tokens returns the number of tokens of text i.
func (s *Sample) Tokens(i int) int { return len(s.texts[i]) }

// Embed returns the vectors of the texts from first to end, exclusive, as each of
// models computes them: models that With made of the sample's, or that one. They
// have length 1.
func (s *Sample) Embed(ctx context.Context, models []*Model, first, end int) ([][][]float32, error) {
	pooling, err := s.base.poolingOr(PoolingDefault)
	if err != nil {
		return nil, err
	}
	vectors := make([][][]float32, len(models))
	for i := range vectors {
		vectors[i] = make([][]float32, max(0, end-first))
	}
	return vectors, s.states(ctx, models, first, end, func(t *session, model, from int, states gemm.View) error {
		pooled := models[model].pooled(t, pooling, states)
		for i := range t.spans {
			v := slices.Clone(pooled.Row(i))
			vec.Normalize(v)
			if vec.NotFinite(v) >= 0 {
				return fmt.Errorf("the vector of text %d is not finite", from+i)
			}
			vectors[model][from-first+i] = v
		}
		return nil
	})
}

// Logits calls visit for some positions of the texts from first to end, exclusive,
// with the logits that each of models computes there, which are valid during the
// call only, and visit may overwrite. positions returns those of a text, in
// ascending order; k is the index among them. Calls for different texts, or models,
// overlap.
func (s *Sample) Logits(ctx context.Context, models []*Model, first, end int, positions func(text int) []int, visit func(model, text, k int, logits []float32) error) error {
	for _, m := range models {
		if err := m.prepareHead(); err != nil {
			return err
		}
	}
	return s.states(ctx, models, first, end, func(t *session, model, from int, states gemm.View) error {
		for i, span := range t.spans {
			chosen := positions(from + i)
			x := buffer(&t.in, len(chosen), states.Cols) // which the layers are done with
			for k, position := range chosen {
				copy(x.Row(k), states.Row(span.from+position))
			}
			err := models[model].eachLogits(ctx, t, x, 0, func(k int, logits []float32) error { return visit(model, from+i, k, logits) })
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// states calls f with groups of texts, the first of which is from, and their final
// states as one of models computes them.
func (s *Sample) states(ctx context.Context, models []*Model, first, end int, f func(t *session, model, from int, states gemm.View) error) error {
	if first < 0 || end > len(s.texts) || first > end {
		return fmt.Errorf("texts %d to %d of %d are not in the sample", first, end, len(s.texts))
	}
	return s.each(len(models), first, end, func(t *session, model, first, end int) error {
		m := models[model]
		x, err := s.pass(ctx, t, m, first, end, s.resume(m))
		if err != nil {
			return err
		}
		return f(t, model, first, x)
	})
}

// pass computes the final states of texts from what is kept at an index, or from
// the tokens where that is -1.
func (s *Sample) pass(ctx context.Context, t *session, m *Model, first, end, point int) (gemm.View, error) {
	if point < 0 {
		return m.forward(ctx, t, s.texts[first:end])
	}
	x := t.begin(m, s.texts[first:end])
	copy(x.Data, s.kept[point][s.starts[first]*m.config.width:s.starts[end]*m.config.width])
	return x, m.layersFrom(ctx, t, x, point*s.stride)
}

// each calls f for groups of texts in their order, for each of so many models; see
// Model.divide. What all models have to do is divided at once, so that several
// models keep all workers busy without barriers where the texts of one would not.
func (s *Sample) each(models, first, end int, f func(t *session, model, first, end int) error) error {
	n := end - first
	lengths := make([]int, 0, models*n)
	for range models {
		for _, ids := range s.texts[first:end] {
			lengths = append(lengths, len(ids))
		}
	}
	return s.base.divide(lengths, true, func(pool *cpu.Pool, _ int, g []int) error {
		return s.base.withSession(pool, func(t *session) error {
			for at, stop := g[0], g[len(g)-1]+1; at < stop; {
				model := at / n
				to := min(stop, (model+1)*n)
				if err := f(t, model, first+at-model*n, first+to-model*n); err != nil {
					return err
				}
				at = to
			}
			return nil
		})
	})
}
