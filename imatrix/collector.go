package imatrix

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/gguftool/gguftool/kernels/gemm"
	"github.com/gguftool/gguftool/kernels/vec"
)

// A Collector sums up the squares of what weights are multiplied with. Several
// texts may be measured at once, each as a Part of its own, whose sums run over
// its rows in order; the parts are added in the order of their numbers, however
// they end. All of it is in float64. So the sums are the same to the bit whatever
// the number of threads, the texts that are measured together, or the order in
// which they end.
type Collector struct {
	// Weighing says how much each row of a text counts. It is set before the first
	// part.
	Weighing Weighing

	// Added, when set, is told how many parts are in the sums, each time that this
	// is one more. It may call File and State, and nothing is added meanwhile. Its
	// error is that of Err from then on, and no more parts are added.
	Added func(parts int) error

	mu      sync.Mutex
	inputs  map[string]*input // by the name of the first weight
	next    int               // part that is added next
	waiting map[int]*Part     // for parts before them
	free    []*Part
	err     error
}

// An input is what some weights are multiplied with.
type input struct {
	weights []string
	total
}

// A Part is the measurement of one text. It is used by one goroutine at a time.
type Part struct {
	number int
	inputs map[string]*input
	order  []*input // those that were seen, as they first came
}

// NewCollector returns a collector without sums, whose first part is number 0.
func NewCollector() *Collector {
	return &Collector{inputs: map[string]*input{}, waiting: map[int]*Part{}}
}

// Resume goes on from a file whose State.Done parts are done.
func Resume(f *File) (*Collector, error) {
	if f.State == nil {
		return nil, fmt.Errorf("%s does not say where it stands: it is complete, or another program wrote it", f.Path)
	}
	c := NewCollector()
	c.next, c.Weighing = f.State.Done, f.Weighing
	for name, e := range f.Entries {
		if err := e.check(name); err != nil {
			return nil, err
		}
		in := &input{[]string{name}, total{slices.Clone(e.exact), slices.Clone(e.Counts)}}
		if in.sums == nil {
			in.total = *newTotal(len(e.Counts), e.columns())
			if err := in.addEntry(e, 1); err != nil {
				return nil, err
			}
		}
		c.inputs[name] = in
	}
	return c, nil
}

// Part returns what measures text number i. Numbers are given once each, in any
// order; a part is added when all numbers before it were.
func (c *Collector) Part(i int) *Part {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := &Part{inputs: map[string]*input{}}
	if n := len(c.free); n > 0 {
		p, c.free = c.free[n-1], c.free[:n-1]
	}
	p.number = i
	return p
}

// Add sums up the columns of x, (rows, columns), which all of weights are
// multiplied with. Weights that share an input always come together, in the same
// order.
func (p *Part) Add(weights []string, x gemm.View) { p.AddMatrix(weights, 0, 1, x) }

// AddMatrix is Add for one of several matrices that a weight is a stack of, such
// as those of experts: x is the rows that this one is multiplied with.
func (p *Part) AddMatrix(weights []string, matrix, matrices int, x gemm.View) {
	if x.Rows == 0 {
		return
	}
	in := p.inputs[weights[0]]
	if in == nil {
		in = &input{weights, *newTotal(matrices, x.Cols)}
		p.inputs[weights[0]] = in
	}
	if len(in.sums) != x.Cols*matrices || len(in.counts) != matrices {
		panic("imatrix: the shape of an input changes")
	}
	if slices.Max(in.counts) == 0 {
		p.order = append(p.order, in)
	}
	vec.AddSquares(in.sums[matrix*x.Cols:(matrix+1)*x.Cols], x.Data, x.Rows, x.Stride)
	in.counts[matrix] += int64(x.Rows)
}

// End hands a part back, whose text is done. What stopped the collector before is
// its error.
func (c *Collector) End(p *Part) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting[p.number] = p
	for c.err == nil {
		p := c.waiting[c.next]
		if p == nil {
			break
		}
		delete(c.waiting, c.next)
		if c.err = c.add(p); c.err != nil {
			break
		}
		c.next++
		p.clear()
		c.free = append(c.free, p)
		if c.Added != nil {
			c.err = c.Added(c.next)
		}
	}
	return c.err
}

func (c *Collector) add(p *Part) error {
	for _, in := range p.order {
		if c.Weighing == ByVectors {
			in.weighByVector()
		}
		if !finite(in.sums) {
			return fmt.Errorf("%s: its input is not finite in text %d: the model's numbers overflow, or the file is damaged", in.weights[0], p.number)
		}
		first := in.weights[0]
		sum := c.inputs[first]
		if sum == nil {
			sum = &input{in.weights, *newTotal(len(in.counts), len(in.sums)/len(in.counts))}
			c.inputs[first] = sum
		}
		if err := sum.addTotal(&in.total); err != nil {
			return fmt.Errorf("%s: %w", first, err)
		}
		if len(sum.weights) < len(in.weights) { // as after Resume, where each weight has its own
			for _, name := range in.weights[1:] {
				delete(c.inputs, name)
			}
			sum.weights = in.weights
		}
	}
	return nil
}

func (t *total) addTotal(o *total) error {
	if len(o.sums) != len(t.sums) || len(o.counts) != len(t.counts) {
		return fmt.Errorf("%d sums of %d matrices are added to %d of %d", len(o.sums), len(o.counts), len(t.sums), len(t.counts))
	}
	for i, v := range o.sums {
		t.sums[i] += v
	}
	for i, n := range o.counts {
		t.counts[i] += n
	}
	return nil
}

func finite(x []float64) bool {
	var zero float64
	for _, v := range x {
		zero += v - v
	}
	return zero == 0
}

// clear makes p ready for another text. It keeps its memory.
func (p *Part) clear() {
	for _, in := range p.order {
		clear(in.sums)
		clear(in.counts)
	}
	p.order = p.order[:0]
}

// Err returns what stopped the collector, or nil.
func (c *Collector) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Parts returns how many parts are in the sums. Only Added, or who has no part
// that is not ended, may call it.
func (c *Collector) Parts() int { return c.next }

// File returns what is in the sums, in chunks of chunkSize tokens, or of one text
// when they are weighed by vectors. Only Added, or who has no part that is not ended, may
// call it.
func (c *Collector) File(datasets []string, chunkSize int) *File {
	totals := map[string]*total{}
	for _, first := range slices.Sorted(maps.Keys(c.inputs)) {
		in := c.inputs[first]
		for _, name := range in.weights {
			totals[name] = &in.total
		}
	}
	if c.Weighing == ByVectors {
		chunkSize = 1
	}
	f := fileOf(totals, datasets, chunkSize)
	f.Weighing = c.Weighing
	return f
}
