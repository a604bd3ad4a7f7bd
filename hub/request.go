package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A requester sends requests of one client.
type requester struct {
	http http.Client
	hub  *url.URL // the endpoint
}

// maxRedirects is the usual limit of browsers and libraries.
const maxRedirects = 10

// requests returns what sends the requests of c.
func (c *Client) requests() (*requester, error) {
	var err error
	c.once.Do(func() {
		if c.requester.hub, err = url.Parse(c.Endpoint); err != nil {
			return
		}
		transport := http.DefaultTransport.(*http.Transport).Clone() // with the proxies of the environment
		transport.DialContext = (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext
		transport.MaxIdleConnsPerHost = max(c.Parallel, defaultParallel)
		c.requester.http = http.Client{Transport: transport, CheckRedirect: c.checkRedirect}
	})
	if c.requester.hub == nil {
		return nil, fmt.Errorf("the address of the hub, %q, is none", c.Endpoint)
	}
	return &c.requester, err
}

// checkRedirect follows the hub to the host that has a file, and keeps the token
// from it. The http package does so too, but not where that host is below the
// hub, as in cdn.huggingface.co.
func (c *Client) checkRedirect(r *http.Request, via []*http.Request) error {
	last := via[len(via)-1].URL
	switch {
	case len(via) >= maxRedirects:
		return &redirectError{via[0].URL.Host, fmt.Sprintf("redirects more than %d times", maxRedirects)}
	case last.Scheme == "https" && r.URL.Scheme != "https":
		return &redirectError{last.Host, fmt.Sprintf("redirects to %s://%s, which is not encrypted", r.URL.Scheme, r.URL.Host)}
	}
	if !c.isHub(r.URL) {
		r.Header.Del("Authorization")
	}
	return nil
}

// isHub reports whether u is on the server that may see the token.
func (c *Client) isHub(u *url.URL) bool {
	return u.Scheme == c.requester.hub.Scheme && strings.EqualFold(u.Host, c.requester.hub.Host)
}

// A redirectError says that a redirect is not followed.
type redirectError struct{ host, problem string }

func (e *redirectError) Error() string { return e.host + " " + e.problem }

// A networkError says that no answer came, or not all of it.
type networkError struct {
	host   string
	err    error
	dialed bool // there was a connection
}

func (e *networkError) Error() string {
	if !e.dialed {
		return fmt.Sprintf("%s cannot be reached: %v", e.host, e.err)
	}
	return fmt.Sprintf("the connection to %s broke: %v", e.host, e.err)
}

func (e *networkError) Unwrap() error { return e.err }

// A statusError is an answer that is not what was asked for.
type statusError struct {
	host    string
	path    string
	code    int
	kind    string        // in the words of the hub, as in "GatedRepo"; may be empty
	message string        // of the server; may be empty
	wait    time.Duration // that the server asks for, or 0
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("%s answers %d %s for %s", e.host, e.code, http.StatusText(e.code), e.path)
	if e.message != "" {
		text += fmt.Sprintf(": %q", e.message)
	}
	return text
}

// errSilence ends a request without an answer.
var errSilence = errors.New("the server is silent")

// get asks for u once, from the byte at offset on. Unless it returns an error,
// the status is 200 or, with an offset, 206. Reading the body fails when the
// server is silent for too long.
func (c *Client) get(ctx context.Context, u string, offset int64) (*http.Response, error) {
	r, err := c.requests()
	if err != nil {
		return nil, err
	}
	silence := c.waits().silence
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(silence, func() { cancel(errSilence) })
	stop := func() {
		timer.Stop()
		cancel(nil)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		stop()
		return nil, err
	}
	// The size is that of the bytes as they come.
	req.Header.Set("Accept-Encoding", "identity")
	if c.UserAgent != "" {
		req.Header.Set("User-Agent", c.UserAgent)
	}
	if c.Token != "" && c.isHub(req.URL) {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := r.http.Do(req)
	if err != nil {
		err = asNetworkError(ctx, req.URL.Host, err)
		stop()
		return nil, err
	}
	resp.Body = &watchedBody{resp.Body, ctx, resp.Request.URL.Host, timer, silence, stop}
	if resp.StatusCode == http.StatusOK || offset > 0 && resp.StatusCode == http.StatusPartialContent {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, newStatusError(resp)
}

// A watchedBody ends when nothing comes for some time. Its errors are network
// errors.
type watchedBody struct {
	io.ReadCloser
	ctx     context.Context
	host    string
	timer   *time.Timer
	silence time.Duration
	stop    func()
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.timer.Reset(b.silence)
	}
	if err != nil && err != io.EOF {
		err = asNetworkError(b.ctx, b.host, err)
		if e, ok := err.(*networkError); ok {
			e.dialed = true
		}
	}
	return n, err
}

func (b *watchedBody) Close() error {
	b.stop()
	return b.ReadCloser.Close()
}

// asNetworkError names the host alone: addresses of files on other hosts are
// long and may be used by whoever reads them.
func asNetworkError(ctx context.Context, host string, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		if at, parseErr := url.Parse(u.URL); parseErr == nil && at.Host != "" {
			host = at.Host
		}
		err = u.Err
	}
	if e, ok := errors.AsType[*redirectError](err); ok {
		return e
	}
	if ctx.Err() != nil {
		if context.Cause(ctx) != errSilence {
			return ctx.Err() // nobody wants the answer any more
		}
		err = errSilence
	}
	op, ok := errors.AsType[*net.OpError](err)
	return &networkError{host, err, !ok || op.Op != "dial" && op.Op != "proxyconnect"}
}

// maxErrorBody is more than an explanation of an error takes.
const maxErrorBody = 4 << 10

func newStatusError(resp *http.Response) error {
	e := &statusError{
		host: resp.Request.URL.Host, path: resp.Request.URL.EscapedPath(), code: resp.StatusCode,
		kind: resp.Header.Get("X-Error-Code"), message: resp.Header.Get("X-Error-Message"),
		wait: askedWait(resp.Header, time.Now()),
	}
	// What is left of the body is not worth waiting for.
	io.CopyN(io.Discard, resp.Body, maxErrorBody)
	return e
}

// rateLimit matches the seconds until more requests are allowed, as in
// `"api";r=0;t=55`.
var rateLimit = regexp.MustCompile(`;\s*r\s*=\s*0\s*;\s*t\s*=\s*([0-9]{1,9})`)

// askedWait returns how long a server wants to be left alone, or 0.
func askedWait(h http.Header, now time.Time) time.Duration {
	after := h.Get("Retry-After")
	if m := rateLimit.FindStringSubmatch(h.Get("RateLimit")); m != nil {
		after = m[1]
	}
	if seconds, err := strconv.ParseInt(after, 10, 32); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(after); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// transient reports whether another attempt may help.
func transient(err error) bool {
	if e, ok := errors.AsType[*statusError](err); ok {
		switch e.code {
		case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
			http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return false
	}
	_, ok := errors.AsType[*networkError](err)
	return ok
}

// answered reports whether another attempt may help where there was a connection
// already. Without a network the cache has to do, and at once.
func answered(err error) bool {
	e, ok := errors.AsType[*networkError](err)
	return transient(err) && (!ok || e.dialed)
}

// retry calls f until it succeeds, until it fails in a way that another attempt
// cannot help, or until it has failed so many times in a row without getting on.
func (c *Client) retry(ctx context.Context, attempts int, again func(error) bool, f func() (gotOn bool, err error)) error {
	waits := c.waits()
	failed := 0
	for {
		gotOn, err := f()
		if err == nil || !again(err) || ctx.Err() != nil {
			return err
		}
		if gotOn {
			failed = 0
		}
		if failed++; failed >= attempts {
			return err
		}
		wait := min(waits.first<<(failed-1), waits.longest)
		wait = wait/2 + rand.N(wait/2+1) // not all at the same time
		if e, ok := errors.AsType[*statusError](err); ok && e.wait > 0 {
			if e.wait > waits.asked {
				return fmt.Errorf("%w; it asks to come back in %v", err, e.wait)
			}
			// Clocks of seconds may be cut.
			wait = max(wait, e.wait+waits.first)
		}
		if wait > 5*time.Second {
			c.note(fmt.Sprintf("%v; trying again in %v", err, wait.Round(time.Second)))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// errTooLong is returned by readAtMost.
var errTooLong = errors.New("it is far too long")

// readAtMost reads all of r, which may not have more than limit bytes.
func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = errTooLong
	}
	return data, err
}
