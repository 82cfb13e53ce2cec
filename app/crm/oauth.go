package crm

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"ringside.dev/ringside/app/cti"
)

// How the application shows itself to the token endpoint, and where the browser brings the answer.
var (
	clientAuths   = []string{"none", "basic", "post"}
	redirects     = []string{loopbackAny, loopbackFixed}
	pkceMethods   = []string{"S256", "off"}
	errNotSigned  = "nobody is signed in: run ringctl crm login"
	refreshBefore = time.Minute // before its end an access token is refreshed
)

const (
	loopbackAny   = "loopback_any"
	loopbackFixed = "loopback_fixed"
)

// oauth signs in with the authorization code grant of RFC 6749, as a native app does (RFC 8252): the browser asks the person, the answer comes to
// a port of this computer, and PKCE (RFC 7636) makes it useless to others. One refresh at a time; the others wait for it.
type oauth struct {
	e                        *Engine
	authorize, token, revoke *template
	id, secret               *template
	extra                    []pair
	spec                     *oauth2Spec
	refreshOn                []string

	mu      sync.Mutex
	grant   grant
	badge   badge
	there   bool
	young   time.Time // until then the CRM refuses a new token for another reason than its age
	flight  *flight   // the refresh under way; nil: none
	unsaved *unsaved
	refused refused
}

// flight is one refresh. What it gave is read after done is closed.
type flight struct {
	done  chan struct{}
	badge badge
	err   error
}

// refused is why a refresh token is not shown to the CRM again before a time; zero: never again.
type refused struct {
	refresh string
	err     error
	until   time.Time
}

func (r refused) holds(refresh string) bool {
	return r.err != nil && r.refresh == refresh && (r.until.IsZero() || time.Now().Before(r.until))
}

// known is what the last token said, in this run or the one before.
func (o *oauth) known() vars {
	o.mu.Lock()
	t, there := o.grant, o.badge.number > 0
	o.mu.Unlock()
	if !there && o.e.tokens != nil {
		if stored, err := o.load(); err == nil {
			t = stored
		}
	}
	return t.vars()
}

func (o *oauth) current(ctx context.Context) (badge, error) {
	o.mu.Lock()
	if o.there && o.grant.fresh() {
		defer o.mu.Unlock()
		return o.badge, nil
	}
	f := o.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		o.flight = f
		go o.fly(context.WithoutCancel(ctx), f)
	}
	o.mu.Unlock()
	select {
	case <-f.done:
		return f.badge, f.err
	case <-ctx.Done():
		return badge{}, cti.Errorf(cti.Offline, o.e.doing("sign-in")+": the CRM did not answer in time", ctx.Err())
	}
}

// fly refreshes, whoever still waits for it: a refresh given up half-way may have used the refresh token up, and what came of it would be lost.
func (o *oauth) fly(ctx context.Context, f *flight) {
	f.badge, f.err = o.locked(ctx)
	o.mu.Lock()
	o.flight = nil
	o.mu.Unlock()
	close(f.done)
}

// land waits for a refresh under way, so long at most.
func (o *oauth) land(most time.Duration) {
	o.mu.Lock()
	f := o.flight
	o.mu.Unlock()
	if f == nil {
		return
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-f.done:
	case <-timer.C:
	}
}

func (o *oauth) locked(ctx context.Context) (badge, error) {
	if o.e.tokens == nil {
		return badge{}, cti.Errorf(cti.Auth, o.e.doing("sign-in")+": "+errNotSigned, nil)
	}
	within, cancel := context.WithTimeout(ctx, 2*o.e.http.timeout) // another process may need as long as we
	defer cancel()
	unlock, err := o.e.tokens.Lock(within)
	if err != nil {
		return badge{}, cti.Errorf(cti.Offline, o.e.doing("sign-in")+": another process refreshes the sign-in", err)
	}
	defer unlock()
	return o.renew(ctx)
}

// renew takes what another process stored meanwhile, or refreshes. What it gets is stored before it is used.
func (o *oauth) renew(ctx context.Context) (badge, error) {
	stored, err := o.load()
	if err != nil {
		return badge{}, err
	}
	o.mu.Lock()
	dropped, kept, refused := o.grant.Access, o.unsaved, o.refused
	o.mu.Unlock()
	switch {
	case stored.fresh() && stored.Access != dropped:
		return o.use(stored, time.Time{}), nil
	case stored.Refresh == "":
		return badge{}, cti.Errorf(cti.Auth, o.e.doing("sign-in")+": "+errNotSigned, nil)
	case kept != nil && kept.of == stored.Refresh:
		return o.keep(kept.grant, stored.Refresh)
	case refused.holds(stored.Refresh):
		return badge{}, refused.err
	}
	got, err := o.refresh(ctx, stored)
	if err != nil {
		return badge{}, o.hold(err, stored.Refresh)
	}
	return o.keep(got, stored.Refresh)
}

func (o *oauth) refresh(ctx context.Context, stored grant) (grant, error) {
	config, err := o.config()
	if err != nil {
		return grant{}, err
	}
	within, cancel := context.WithTimeout(o.fenced(ctx), o.e.http.timeout)
	defer cancel()
	got, err := config.TokenSource(within, &oauth2.Token{RefreshToken: stored.Refresh}).Token()
	if err != nil {
		return grant{}, err
	}
	return o.granted(got, stored), nil
}

// hold tells what a refusal means, and notes how long the refresh token is not shown again: what the CRM ended stays ended, the rest may be
// mended meanwhile.
func (o *oauth) hold(err error, refresh string) error {
	told := o.failed(err)
	r := refused{refresh, told, time.Now().Add(firstPause)}
	var theirs *oauth2.RetrieveError
	var said *cti.Error
	switch {
	case errors.As(err, &theirs) && theirs.ErrorCode == invalidGrant:
		r.until = time.Time{}
	case errors.As(told, &said) && said.Kind == cti.Limited:
		r.until = time.Now().Add(max(said.RetryAfter, firstPause))
	case cti.KindOf(told) == cti.Auth:
		r.until = time.Now().Add(refusedFor)
	}
	o.mu.Lock()
	o.refused = r
	o.mu.Unlock()
	return told
}

// use makes a token the one in use; until when it is young.
func (o *oauth) use(t grant, young time.Time) badge {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.grant, o.there, o.young, o.badge = t, true, young, badge{t.vars(), o.badge.number + 1}
	return o.badge
}

// expired drops a token that the CRM refused. One that it gave a moment ago it refuses for another reason: the next would fare no better.
func (o *oauth) expired(b badge, c class) bool {
	if !slices.Contains(o.refreshOn, string(c)) {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.badge.number != b.number {
		return true
	}
	if time.Now().Before(o.young) {
		return false
	}
	o.there = false
	return true
}

// invalidGrant is the code for a refresh token that is used up, revoked or too old.
const invalidGrant = "invalid_grant"

// failed tells what the token endpoint's refusal means (RFC 6749, 5.2).
func (o *oauth) failed(err error) error {
	what := o.e.doing("sign-in")
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return o.e.failed(what, broken(err, false), false)
	}
	status, code := 0, refused.ErrorCode
	if refused.Response != nil {
		status = refused.Response.StatusCode
	}
	words := o.e.redact.text(strings.TrimSpace(code + " " + refused.ErrorDescription))
	switch {
	case status == http.StatusTooManyRequests:
		return &cti.Error{Kind: cti.Limited, Msg: what + ": " + advice[classThrottled], RetryAfter: retryAfter(refused.Response.Header.Get("Retry-After"))}
	case code == invalidGrant:
		return cti.Errorf(cti.Auth, what+": the CRM ended the sign-in ("+words+"): run ringctl crm login", nil)
	case code == "" && status != http.StatusBadRequest && status != http.StatusUnauthorized, // a proxy or a portal says so, and no OAuth server
		status >= 500, code == "server_error", code == "temporarily_unavailable":
		return cti.Errorf(cti.Offline, what+": "+advice[classTransient], nil)
	}
	return cti.Errorf(cti.Auth, what+": the CRM refused the sign-in ("+words+"): check client_id and client_secret, then run ringctl crm login", nil)
}

// config works the templates out.
func (o *oauth) config() (*oauth2.Config, error) {
	v := vars{"param": o.e.params}
	said := map[**template]string{}
	for _, t := range []**template{&o.authorize, &o.token, &o.id, &o.secret} {
		text, err := (*t).text(v)
		if err != nil {
			return nil, o.e.failed(o.e.doing("sign-in"), err, false)
		}
		said[t] = text
	}
	style := oauth2.AuthStyleInParams
	if o.spec.ClientAuth == "basic" {
		style = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{
		ClientID: said[&o.id], ClientSecret: said[&o.secret], Scopes: o.spec.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: said[&o.authorize], TokenURL: said[&o.token], AuthStyle: style},
	}, nil
}

// fenced makes the token endpoint's requests pass the connector's fence.
func (o *oauth) fenced(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{
		Transport:     fenced{o.e.http.fence, o.e.http.writes.Transport},
		CheckRedirect: o.e.http.writes.CheckRedirect,
	})
}

type fenced struct {
	fence fence
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (f fenced) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := f.fence.check(r.URL); err != nil {
		return nil, err
	}
	return f.next.RoundTrip(r)
}

// oauth2 compiles auth.oauth2.
func (l *loader) oauth2(e *Engine) *oauth {
	place := func(key string) position { return find(l.root, "auth", "oauth2", key) }
	o := &oauth{e: e, spec: l.doc.Auth.OAuth2, refreshOn: l.refreshOn()}
	if o.spec == nil {
		l.add(find(l.root, "auth"), words("auth type oauth2 needs oauth2", "认证类型 oauth2 需要 oauth2"),
			words("Write oauth2: {authorize_url: …, token_url: …, client_id: …}.", "请写 oauth2: {authorize_url: …, token_url: …, client_id: …}。"))
		o.spec = &oauth2Spec{}
	}
	s := o.spec
	o.authorize, o.token, o.revoke = l.scalar(&s.AuthorizeURL, l.params), l.scalar(&s.TokenURL, l.params), l.scalar(&s.RevokeURL, l.params)
	o.id, o.secret, o.extra = l.scalar(&s.ClientID, l.params), l.scalar(&s.ClientSecret, l.params), l.pairs(s.ExtraParams, l.params)
	for _, one := range []struct {
		key, value string
		of         []string
	}{{"pkce", s.PKCE, pkceMethods}, {"client_auth", s.ClientAuth, clientAuths}, {"redirect", s.Redirect, redirects}} {
		if one.value != "" && !slices.Contains(one.of, one.value) {
			l.add(place(one.key), words("unknown %s %q", "未知的 %s %q", one.key, one.value), oneOf(one.value, one.of))
		}
	}
	if secret := s.ClientAuth == "basic" || s.ClientAuth == "post"; secret != (o.secret != nil) {
		l.add(place("client_auth"), words("client_secret and client_auth basic or post need each other", "client_secret 与 client_auth: basic 或 post 须同时出现"),
			words("Write both, or neither for an application without a secret.", "请同时写两者；没有密钥的应用两者都不写。"))
	}
	if l.doc.Auth.OAuth2 != nil && (o.authorize == nil || o.token == nil || o.id == nil) {
		l.add(place(""), words("oauth2 needs authorize_url, token_url and client_id", "oauth2 需要 authorize_url、token_url 和 client_id"),
			words("The CRM's documentation for developers names them.", "请查阅 CRM 的开发者文档。"))
	}
	if (s.Redirect == loopbackFixed) != (s.Port > 0) || s.Port > 65535 {
		l.add(place("port"), words("loopback_fixed and port need each other", "loopback_fixed 与 port 须同时出现"),
			words("Write redirect: loopback_fixed, port: 8787, as registered with the CRM.", "请写 redirect: loopback_fixed, port: 8787，与 CRM 中登记的一致。"))
	}
	return o
}
