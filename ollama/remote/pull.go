package remote

import (
	"context"
	"errors"
	"fmt"
	"io"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/ollama"
)

// Pull fetches the model that a registry has under the name from, and gives it the
// name to in the store. A model of that name is replaced when the new one is
// complete.
func Pull(ctx context.Context, into *ollama.Store, from, to ollama.Name, o *Options) error {
	repository, err := o.open(from)
	if err != nil {
		return err
	}
	text, err := fetchManifest(ctx, repository, from)
	if err != nil {
		return err
	}
	m, err := ollama.DecodeManifest(text)
	if err != nil {
		return fault.InFile(err, from.String())
	}
	tx, err := into.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Close()
	layers := m.Distinct()
	count := newTally(layers, o.Progress)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(transfers)
	for _, l := range layers {
		group.Go(func() error { return o.fetch(ctx, tx, repository, l, count) })
	}
	if err := group.Wait(); err != nil {
		return explain(err, from)
	}
	return tx.Commit(to, text, true)
}

// fetchManifest returns the manifest of a model, whose digest is that which the
// registry says.
func fetchManifest(ctx context.Context, r *remote.Repository, name ollama.Name) ([]byte, error) {
	d, body, err := r.FetchReference(ctx, name.Tag)
	if err != nil {
		return nil, explain(err, name)
	}
	defer body.Close()
	switch {
	case d.MediaType != ollama.TypeManifest && d.MediaType != ocispec.MediaTypeImageManifest:
		return nil, fault.Unsupported(name.String(), "", "", "the registry has %q under that name, which is no model", d.MediaType)
	case d.Size > ollama.MaxManifest:
		return nil, fault.Malformed(name.String(), "", "the manifest has %d bytes, more than %d", d.Size, ollama.MaxManifest)
	}
	text, err := content.ReadAll(body, d)
	if err != nil {
		return nil, fault.Malformed(name.String(), "", "the manifest is not what the registry says of it: %v", err)
	}
	return text, nil
}

// fetch receives a blob, goes on where an earlier transfer broke off, and tries
// again when this one does.
func (o *Options) fetch(ctx context.Context, tx *ollama.Transaction, r *remote.Repository, l ollama.Layer, count *tally) error {
	p, done, err := tx.Resume(l)
	if err != nil {
		return err
	}
	if done {
		count.add(l.Size)
		return nil
	}
	defer p.Close()
	count.add(p.Offset())
	for failures := 0; p.Offset() < l.Size || l.Size == 0; failures++ {
		before := p.Offset()
		err := o.receive(ctx, p, r, l, count)
		if err == nil {
			break
		}
		if p.Offset() > before {
			failures = 0
		}
		if !o.again(ctx, err, failures) {
			return errors.Join(ctx.Err(), err)
		}
	}
	return p.Finish(nil)
}

// receive reads what is missing of a blob, as far as it comes.
func (o *Options) receive(ctx context.Context, p *ollama.Partial, r *remote.Repository, l ollama.Layer, count *tally) error {
	body, err := r.Blobs().Fetch(ctx, descriptor(l))
	if err != nil {
		return err
	}
	defer body.Close()
	if at := p.Offset(); at > 0 {
		// Where the registry cannot begin in the middle, all of it comes again.
		seeker, ok := body.(io.Seeker)
		if ok {
			_, err = seeker.Seek(at, io.SeekStart)
		}
		if !ok || err != nil {
			if err := p.Reset(); err != nil {
				return err
			}
			count.add(-at)
		}
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{p}, &reader{ctx: ctx, Reader: body, tally: count}, make([]byte, 256<<10))
	if err == nil && p.Offset() < l.Size {
		err = fmt.Errorf("%s broke off after %d of %d bytes: %w", l.Digest.Short(), p.Offset(), l.Size, io.ErrUnexpectedEOF)
	}
	return err
}
