package quantize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/ordered"
)

// chunkLen is about how many elements a chunk has: a megabyte of float32.
const chunkLen = 1 << 18

// fetchers is how many chunks are read from the disk at once, ahead of those that
// are worked on.
const fetchers = 4

// An encoding is what some plans make of one tensor. It is made once for all of
// them.
type encoding struct {
	tensor *Tensor // of the first of the plans
	plans  []int
}

// A stream carries plans out that make something of the same tensors.
type stream struct {
	source    *Source
	tensors   []*gguf.Tensor // of the source, in the order of the output
	encodings [][]encoding   // of each tensor
	outputs   []*output      // of each plan
	results   []Result       // of each plan
	options   RunOptions
}

// newStream finds what the plans have in common.
func newStream(jobs []Job, o RunOptions) (*stream, error) {
	first := jobs[0].Plan
	s := &stream{source: first.source, results: make([]Result, len(jobs)), options: o}
	s.encodings = make([][]encoding, len(first.Tensors))
	for i := range first.Tensors {
		s.tensors = append(s.tensors, first.Tensors[i].source)
	}
	for p, job := range jobs {
		if job.Plan.source != first.source || len(job.Plan.Tensors) != len(s.tensors) {
			return nil, fmt.Errorf("plans of different sources cannot be carried out at once")
		}
		for i := range job.Plan.Tensors {
			t := &job.Plan.Tensors[i]
			if t.source != s.tensors[i] {
				return nil, fmt.Errorf("plans with different orders of tensors cannot be carried out at once")
			}
			same := slices.IndexFunc(s.encodings[i], func(e encoding) bool { return e.tensor.encodedLike(t) })
			if same < 0 {
				s.encodings[i] = append(s.encodings[i], encoding{tensor: t})
				same = len(s.encodings[i]) - 1
			}
			s.encodings[i][same].plans = append(s.encodings[i][same].plans, p)
		}
		if o.Measure {
			s.results[p].Deviations = make([]Deviation, len(s.tensors))
		}
	}
	return s, nil
}

// encodedLike reports whether t and other, of the same source, get the same bytes.
func (t *Tensor) encodedLike(other *Tensor) bool {
	return t.To == other.To && slices.Equal(t.importance, other.importance)
}

// run converts all tensors on several goroutines. Chunks do not depend on
// threads, nor does what they become. Memory is bounded by the longest row, the
// number of threads and that of the plans.
func (s *stream) run(ctx context.Context) error {
	var done, total int64
	for _, t := range s.tensors {
		total += t.Size
	}
	start := time.Now()
	var unread error
	err := ordered.Run(ctx, s.options.Threads,
		func(yield func(chunk) bool) { unread = s.fetch(ctx, yield) },
		s.work,
		func(c chunk, v *converter) error {
			if err := s.finish(c, v); err != nil {
				return err
			}
			s.source.Rows.DontNeed(c.source, c.from, c.to)
			if s.options.Progress != nil {
				done += c.bytes()
				s.options.Progress(Progress{c.source.Name, c.tensor, done, total, time.Since(start)})
			}
			return nil
		})
	if err != nil {
		return err
	}
	return unread
}

// errStop ends fetch when no more chunks are wanted.
var errStop = errors.New("no more chunks are wanted")

// fetch yields all chunks in their order when they are in memory. The workers
// then hardly ever wait in page faults, in which they would keep processors from
// other goroutines. It fails when ctx ends before the last chunk.
func (s *stream) fetch(ctx context.Context, yield func(chunk) bool) error {
	err := ordered.Run(ctx, fetchers, s.chunks,
		func(_ context.Context, c chunk, _ *struct{}) error {
			s.source.Rows.Fetch(c.source, c.from, c.to)
			return nil
		},
		func(c chunk, _ *struct{}) error {
			if !yield(c) {
				return errStop
			}
			return nil
		})
	if err == errStop {
		return nil // why is for whoever wants no more to say
	}
	return err
}

// chunks yields the rows of all tensors in the order of the output.
func (s *stream) chunks(yield func(chunk) bool) {
	for i, t := range s.tensors {
		rows := t.Rows()
		step := max(1, chunkLen/max(1, t.RowLen()))
		if _, _, known := t.Type.Block(); !known {
			step = rows
		}
		for from := int64(0); from < rows; from += step {
			if !yield(chunk{i, t, from, min(from+step, rows)}) {
				return
			}
		}
	}
}

// bytes returns the size of c in the source.
func (c chunk) bytes() int64 { return c.source.Size / c.source.Rows() * (c.to - c.from) }

// work reads a chunk, encodes it in every way and writes what it can write at
// once.
func (s *stream) work(ctx context.Context, c chunk, v *converter) error {
	if err := s.encode(ctx, c, v); err != nil {
		return err
	}
	for i, e := range s.encodings[c.tensor] {
		r := &v.results[i]
		if s.options.Verify {
			r.digest = digestOf(r.out)
		}
		r.late = r.late[:0]
		for _, p := range e.plans {
			written, err := s.outputs[p].writeEarly(c, r.out)
			if err != nil {
				return err
			}
			if !written {
				r.late = append(r.late, p)
			}
		}
	}
	return nil
}

// encode fills the results of v, piece by piece. A chunk that any plan copies is
// one piece, in memory that lasts until it is written.
func (s *stream) encode(ctx context.Context, c chunk, v *converter) error {
	encodings := s.encodings[c.tensor]
	for len(v.results) < len(encodings) {
		v.results = append(v.results, result{})
	}
	copied := false
	for i, e := range encodings {
		r := &v.results[i]
		r.deviation = Deviation{}
		if e.tensor.copied() {
			copied = true
			continue
		}
		size, _ := e.tensor.To.Size(e.tensor.Shape[0])
		r.encoded = grow(r.encoded, int((c.to-c.from)*size))
		r.out = r.encoded
	}
	p := pieces.Get().(*piece)
	defer pieces.Put(p)
	buf, step := &p.read, max(1, pieceLen/max(1, c.source.RowLen()))
	if copied {
		buf, step = &v.read, c.to-c.from
	}
	for from := c.from; from < c.to; from += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		rows := chunk{c.tensor, c.source, from, min(from+step, c.to)}
		if err := p.load(s.source, rows, buf); err != nil {
			return err
		}
		for i, e := range encodings {
			if err := s.encodePiece(p, c, e.tensor, &v.results[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// encodePiece adds a piece of c to r.
func (s *stream) encodePiece(p *piece, c chunk, t *Tensor, r *result) error {
	out := p.src
	if t.copied() {
		r.out = out
		if err := p.validate(); err != nil {
			return err
		}
	} else {
		size, _ := t.To.Size(t.Shape[0])
		out = r.out[(p.from-c.from)*size : (p.to-c.from)*size]
		if err := p.encode(t, out); err != nil {
			return err
		}
	}
	if s.options.Measure {
		p.measure(t, out, &r.deviation)
	}
	return nil
}

// copied reports whether t stays as it is.
func (t *Tensor) copied() bool { return t.From == t.To }

// finish does with a chunk what happens in the order of the output.
func (s *stream) finish(c chunk, v *converter) error {
	for i, e := range s.encodings[c.tensor] {
		r := &v.results[i]
		for _, p := range r.late {
			if err := s.outputs[p].write(c, r.out); err != nil {
				return err
			}
		}
		for _, p := range e.plans {
			s.outputs[p].settle(c, r.out)
			if s.options.Measure {
				s.results[p].Deviations[c.tensor].Add(r.deviation)
			}
			if s.options.Verify {
				s.outputs[p].digests = append(s.outputs[p].digests, r.digest)
			}
		}
	}
	return nil
}
