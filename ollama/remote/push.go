package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/ollama"
	"github.com/gguftool/gguftool/ollama/archive"
)

// Push gives a model of the store to a registry, under the name to. Blobs that the
// registry has already are not sent, and the manifest is as archive.Portable makes
// it.
func Push(ctx context.Context, from *ollama.Store, name, to ollama.Name, o *Options) error {
	if to.Host == ollama.DefaultHost {
		return fault.Unsupported(to.String(), "", "use ollama push for it, or name another registry, as in ghcr.io/me/embed:q4",
			"the registry of ollama.com takes models from its own program alone, which signs requests with a key of the user's")
	}
	model, err := from.Read(name)
	if err != nil {
		return err
	}
	manifest := archive.Portable(model.Manifest)
	text, err := manifest.Encode()
	if err != nil {
		return err
	}
	repository, err := o.open(to)
	if err != nil {
		return err
	}
	layers := manifest.Distinct()
	count := newTally(layers, o.Progress)
	group, blobs := errgroup.WithContext(ctx)
	group.SetLimit(transfers)
	for _, l := range layers {
		group.Go(func() error { return o.send(blobs, from, repository, l, count) })
	}
	if err := group.Wait(); err != nil {
		return explain(err, to)
	}
	d := ocispec.Descriptor{MediaType: manifest.MediaType, Digest: digest.FromBytes(text), Size: int64(len(text))}
	return explain(repository.PushReference(ctx, d, bytes.NewReader(text), to.Tag), to)
}

// send gives a blob to a registry that does not have it.
func (o *Options) send(ctx context.Context, from *ollama.Store, r *remote.Repository, l ollama.Layer, count *tally) error {
	for failures := 0; ; failures++ {
		sent, err := sendOnce(ctx, from, r, l, count)
		if err == nil {
			count.add(l.Size - sent)
			return nil
		}
		count.add(-sent)
		if !o.again(ctx, err, failures) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

func sendOnce(ctx context.Context, from *ollama.Store, r *remote.Repository, l ollama.Layer, count *tally) (sent int64, err error) {
	there, err := r.Blobs().Exists(ctx, descriptor(l))
	if there || err != nil {
		return 0, err
	}
	f, err := from.OpenBlob(l)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	body := &reader{ctx: ctx, Reader: f, tally: count}
	if err := r.Blobs().Push(ctx, descriptor(l), body); err != nil {
		return body.bytes.Load(), fmt.Errorf("%s: %w", l.Digest.Short(), err)
	}
	return body.bytes.Load(), nil
}
