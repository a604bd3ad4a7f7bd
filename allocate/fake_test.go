package allocate

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/gguftool/gguftool/gguf"
)

// A fake model has known losses: each weight and type has an error, which the
// weight's sensitivity turns into a loss, and neighbours make each other's worse
// or better.
type fake struct {
	sensitivity []float64
	between     []float64 // of a weight and the next
	texts       int
	calls       atomic.Int64
	stopAfter   int64 // calls; 0: never
}

var fakeTypes = []gguf.Type{gguf.TypeQ2_K, gguf.TypeQ3_K, gguf.TypeQ4_K, gguf.TypeQ6_K, gguf.TypeQ8_0, gguf.TypeF32}

func fakeName(i int) string { return fmt.Sprintf("blk.%d.ffn_up.weight", i) }

func (f *fake) Tensors() (all []Tensor) {
	for i := range f.sensitivity {
		all = append(all, Tensor{Name: fakeName(i), Shape: []int64{256, int64(64 * (1 + i%3))}, Type: gguf.TypeF32})
	}
	return all
}

func (f *fake) Texts() int   { return f.texts }
func (f *fake) Unit() string { return "fake" }

func amplitude(t gguf.Type) float64 {
	switch t {
	case gguf.TypeF32:
		return 0
	}
	return math.Exp2(-bitsOf(t))
}

// loss is that of one text, which has a temper of its own.
func (f *fake) loss(choice map[string]gguf.Type, text int) float64 {
	var sum, before float64
	temper := 1 + 0.5*math.Sin(float64(text)*1.7)
	for i, s := range f.sensitivity {
		t, ok := choice[fakeName(i)]
		if !ok {
			t = gguf.TypeF32
		}
		a := amplitude(t) * s * (1 + 0.2*math.Sin(float64(text)*0.9+float64(i)))
		sum += a * a
		if i > 0 {
			sum += 2 * f.between[i-1] * a * before
		}
		before = a
	}
	return sum * temper
}

func (f *fake) count() error {
	if n := f.calls.Add(1); f.stopAfter > 0 && n > f.stopAfter {
		return context.Canceled
	}
	return nil
}

func (f *fake) Single(ctx context.Context, tensor string, types []gguf.Type, r Range) (all []Loss, err error) {
	for _, t := range types {
		x, err := f.Combined(ctx, map[string]gguf.Type{tensor: t}, r)
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, nil
}

func (f *fake) Combined(_ context.Context, choice map[string]gguf.Type, r Range) (x Loss, err error) {
	for i := r.First; i < r.End; i++ {
		x = append(x, f.loss(choice, i))
	}
	return x, f.count()
}

// problem is that of choosing between all types for each weight.
func (f *fake) problem() *Problem {
	p := &Problem{Base: 1000}
	for _, t := range f.Tensors() {
		w := Weight{Tensor: t.Name}
		for _, x := range fakeTypes {
			n, _ := x.Size(t.Shape[0] * t.Shape[1])
			w.Types = append(w.Types, Candidate{x, n, x == t.Type})
		}
		p.Weights = append(p.Weights, w)
	}
	for k, x := range fakeTypes[1:4] {
		m := Mixture{Name: x.String(), Bytes: p.Base, Types: map[string]gguf.Type{}}
		for _, w := range p.Weights {
			m.Types[w.Tensor] = x
			m.Bytes += w.Types[k+1].Bytes
		}
		p.Mixtures = append(p.Mixtures, m)
	}
	return p
}

func newFake(n int) *fake {
	f := &fake{texts: 300}
	for i := range n {
		f.sensitivity = append(f.sensitivity, math.Exp(2*math.Sin(float64(i*i)*1.3+1)))
		f.between = append(f.between, 0.6*math.Cos(float64(i)*2.1))
	}
	return f
}
