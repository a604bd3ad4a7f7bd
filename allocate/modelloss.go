package allocate

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/gguftool/gguftool/calibrate"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/infer"
)

const (
	// statesMemory is about how many bytes of activations are kept of the source,
	// and of each choice that others may begin at.
	statesMemory = 512 << 20

	// packedMemory is about how many bytes of packed weights that replace others
	// are held at a time.
	packedMemory = 256 << 20

	// choicesKept is of how many choices activations are kept.
	choicesKept = 2
)

// modelLoss measures what a model answers.
type modelLoss struct {
	model   *infer.Model
	inputs  *calibrate.Inputs
	encoder *encoder
	unit    string
	answers answers

	tokens []int64       // rows of the token embeddings that the texts ask for; nil where all are needed
	sample *infer.Sample // of the source
	trails []*trail      // of choices, those used last first
}

// A trail is the way of texts through a choice, so that others that differ in few
// tensors can be measured from the first layer on that these are in.
type trail struct {
	choice map[string]gguf.Type
	model  *infer.Model
	sample *infer.Sample
}

// answers measures how far what models answer to texts is from what the source does.
type answers interface {
	// losses returns the losses of each model on r. worst stands for a model that
	// cannot be made.
	losses(ctx context.Context, at *infer.Sample, models []*infer.Model, r Range) ([]Loss, error)
	worst() float64
}

// NewModelLoss returns an evaluator that runs the model in f on texts or windows,
// with the importance of columns that candidates are encoded with, by tensor. Of
// texts it compares vectors, of windows the distributions of the next token.
//
// What enters the layers is kept, about half a gigabyte of it for the source and
// for each of two choices, or of fewer layers where that does not suffice.
func NewModelLoss(f *gguf.File, in *calibrate.Inputs, importance map[string][]float32, threads int) (Evaluator, error) {
	m, err := infer.Load(f, &infer.Options{Threads: threads, Precision: infer.PrecisionF32})
	if err != nil {
		return nil, err
	}
	e, err := newEncoder(f, importance, threads)
	if err != nil {
		return nil, err
	}
	if len(in.IDs) == 0 {
		return nil, fmt.Errorf("there is no text to choose types by")
	}
	l := &modelLoss{model: m, inputs: in, encoder: e}
	if in.Mode == calibrate.Windows {
		if !m.HasLogits() {
			return nil, fmt.Errorf("%s predicts no tokens: it cannot be measured on windows of a text", f.Path)
		}
		l.unit, l.answers = UnitKL, &predictions{source: l}
	} else {
		l.unit, l.answers = UnitCosine, &vectors{source: l}
	}
	if !m.HasLogits() || f.Tensor("output.weight") != nil {
		l.tokens = rowsOf(in.IDs)
	}
	return l, nil
}

// rowsOf returns the tokens of texts in ascending order.
func rowsOf(texts [][]int32) (rows []int64) {
	seen := map[int32]bool{}
	for _, ids := range texts {
		for _, id := range ids {
			if !seen[id] {
				seen[id] = true
				rows = append(rows, int64(id))
			}
		}
	}
	slices.Sort(rows)
	return rows
}

func (l *modelLoss) Tensors() []Tensor { return l.encoder.tensors("cls.") }

func (l *modelLoss) Texts() int { return len(l.inputs.IDs) }

func (l *modelLoss) Unit() string { return l.unit }

// begin passes the texts through the source, the first time.
func (l *modelLoss) begin(ctx context.Context, r Range) (err error) {
	if r.First < 0 || r.First > r.End || r.End > l.Texts() {
		return fmt.Errorf("texts %d to %d of %d are not in the sample", r.First, r.End, l.Texts())
	}
	if l.sample == nil {
		l.sample, err = l.model.NewSample(ctx, l.inputs.IDs, statesMemory)
	}
	return err
}

func (l *modelLoss) Single(ctx context.Context, tensor string, types []gguf.Type, r Range) ([]Loss, error) {
	if err := l.begin(ctx, r); err != nil {
		return nil, err
	}
	t := l.encoder.file.Tensor(tensor)
	if t == nil {
		return nil, fmt.Errorf("%s has no tensor %q", l.encoder.file.Path, tensor)
	}
	losses := make([]Loss, len(types))
	most := int(max(1, packedMemory/max(1, 4*t.Elements())))
	if tensor == tokenTable && l.tokens != nil {
		most = len(types) // nothing is packed
	}
	for at := 0; at < len(types); at += most {
		var models []*infer.Model
		var of []int
		for i := at; i < min(at+most, len(types)); i++ {
			m, err := l.with(l.model, map[string]gguf.Type{tensor: types[i]})
			if err != nil {
				return nil, err
			}
			if m == nil {
				losses[i] = l.worst(r)
				continue
			}
			models, of = append(models, m), append(of, i)
		}
		some, err := l.answers.losses(ctx, l.sample, models, r)
		if err != nil {
			return nil, err
		}
		for k, i := range of {
			losses[i] = some[k]
		}
	}
	return losses, nil
}

// worst is the loss of what cannot be encoded.
func (l *modelLoss) worst(r Range) Loss { return slices.Repeat(Loss{l.answers.worst()}, r.Len()) }

func (l *modelLoss) Combined(ctx context.Context, choice map[string]gguf.Type, r Range) (Loss, error) {
	if err := l.begin(ctx, r); err != nil {
		return nil, err
	}
	from, changes := l.nearest(choice, r)
	m, err := l.with(from.model, changes)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return l.worst(r), nil
	}
	if r.First == 0 && len(changes) > 1 {
		// Others that differ less are likely to follow.
		s, err := from.sample.With(ctx, m, r.End)
		if err != nil {
			return nil, err
		}
		from = &trail{maps.Clone(choice), m, s}
		l.trails = append([]*trail{from}, l.trails[:min(len(l.trails), choicesKept-1)]...)
	}
	losses, err := l.answers.losses(ctx, from.sample, []*infer.Model{m}, r)
	if err != nil {
		return nil, err
	}
	return losses[0], nil
}

// nearest returns the trail at which least is left to be computed for a choice, and
// the types of the tensors that differ from it.
func (l *modelLoss) nearest(choice map[string]gguf.Type, r Range) (*trail, map[string]gguf.Type) {
	best := &trail{nil, l.model, l.sample}
	changes := choice
	layer, at := l.firstOf(changes), -1
	for i, t := range l.trails {
		if r.End > t.sample.Texts() {
			continue
		}
		c := difference(t.choice, choice, l.encoder.file)
		if first := l.firstOf(c); first > layer || first == layer && len(c) < len(changes) {
			best, changes, layer, at = t, c, first, i
		}
	}
	if at > 0 {
		copy(l.trails[1:], l.trails[:at])
		l.trails[0] = best
	}
	return best, changes
}

// firstOf returns the first layer that differs with changes.
func (l *modelLoss) firstOf(changes map[string]gguf.Type) int {
	first := int(^uint(0) >> 1)
	for name := range changes {
		first = min(first, l.model.FirstChanged(name))
	}
	return first
}

// difference returns the types that lead from one choice to another; those of the
// file f where the other names none.
func difference(from, to map[string]gguf.Type, f *gguf.File) map[string]gguf.Type {
	changes := map[string]gguf.Type{}
	for name, t := range to {
		if was, ok := from[name]; !ok || was != t {
			changes[name] = t
		}
	}
	for name := range from {
		if _, ok := to[name]; !ok {
			changes[name] = f.Tensor(name).Type
		}
	}
	return changes
}

// with returns a model that differs from m in the types of some tensors, and nil
// where one of them cannot hold its weights.
func (l *modelLoss) with(m *infer.Model, types map[string]gguf.Type) (*infer.Model, error) {
	stored := make(map[string]infer.Stored, len(types))
	for name, to := range types {
		var rows []int64
		if name == tokenTable {
			rows = l.tokens
		}
		data, err := l.encoder.encode(name, to, rows)
		if isRefusal(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		stored[name] = infer.Stored{Type: to, Data: data, Rows: rows}
	}
	return m.With(stored)
}

// vectors compares the vectors of texts.
type vectors struct {
	source *modelLoss
	of     [][]float32 // of all texts, by the source
}

func (v *vectors) worst() float64 { return 2 }

// losses are 1 - cosine: half of the square of the distance, as vectors have length
// 1, in which small differences do not vanish.
func (v *vectors) losses(ctx context.Context, at *infer.Sample, models []*infer.Model, r Range) ([]Loss, error) {
	if v.of == nil {
		s := v.source
		of, err := s.sample.Embed(ctx, []*infer.Model{s.model}, 0, s.Texts())
		if err != nil {
			return nil, err
		}
		v.of = of[0]
	}
	changed, err := at.Embed(ctx, models, r.First, r.End)
	if err != nil {
		return nil, err
	}
	losses := make([]Loss, len(models))
	for i := range models {
		losses[i] = make(Loss, r.Len())
		for t, x := range changed[i] {
			losses[i][t] = halfSquare(x, v.of[r.First+t])
		}
	}
	return losses, nil
}

func halfSquare(a, b []float32) (sum float64) {
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return sum / 2
}
