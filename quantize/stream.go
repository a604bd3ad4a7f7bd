package quantize

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// chunkLen is about how many elements a chunk has: a megabyte of float32.
const chunkLen = 1 << 18

// stream converts all tensors on several goroutines and hands their bytes to
// sink in the order of the output, chunk by chunk. Chunks do not depend on
// threads, nor does what the sink sees. Memory is bounded by the longest row
// and the number of threads.
func (p *Plan) stream(ctx context.Context, threads int, sink func(c *chunk) error) error {
	group, ctx := errgroup.WithContext(ctx)
	// A chunk goes around: free, then both todo and order, then free again.
	inFlight := 2*threads + 2
	free := make(chan *chunk, inFlight)
	order := make(chan *chunk, inFlight)
	todo := make(chan *chunk, inFlight)
	for range inFlight {
		free <- &chunk{ready: make(chan struct{}, 1)}
	}

	group.Go(func() error {
		defer close(todo)
		defer close(order)
		return p.eachChunk(func(t *Tensor, from, to int64) error {
			select {
			case c := <-free:
				c.tensor, c.from, c.to = t, from, to
				todo <- c
				order <- c
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	for range threads {
		group.Go(func() error {
			v := &converter{file: p.source}
			for c := range todo {
				c.err = v.convert(ctx, c)
				c.ready <- struct{}{}
			}
			return nil
		})
	}
	group.Go(func() error {
		for c := range order {
			<-c.ready
			// Errors are looked at in order, so that of several failing chunks
			// always the same one is reported.
			if c.err != nil {
				return c.err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := sink(c); err != nil {
				return err
			}
			p.source.DontNeed(c.tensor.source, c.from, c.to)
			free <- c
		}
		return nil
	})
	return group.Wait()
}

// eachChunk cuts the tensors into rows.
func (p *Plan) eachChunk(f func(t *Tensor, from, to int64) error) error {
	for i := range p.Tensors {
		t := &p.Tensors[i]
		rows := t.source.Rows()
		step := max(1, chunkLen/max(1, t.Shape[0]))
		if _, _, known := t.From.Block(); !known {
			step = rows
		}
		for from := int64(0); from < rows; from += step {
			if err := f(t, from, min(from+step, rows)); err != nil {
				return err
			}
		}
	}
	return nil
}
