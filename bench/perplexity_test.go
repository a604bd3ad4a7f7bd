package bench

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fake is a decoder whose logits depend on all tokens so far and nothing else.
type fake struct {
	vocab  int
	spread float64
	calls  [][]int32 // the texts that it was given
	spoil  func(position int, logits []float32)
}

func (f *fake) row(ids []int32) []float32 {
	var seed uint64
	for _, id := range ids {
		seed = seed*1_000_003 + uint64(id) + 1
	}
	rng := rand.New(rand.NewPCG(seed, 7))
	row := make([]float32, f.vocab)
	for i := range row {
		row[i] = float32(rng.NormFloat64() * f.spread)
	}
	return row
}

// Logits calls visit for all positions at once, the last first.
func (f *fake) Logits(ctx context.Context, ids []int32, from int, visit func(position int, logits []float32) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.calls = append(f.calls, slices.Clone(ids))
	errs := make([]error, len(ids))
	var wg sync.WaitGroup
	for position := len(ids) - 1; position >= from; position-- {
		row := f.row(ids[:position+1])
		if f.spoil != nil {
			f.spoil(position, row)
		}
		wg.Go(func() { errs[position] = visit(position, row) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func text(n, vocab int) []int32 {
	rng := rand.New(rand.NewPCG(5, uint64(n)))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(rng.IntN(vocab))
	}
	return ids
}

// byDefinition computes a perplexity and its standard error in exact arithmetic, token by
// token, and how many tokens count.
func byDefinition(f *fake, ids []int32, size, chunks int, prefix []int32) (value, standardError float64, tokens int) {
	var nlls []float64
	for c := range chunks {
		seen := slices.Clone(ids[c*size : (c+1)*size])
		copy(seen, prefix)
		for i := size/2 + 1; i < size; i++ {
			logits, sum := f.row(seen[:i]), 0.0
			for _, v := range logits {
				sum += math.Exp(float64(v))
			}
			nlls = append(nlls, math.Log(sum)-float64(logits[ids[c*size+i]]))
		}
	}
	var mean, variance float64
	for _, v := range nlls {
		mean += v / float64(len(nlls))
	}
	for _, v := range nlls {
		variance += (v - mean) * (v - mean) / float64(len(nlls))
	}
	value = math.Exp(mean)
	return value, value * math.Sqrt(variance/float64(len(nlls)-1)), len(nlls)
}

func near(got, want, relative float64) bool { return math.Abs(got-want) <= relative*math.Abs(want) }

func TestPerplexity(t *testing.T) {
	for _, c := range []struct {
		name         string
		vocab        int
		spread       float64
		tokens, size int
		most         int
		prefix       []int32
		chunks       int // expected
	}{
		{"exactly one chunk", 50, 1, 16, 16, 0, nil, 1},
		{"rest left over", 50, 1, 47, 16, 0, nil, 2},
		{"odd size", 50, 1, 60, 15, 0, nil, 4},
		{"smallest size", 50, 1, 23, 5, 0, nil, 4},
		{"fewer chunks wanted", 50, 1, 100, 16, 3, nil, 3},
		{"more chunks wanted", 50, 1, 100, 16, 30, nil, 6},
		{"BOS", 50, 1, 100, 16, 0, []int32{49}, 6},
		{"two tokens before", 50, 1, 100, 16, 0, []int32{48, 49}, 6},
		{"vocabulary of several pieces", 10_000, 2, 40, 10, 0, nil, 4},
		{"steep", 50, 30, 40, 10, 0, nil, 4},
		{"default size", 8, 1, 1030, 0, 0, nil, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, ids := &fake{vocab: c.vocab, spread: c.spread}, text(c.tokens, c.vocab)
			var running []Perplexity
			o := &PerplexityOptions{ContextSize: c.size, Chunks: c.most, Prefix: c.prefix}
			o.Progress = func(p Perplexity, chunks int) {
				if chunks != c.chunks {
					t.Errorf("told of %d chunks, want %d", chunks, c.chunks)
				}
				running = append(running, p)
			}
			got, err := MeasurePerplexity(t.Context(), f, ids, o)
			if err != nil {
				t.Fatal(err)
			}
			if n := PerplexityChunks(len(ids), o); n != c.chunks || got.Chunks != n || len(running) != n {
				t.Fatalf("%d chunks announced, %d computed, told of %d, want %d", n, got.Chunks, len(running), c.chunks)
			}
			size := c.size
			if size == 0 {
				size = 512
			}
			for i, p := range running {
				value, deviation, tokens := byDefinition(f, ids, size, i+1, c.prefix)
				// The exponential of the mean multiplies its error by the mean; a
				// steep one has a mean of about 60.
				if p.Tokens != tokens || !near(p.Value(), value, 1e-5) || !near(p.StandardError(), deviation, 1e-4) {
					t.Errorf("after chunk %d: %v ± %v of %d tokens, want %v ± %v of %d",
						i+1, p.Value(), p.StandardError(), p.Tokens, value, deviation, tokens)
				}
			}
			if got != running[len(running)-1] {
				t.Error("the result is not the last one told")
			}
			for i, seen := range f.calls {
				want := slices.Clone(ids[i*size : (i+1)*size-1])
				copy(want, c.prefix)
				if !slices.Equal(seen, want) {
					t.Errorf("chunk %d: the model saw %v, want %v", i+1, seen, want)
				}
			}
		})
	}
}

// A model that knows nothing has a perplexity of the size of its vocabulary, and
// no doubt about it.
func TestPerplexityOfGuessing(t *testing.T) {
	p, err := MeasurePerplexity(t.Context(), &fake{vocab: 5000}, text(64, 5000), &PerplexityOptions{ContextSize: 32})
	if err != nil {
		t.Fatal(err)
	}
	if !near(p.Value(), 5000, 1e-6) || !near(p.NLL(), math.Log(5000), 1e-6) || p.StandardError() > 1e-3 {
		t.Errorf("%v ± %v, NLL %v; want 5000 ± 0, %v", p.Value(), p.StandardError(), p.NLL(), math.Log(5000))
	}
}

func TestPerplexityErrors(t *testing.T) {
	set := func(at int, v float64) func(int, []float32) {
		return func(position int, logits []float32) {
			if position == 5 {
				logits[at] = float32(v)
			}
		}
	}
	ids := text(16, 20)
	ids[6] = 3
	unknown := slices.Clone(ids)
	unknown[6] = 20
	negative := slices.Clone(ids)
	negative[6] = -1
	for _, c := range []struct {
		name  string
		ids   []int32
		o     PerplexityOptions
		spoil func(int, []float32)
		want  string
	}{
		{"short text", ids[:7], PerplexityOptions{ContextSize: 8}, nil, "the text has 7 tokens, fewer than a chunk of 8"},
		{"no text", nil, PerplexityOptions{}, nil, "the text has 0 tokens, fewer than a chunk of 512"},
		{"short chunks", ids, PerplexityOptions{ContextSize: 4}, nil, "a chunk of 4 tokens is too short; choose at least 5"},
		{"negative size", ids, PerplexityOptions{ContextSize: -8}, nil, "a chunk of -8 tokens is too short"},
		{"long prefix", ids, PerplexityOptions{ContextSize: 8, Prefix: make([]int32, 5)}, nil, "5 tokens begin each chunk, more than half of its 8"},
		{"NaN", ids, PerplexityOptions{ContextSize: 8}, set(0, math.NaN()), "chunk 1, position 5: the logits are not finite"},
		{"infinite", ids, PerplexityOptions{ContextSize: 8}, set(0, math.Inf(1)), "chunk 1, position 5: the logits are not finite"},
		{"impossible", ids, PerplexityOptions{ContextSize: 8}, set(3, math.Inf(-1)), "chunk 1, position 5: the logits are not finite"},
		{"unknown token", unknown, PerplexityOptions{ContextSize: 8}, nil, "chunk 1, position 5: token 20 follows, but the model knows tokens from 0 to 19"},
		{"negative token", negative, PerplexityOptions{ContextSize: 8}, nil, "token -1 follows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := MeasurePerplexity(t.Context(), &fake{vocab: 20, spread: 1, spoil: c.spoil}, c.ids, &c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	o := &PerplexityOptions{ContextSize: 8, Progress: func(Perplexity, int) { cancel() }}
	if p, err := MeasurePerplexity(ctx, &fake{vocab: 20, spread: 1}, ids, o); !errors.Is(err, context.Canceled) || p.Chunks != 1 {
		t.Errorf("stopped after a chunk: %d chunks, error %v", p.Chunks, err)
	}
}

// A token that others rule out altogether still counts with what is left.
func TestNegativeLogLikelihoodOfMasked(t *testing.T) {
	got, err := NegativeLogLikelihood([]float32{2, float32(math.Inf(-1)), 2}, 0)
	if err != nil || !near(got, math.Ln2, 1e-6) {
		t.Errorf("%v, %v; want ln 2", got, err)
	}
}

func BenchmarkNegativeLogLikelihood(b *testing.B) {
	f := &fake{vocab: 49152, spread: 3}
	row := f.row([]int32{1})
	logits := make([]float32, len(row))
	for b.Loop() {
		copy(logits, row)
		if _, err := NegativeLogLikelihood(logits, 7); err != nil {
			b.Fatal(err)
		}
	}
}
