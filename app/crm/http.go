package crm

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// The limits of one exchange with a CRM.
const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = 2 * time.Minute
	maxResponse    = 4 << 20 // bytes, after decompression
	maxRedirects   = 5
	idleTimeout    = 30 * time.Second // shorter than most servers', so that a write seldom meets a connection they just closed
)

// client speaks HTTP to one CRM. Each request and each redirect passes the fence. It never repeats a write.
type client struct {
	reads, writes *http.Client
	fence         fence
	timeout       time.Duration
	limit         int64
	secretHeaders []string // not taken along to another host
}

// call is one request to make.
type call struct {
	method, url string
	header      http.Header
	body        []byte // nil: none
	kind        string // its media type
	write       bool

	stream io.Reader // instead of body, read once
	size   int64     // of stream, bytes
	upload bool      // it hands on a part of a file
	part   []int     // statuses that are no failure
}

// response is a whole answer.
type response struct {
	status int
	header http.Header
	isJSON bool
	json   any // nil when the body is empty or no JSON
	text   string
}

// failure is an exchange without a whole answer. Sent tells that the request may have reached the CRM.
type failure struct {
	sent bool
	what string // for people; no address, no secret, no number
	err  error
}

func (f *failure) Error() string { return f.what + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func newClient(given *http.Client, f fence, timeout time.Duration, limit int64, secretHeaders []string, roots *x509.CertPool) *client {
	base := http.Client{Transport: newTransport(roots)}
	if given != nil {
		base = *given
	}
	c := &client{fence: f, timeout: timeout, limit: limit, secretHeaders: secretHeaders}
	reads, writes := base, base
	reads.CheckRedirect = c.follow
	writes.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.reads, c.writes = &reads, &writes
	return c
}

func newTransport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:               proxyFor,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: defaultConcurrency,
		IdleConnTimeout:     idleTimeout,
		TLSHandshakeTimeout: defaultTimeout,
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, res *http.Response) error {
			if res.StatusCode == http.StatusProxyAuthRequired {
				return errProxyAuth
			}
			return nil
		},
	}
}

// proxyFor is the environment's proxy, but never for this machine.
func proxyFor(r *http.Request) (*url.URL, error) {
	if isLoopback(r.URL.Hostname()) {
		return nil, nil
	}
	return http.ProxyFromEnvironment(r)
}

// follow decides about a redirect of a read; writes follow none: a repeated write is the outbox's decision.
func (c *client) follow(r *http.Request, before []*http.Request) error {
	if len(before) >= maxRedirects {
		return &refusal{words("the CRM redirects in circles", "CRM 不断重定向")}
	}
	if err := c.fence.check(r.URL); err != nil {
		return err
	}
	if r.URL.Host != before[0].URL.Host {
		for _, name := range c.secretHeaders {
			r.Header.Del(name)
		}
	}
	return nil
}

// do makes one exchange. The error is a *failure, or a *refusal when the fence kept the request in.
func (c *client) do(ctx context.Context, out call) (*response, error) {
	ctx, cancel := context.WithTimeout(ctx, timeoutOf(c.timeout, out))
	defer cancel()
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	r, err := newRequest(ctx, out)
	if err != nil {
		return nil, err
	}
	if err := c.fence.check(r.URL); err != nil {
		return nil, err
	}
	via := c.reads
	if out.write {
		via = c.writes
	}
	res, err := via.Do(r)
	if err != nil {
		return nil, broken(err, sent.Load())
	}
	answer, err := c.read(res)
	if closed := res.Body.Close(); err == nil && closed != nil {
		err = closed
	}
	if err != nil {
		return nil, broken(err, true)
	}
	return answer, nil
}

func newRequest(ctx context.Context, out call) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, out.method, out.url, nil)
	if err != nil {
		return nil, &refusal{words("the request's address or method is malformed", "请求的地址或方法格式有误")}
	}
	r.Header = out.header.Clone()
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "application/json")
	}
	r.Header.Set("User-Agent", "Ringside")
	if out.body != nil || out.stream != nil {
		r.Header.Set("Content-Type", out.kind)
	}
	if out.stream != nil {
		r.Body, r.ContentLength, r.GetBody = io.NopCloser(out.stream), out.size, nil
	} else if out.body != nil || out.write {
		// A body of a type net/http does not know leaves GetBody nil: without it net/http cannot send the request a second time,
		// which it would do by itself when the method or an Idempotency-Key header look harmless (outbox.md, decision 7).
		r.Body = io.NopCloser(bytes.NewReader(out.body))
		r.ContentLength = int64(len(out.body))
		r.GetBody = nil
	}
	return r, nil
}

func (c *client) read(res *http.Response) (*response, error) {
	body, err := io.ReadAll(io.LimitReader(res.Body, c.limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > c.limit {
		return nil, errTooLarge
	}
	answer := &response{status: res.StatusCode, header: res.Header, text: string(body), isJSON: speaksJSON(res.Header)}
	if !answer.isJSON || strings.TrimSpace(answer.text) == "" {
		return answer, nil
	}
	if answer.json, err = decodeJSON(answer.text); err != nil {
		answer.isJSON = false
	}
	return answer, nil
}

var (
	errTooLarge  = errors.New("the answer is larger than allowed")
	errProxyAuth = errors.New("407 Proxy Authentication Required")
)

func speaksJSON(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && (kind == "application/json" || kind == "text/json" || strings.HasSuffix(kind, "+json"))
}

// broken names what went wrong on the way. url.Error is taken off: it repeats the address, and with it the number looked up.
func broken(err error, sent bool) error {
	var refused *refusal
	if errors.As(err, &refused) {
		return refused
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	var certificate *tls.CertificateVerificationError
	f := &failure{sent: sent, err: err}
	switch {
	case errors.Is(err, errTooLarge):
		f.what = "the CRM's answer is too large"
	case errors.Is(err, errProxyAuth):
		f.what = proxyWantsSignIn
	case errors.As(err, &certificate):
		f.what = "the CRM's certificate is not trusted: have IT check it, and whether a proxy looks inside TLS"
	case errors.Is(err, context.DeadlineExceeded):
		f.what = "the CRM did not answer in time"
	case errors.Is(err, context.Canceled):
		f.what = "the request was cancelled"
	case sent:
		f.what = "the connection to the CRM broke before its answer was complete"
	default:
		f.what = "the CRM cannot be reached: check the network and the server's address"
	}
	return f
}

// vars gives what an expression sees of an answer.
func (r *response) vars() vars {
	headers := make(map[string]string, len(r.header))
	for name, values := range r.header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return vars{"status": r.status, "headers": headers, "json": r.json, "text": r.text}
}

// success tells whether it is what a connector may read: 2xx, and JSON or nothing. A 200 with a web page is a captive portal or a
// sign-in page, not the CRM.
func (r *response) success() bool {
	return r.status >= 200 && r.status < 300 && (r.isJSON || r.empty())
}

func (r *response) empty() bool { return strings.TrimSpace(r.text) == "" }

// where names the target of a redirect without its path and query.
func (r *response) where() string {
	u, err := url.Parse(r.header.Get("Location"))
	if err != nil || u.Host == "" {
		return "another page"
	}
	return fmt.Sprintf("%s://%s", u.Scheme, u.Host)
}
