package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gguftool/gguftool/internal/fault"
)

// lacks says that the cache has not got something, and why it would be needed.
func (v *visit) lacks(what string) error {
	if v.alone == errOffline {
		return fmt.Errorf("the cache in %s lacks %s, and HF_HUB_OFFLINE forbids to fetch it; unset it (or TRANSFORMERS_OFFLINE), or name another cache in HF_HUB_CACHE",
			v.client.Cache, what)
	}
	return fmt.Errorf("%w; the cache in %s lacks %s", v.alone, v.client.Cache, what)
}

// A stageError is one of whoever called Snapshot.
type stageError struct{ error }

func (e *stageError) Unwrap() error { return e.error }

// explain names the model and says what to do next.
func (v *visit) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if e, ok := err.(*stageError); ok {
		return fmt.Errorf("%s: %w", v.source, e.error)
	}
	if bad, ok := errors.AsType[*fault.FormatError](err); ok {
		bad.File = v.source.String() + ": " + bad.File
		return bad
	}
	if e, ok := errors.AsType[*statusError](err); ok {
		err = v.explainStatus(e, err)
	} else if e, ok := errors.AsType[*networkError](err); ok && !e.dialed {
		err = fmt.Errorf("%w; check the network, a proxy (HTTPS_PROXY) and HF_ENDPOINT", err)
	} else if ok {
		err = fmt.Errorf("%w; the next call goes on from here", err)
	}
	return fmt.Errorf("%s: %w", v.source, err)
}

// explainStatus tells what an answer means. The hub answers 401, and not 404, for
// what does not exist, as it may be private.
func (v *visit) explainStatus(e *statusError, err error) error {
	c := v.client
	page := c.Endpoint + "/" + v.source.Model
	kind := e.kind
	if at, parseErr := url.Parse(c.Endpoint); parseErr != nil || at.Host != e.host {
		kind = "another host"
	}
	denied := e.code == http.StatusUnauthorized || e.code == http.StatusForbidden
	switch {
	case kind == "another host":
		return fmt.Errorf("%w; try again later", err)
	case kind == "GatedRepo" && c.Token == "":
		err = fmt.Errorf("its authors give it to those who ask; do so at %s, make a token at %s/settings/tokens and set HF_TOKEN to it", page, c.Endpoint)
	case kind == "GatedRepo":
		err = fmt.Errorf("its authors give it to those who ask, and the token in %s has no access; ask at %s, and see that the token may read such models", c.tokenName(), page)
	case kind == "RevisionNotFound":
		return fmt.Errorf("it has no revision %q; its branches and tags are at %s/tree/main", v.source.Revision, page)
	case kind == "EntryNotFound":
		return fmt.Errorf("%w; a file has gone", err)
	case e.code == http.StatusUnauthorized && c.Token != "" && kind != "RepoNotFound":
		err = fmt.Errorf("%s does not accept the token in %s; make another one at %s/settings/tokens, or unset it", e.host, c.tokenName(), c.Endpoint)
	case (kind == "RepoNotFound" || e.code == http.StatusNotFound || denied) && c.Token == "":
		err = fmt.Errorf("%s has no such model, or it is private; check the name, and set HF_TOKEN for a private one", e.host)
	case kind == "RepoNotFound" || e.code == http.StatusNotFound || denied:
		err = fmt.Errorf("%s has no such model, or it is private and the token in %s has no access; check the name and the token", e.host, c.tokenName())
	case e.code == http.StatusTooManyRequests:
		return fmt.Errorf("%w; wait some minutes, or set HF_TOKEN, which allows more", err)
	default:
		return fmt.Errorf("%w; try again later", err)
	}
	if e.message != "" {
		err = fmt.Errorf("%w (%d %s: %q)", err, e.code, http.StatusText(e.code), e.message)
	}
	if commit := v.store.commit(v.source.Revision); commit != "" && v.commit == "" {
		err = fmt.Errorf("%w; with HF_HUB_OFFLINE=1 the commit %s is used, of which the cache has files", err, commit)
	}
	return err
}
