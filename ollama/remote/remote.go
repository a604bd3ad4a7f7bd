package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/errcode"
	"oras.land/oras-go/v2/registry/remote/retry"

	"github.com/gguftool/gguftool/internal/fault"
	"github.com/gguftool/gguftool/ollama"
)

// Options say how a registry is talked to. The zero value asks for nothing special.
type Options struct {
	PlainHTTP bool            // no encryption; registries on this machine get none anyway
	UserAgent string          // of requests
	Progress  ollama.Progress // of the bytes of all blobs, those that are there already included; may be nil

	wait time.Duration // before a transfer that broke off goes on; 0: a second
}

const (
	transfers = 3 // blobs at a time
	attempts  = 6 // in a row that bring nothing new
)

// repositoryForm is what registries allow as path of a repository.
var repositoryForm = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$`)

// open returns the repository of a model.
func (o *Options) open(name ollama.Name) (*remote.Repository, error) {
	for _, part := range []string{name.Namespace, name.Model} {
		if !repositoryForm.MatchString(part) {
			return nil, fmt.Errorf("registries have no repository %s/%s: lower-case letters, digits and single . _ - between them are possible", name.Namespace, name.Model)
		}
	}
	r, err := remote.NewRepository(name.Host + "/" + name.Namespace + "/" + name.Model)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r.PlainHTTP = o.PlainHTTP || name.Scheme == "http" || name.Scheme == "" && isLocal(name.Host)
	r.MaxMetadataBytes = ollama.MaxManifest
	r.ManifestMediaTypes = []string{ollama.TypeManifest, ocispec.MediaTypeImageManifest}
	client := &auth.Client{Client: retry.NewClient(), Cache: auth.NewCache(), Header: http.Header{}}
	if o.UserAgent != "" {
		client.Header.Set("User-Agent", o.UserAgent)
	}
	store, err := credentialStore()
	if err != nil {
		return nil, err
	}
	client.Credential = credentials.Credential(store)
	r.Client = client
	return r, nil
}

// isLocal reports whether a host is this machine, whose registries have no
// certificates.
func isLocal(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// credentialStore returns what Docker and Podman have about registries: the files
// and the programs that they name.
func credentialStore() (credentials.Store, error) {
	docker, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, fmt.Errorf("read credentials of Docker: %w", err)
	}
	path := os.Getenv("REGISTRY_AUTH_FILE")
	if dir := os.Getenv("XDG_RUNTIME_DIR"); path == "" && dir != "" {
		path = filepath.Join(dir, "containers", "auth.json")
	}
	if path == "" {
		return docker, nil
	}
	podman, err := credentials.NewStore(path, credentials.StoreOptions{})
	if err != nil {
		return nil, fmt.Errorf("read credentials of Podman: %w", err)
	}
	return credentials.NewStoreWithFallbacks(docker, podman), nil
}

// descriptor is a layer as oras-go names it.
func descriptor(l ollama.Layer) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: l.MediaType, Digest: digest.Digest(l.Digest), Size: l.Size}
}

// explain says what to do about an answer of a registry.
func explain(err error, name ollama.Name) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, errdef.ErrNotFound) {
		return fmt.Errorf("%s: the registry has no such model, or does not show it without credentials: %w", name, err)
	}
	answer, ok := errors.AsType[*errcode.ErrorResponse](err)
	if ok && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden) || errors.Is(err, auth.ErrBasicCredentialNotFound) {
		return fmt.Errorf("%s: the registry asks for other credentials: %w; log in with docker login %s, or name a file in DOCKER_CONFIG or REGISTRY_AUTH_FILE", name, err, name.Host)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// A tally counts the bytes of several blobs.
type tally struct {
	done     atomic.Int64
	total    int64
	progress ollama.Progress
	turn     chan struct{} // one at a time tells
}

func newTally(layers []ollama.Layer, progress ollama.Progress) *tally {
	t := &tally{progress: progress, turn: make(chan struct{}, 1)}
	for _, l := range layers {
		t.total += l.Size
	}
	return t
}

func (t *tally) add(n int64) {
	done := t.done.Add(n)
	if t.progress == nil {
		return
	}
	select {
	case t.turn <- struct{}{}:
		t.progress(done, t.total)
		<-t.turn
	default: // another one tells right now
	}
}

// A reader counts what it gives out and ends with its context.
type reader struct {
	ctx context.Context
	io.Reader
	*tally
	bytes atomic.Int64 // a client of HTTP may go on to read for a moment after it has failed
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.Reader.Read(p)
	r.bytes.Add(int64(n))
	r.add(int64(n))
	return n, err
}

// again waits before another attempt at a transfer that failed with err, of which
// so many in a row brought nothing, and reports whether there is to be one: not
// where the registry has said no, and not for ever.
func (o *Options) again(ctx context.Context, err error, failures int) bool {
	if failures >= attempts || errors.Is(err, errdef.ErrNotFound) || errors.Is(err, auth.ErrBasicCredentialNotFound) || ctx.Err() != nil {
		return false
	}
	if answer, ok := errors.AsType[*errcode.ErrorResponse](err); ok && answer.StatusCode < 500 && answer.StatusCode != http.StatusTooManyRequests {
		return false
	}
	if _, ok := errors.AsType[*fault.FormatError](err); ok {
		return false
	}
	wait := o.wait
	if wait == 0 {
		wait = time.Second
	}
	select {
	case <-time.After(wait << failures):
		return true
	case <-ctx.Done():
		return false
	}
}
