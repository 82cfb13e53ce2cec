package crm

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"ringside.dev/ringside/app/cti"
)

// Tokens keeps what signing in with OAuth 2 gives, sealed, for one connector. Its methods may be called concurrently.
type Tokens interface {
	// Load gives what was stored last; nil when nothing was.
	Load() ([]byte, error)
	// Store replaces it; when it returns nil it is on the disk. Nil forgets it.
	Store(sealed []byte) error
	// Lock keeps other processes of this user from refreshing meanwhile: a CRM that rotates refresh tokens takes one that is used twice
	// for stolen, and locks the agent out.
	Lock(ctx context.Context) (unlock func(), err error)
}

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
	signInWait    = 5 * time.Minute // for the person in the browser
	callbackPath  = "/callback"
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
	turn                     chan struct{}
	mu                       sync.Mutex
	grant                    grant
	badge                    badge
	there                    bool
}

// grant is the token in use, as it is stored.
type grant struct {
	Access  string            `json:"access_token"`
	Refresh string            `json:"refresh_token,omitempty"`
	Expiry  time.Time         `json:"expiry,omitzero"`
	Fields  map[string]string `json:"fields,omitempty"`
}

func (t grant) fresh() bool {
	return t.Access != "" && (t.Expiry.IsZero() || time.Until(t.Expiry) > refreshBefore)
}

func (o *oauth) known() vars {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.grant.vars()
}

func (t grant) vars() vars {
	out := vars{"access_token": t.Access}
	for name, value := range t.Fields {
		out[name] = value
	}
	return out
}

func (o *oauth) current(ctx context.Context) (badge, error) {
	if b, ok := o.valid(); ok {
		return b, nil
	}
	select {
	case o.turn <- struct{}{}:
	case <-ctx.Done():
		return badge{}, cti.Errorf(cti.Offline, o.e.doing("sign-in")+": another refresh takes too long", ctx.Err())
	}
	defer func() { <-o.turn }()
	if b, ok := o.valid(); ok {
		return b, nil
	}
	if o.e.tokens == nil {
		return badge{}, cti.Errorf(cti.Auth, o.e.doing("sign-in")+": "+errNotSigned, nil)
	}
	unlock, err := o.e.tokens.Lock(ctx)
	if err != nil {
		return badge{}, cti.Errorf(cti.Offline, o.e.doing("sign-in")+": another process refreshes the sign-in", err)
	}
	defer unlock()
	return o.renew(ctx)
}

func (o *oauth) valid() (badge, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.badge, o.there && o.grant.fresh()
}

// renew takes what another process stored meanwhile, or refreshes. What it gets is stored before it is used.
func (o *oauth) renew(ctx context.Context) (badge, error) {
	stored, err := o.load()
	if err != nil {
		return badge{}, err
	}
	o.mu.Lock()
	refused := o.grant.Access
	o.mu.Unlock()
	if stored.fresh() && stored.Access != refused {
		return o.use(stored), nil
	}
	if stored.Refresh == "" {
		return badge{}, cti.Errorf(cti.Auth, o.e.doing("sign-in")+": "+errNotSigned, nil)
	}
	config, err := o.config()
	if err != nil {
		return badge{}, err
	}
	within, cancel := context.WithTimeout(o.fenced(ctx), o.e.http.timeout)
	defer cancel()
	got, err := config.TokenSource(within, &oauth2.Token{RefreshToken: stored.Refresh}).Token()
	if err != nil {
		return badge{}, o.failed(err)
	}
	return o.take(got, stored)
}

// take stores a new token and uses it.
func (o *oauth) take(got *oauth2.Token, before grant) (badge, error) {
	t := grant{Access: got.AccessToken, Refresh: got.RefreshToken, Expiry: got.Expiry.UTC(), Fields: map[string]string{}}
	if t.Refresh == "" {
		t.Refresh = before.Refresh
	}
	for name, theirs := range o.spec.TokenFields {
		if t.Fields[name] = textOf(got.Extra(theirs)); t.Fields[name] == "" {
			t.Fields[name] = before.Fields[name]
		}
	}
	text, err := json.Marshal(t) //nolint:gosec // Tokens seals it
	if err == nil {
		err = o.e.tokens.Store(text)
	}
	if err != nil {
		return badge{}, cti.Errorf(cti.Offline, o.e.doing("sign-in")+": the new token could not be stored", err)
	}
	return o.use(t), nil
}

func (o *oauth) use(t grant) badge {
	o.e.redact.learn(t.Access)
	o.e.redact.learn(t.Refresh)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.grant, o.there, o.badge = t, true, badge{t.vars(), o.badge.number + 1}
	return o.badge
}

func (o *oauth) load() (grant, error) {
	text, err := o.e.tokens.Load()
	if err != nil {
		return grant{}, cti.Errorf(cti.Offline, o.e.doing("sign-in")+": the stored sign-in cannot be read", err)
	}
	var t grant
	if len(text) == 0 {
		return t, nil
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return grant{}, cti.Errorf(cti.Auth, o.e.doing("sign-in")+": the stored sign-in is damaged: run ringctl crm login", nil)
	}
	return t, nil
}

func (o *oauth) expired(b badge, c class) bool {
	if !slices.Contains(o.refreshOn, string(c)) {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.badge.number == b.number {
		o.there = false
	}
	return true
}

// failed tells what the token endpoint's refusal means (RFC 6749, 5.2).
func (o *oauth) failed(err error) error {
	what := o.e.doing("sign-in")
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return o.e.failed(what, broken(err, false), false)
	}
	status := 0
	if refused.Response != nil {
		status = refused.Response.StatusCode
	}
	words := o.e.redact.text(strings.TrimSpace(refused.ErrorCode + " " + refused.ErrorDescription))
	switch {
	case status == http.StatusTooManyRequests:
		return &cti.Error{Kind: cti.Limited, Msg: what + ": " + advice[classThrottled], RetryAfter: retryAfter(refused.Response.Header.Get("Retry-After"))}
	case status >= 500:
		return cti.Errorf(cti.Offline, what+": "+advice[classTransient], nil)
	case refused.ErrorCode == "invalid_grant":
		return cti.Errorf(cti.Auth, what+": the CRM ended the sign-in ("+words+"): run ringctl crm login", nil)
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
	style := map[string]oauth2.AuthStyle{"basic": oauth2.AuthStyleInHeader}[o.spec.ClientAuth]
	if style == 0 {
		style = oauth2.AuthStyleInParams
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

// SignIn has a person sign in with the browser, which show opens, and stores what the CRM gives. It takes as long as the person, at most five
// minutes. Invalid where the connector does not sign in that way.
func (e *Engine) SignIn(ctx context.Context, show func(address string) error) error {
	o, ok := e.signIn.(*oauth)
	if !ok || e.tokens == nil {
		return cti.Errorf(cti.Invalid, "this connector signs in with its parameters: there is nothing to do", nil)
	}
	ctx, cancel := context.WithTimeout(ctx, signInWait)
	defer cancel()
	config, err := o.config()
	if err != nil {
		return err
	}
	port := 0
	if o.spec.Redirect == loopbackFixed {
		port = o.spec.Port
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return cti.Errorf(cti.Conflict, "the port for the sign-in is in use: end the program that has it, or try later", err)
	}
	config.RedirectURL = "http://" + l.Addr().String() + callbackPath
	if o.spec.Redirect == loopbackFixed {
		config.RedirectURL = "http://localhost:" + strconv.Itoa(port) + callbackPath
	}
	return o.signIn(ctx, config, l, show)
}

func (o *oauth) signIn(ctx context.Context, config *oauth2.Config, l net.Listener, show func(string) error) error {
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	var asked []oauth2.AuthCodeOption
	for _, p := range o.extra {
		text, err := p.value.text(vars{"param": o.e.params})
		if err != nil {
			return errors.Join(o.e.failed(o.e.doing("sign-in"), err, false), l.Close())
		}
		asked = append(asked, oauth2.SetAuthURLParam(p.name, text))
	}
	var proof []oauth2.AuthCodeOption
	if o.spec.PKCE != "off" {
		asked, proof = append(asked, oauth2.S256ChallengeOption(verifier)), append(proof, oauth2.VerifierOption(verifier))
	}
	code, err := awaitCode(ctx, l, state, func() error { return show(config.AuthCodeURL(state, asked...)) })
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(o.fenced(ctx), o.e.http.timeout)
	defer cancel()
	got, err := config.Exchange(within, code, proof...)
	if err != nil {
		return o.failed(err)
	}
	unlock, err := o.e.tokens.Lock(ctx)
	if err != nil {
		return cti.Errorf(cti.Offline, o.e.doing("sign-in")+": another process refreshes the sign-in", err)
	}
	defer unlock()
	_, err = o.take(got, grant{})
	return err
}

// awaitCode serves the address the browser comes back to, once.
func awaitCode(ctx context.Context, l net.Listener, state string, begin func() error) (string, error) {
	type answer struct {
		code string
		err  error
	}
	answers := make(chan answer, 2) // the browser's and the server's
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.URL.Path != callbackPath || q.Get("state") != state {
			http.Error(w, "This is not the sign-in that Ringside waits for. 这不是 Ringside 正在等待的登录。", http.StatusBadRequest)
			return
		}
		got := answer{code: q.Get("code")}
		if got.code == "" {
			got.err = cti.Errorf(cti.Auth, "the CRM did not allow the sign-in: "+cti.Clean(q.Get("error")+" "+q.Get("error_description"), cti.MaxText), nil)
		}
		select {
		case answers <- got:
		default:
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("Ringside: you may close this page.\nRingside：您可以关闭此页面。\n")) // a browser that has gone has read it
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			answers <- answer{err: cti.Errorf(cti.Internal, "the address that the browser comes back to is not served", err)}
		}
	}()
	defer func() {
		_ = server.Close() // the answer is there, or nobody waits for it any more
		<-served
	}()
	if err := begin(); err != nil {
		return "", cti.Errorf(cti.Internal, "the browser could not be opened", err)
	}
	select {
	case got := <-answers:
		return got.code, got.err
	case <-ctx.Done():
		return "", cti.Errorf(cti.Auth, "nobody signed in within the time: run ringctl crm login again", ctx.Err())
	}
}

// SignOut forgets the sign-in and, where the CRM has a way (RFC 7009), ends it there. It is forgotten even when the CRM cannot be told.
func (e *Engine) SignOut(ctx context.Context) error {
	o, ok := e.signIn.(*oauth)
	if !ok || e.tokens == nil {
		return cti.Errorf(cti.Invalid, "this connector signs in with its parameters: there is nothing to do", nil)
	}
	unlock, err := e.tokens.Lock(ctx)
	if err != nil {
		return cti.Errorf(cti.Offline, e.doing("sign-out")+": another process refreshes the sign-in", err)
	}
	defer unlock()
	stored, err := o.load()
	if err != nil {
		return err
	}
	if err := e.tokens.Store(nil); err != nil {
		return cti.Errorf(cti.Internal, "the sign-in could not be forgotten", err)
	}
	o.mu.Lock()
	o.grant, o.there = grant{}, false
	o.mu.Unlock()
	if o.revoke == nil || stored.Refresh == "" {
		return nil
	}
	return o.end(ctx, stored.Refresh)
}

func (o *oauth) end(ctx context.Context, token string) error {
	address, err := o.revoke.text(vars{"param": o.e.params})
	if err != nil {
		return o.e.failed(o.e.doing("sign-out"), err, false)
	}
	id, err := o.id.text(vars{"param": o.e.params})
	if err != nil {
		return o.e.failed(o.e.doing("sign-out"), err, false)
	}
	form := url.Values{"token": {token}, "token_type_hint": {"refresh_token"}, "client_id": {id}}
	res, err := o.e.http.do(ctx, call{method: http.MethodPost, url: address, header: http.Header{}, body: []byte(form.Encode()), kind: typeForm, write: true})
	if err != nil {
		return o.e.failed(o.e.doing("sign-out"), err, false)
	}
	if res.status != http.StatusOK {
		return cti.Errorf(cti.Denied, o.e.doing("sign-out")+": it is forgotten here, but the CRM did not end it: end it in the CRM", nil)
	}
	return nil
}

// oauth2 compiles auth.oauth2.
func (l *loader) oauth2(e *Engine) *oauth {
	place := func(key string) position { return find(l.root, "auth", "oauth2", key) }
	o := &oauth{e: e, spec: l.doc.Auth.OAuth2, refreshOn: l.refreshOn(), turn: make(chan struct{}, 1)}
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
