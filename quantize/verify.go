package quantize

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/gguftool/gguftool/gguf"
	"github.com/gguftool/gguftool/internal/ordered"
)

// A digest tells whether a chunk on the disk is the one that was written.
type digest = [sha256.Size]byte

func digestOf(data []byte) digest { return sha256.Sum256(data) }

// A VerifyError reports an output that was written and holds something else
// when it is read again.
type VerifyError struct {
	Path    string
	Problem string
}

func (e *VerifyError) Error() string {
	return fmt.Sprintf("%s is not what was written: %s; what this run wrote was removed; check the disk and the memory of this machine", e.Path, e.Problem)
}

// checkReadable refuses an output that cannot be read again.
func (out *output) checkReadable() error {
	for i, f := range out.files {
		if !f.Replaceable() {
			return fmt.Errorf("%s cannot be read again to verify it; write to a file", out.paths[i])
		}
	}
	return nil
}

// verify reads all outputs again. Unless all are what was written, all of them are
// removed, also when ctx ends before that is known.
func (s *stream) verify(ctx context.Context) error {
	for _, out := range s.outputs {
		problem, err := s.difference(ctx, out)
		if err == nil && problem != "" {
			err = &VerifyError{out.paths[0], problem}
		}
		if err != nil {
			for _, out := range s.outputs {
				err = errors.Join(err, remove(out.paths))
			}
			return err
		}
	}
	return nil
}

// difference says how the files of an output differ from what was written, or "".
func (s *stream) difference(ctx context.Context, out *output) (problem string, err error) {
	for _, path := range out.paths {
		forget(path)
	}
	f, err := gguf.Open(out.paths[0])
	if err != nil {
		return err.Error(), nil
	}
	defer f.Close()
	if len(f.Shards) != len(out.files) {
		return fmt.Sprintf("it has %d shards, not %d", len(f.Shards), len(out.files)), nil
	}
	for i, shard := range f.Shards {
		want := out.files[i].layout
		if shard.Size != want.Size {
			return fmt.Sprintf("%s has %d bytes, not %d", shard.Path, shard.Size, want.Size), nil
		}
		if !bytes.Equal(f.Head(i), want.Head) {
			return fmt.Sprintf("keys or tensor table of %s differ", shard.Path), nil
		}
	}
	tensors := make([]*gguf.Tensor, len(s.tensors))
	for i := range tensors {
		t := &out.plan.Tensors[i]
		if tensors[i] = f.Tensor(t.Name); tensors[i] == nil || tensors[i].Type != t.To || !slices.Equal(tensors[i].Dimensions(), t.Shape) {
			return fmt.Sprintf("%s is not there as planned", quoteTensor(t.Name)), nil
		}
	}
	k := 0
	err = ordered.Run(ctx, s.options.Threads, s.chunks,
		func(_ context.Context, c chunk, r *digest) error {
			var buf []byte // the output is little-endian, and needs none
			data, err := fileRows{f}.Data(tensors[c.tensor], c.from, c.to, &buf)
			*r = digestOf(data)
			return err
		},
		func(c chunk, r *digest) error {
			if *r != out.digests[k] && problem == "" {
				problem = fmt.Sprintf("%s: rows %d to %d differ", quoteTensor(tensors[c.tensor].Name), c.from, c.to-1)
			}
			k++
			return nil
		})
	return problem, err
}
