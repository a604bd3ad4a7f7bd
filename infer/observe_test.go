package infer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gguftool/gguftool/kernels/gemm"
)

// watchAll returns a Watcher whose observers of all texts are one.
func watchAll(observe Observer) Watcher {
	return func(int) (Observer, func() error) { return observe, func() error { return nil } }
}

// observed is what one call of an Observer saw.
type observed struct {
	weights []string
	x       []float32
	rows    int
}

// A watch keeps what was seen of each text.
type watch struct {
	mu    sync.Mutex
	texts map[int][]observed
	done  []int
}

func (w *watch) text(i int) (Observer, func() error) {
	var seen []observed // of one goroutine at a time
	observe := func(weights []string, x gemm.View) {
		o := observed{weights: slices.Clone(weights), rows: x.Rows}
		for r := range x.Rows {
			o.x = append(o.x, x.Row(r)...)
		}
		seen = append(seen, o)
	}
	return observe, func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.texts[i] != nil {
			return fmt.Errorf("text %d is done twice", i)
		}
		w.texts[i] = seen
		w.done = append(w.done, i)
		return nil
	}
}

func sameObserved(a, b observed) bool {
	return a.rows == b.rows && slices.Equal(a.weights, b.weights) && slices.Equal(a.x, b.x)
}

// Each text is observed as if it were alone, whatever is computed with it.
func TestWatch(t *testing.T) {
	withProcs(t, 4)
	var batch [][]int32
	for i := range 40 {
		batch = append(batch, text(1+i*7%20, i, 512))
	}
	const first = 100
	var want map[int][]observed
	for threads := 1; threads <= 4; threads++ {
		m := newSynthetic(goldenBERT).load(t, &Options{Threads: threads})
		w := watch{texts: map[int][]observed{}}
		vectors := embed(t, m, batch, &EmbedOptions{Watch: w.text, First: first})
		if !slices.EqualFunc(vectors, embed(t, m, batch, nil), slices.Equal[[]float32]) {
			t.Errorf("%d threads: an observer changes the vectors", threads)
		}
		if want == nil {
			want = w.texts
		}
		for i := range batch {
			if !slices.EqualFunc(w.texts[first+i], want[first+i], sameObserved) {
				t.Errorf("%d threads: of text %d something else is seen than with one", threads, i)
			}
			alone := watch{texts: map[int][]observed{}}
			embed(t, m, batch[i:i+1], &EmbedOptions{Watch: alone.text})
			if !slices.EqualFunc(w.texts[first+i], alone.texts[0], sameObserved) {
				t.Errorf("%d threads: of text %d something else is seen than alone", threads, i)
			}
		}
		if len(w.done) != len(batch) {
			t.Errorf("%d texts are done", len(w.done))
		}
	}
	for i, ids := range batch {
		at := 0
		for l := range 2 {
			for _, p := range []struct {
				names string
				cols  int
			}{{"attn_q attn_k attn_v", 32}, {"attn_output", 32}, {"ffn_up", 32}, {"ffn_down", 64}} {
				var names []string
				for name := range strings.FieldsSeq(p.names) {
					names = append(names, fmt.Sprintf("blk.%d.%s.weight", l, name))
				}
				if o := want[first+i][at]; !slices.Equal(o.weights, names) || o.rows != len(ids) || len(o.x) != o.rows*p.cols {
					t.Fatalf("input %d is of %s, %d rows, %d numbers, want %s, %d x %d", at, o.weights, o.rows, len(o.x), names, len(ids), p.cols)
				}
				at++
			}
		}
		if at != len(want[first+i]) {
			t.Errorf("%d inputs, want %d", len(want[first+i]), at)
		}
	}
}

// The error of a watcher ends the work.
func TestWatchFails(t *testing.T) {
	withProcs(t, 4)
	m := newSynthetic(goldenBERT).load(t, &Options{Threads: 4})
	batch := slices.Repeat([][]int32{text(20, 1, 512)}, 200)
	full := errors.New("full")
	var done atomic.Int32
	_, err := m.Embed(t.Context(), batch, &EmbedOptions{Watch: func(i int) (Observer, func() error) {
		return func([]string, gemm.View) {}, func() error {
			if done.Add(1); i == 70 {
				return full
			}
			return nil
		}
	}})
	if err != full || done.Load() < 70 || done.Load() == 200 {
		t.Errorf("%d texts done, error %v", done.Load(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done.Store(0)
	_, err = m.Embed(ctx, batch, &EmbedOptions{Watch: func(i int) (Observer, func() error) {
		return func([]string, gemm.View) {}, func() error {
			if done.Add(1) == 20 {
				cancel()
			}
			return nil
		}
	}})
	if !errors.Is(err, context.Canceled) || done.Load() == 200 {
		t.Errorf("%d texts done, error %v", done.Load(), err)
	}
}

// No group begins while the first that is not done is too far behind.
func TestConvoy(t *testing.T) {
	const ahead, groups, workers = 5, 300, 8
	c := newConvoy(ahead)
	var finished [groups]atomic.Bool
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < groups; i = int(next.Add(1)) - 1 {
				c.begin(i)
				for before := range max(0, i-ahead+1) {
					if !finished[before].Load() {
						t.Errorf("%d begins before %d is done", i, before)
					}
				}
				finished[i].Store(true)
				c.end(i)
			}
		})
	}
	wg.Wait()
}

// Texts that are predicted together have the logits of each alone, and what is
// watched is what an embedding has.
func TestPredict(t *testing.T) {
	withProcs(t, 4)
	for _, f := range readFamilies(t) {
		m := f.synthetic(t).load(t, &Options{Threads: 3})
		if !m.HasLogits() {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			const first, from = 7, 2
			var windows [][]int32
			for i := range 5 {
				windows = append(windows, text(9, i, f.Vocab))
			}
			w := watch{texts: map[int][]observed{}}
			var mu sync.Mutex
			logits := map[[2]int][]float32{}
			err := m.Predict(t.Context(), windows, &PredictOptions{
				First: first, Watch: w.text, WatchHead: true, From: from,
				Visit: func(text, position int, l []float32) error {
					mu.Lock()
					defer mu.Unlock()
					logits[[2]int{text - first, position}] = slices.Clone(l)
					return nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			for i, ids := range windows {
				visits := 0
				err := m.Logits(t.Context(), ids, from, func(position int, l []float32) error {
					if visits++; !slices.Equal(logits[[2]int{i, position}], l) {
						t.Errorf("text %d, position %d: other logits than alone", i, position)
					}
					return nil
				})
				if err != nil || visits != len(ids)-from {
					t.Fatalf("%d visits, error %v", visits, err)
				}
				states, err := m.States(t.Context(), ids)
				if err != nil {
					t.Fatal(err)
				}
				seen := w.texts[first+i]
				if last := seen[len(seen)-1]; last.rows != len(ids) || !slices.Equal(last.x, states) ||
					last.weights[0] != "output.weight" && last.weights[0] != "token_embd.weight" {
					t.Errorf("text %d: the head's input is seen as that of %s, %d rows", i, last.weights, last.rows)
				}
				alone := watch{texts: map[int][]observed{}}
				embed(t, m, [][]int32{ids}, &EmbedOptions{Watch: alone.text})
				if !slices.EqualFunc(seen[:len(seen)-1], alone.texts[0], sameObserved) {
					t.Errorf("text %d: other inputs than when it is embedded", i)
				}
			}
			if len(logits) != len(windows)*(9-from) {
				t.Errorf("%d logits", len(logits))
			}
			stop := errors.New("stop")
			if err := m.Predict(t.Context(), windows, &PredictOptions{Visit: func(int, int, []float32) error { return stop }}); err != stop {
				t.Errorf("error %v", err)
			}
		})
	}
	bert := newSynthetic(goldenBERT).load(t, nil)
	if err := bert.Predict(t.Context(), [][]int32{{1, 2}}, &PredictOptions{Visit: func(int, int, []float32) error { return nil }}); !isUnsupported(err) {
		t.Errorf("error %v", err)
	}
	if err := bert.Predict(t.Context(), [][]int32{{1, 2}, {}}, &PredictOptions{First: 3}); err == nil || err.Error() != "text 4 has no tokens" {
		t.Errorf("error %v", err)
	}
}
