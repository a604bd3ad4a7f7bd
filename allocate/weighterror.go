package allocate

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/kernels/block"
)

// isRefusal reports whether a type cannot hold weights.
func isRefusal(err error) bool {
	var refusal *block.RowError
	return errors.As(err, &refusal)
}

// weightError measures what types do to weights, for models that cannot be run:
//
//	Σ importance·(weight - decoded)²  /  Σ importance·weight²
//
// of a tensor, times the part of the model's weights that are in it. Without
// importance all columns count the same. It needs no texts: its sample has one.
type weightError struct {
	*encoder
	whole float64 // elements of all tensors that may change
	known map[candidate]float64
}

// NewWeightError returns an evaluator for the tensors of f by themselves.
func NewWeightError(f *gguf.File, importance map[string][]float32, threads int) (Evaluator, error) {
	e, err := newEncoder(f, importance, threads)
	if err != nil {
		return nil, err
	}
	w := &weightError{encoder: e, known: map[candidate]float64{}}
	for _, t := range w.Tensors() {
		if t.Fixed == "" {
			w.whole += float64(t.Elements())
		}
	}
	return w, nil
}

func (w *weightError) Tensors() []Tensor { return w.tensors() }

func (w *weightError) Texts() int { return 1 }

func (w *weightError) Unit() string { return UnitError }

func (w *weightError) Single(ctx context.Context, tensor string, types []gguf.Type, r Range) ([]Loss, error) {
	if err := w.check(r); err != nil {
		return nil, err
	}
	losses := make([]Loss, len(types))
	for i, to := range types {
		x, err := w.loss(ctx, tensor, to)
		if err != nil {
			return nil, err
		}
		losses[i] = Loss{x}[:r.Len()]
	}
	return losses, nil
}

func (w *weightError) Combined(ctx context.Context, choice map[string]gguf.Type, r Range) (Loss, error) {
	if err := w.check(r); err != nil {
		return nil, err
	}
	// In the order of the file, so that the sum is the same each time.
	var sum float64
	found := 0
	for _, t := range w.file.Tensors {
		to, ok := choice[t.Name]
		if !ok {
			continue
		}
		found++
		x, err := w.loss(ctx, t.Name, to)
		if err != nil {
			return nil, err
		}
		sum += x
	}
	if found < len(choice) {
		return nil, fmt.Errorf("%d tensors of the choice are not in %s", len(choice)-found, w.file.Path)
	}
	return Loss{sum}[:r.Len()], nil
}

func (w *weightError) check(r Range) error {
	if r.First < 0 || r.First > r.End || r.End > 1 {
		return fmt.Errorf("texts %d to %d of 1 are not in the sample", r.First, r.End)
	}
	return nil
}

// loss returns what a type costs in a tensor.
func (w *weightError) loss(ctx context.Context, tensor string, to gguf.Type) (float64, error) {
	c := candidate{tensor, to}
	if x, ok := w.known[c]; ok {
		return x, nil
	}
	t := w.file.Tensor(tensor)
	if t == nil {
		return 0, fmt.Errorf("%s has no tensor %q", w.file.Path, tensor)
	}
	codec, ok := block.Lookup(to)
	if !ok || !codec.CanEncode() {
		return 0, fmt.Errorf("%q cannot become %s", tensor, to)
	}
	size, ok := to.Size(t.RowLen())
	if !ok {
		return 0, fmt.Errorf("%q: %d columns have no size as %s", tensor, t.RowLen(), to)
	}
	var mu sync.Mutex
	parts := map[int64][2]float64{} // error and squares of pieces, by their first row
	err := w.eachPiece(t, nil, max(1, pieceElements/t.RowLen()), func(first, n int64, x, importance []float32) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		data := make([]byte, n*size)
		if err := codec.EncodeRows(data, x, int(t.RowLen()), importance); err != nil {
			return err
		}
		decoded := make([]float32, len(x))
		codec.Decode(decoded, data)
		var part [2]float64
		for i, v := range x {
			weight := 1.0
			if importance != nil {
				weight = float64(importance[i%len(importance)])
			}
			d := float64(v) - float64(decoded[i])
			part[0] += weight * d * d
			part[1] += weight * float64(v) * float64(v)
		}
		mu.Lock()
		defer mu.Unlock()
		parts[first] = part
		return nil
	})
	loss := 1.0 // as bad as zeros
	switch {
	case err == nil:
		var sums [2]float64
		for first := int64(0); first < t.Rows(); first++ {
			if part, ok := parts[first]; ok {
				sums[0] += part[0]
				sums[1] += part[1]
			}
		}
		if sums[1] > 0 {
			loss = sums[0] / sums[1]
		} else {
			loss = sums[0]
		}
	case !isRefusal(err):
		return 0, err
	}
	loss *= float64(t.Elements()) / w.whole
	w.known[c] = loss
	return loss, nil
}
