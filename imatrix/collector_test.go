package imatrix

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gguftool/gguftool/kernels/gemm"
)

// activations returns the input of some layer in text i, with gaps between rows.
func activations(i int, layer uint64, cols int) gemm.View {
	rng := rand.New(rand.NewPCG(uint64(i), layer))
	rows := 1 + rng.IntN(30)
	data := make([]float32, rows*(cols+3))
	for j := range data {
		data[j] = float32(math.Exp(10*rng.Float64()) * rng.NormFloat64())
	}
	return gemm.View{Data: data[:len(data)-3], Rows: rows, Cols: cols, Stride: cols + 3}
}

var shared = []string{"blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight"}

// measure shows p what a model of two inputs does with text i.
func measure(p *Part, i int) {
	p.Add(shared, activations(i, 1, 37))
	p.Add([]string{"blk.0.ffn_down.weight"}, activations(i, 2, 64))
}

func encode(t *testing.T, f *File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.WriteGGUF(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The sums are those of all rows, however many texts are measured at a time and
// in whatever order they end.
func TestCollector(t *testing.T) {
	const texts = 60
	var want []byte
	for _, workers := range []int{1, 2, 7, texts} {
		c := NewCollector()
		var added []int
		c.Added = func(n int) error { added = append(added, n); return nil }
		rng := rand.New(rand.NewPCG(5, uint64(workers)))
		for from := 0; from < texts; from += workers {
			var wg sync.WaitGroup
			order := rng.Perm(min(workers, texts-from))
			for _, k := range order {
				wg.Go(func() {
					p := c.Part(from + k)
					measure(p, from+k)
					if err := c.End(p); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		if err := c.Err(); err != nil || c.Parts() != texts {
			t.Fatalf("%d parts, error %v", c.Parts(), err)
		}
		for i, n := range added {
			if n != i+1 {
				t.Fatalf("told of %v", added)
			}
		}
		f := c.File([]string{"some text"}, 16)
		if got := encode(t, f); want == nil {
			want = got
		} else if !bytes.Equal(got, want) {
			t.Errorf("%d at a time give other sums than one", workers)
		}
		checkSums(t, f, texts, 0x1p-24)
	}
}

// checkSums compares f with the exact sums over all rows, to a relative error.
func checkSums(t *testing.T, f *File, texts int, within float64) {
	t.Helper()
	var most int64
	for layer, name := range map[uint64]string{1: shared[2], 2: "blk.0.ffn_down.weight"} {
		e := f.Entries[name]
		sums, rows := make([]float64, len(e.SumSquares)), int64(0)
		for i := range texts {
			x := activations(i, layer, len(sums))
			rows += int64(x.Rows)
			for r := range x.Rows {
				for j, v := range x.Row(r) {
					sums[j] += float64(v) * float64(v)
				}
			}
		}
		for j, want := range sums {
			if got := float64(e.SumSquares[j]); math.Abs(got-want) > within*want {
				t.Fatalf("%s: sum %d is %v, want %v", name, j, got, want)
			}
		}
		most = max(most, rows)
		if !slices.Equal(e.Counts, []int64{rows}) {
			t.Errorf("%s: counts %v, want %d", name, e.Counts, rows)
		}
	}
	if f.Chunks != int(most/16) {
		t.Errorf("%d chunks of 16 in %d rows", f.Chunks, most)
	}
	if len(f.Entries) != 4 || !reflect.DeepEqual(f.Entries[shared[0]], f.Entries[shared[1]]) {
		t.Errorf("%d entries, or weights with one input that differ", len(f.Entries))
	}
}

// Who stops after any part and goes on from the file comes to the same bits.
func TestResume(t *testing.T) {
	const texts = 12
	run := func(c *Collector, from, to int) *Collector {
		for i := from; i < to; i++ {
			p := c.Part(i)
			measure(p, i)
			if err := c.End(p); err != nil {
				t.Fatal(err)
			}
		}
		return c
	}
	for w := ByTokens; w <= ByVectors; w++ {
		begin := func() *Collector {
			c := NewCollector()
			c.Weighing = w
			return c
		}
		want := encode(t, run(begin(), 0, texts).File(nil, 16))
		for stop := 1; stop < texts; stop++ {
			f := run(begin(), 0, stop).File(nil, 16)
			if _, err := Resume(f); err == nil || !strings.Contains(err.Error(), "does not say where it stands") {
				t.Errorf("a file without a state is resumed, error %v", err)
			}
			f.State = &State{Model: "m", Work: "w", Done: stop, Total: texts}
			back, err := Read(write(t, "partial.gguf", encode(t, f)))
			if err != nil {
				t.Fatal(err)
			}
			c, err := Resume(back)
			if err != nil {
				t.Fatal(err)
			}
			if got := encode(t, run(c, stop, texts).File(nil, 16)); !bytes.Equal(got, want) {
				t.Errorf("by %v: other sums after a stop at %d", w, stop)
			}
		}
	}
	// Without the exact sums it goes on from those that are rounded.
	f := run(NewCollector(), 0, 3).File(nil, 16)
	f.State = &State{Done: 3, Total: texts}
	for _, e := range f.Entries {
		e.exact = nil
	}
	c, err := Resume(f)
	if err != nil {
		t.Fatal(err)
	}
	checkSums(t, run(c, 3, texts).File(nil, 16), texts, 0x1p-23)
}

// The parts of a divided work are merged to the whole.
func TestParts(t *testing.T) {
	const texts, shares = 30, 4
	var files []*File
	for s := range shares {
		c := NewCollector()
		for i := s; i < texts; i += shares {
			p := c.Part(i / shares)
			measure(p, i)
			if err := c.End(p); err != nil {
				t.Fatal(err)
			}
		}
		files = append(files, c.File([]string{"text"}, 16))
	}
	m, err := Merge(0, files...)
	if err != nil {
		t.Fatal(err)
	}
	checkSums(t, m, texts, 0x1p-23)
}

// Experts are counted one by one.
func TestExperts(t *testing.T) {
	c := NewCollector()
	p := c.Part(0)
	name := []string{"blk.0.ffn_up_exps.weight"}
	p.AddMatrix(name, 2, 3, gemm.Dense([]float32{1, 2, 3, 4}, 2, 2))
	p.AddMatrix(name, 0, 3, gemm.Dense([]float32{5, 6}, 1, 2))
	p.AddMatrix(name, 1, 3, gemm.Dense(nil, 0, 2))
	if err := c.End(p); err != nil {
		t.Fatal(err)
	}
	e := c.File(nil, 16).Entries[name[0]]
	if !slices.Equal(e.SumSquares, []float32{25, 36, 0, 0, 10, 20}) || !slices.Equal(e.Counts, []int64{1, 0, 2}) {
		t.Errorf("sums %v of %v", e.SumSquares, e.Counts)
	}
	if got := c.File(nil, 16).Importance()[name[0]]; !slices.Equal(got, []float32{25, 36, 1, 1, 5, 10}) {
		t.Errorf("importance %v", got)
	}
}

// What is not finite stops a collector, as does an error of Added.
func TestCollectorStops(t *testing.T) {
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(-1))} {
		c := NewCollector()
		p, q, r := c.Part(0), c.Part(1), c.Part(2)
		p.Add(shared, gemm.Dense([]float32{1, 2}, 1, 2))
		q.Add(shared, gemm.Dense([]float32{1, bad}, 1, 2))
		err := errors.Join(c.End(r), c.End(p))
		if err != nil {
			t.Fatal(err)
		}
		if err = c.End(q); err == nil || err.Error() != "blk.0.attn_q.weight: its input is not finite in text 1: the model's numbers overflow, or the file is damaged" {
			t.Errorf("error is %v", err)
		}
		if c.Parts() != 1 || c.Err() != err || c.End(c.Part(3)) != err {
			t.Errorf("%d parts, error %v", c.Parts(), c.Err())
		}
	}
	full := fmt.Errorf("disk is full")
	c := NewCollector()
	c.Added = func(n int) error { return full }
	if err := c.End(c.Part(0)); err != full {
		t.Errorf("error is %v", err)
	}
	c = NewCollector()
	p := c.Part(0)
	p.Add(shared, gemm.Dense([]float32{1, 2}, 1, 2))
	if err := c.End(p); err != nil {
		t.Fatal(err)
	}
	p = c.Part(1)
	defer func() {
		if recover() == nil {
			t.Error("an input that changes its shape is taken")
		}
	}()
	p.Add(shared, gemm.Dense([]float32{1, 2, 3}, 1, 3))
}
