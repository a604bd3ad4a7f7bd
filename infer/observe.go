package infer

import (
	"sync"

	"github.com/gguftool/gguftool/kernels/gemm"
)

// An Observer sees the inputs of the matrix products that one text takes part
// in, in the order of the forward pass: x is the rows of that text, and all of
// weights, which are named as in the file, are multiplied with it. It must not
// keep or change either.
type Observer func(weights []string, x gemm.View)

// A Watcher gives the Observer of a text, before the text enters the model, and
// a function that is called when all its products were seen, whose error ends
// the work. A text whose products were not all computed, because of an error,
// is not done.
//
// Several texts are computed at once where there are many: a Watcher is called
// by several goroutines, those it returns by one at a time. Texts enter in their
// order, or nearly, and wait where too many before them are not done.
type Watcher func(text int) (observe Observer, done func() error)

// show lets the observers of texts see x, the input of products with weights.
func (s *session) show(x gemm.View, weights []string) {
	for t, observe := range s.observers {
		observe(weights, x.Part(s.spans[t].from, s.spans[t].to, 0, x.Cols))
	}
}

// showVectors is show for x of one row for each text.
func (s *session) showVectors(x gemm.View, weights []string) {
	for t, observe := range s.observers {
		observe(weights, x.Part(t, t+1, 0, x.Cols))
	}
}

// watched calls f with observers for texts, which are numbered from first on.
func (s *session) watched(watch Watcher, first int, texts []int, f func() error) error {
	if watch == nil {
		return f()
	}
	defer func() { s.observers = nil }()
	var done []func() error
	for _, t := range texts {
		o, d := watch(first + t)
		s.observers, done = append(s.observers, o), append(done, d)
	}
	err := f()
	for i := 0; i < len(done) && err == nil; i++ {
		err = done[i]()
	}
	return err
}

// A convoy keeps those who work on a numbered series, in ascending order,
// within a distance of the slowest.
type convoy struct {
	mu    sync.Mutex
	moved sync.Cond
	ahead int // one may be that far from the lowest that is not finished
	low   int // the lowest that is not finished
	done  map[int]bool
}

func newConvoy(ahead int) *convoy {
	c := &convoy{ahead: ahead, done: map[int]bool{}}
	c.moved.L = &c.mu
	return c
}

// begin waits until i may begin. Who began calls end, also after a failure.
func (c *convoy) begin(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i >= c.low+c.ahead {
		c.moved.Wait()
	}
}

func (c *convoy) end(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done[i] = true
	for c.done[c.low] {
		delete(c.done, c.low)
		c.low++
	}
	c.moved.Broadcast()
}
