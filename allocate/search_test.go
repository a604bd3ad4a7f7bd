package allocate

import (
	"bytes"
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/gguftool/gguftool/gguf"
)

func chooseIn(t *testing.T, f *fake, target Target) *Result {
	t.Helper()
	r, err := Search(t.Context(), f, f.problem(), &Options{Target: target, Sample: DefaultSample(f.texts, false), State: NewState(nil)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func meanOf(f *fake, types map[string]gguf.Type) (sum float64) {
	for i := range f.texts {
		sum += f.loss(types, i)
	}
	return sum / float64(f.texts)
}

// optimum tries everything.
func optimum(f *fake, p *Problem, budget int64) (best float64) {
	best = math.Inf(1)
	types := map[string]gguf.Type{}
	var try func(i int, left int64)
	try = func(i int, left int64) {
		if left < 0 {
			return
		}
		if i == len(p.Weights) {
			var sum float64
			for k := range 40 {
				sum += f.loss(types, k*7)
			}
			best = min(best, sum/40)
			return
		}
		for _, c := range p.Weights[i].Types {
			types[p.Weights[i].Tensor] = c.Type
			try(i+1, left-c.Bytes)
		}
	}
	try(0, budget-p.Base)
	return best
}

// The choice is near the best of all, although weights interact, and better than
// what losses of single weights choose.
func TestNearOptimum(t *testing.T) {
	f := newFake(5)
	p := f.problem()
	least, most := p.Smallest(), p.Base
	for _, w := range p.Weights {
		most += w.Types[4].Bytes
	}
	improved := 0
	for k := 1; k < 8; k++ {
		budget := least + (most-least)*int64(k)/8
		r := chooseIn(t, f, Target{Bytes: budget})
		best := optimum(f, p, budget)
		got := meanOf(f, r.Types())
		if r.Bytes > budget || got > 1.25*best {
			t.Errorf("%d bytes: %d bytes lose %.4g, the best %.4g", budget, r.Bytes, got, best)
		}
		if r.Loss.Mean > r.Before.Mean {
			t.Errorf("%d bytes: changes made it worse: %.4g after %.4g", budget, r.Loss.Mean, r.Before.Mean)
		}
		if r.Loss.Mean < 0.999*r.Before.Mean && r.Changes > 0 {
			improved++
		}
		if math.Abs(r.HeldOut.Mean/got-1) > 0.2 {
			t.Errorf("loss %.4g on texts that took no part, %.4g on all", r.HeldOut.Mean, got)
		}
	}
	if improved == 0 {
		t.Error("no choice was improved by changes")
	}
}

// A file comes within half a percent of its size, and never above it.
func TestTargetBytes(t *testing.T) {
	f := newFake(40)
	p := f.problem()
	for _, m := range p.Mixtures {
		r := chooseIn(t, f, Target{Bytes: m.Bytes})
		if r.Bytes > m.Bytes || float64(r.Bytes) < 0.995*float64(m.Bytes) {
			t.Errorf("%s: %d bytes of %d", m.Name, r.Bytes, m.Bytes)
		}
		var at, of Figure
		for i, x := range r.Points {
			if i > 0 && x.Bytes < r.Points[i-1].Bytes {
				t.Errorf("points are out of order: %v", r.Points)
			}
			switch {
			case x.Name == m.Name:
				of = x.Loss
			case x.Bytes == r.Bytes:
				at = x.Loss
			}
		}
		if !(at.Mean > 0 && at.Mean < 0.9*of.Mean) {
			t.Errorf("%s: loss %v, of the mixture %v", m.Name, at, of)
		}
	}
	var small *TooSmallError
	if _, err := Search(t.Context(), f, p, &Options{Target: Target{Bytes: 2000}, Sample: DefaultSample(300, false), State: NewState(nil)}); !errors.As(err, &small) || small.Least != p.Smallest() {
		t.Errorf("error %v", err)
	}
}

// The loss that is asked for is kept, by a file not much larger than it must be.
func TestMaxLoss(t *testing.T) {
	f := newFake(40)
	for _, loss := range []float64{1, 0.1, 0.01, 0.0001} {
		r := chooseIn(t, f, Target{MaxLoss: loss})
		if r.Loss.Mean > loss {
			t.Errorf("loss %g, want at most %g", r.Loss.Mean, loss)
		}
		smaller := chooseIn(t, f, Target{Bytes: r.Bytes * 96 / 100})
		if smaller.Loss.Mean < 0.98*loss {
			t.Errorf("%d bytes lose %g, but %d bytes %g, below %g", r.Bytes, r.Loss.Mean, smaller.Bytes, smaller.Loss.Mean, loss)
		}
	}
}

// An interruption at any point leaves a state from which the same choice comes,
// with nothing measured twice.
func TestResume(t *testing.T) {
	f := newFake(10)
	p := f.problem()
	target := Target{Bytes: p.Mixtures[1].Bytes}
	want := chooseIn(t, f, target)
	all := f.calls.Load()
	for stop := int64(1); stop < all; stop += 7 {
		f := newFake(10)
		f.stopAfter = stop
		state := NewState(map[string]string{"model": "x"})
		var saved bytes.Buffer
		state.Save = func() error { saved.Reset(); return state.Write(&saved) }
		o := Options{Target: target, Sample: DefaultSample(f.texts, false), State: state}
		if _, err := Search(t.Context(), f, p, &o); !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped after %d: error %v", stop, err)
		}
		back := NewState(map[string]string{"model": "x"})
		if saved.Len() > 0 {
			read, err := ReadState("s", saved.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if err := back.Merge("s", read); err != nil {
				t.Fatal(err)
			}
		}
		f.stopAfter = 0
		f.calls.Store(0)
		o.State = back
		got, err := Search(t.Context(), f, p, &o)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("stopped after %d: another result", stop)
		}
		// What was under way is measured again, at most one tensor's types.
		if n := f.calls.Load(); n > all-stop+2*int64(len(fakeTypes)) {
			t.Errorf("stopped after %d of %d: %d more", stop, all, n)
		}
	}
}

// Parts that are merged give the choice of a whole run.
func TestParts(t *testing.T) {
	f := newFake(10)
	p := f.problem()
	target := Target{Bytes: p.Mixtures[0].Bytes}
	want := chooseIn(t, f, target)
	merged := NewState(map[string]string{"model": "x", "texts": "y"})
	for k := 1; k <= 3; k++ {
		state := NewState(merged.Work)
		o := Options{Sample: DefaultSample(f.texts, false), State: state}
		if err := Part(t.Context(), newFake(10), p, &o, k, 3); err != nil {
			t.Fatal(err)
		}
		if n := state.Measured(); n < 3 || n > 4 {
			t.Errorf("part %d has %d of 10 tensors", k, n)
		}
		if err := merged.Merge("part", state); err != nil {
			t.Fatal(err)
		}
	}
	f.calls.Store(0)
	got, err := Search(t.Context(), f, p, &Options{Target: target, Sample: DefaultSample(f.texts, false), State: merged})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("another choice, error %v", err)
	}
	other := NewState(map[string]string{"model": "x", "texts": "z"})
	if err := merged.Merge("other.state", other); err == nil || !strings.Contains(err.Error(), "other.state is of another choice: its texts differ") {
		t.Errorf("error %v", err)
	}
}

// Types that another beats clearly see few texts only.
func TestDrops(t *testing.T) {
	f := newFake(3)
	w := f.problem().Weights[0]
	// One type that takes more bytes than the next and loses more.
	w.Types = append([]Candidate{}, w.Types...)
	w.Types[1].Bytes = w.Types[3].Bytes + 1
	w.Types[1], w.Types[2], w.Types[3] = w.Types[2], w.Types[3], w.Types[1]
	singles, err := measureSingles(t.Context(), f, &w, []int{12, 48})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range singles {
		want, dropped := 48, false
		if i == 3 {
			want, dropped = 12, true
		}
		if s.Texts != want || s.Dropped != dropped {
			t.Errorf("%+v", s)
		}
	}
}

func TestTooFewTexts(t *testing.T) {
	f := newFake(3)
	for _, n := range []int{0, 299, 300} {
		f.texts = n
		_, err := Search(t.Context(), f, f.problem(), &Options{Target: Target{MaxLoss: 1}, Sample: DefaultSample(300, false), State: NewState(nil)})
		if (err == nil) != (n == 300) {
			t.Errorf("%d texts: error %v", n, err)
		}
	}
	for n := 1; n < 2000; n++ {
		for _, windows := range []bool{false, true} {
			if s := DefaultSample(n, windows); s.Texts() > n || s.Choose < 1 || s.Context > s.Choose || s.Singles[0] > s.Singles[1] || s.Singles[1] > s.Choose {
				t.Errorf("%d texts, windows %t: %+v", n, windows, s)
			}
		}
	}
}

// What is left of a budget is used up where that costs nearly nothing.
func TestFill(t *testing.T) {
	rows := []row{
		{[]int64{1000, 5000}, []float64{1, 0.5}},
		{[]int64{100, 120}, []float64{0.1, 0.1001}},
		{[]int64{100, 90, 140}, []float64{0.1, 0.1, 0.2}},
	}
	for _, c := range []struct {
		budget int64
		want   []int
	}{{1200, []int{0, 0, 0}}, {1203, []int{0, 0, 0}}, {1222, []int{0, 1, 0}}, {1240, []int{0, 0, 0}}} {
		pick := []int{0, 0, 0}
		fill(rows, pick, c.budget)
		if !reflect.DeepEqual(pick, c.want) {
			t.Errorf("%d bytes: %v, want %v", c.budget, pick, c.want)
		}
	}
}
