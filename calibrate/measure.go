package calibrate

import (
	"context"
	"fmt"
	"slices"

	"github.com/gguftool/gguftool/bench"
	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/imatrix"
	"github.com/gguftool/gguftool/infer"
	"github.com/gguftool/gguftool/kernels/gemm"
)

// Options say what is measured and what is told meanwhile. The zero value
// measures importance alone.
type Options struct {
	Perplexity bool             // of windows, from their second half
	Weighing   imatrix.Weighing // of texts; windows, which have no vectors, are weighed by tokens
	Head       bool             // also what the logits of windows are made of: output.weight, or token_embd.weight where it is both

	Datasets []string      // names of the texts, for the file
	Resume   *imatrix.File // a file that Save was given, or the result of an interrupted measurement, to go on from

	// Save, when set, is given what was measured so far each time that SaveEvery
	// more texts or windows are done.
	Save      func(f *imatrix.File) error
	SaveEvery int

	// Progress, when set, is told after each text or window. It must be quick.
	Progress func(r *Result)
}

// A Result is what was measured, so far or in all.
type Result struct {
	Done, Total int              // texts or windows
	Tokens      int              // in those that are done, since the start or resumption
	Perplexity  bench.Perplexity // where it was asked for
	File        *imatrix.File    // nil for Progress; its State is set as long as it is not complete
}

// batchTexts bounds the texts that are computed at a time: their vectors, which
// nobody needs, are held meanwhile.
const batchTexts = 1024

// Measure shows m, which was loaded from f, the inputs and returns what was
// measured. With an error, as that of a context that ends, the result has what
// was measured before, unless it is nil; Resume goes on from there.
//
// Texts that are longer than the context of m are cut to it.
func Measure(ctx context.Context, f *gguf.File, m *infer.Model, in *Inputs, o *Options) (*Result, error) {
	if len(in.IDs) == 0 {
		return nil, fmt.Errorf("there is no text to measure on")
	}
	if o.Weighing == imatrix.ByVectors && in.Mode == Windows {
		return nil, fmt.Errorf("windows have no vectors to be weighed by; weigh them by tokens")
	}
	if m.Precision() != infer.PrecisionF32 {
		return nil, fmt.Errorf("importance is measured in f32, but the model was loaded for %v", m.Precision())
	}
	limit := m.ContextLength()
	if in.Size > limit {
		return nil, fmt.Errorf("windows of %d tokens are longer than the model's context of %d; choose smaller ones", in.Size, limit)
	}
	r := &run{in: in, o: o, limit: limit, collector: imatrix.NewCollector()}
	r.collector.Weighing = o.Weighing
	r.state = imatrix.State{Model: fingerprintOf(f), Work: in.fingerprint(limit, o), Total: len(in.IDs)}
	if o.Resume != nil {
		if err := r.resume(o.Resume); err != nil {
			return nil, err
		}
	}
	r.collector.Added = r.added
	err := r.pass(ctx, m)
	if r.state.Done == 0 {
		return nil, err
	}
	result := r.result()
	result.File = r.file()
	return result, err
}

// A run is a measurement that is going on.
type run struct {
	in         *Inputs
	o          *Options
	limit      int // tokens that the model sees of a text
	collector  *imatrix.Collector
	state      imatrix.State
	tokens     int
	perplexity bench.Perplexity
	nlls       [][]float64 // of windows that are computed
}

// resume goes on from f.
func (r *run) resume(f *imatrix.File) error {
	c, err := imatrix.Resume(f)
	if err != nil {
		return err
	}
	switch s := f.State; {
	case s.Model != r.state.Model:
		return fmt.Errorf("%s was measured on another model", f.Path)
	case s.Work != r.state.Work || s.Total != r.state.Total:
		return fmt.Errorf("%s was measured on other texts, or with other options, and cannot be resumed with these", f.Path)
	}
	r.collector, r.state = c, *f.State
	r.perplexity = bench.ResumePerplexity(r.state.Done, int(r.state.Tokens), r.state.NLL, r.state.Square)
	return nil
}

// pass shows the model what is not done.
func (r *run) pass(ctx context.Context, m *infer.Model) error {
	first := r.state.Done
	rest := r.in.IDs[first:]
	if r.in.Mode == Windows {
		o := &infer.PredictOptions{First: first, Watch: r.watch, WatchHead: r.o.Head}
		if r.o.Perplexity {
			r.nlls = make([][]float64, len(r.in.IDs))
			o.From, o.Visit = r.in.Size/2, r.visit
		}
		return m.Predict(ctx, rest, o)
	}
	o := &infer.EmbedOptions{First: first, Watch: r.watch, Truncated: func(int, int, int) {}}
	if m.Pooling().String() == "rank" {
		o.Pooling = infer.PoolingCLS // which no layer sees
	}
	for batch := range slices.Chunk(rest, batchTexts) {
		if _, err := m.Embed(ctx, batch, o); err != nil {
			return err
		}
		o.First += len(batch)
	}
	return nil
}

func (r *run) watch(text int) (infer.Observer, func() error) {
	p := r.collector.Part(text)
	return func(weights []string, x gemm.View) { p.Add(weights, x) }, func() error { return r.collector.End(p) }
}

// visit keeps how well the token after a position is predicted. As in
// llama-imatrix, the first tokens of a window are there to predict from.
func (r *run) visit(window, position int, logits []float32) error {
	targets := r.in.targets[window]
	if position+1 == len(targets) {
		return nil
	}
	nll, err := bench.NegativeLogLikelihood(logits, targets[position+1])
	if err != nil {
		return fmt.Errorf("window %d, position %d: %w", window, position, err)
	}
	r.nlls[window] = append(r.nlls[window], nll)
	return nil
}

// added is told by the collector, one text at a time.
func (r *run) added(parts int) error {
	last := parts - 1
	r.state.Done = parts
	r.tokens += min(len(r.in.IDs[last]), r.limit)
	if r.nlls != nil {
		r.perplexity.Add(r.nlls[last])
		r.nlls[last] = nil
		r.state.Tokens = int64(r.perplexity.Tokens)
		r.state.NLL, r.state.Square = r.perplexity.Sums()
	}
	if r.o.Progress != nil {
		r.o.Progress(r.result())
	}
	if r.o.Save != nil && r.o.SaveEvery > 0 && parts%r.o.SaveEvery == 0 && parts < r.state.Total {
		return r.o.Save(r.file())
	}
	return nil
}

func (r *run) result() *Result {
	return &Result{Done: r.state.Done, Total: r.state.Total, Tokens: r.tokens, Perplexity: r.perplexity}
}

// file returns what was measured so far.
func (r *run) file() *imatrix.File {
	size := r.in.Size
	if size == 0 {
		size = imatrix.DefaultChunkSize
	}
	f := r.collector.File(r.o.Datasets, size)
	if r.state.Done < r.state.Total {
		state := r.state
		f.State = &state
	}
	return f
}
