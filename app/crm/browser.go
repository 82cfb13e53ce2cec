package crm

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/oauth2"

	"ringside.dev/ringside/app/cti"
)

const (
	signInWait   = 5 * time.Minute // for the person in the browser
	callbackPath = "/callback"
)

// SignIn has a person sign in with the browser, which show opens, and stores what the CRM gives. It takes as long as the person, at most five
// minutes. Invalid where the connector does not sign in that way.
func (e *Engine) SignIn(ctx context.Context, show func(address string) error) error {
	o, ok := e.signIn.(*oauth)
	if !ok {
		return cti.Errorf(cti.Invalid, "this connector signs in with its parameters: there is nothing to do", nil)
	}
	if e.tokens == nil {
		return cti.Errorf(cti.Internal, "there is no place to keep the sign-in", nil)
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

// SignsIn tells whether a person signs in, as SignIn has them do; else parameters do.
func (e *Engine) SignsIn() bool {
	_, oauth := e.signIn.(*oauth)
	return oauth
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
	_, err = o.keep(o.granted(got, grant{}), "")
	return err
}

// awaitCode serves the address the browser comes back to, once.
func awaitCode(ctx context.Context, l net.Listener, state string, begin func() error) (string, error) {
	type answer struct {
		code string
		err  error
	}
	answers := make(chan answer, 1) // the first counts
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
		err := server.Serve(l)
		select {
		case answers <- answer{err: cti.Errorf(cti.Internal, "the address that the browser comes back to is not served", err)}:
		default: // an answer is there already
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
	if !ok {
		return cti.Errorf(cti.Invalid, "this connector signs in with its parameters: there is nothing to do", nil)
	}
	if e.tokens == nil {
		return cti.Errorf(cti.Internal, "there is no place to keep the sign-in", nil)
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
	o.grant, o.there, o.unsaved = grant{}, false, nil
	o.mu.Unlock()
	token := stored.Refresh
	if token == "" {
		token = stored.Access
	}
	if o.revoke == nil || token == "" {
		return nil
	}
	return o.end(ctx, token)
}

// end revokes a token. The application shows itself as it does to the token endpoint.
func (o *oauth) end(ctx context.Context, token string) error {
	what := o.e.doing("sign-out")
	address, err := o.revoke.text(vars{"param": o.e.params})
	if err != nil {
		return o.e.failed(what, err, false)
	}
	config, err := o.config()
	if err != nil {
		return err
	}
	form, header := url.Values{"token": {token}}, http.Header{}
	if config.Endpoint.AuthStyle == oauth2.AuthStyleInHeader {
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(config.ClientID)+":"+url.QueryEscape(config.ClientSecret))))
	} else if form.Set("client_id", config.ClientID); config.ClientSecret != "" {
		form.Set("client_secret", config.ClientSecret)
	}
	res, err := o.e.http.do(ctx, call{method: http.MethodPost, url: address, header: header, body: []byte(form.Encode()), kind: typeForm, write: true})
	if err != nil {
		return o.e.failed(what+": it is forgotten here, but the CRM could not be told", err, false)
	}
	if res.status != http.StatusOK {
		return cti.Errorf(cti.Denied, what+": it is forgotten here, but the CRM did not end it: end it in the CRM", nil)
	}
	return nil
}
