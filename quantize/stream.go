package quantize

import (
	"context"

	"github.com/gguftool/gguftool/internal/ordered"
)

// chunkLen is about how many elements a chunk has: a megabyte of float32.
const chunkLen = 1 << 18

// stream converts all tensors on several goroutines and hands their bytes to
// sink in the order of the output, chunk by chunk. Chunks do not depend on
// threads, nor does what the sink sees. Memory is bounded by the longest row
// and the number of threads.
func (p *Plan) stream(ctx context.Context, threads int, sink func(c chunk, out []byte) error) error {
	return ordered.Run(ctx, threads, p.chunks,
		func(ctx context.Context, c chunk, v *converter) error { return v.convert(ctx, p.source, c) },
		func(c chunk, v *converter) error {
			if err := sink(c, v.out); err != nil {
				return err
			}
			p.source.DontNeed(c.tensor.source, c.from, c.to)
			return nil
		})
}

// chunks yields the rows of all tensors in the order of the output.
func (p *Plan) chunks(yield func(chunk) bool) {
	for i := range p.Tensors {
		t := &p.Tensors[i]
		rows := t.source.Rows()
		step := max(1, chunkLen/max(1, t.Shape[0]))
		if _, _, known := t.From.Block(); !known {
			step = rows
		}
		for from := int64(0); from < rows; from += step {
			if !yield(chunk{t, from, min(from+step, rows)}) {
				return
			}
		}
	}
}
